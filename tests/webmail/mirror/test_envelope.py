"""Header fields as real and hostile mail has them."""

import time
from datetime import UTC, datetime

import pytest
from hypothesis import given
from hypothesis import strategies as st

from app.mirror import envelope
from app.mirror.envelope import Mailbox, read_envelope


def test_a_plain_header():
    found = read_envelope(
        b"Date: Tue, 24 Nov 2026 09:00:00 +0100\r\n"
        b'From: "Holt, Maren" <maren@example.com>\r\n'
        b"To: alice@example.net, Bob <bob@example.net>\r\nCc: =?utf-8?q?Zo=C3=AB?= <z@example.net>\r\n"
        b"Subject: Re: the\r\n garden\r\nMessage-ID: <2@example.com>\r\n"
        b"References: <0@example.com>\r\n <1@example.com>\r\nIn-Reply-To: <1@example.com>\r\n"
    )
    assert (found.from_name, found.from_address) == ("Holt, Maren", "maren@example.com")
    assert found.recipients == "alice@example.net, Bob, Zoë"
    assert found.subject == "Re: the garden"
    assert found.message_id == "2@example.com"
    assert found.sent_at == datetime(2026, 11, 24, 8, tzinfo=UTC)
    assert len(found.links) == 3


@pytest.mark.parametrize(
    ("field", "shown"),
    [
        (b"=?utf-8?b?SMOkbGzDtg==?=", "Hällö"),
        (b"=?iso-8859-1?q?caf=E9?= =?iso-8859-1?q?_au_lait?=", "café au lait"),
        ("Grüße".encode(), "Grüße"),  # RFC 6532
        ("Grüße".encode("latin-1"), "Grüße"),
        (b"a\x00b\x1bc", "a b c"),
        (b"=?no-such-charset?q?x?=", "x"),
        (b"=?utf-8?q?unfinished", "=?utf-8?q?unfinished"),
        (b"", ""),
    ],
)
def test_subjects_are_readable(field, shown):
    assert read_envelope(b"Subject: " + field + b"\r\n").subject == shown


@pytest.mark.parametrize(
    ("field", "mailbox"),
    [
        (b"maren@example.com", Mailbox("", "maren@example.com")),
        (b"<maren@example.com>", Mailbox("", "maren@example.com")),
        (b"Maren <maren@example.com>", Mailbox("Maren", "maren@example.com")),
        (b'"a \\"b\\", <c>" <d@e.example>', Mailbox('a "b", <c>', "d@e.example")),
        (b"maren@example.com (Maren Holt)", Mailbox("Maren Holt", "maren@example.com")),
        (b"=?utf-8?q?Holt=2C_Maren?= <m@x.example>, other@x.example", Mailbox("Holt, Maren", "m@x.example")),
        (b"Friends: a@x.example, b@x.example;", Mailbox("", "a@x.example")),
        (b"undisclosed-recipients:;", Mailbox("", "")),
        (b"Just A Name", Mailbox("Just A Name", "")),
        (b"Maren <maren@exam ple.com\x00>", Mailbox("Maren", "maren@example.com")),
    ],
)
def test_first_mailbox(field, mailbox):
    assert envelope.first_mailbox(field) == mailbox


@pytest.mark.parametrize(
    ("text", "moment"),
    [
        ("Tue, 24 Nov 2026 09:00:00 -0230", datetime(2026, 11, 24, 11, 30, tzinfo=UTC)),
        ("24 Nov 2026 09:00:60 +0000 (UTC)", datetime(2026, 11, 24, 9, 0, 59, tzinfo=UTC)),
        ("Tue Nov 24 09:00:00 2026", datetime(2026, 11, 24, 9, tzinfo=UTC)),
        ("24 Nov 26 09:00 GMT", datetime(2026, 11, 24, 9, tzinfo=UTC)),
        ("31 Feb 2026 09:00:00 +0000", None),
        ("1 Jan 0001 00:00:00 +9999", None),
        ("yesterday", None),
        ("", None),
        ("Tue, 24 Nov 99999999999999 09:00:00 +0100", None),
    ],
)
def test_dates(text, moment):
    assert envelope.parse_date(text) == moment


PIECES = [
    b"From: ", b"To: ", b"Date: ", b"References: <", b"\r\n", b"\n ", b'"', b"<", b">", b"(", b"=?", b"?=", b"\\", b",",
    b":", b"a@b", b"\x00", b"\xff", b"=?utf-8?b?", b"Message-ID: ",
]  # fmt: skip


@given(st.binary(max_size=3_000) | st.lists(st.sampled_from(PIECES), max_size=200).map(b"".join))
def test_nothing_that_comes_raises_or_grows(header):
    found = read_envelope(header)
    for text in (found.subject, found.from_name, found.from_address, found.recipients, found.message_id):
        assert "\r" not in text
        assert "\n" not in text
        assert "\0" not in text
        text.encode()  # no lone surrogates: both databases take it
    assert len(found.subject) <= 250
    assert len(found.recipients) <= 10 * 260
    assert len(found.header) <= 4_096
    assert 1 <= len(found.links) <= 201


@pytest.mark.parametrize("unit", [b"<", b'"', b'\\"', b"(", b"(\\", b"=?utf-8?q?", b"<a,", b'"a" ', b"a:", b",", b": "])
@pytest.mark.parametrize("field", [b"From: ", b"To: ", b"References: ", b"Subject: ", b"Message-ID: ", b"Date: "])
def test_hostile_fields_are_read_quickly(unit, field):
    began = time.process_time()
    read_envelope(field + unit * (60_000 // len(unit)))
    assert time.process_time() - began < 0.5


def test_only_whole_fields_are_kept_and_not_too_many():
    long = b"To: " + b", ".join(b"someone%d@example.com" % n for n in range(400))
    header = b"Subject: x\r\n" + long + b"\r\n" + b"References: <a@b>\r\n"
    assert read_envelope(header).header == b"Subject: x\r\nReferences: <a@b>\r\n"


def test_messages_without_an_id_differ_unless_they_are_the_same():
    one, same, other = (read_envelope(text) for text in (b"Subject: x\r\n", b"Subject: x\r\n", b"Subject: y\r\n"))
    assert one.message_id_hash == same.message_id_hash != other.message_id_hash
