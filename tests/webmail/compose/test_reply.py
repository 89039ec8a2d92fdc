"""To whom an answer goes, from whom, and what it begins with."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from app.compose import html as written_html
from app.compose.reply import (
    Recipients,
    choose_sender,
    forward_subject,
    forward_text,
    quote_text,
    read_original,
    reply_html,
    reply_recipients,
    reply_subject,
    reply_text,
    without_signature,
)

ME = ("me@x.example", "me@work.example")


def original(**fields):
    head = {"From": "Ines <ines@x.example>", "To": "Me <me@x.example>", "Message-ID": "<o@x>", **fields}
    lines = (f"{name.replace('_', '-')}: {value}\r\n" for name, value in head.items() if value)
    return read_original("".join(lines).encode())


@pytest.mark.parametrize(
    ("fields", "to_all", "to", "cc"),
    [
        ({}, False, "Ines <ines@x.example>", ""),
        ({}, True, "Ines <ines@x.example>", ""),
        ({"To": "me@x.example, b@x.example", "Cc": "c@x.example, ME@WORK.example"}, True,
         "Ines <ines@x.example>, b@x.example", "c@x.example"),
        ({"To": "me@x.example, b@x.example", "Cc": "c@x.example"}, False, "Ines <ines@x.example>", ""),
        ({"Reply-To": "list@x.example", "Cc": "c@x.example"}, False, "list@x.example", ""),
        ({"Reply-To": "list@x.example", "To": "list@x.example"}, True, "list@x.example", ""),
        ({"Cc": "Ines <INES@x.example>, c@x.example"}, True, "Ines <ines@x.example>", "c@x.example"),  # once
        # Answering one's own message goes to the same people again
        ({"From": "me@x.example", "To": "b@x.example", "Cc": "c@x.example"}, False, "b@x.example", ""),
        ({"From": "me@x.example", "To": "b@x.example", "Cc": "c@x.example"}, True, "b@x.example", "c@x.example"),
        ({"From": "me@x.example", "To": "me@work.example"}, True, "me@work.example", ""),  # a note to oneself
        ({"From": ""}, False, "", ""),
        ({"From": "user@localhost"}, False, "user@localhost", ""),  # seen and mended, not dropped
    ],
)  # fmt: skip
def test_recipients(fields, to_all, to, cc):
    assert reply_recipients(original(**fields), ME, to_all=to_all) == Recipients(to, cc)


@pytest.mark.parametrize(
    ("subject", "reply", "forward"),
    [
        ("Proofs", "Re: Proofs", "Fwd: Proofs"),
        ("Re: Proofs", "Re: Proofs", "Fwd: Re: Proofs"),
        ("RE: AW: Re[2]: Proofs", "Re: Proofs", "Fwd: RE: AW: Re[2]: Proofs"),
        ("Fwd: FW: Proofs", "Re: Fwd: FW: Proofs", "Fwd: Proofs"),
        ("", "Re: ", "Fwd: "),
        ("Research: what next", "Re: Research: what next", "Fwd: Research: what next"),
        ("回复：你好", "Re: 你好", "Fwd: 回复：你好"),
    ],
)
def test_prefixes_never_pile_up(subject, reply, forward):
    assert (reply_subject(subject), forward_subject(subject)) == (reply, forward)


@pytest.mark.parametrize(
    ("fields", "chosen"),
    [
        ({"To": "me@work.example"}, 2),
        ({"To": "list@x.example", "Cc": "ME@work.example"}, 2),
        ({"To": "me@work.example, me@x.example"}, 2),
        ({"To": "list@x.example"}, 1),
        ({"From": "me@work.example", "To": "b@x.example"}, 2),
    ],
)
def test_the_address_it_came_to_answers(fields, chosen):
    assert choose_sender(original(**fields), [(1, "me@x.example"), (2, "Me@work.example")]) == chosen
    assert choose_sender(original(**fields), []) is None


def test_references_grow_by_the_answered_one():
    answered = original(References="<a@x>\r\n <b@x>", In_Reply_To="<b@x>")
    assert (answered.message_id, answered.in_reply_to, answered.references) == (
        "<o@x>",
        "<b@x>",
        ("<a@x>", "<b@x>", "<o@x>"),
    )
    assert original(In_Reply_To="<b@x>").references == ("<b@x>", "<o@x>")  # RFC 5322 §3.6.4


def test_encoded_names_with_commas_are_read():
    found = original(From='=?utf-8?q?M=C3=BCller=2C_J?= <j@x.example>, "Holt, M" <m@x.example>')
    assert [address.name for address in found.sender.addresses] == ["Müller, J", "Holt, M"]


def test_quoting():
    assert quote_text("Hi\r\n\r\n> old\r\n-- \r\nInes") == "> Hi\n>\n>> old"
    assert reply_text("Ines wrote:", "Hi", "Maren") == "\n\n-- \nMaren\n\nInes wrote:\n> Hi\n"
    assert without_signature("a\n-- \n" + "line\n" * 40).count("line") == 40  # no signature is that long
    assert forward_text("Forwarded message", [("From", "a"), ("Cc", "")], "Hi") == (
        "\n\n---------- Forwarded message ----------\nFrom: a\n\nHi\n"
    )


HOSTILE = [
    '<script>alert(1)</script>', '<img src=x onerror=alert(1)>', '<a href="javascript:alert(1)">x</a>',
    '<svg onload=alert(1)>', '<p style="background:url(https://t.example)">x</p>', "<iframe src=https://t.example>",
    '<img src="https://t.example/pixel.gif">', "<form action=https://t.example><input name=a></form>",
    '<style>@import "https://t.example"</style>', '<a href="https://ok.example" onclick="x()">ok</a>',
]  # fmt: skip


@pytest.mark.parametrize("hostile", HOSTILE)
def test_a_quoted_page_runs_and_loads_nothing(hostile):
    quoted = reply_html("Ines <b> wrote:", hostile).lower()
    assert "&lt;b&gt; wrote:" in quoted
    for danger in ("<script", "onerror", "javascript:", "<svg", "onload", "t.example", "<iframe", "<form", "onclick"):
        assert danger not in quoted


def test_images_of_the_message_itself_stay():
    cleaned = written_html.clean('<img src="cid:dot@x"><img src="https://t.example/a.png">')
    assert written_html.content_ids(cleaned) == {"dot@x"}
    assert "https://t.example/a.png" in cleaned


@given(st.binary(max_size=400))
def test_any_header_can_be_answered(header):
    answered = read_original(b"From: " + header)
    assert "\n" not in reply_recipients(answered, ME, to_all=True).to
    assert "\n" not in reply_subject(answered.subject)
