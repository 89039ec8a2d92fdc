"""The octets a message is sent as."""

from __future__ import annotations

import email
import re
from datetime import UTC, datetime
from email.header import decode_header, make_header
from email.message import Message
from email.utils import getaddresses
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from app.compose.addresses import Address, one_line
from app.compose.build import (
    Attached,
    Letter,
    add_bcc,
    bounded_references,
    build,
    envelope_recipients,
    lines_of,
    new_message_id,
    safe_filename,
)

MAREN = Address("Maren Holt", "maren@holt.example")
SENT = datetime(2026, 11, 24, 8, 0, tzinfo=UTC)


def letter(**values) -> Letter:
    base: dict[str, Any] = {
        "sender": MAREN,
        "date": SENT,
        "message_id": "<1@holt.example>",
        "to": [Address("", "a@x.example")],
    }
    return Letter(**(base | values))


def parsed(message: bytes) -> Message:
    return email.message_from_bytes(message)


def decoded(header: str | None) -> str:
    return str(make_header(decode_header((header or "").replace("\r\n", ""))))


def mailboxes(message: Message, name: str) -> list[tuple[str, str]]:
    unfolded = [str(value).replace("\r\n", "") for value in message.get_all(name, [])]
    return [(decoded(shown), address) for shown, address in getaddresses(unfolded)]


def leaf_text(part: Message) -> str:
    payload = part.get_payload(decode=True)
    assert isinstance(payload, bytes)
    return payload.decode().replace("\r\n", "\n")


def test_a_plain_message():
    assert build(letter(subject="Proofs", text="Dear Ines,\nyes.")) == (
        b"Date: Tue, 24 Nov 2026 08:00:00 +0000\r\n"
        b"From: Maren Holt <maren@holt.example>\r\n"
        b"To: a@x.example\r\n"
        b"Message-ID: <1@holt.example>\r\n"
        b"Subject: Proofs\r\n"
        b'Content-Type: text/plain; charset="utf-8"\r\n'
        b"Content-Transfer-Encoding: 7bit\r\n"
        b"MIME-Version: 1.0\r\n"
        b"\r\n"
        b"Dear Ines,\r\nyes.\r\n"
    )


INJECTIONS = ["\r\nBcc: eve@evil.example", "\nBcc: eve@evil.example", "\rBcc: eve@evil.example", "\0", "\u2028Bcc: e",
              "\x0bBcc: e", "\x85Bcc: e", "\r\n\r\n<script>"]  # fmt: skip
PLACES = {
    "subject": lambda evil: letter(subject="Hello" + evil),
    "sender": lambda evil: letter(sender=Address("Maren" + evil, "maren@holt.example")),
    "recipient": lambda evil: letter(to=[Address("Ines" + evil, "ines@x.example")]),
    "references": lambda evil: letter(references="<a@b>" + evil, in_reply_to="<a@b>" + evil),
    "filename": lambda evil: letter(attachments=[Attached("a.pdf" + evil, "application/pdf", b"x")]),
    "content type": lambda evil: letter(attachments=[Attached("a", "application/pdf" + evil, b"x")]),
    "content id": lambda evil: letter(html="<p>", attachments=[Attached("a", "image/png", b"x", "id" + evil)]),
    "non-ascii": lambda evil: letter(to=[Address("Ünes" + evil, "ines@x.example")], subject="Ü" + evil),
}


@pytest.mark.parametrize("place", PLACES)
@pytest.mark.parametrize("evil", INJECTIONS)
def test_nothing_begins_a_header_line_of_its_own(place, evil):
    built = build(PLACES[place](evil))
    head, _, _ = built.partition(b"\r\n\r\n")
    names = {line.split(b":")[0] for line in head.split(b"\r\n") if not line.startswith((b" ", b"\t"))}
    assert names <= {b"Date", b"From", b"To", b"Message-ID", b"In-Reply-To", b"References", b"Subject",
                     b"Content-Type", b"Content-Transfer-Encoding", b"MIME-Version"}  # fmt: skip
    assert b"\0" not in built
    message = parsed(built)
    assert all(part["Bcc"] is None for part in message.walk())
    assert len(list(message.walk())) <= 5


@pytest.mark.parametrize("place", ["sender", "recipient"])
def test_a_line_end_in_an_address_is_refused(place):
    evil = Address("", "a@x.example\r\nBcc: e@evil.example")
    with pytest.raises(ValueError):
        build(letter(sender=evil) if place == "sender" else letter(to=[evil]))


def test_bcc_is_in_the_envelope_and_the_own_copy_only():
    hidden = [Address("Über", "boss@x.example")]
    written = letter(bcc=hidden)
    assert b"boss" not in build(written)
    assert envelope_recipients(written) == ["a@x.example", "boss@x.example"]
    for copy in (build(written, keep_bcc=True), add_bcc(build(written), hidden)):
        assert mailboxes(parsed(copy), "Bcc") == [("Über", "boss@x.example")]


