"""Sections out of a part table: RFC 9051 §6.4.5, RFC 3516; streamed, never more than was asked for."""

from __future__ import annotations

import base64

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from mailsite_ext.protocol.fetch_grammar import fetch_items
from mailsite_ext.protocol.imap_commands import SectionItem
from mailsite_ext.protocol.imap_cursor import Cursor, RawCommand
from mailsite_ext.protocol.imap_limits import ImapLimits
from mailsite_ext.protocol.message_structure import read_structure
from mailsite_ext.protocol.sections import PIECE_OCTETS, UnknownEncoding, by_section, header_fields, item_value

INNER = b"From: me\r\nSubject: inner\r\n\r\nbody\r\n"
MESSAGE = (
    b"Subject: outer\r\nTo: a,\r\n b\r\nX-Long:\r\n\tfolded\r\n"
    b"Content-Type: multipart/mixed; boundary=q\r\n\r\npreamble\r\n"
    b"--q\r\nContent-Type: text/html\r\n\r\nhello\r\n"
    b"--q\r\nContent-Type: message/rfc822\r\n\r\n" + INNER + b"\r\n"
    b"--q\r\nContent-Type: image/gif\r\nContent-Transfer-Encoding: BASE64\r\n\r\naGVsbG8AYWJj\r\n"
    b"--q\r\nContent-Transfer-Encoding: quoted-printable\r\n\r\ncaf=C3=A9=\r\n!\r\n"
    b"--q\r\nContent-Transfer-Encoding: rot13\r\n\r\nuryyb\r\n"
    b"--q--\r\n"
)
PLAIN = b"Subject: plain\nContent-Type: text/plain\n\nhello\n"


def value(item: bytes, message: bytes = MESSAGE) -> bytes:
    (wanted,) = fetch_items(Cursor(RawCommand(item), ImapLimits()))
    assert isinstance(wanted, SectionItem)
    parts = by_section(read_structure(message).parts)
    return b"".join(item_value(wanted, parts, lambda at, octets: message[at : at + octets]))


def literal(octets: bytes) -> bytes:
    return b"{%d}\r\n" % len(octets) + octets


HEADER, _, BODY = MESSAGE.partition(b"\r\n\r\n")


@pytest.mark.parametrize(
    ("item", "octets"),
    [
        (b"BODY[]", MESSAGE),
        (b"RFC822", MESSAGE),
        (b"BODY[]<3.5>", MESSAGE[3:8]),
        (b"BODY[]<99999.5>", b""),
        (b"BODY[HEADER]", HEADER + b"\r\n\r\n"),
        (b"RFC822.HEADER", HEADER + b"\r\n\r\n"),
        (b"BODY[TEXT]", BODY),
        (b"BODY[TEXT]<2.4>", BODY[2:6]),
        (b"BODY[1]", b"hello"),
        (b"BODY[1.MIME]", b"Content-Type: text/html\r\n\r\n"),
        (b"BODY[2]", INNER),
        (b"BODY[2.HEADER]", b"From: me\r\nSubject: inner\r\n\r\n"),
        (b"BODY[2.TEXT]", b"body\r\n"),
        (b"BODY[2.1]", b"body\r\n"),
        (b"BODY[2.HEADER.FIELDS (SUBJECT)]", b"Subject: inner\r\n\r\n"),
        (b"BODY[HEADER.FIELDS (to x-long nope)]", b"To: a,\r\n b\r\nX-Long:\r\n\tfolded\r\n\r\n"),
        (b"BODY[HEADER.FIELDS (to)]<4.3>", b"a,\r"),
        (b"BODY[HEADER.FIELDS.NOT (to x-long content-type)]", b"Subject: outer\r\n\r\n"),
        (b"BODY[3]", b"aGVsbG8AYWJj"),
        (b"BINARY[4]", "café!".encode()),
        (b"BINARY[1]", b"hello"),
        (b"BINARY[4]<3.2>", "é".encode()),
        (b"BINARY[2]", INNER),
        (b"BINARY[2.TEXT]", INNER.partition(b"\r\n\r\n")[2]),  # nothing of it is encoded
        (b"BINARY[1]<3>", b"lo"),
    ],
)
def test_sections(item, octets):
    assert value(item) == literal(octets)


@pytest.mark.parametrize(
    ("item", "octets"),
    [
        (b"BODY[9]", b"NIL"),
        (b"BODY[1.1]", b"NIL"),
        (b"BODY[1.HEADER]", b"NIL"),  # HEADER is of messages
        (b"BINARY[9]", b"NIL"),
        (b"BINARY[3]", b"~{9}\r\nhello\0abc"),  # literal8, RFC 3516 §4.4
        (b"BINARY.SIZE[3]", b"9"),
        (b"BINARY.SIZE[1]", b"5"),
        (b"BINARY.SIZE[]", str(len(MESSAGE)).encode()),
        (b"BINARY.SIZE[9]", b"0"),
        (b"BINARY.SIZE[2.TEXT]", str(len(INNER.partition(b"\r\n\r\n")[2])).encode()),
        (b"BINARY.SIZE[2.HEADER.FIELDS (X-None)]", b"2"),
    ],
)
def test_what_is_no_plain_literal(item, octets):
    assert value(item) == octets


@pytest.mark.parametrize(
    ("item", "octets"),
    [(b"BODY[1]", b"hello\n"), (b"BODY[1.MIME]", PLAIN.partition(b"\n\n")[0] + b"\n\n"), (b"BODY[TEXT]", b"hello\n")],
)
def test_a_message_without_parts_is_its_part_1(item, octets):
    assert value(item, PLAIN) == literal(octets)


@pytest.mark.parametrize("item", [b"BINARY[5]", b"BINARY.SIZE[5]"])
def test_an_unknown_encoding_is_said(item):
    with pytest.raises(UnknownEncoding):
        value(item)


def test_long_parts_are_read_in_pieces():
    content = bytes(range(256)) * 2_000
    message = b"Content-Transfer-Encoding: base64\r\n\r\n" + base64.encodebytes(content)
    largest = 0

    def read(at: int, octets: int) -> bytes:
        nonlocal largest
        largest = max(largest, octets)
        return message[at : at + octets]

    (item,) = fetch_items(Cursor(RawCommand(b"BINARY[1]"), ImapLimits()))
    assert isinstance(item, SectionItem)
    found = b"".join(item_value(item, by_section(read_structure(message).parts), read))
    assert found == b"~{%d}\r\n" % len(content) + content
    assert largest <= PIECE_OCTETS


def test_a_message_that_lost_octets_keeps_the_literal_s_length():
    (item,) = fetch_items(Cursor(RawCommand(b"BODY[TEXT]"), ImapLimits()))
    assert isinstance(item, SectionItem)
    short = PLAIN[:-3]
    found = b"".join(item_value(item, by_section(read_structure(PLAIN).parts), lambda at, n: short[at : at + n]))
    assert found == b"{6}\r\nhel   "


@given(st.binary(max_size=120).map(lambda octets: octets.replace(b"\x00", b"\n").replace(b"\x01", b"\r\nTo: x")))
@settings(derandomize=True, deadline=None)
def test_fields_and_the_others_are_the_whole_header(header):
    """But for empty lines and what is no field at all."""
    some, others = header_fields(header, [b"to"]), header_fields(header, [b"to"], others=True)
    assert some.endswith(b"\r\n")
    assert others.endswith(b"\r\n")
    assert len(some) + len(others) - 4 <= len(header)
