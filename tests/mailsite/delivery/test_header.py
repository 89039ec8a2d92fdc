"""What delivery reads in a header, and what it writes above it."""

from __future__ import annotations

import time
from datetime import UTC, datetime
from email import message_from_bytes

import pytest

from mailsite_ext.delivery.header import Origin, authors, count_fields, read_header, received_field
from mailsite_ext.errors import BareLineEnding, HeaderTooLarge, NoAuthor

AT = datetime(2026, 11, 24, 8, 0, tzinfo=UTC)


def fields(text: str):
    return read_header(text.replace("\n", "\r\n").encode(), is_whole=True)


def test_fields_end_where_the_body_begins():
    found = fields("A: 1\nB:\n two\n\nA: not a field\n")
    assert [(field.name, field.value) for field in found] == [("a", b"1"), ("b", b"two")]
    assert fields("\nA: body\n") == []
    assert count_fields(fields("A: 1\nB: 2"), "b") == 1  # a header and no body


def test_a_header_without_end_is_refused():
    with pytest.raises(HeaderTooLarge):
        read_header(b"A: 1\r\n" * 100, is_whole=False)


@pytest.mark.parametrize("lone", [b"\r", b"\n", b"\0"])
def test_nothing_in_a_header_ends_a_line_for_others_only(lone):
    """BODY=BINARYMIME lets such octets in; a reader that ends lines there would see bob's From."""
    letter = b"Subject: x" + lone + b"From: bob@example.org\r\nFrom: alice@example.org\r\n\r\n"
    with pytest.raises(BareLineEnding):
        read_header(letter, is_whole=True)
    body = b"Subject: x\r\n\r\nbody" + lone + b"\r\n"
    assert [field.name for field in read_header(body, is_whole=True)] == ["subject"]


@pytest.mark.parametrize(
    ("header", "found"),
    [
        ("From: a@b.example\n", ["a@b.example"]),
        ('From: "x@y.example, Mr" <a@b.example>\n', ["a@b.example"]),
        ("From: A (x@y.example) <a@b.example>,\n c@d.example\nSender: a@b.example\n",
         ["a@b.example", "c@d.example", "a@b.example"]),
        ("From: group: a@b.example, c@d.example;\n", ["a@b.example", "c@d.example"]),
        ("From: =?utf-8?q?x=40y?= <a@b.example>\n", ["a@b.example"]),
    ],
)  # fmt: skip
def test_authors(header, found):
    assert authors(fields(header)) == found


@pytest.mark.parametrize(
    "header",
    [
        "Subject: none\n",
        "From: a@b.example\nFrom: c@d.example\n",
        "From: a@b.example\nSender: a@b.example\nSender: c@d.example\n",
        "From: nobody\n",
        "From: <>\n",
        'From: "unclosed <a@b.example>\n',
        "From: a@b.example)x@y.example\n",  # read differently by different readers
        "From: (a (nested@y.example) b) <a@b.example>\n",
        'From: "a"@b.example\n',
        "From: a@b.example@c.example\n",
        "From: a@\n",
    ],
)
def test_authors_that_could_be_read_in_two_ways(header):
    with pytest.raises(NoAuthor):
        authors(fields(header))


def test_authors_in_no_charset():
    with pytest.raises(NoAuthor):
        authors(read_header(b"From: \xff <a@b.example>\r\n\r\n", is_whole=True))


@pytest.mark.parametrize(
    ("origin", "protocol"),
    [
        (Origin("192.0.2.1", "c", extended=False), "SMTP"),
        (Origin("192.0.2.1", "c", extended=True), "ESMTP"),
        (Origin("192.0.2.1", "c", extended=True, tls="TLSv1.3 X"), "ESMTPS"),
        (Origin("192.0.2.1", "c", extended=True, tls="TLSv1.3 X", login="alice"), "ESMTPSA"),
        (Origin("192.0.2.1", "c", extended=True, utf8=True, login="alice"), "UTF8SMTPA"),
    ],
)
def test_protocol_in_received(origin, protocol):
    assert f" with {origin.protocol} " in received_field(origin, "mx.example", "id1", "", AT).decode()
    assert origin.protocol == protocol


def test_a_hostile_name_stays_in_its_field():
    origin = Origin("2001:db8::1", "evil)\r\nX-Evil: yes;(\x00", extended=True)
    text = received_field(origin, "mx.example", "id1", "a@b.example", AT)
    message = message_from_bytes(text + b"\r\n")
    assert message.keys() == ["Received"]
    assert "([IPv6:2001:db8::1])" in message["Received"]
    assert "for <a@b.example>" in message["Received"]
    assert message["Received"].endswith("Tue, 24 Nov 2026 08:00:00 +0000")


@pytest.mark.parametrize("value", [b"x" * 200_000, b'"' + b'\\"' * 100_000, b"(" * 200_000, b"a@b," * 2_000])
def test_authors_beyond_measure_are_refused_at_once(value):
    began_s = time.process_time()
    with pytest.raises(NoAuthor):
        authors(read_header(b"From: " + value + b"\r\n\r\n", is_whole=True))
    assert time.process_time() - began_s < 0.5