def test_envelope_has_everybody_once_with_a_labels():
    twice = Address("Other name", "A@x.example")
    written = letter(cc=[twice, Address("", "b@münchen.example")])
    assert sorted(envelope_recipients(written), key=str.lower) == ["A@x.example", "b@xn--mnchen-3ya.example"]


def test_html_has_a_text_beside_it_and_its_images_inside():
    image = Attached("dot.png", "image/png", b"\x89PNG", "dot@satchel")
    pdf = Attached("Bericht für Ines.pdf", "application/pdf", b"%PDF")
    message = parsed(build(letter(text="Hi", html='<p>Hi <img src="cid:dot@satchel">', attachments=[image, pdf])))
    shape = [part.get_content_type() for part in message.walk()]
    assert shape == ["multipart/mixed", "multipart/alternative", "text/plain", "multipart/related", "text/html",
                     "image/png", "application/pdf"]  # fmt: skip
    parts = list(message.walk())
    assert (parts[5]["Content-ID"], parts[5].get_content_disposition()) == ("<dot@satchel>", "inline")
    assert (parts[6].get_filename(), parts[6].get_payload(decode=True)) == ("Bericht für Ines.pdf", b"%PDF")


def test_an_image_of_a_text_message_is_an_attachment():
    image = Attached("dot.png", "image/png", b"\x89PNG", "dot@satchel")
    message = parsed(build(letter(text="Hi", attachments=[image])))
    assert [part.get_content_type() for part in message.walk()] == ["multipart/mixed", "text/plain", "image/png"]


@pytest.mark.parametrize("kind", ["message/rfc822", "multipart/mixed", "nonsense", "a/b\r\nX: y", "text/html; x=y"])
def test_attached_octets_arrive_as_they_were(kind):
    octets = bytes(range(256)) + b"\r\n.\r\nFrom x\n"
    message = parsed(build(letter(attachments=[Attached("a", kind, octets)])))
    attachment = list(message.walk())[-1]
    assert attachment.get_payload(decode=True) == octets
    assert not attachment.is_multipart()


@pytest.mark.parametrize(
    ("typed", "safe"),
    [("../../etc/passwd", "passwd"), ("C:\\dir\\a.txt", "a.txt"), ("", "attachment"), ("..", "attachment"),
     ("a\r\nb\0.txt", "a b .txt"), ("x" * 300, "x" * 200)],
)  # fmt: skip
def test_file_names_are_bare(typed, safe):
    assert safe_filename(typed) == safe


def test_references_are_bounded_keeping_the_first_and_the_newest():
    ids = [f"<{n}@x>" for n in range(100)]
    kept = bounded_references(ids)
    assert (len(kept), kept[0], kept[-1]) == (30, "<0@x>", "<99@x>")


def test_long_message_ids_are_never_encoded_or_cut():
    long = "<" + "x" * 200 + "@y.example>"
    built = build(letter(references=f"<a@b>\r\n {long}", in_reply_to=long, subject="x"))
    assert b"References: <a@b>\r\n " + long.encode() + b"\r\n" in built


def test_message_id_is_on_the_senders_domain():
    assert new_message_id("abc", Address("", "a@münchen.example")) == "<abc@xn--mnchen-3ya.example>"


def test_a_space_at_the_fold_of_encoded_words_stays():
    subject = "00000¡¡¡¡¡¡¡𐀀𐀀𐀀𐀀𐀀 ¡ ¡"
    assert decoded(parsed(build(letter(subject=subject)))["Subject"]) == subject


texts = st.text(st.characters(exclude_categories=["Cs"]), max_size=300)
one_liners = texts.map(lambda text: one_line(text)[:100].strip())
people = st.lists(
    st.builds(Address, one_liners, st.sampled_from([f"p{n}@some-long-name.x{n}.example" for n in range(9)])),
    max_size=4,
    unique_by=lambda address: address.key,
)
files = st.builds(
    Attached, one_liners.map(safe_filename), st.sampled_from(["image/png", "text/plain"]), st.binary(max_size=400)
)


@settings(max_examples=150, deadline=None, derandomize=True)
@given(people, people, one_liners, texts, texts, st.lists(files, max_size=3))
def test_what_is_built_is_what_was_written(to, cc, subject, text, html, attachments):
    written = letter(to=to, cc=cc, subject=subject, text=text, html=html, attachments=attachments)
    built = build(written)
    assert built.isascii()
    assert not re.search(rb"(?<!\r)\n|\r(?!\n)", built)
    assert max(map(len, built.split(b"\r\n"))) <= 78
    message = parsed(built)
    assert mailboxes(message, "To") == [(address.name, address.address) for address in to]
    assert mailboxes(message, "Cc") == [(address.name, address.address) for address in cc]
    assert decoded(message["Subject"]) == subject
    leaves = [part for part in message.walk() if not part.is_multipart()]
    bodies = 2 if html else 1
    assert leaf_text(leaves[0]) == lines_of(text)
    if html:
        assert leaf_text(leaves[1]) == lines_of(html)
    assert [(part.get_filename(), part.get_payload(decode=True)) for part in leaves[bodies:]] == [
        (attached.filename, attached.data) for attached in attachments
    ]
