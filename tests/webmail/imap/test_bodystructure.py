"""BODYSTRUCTURE: the tree, its sections, the attachment mark, and hostile input."""

from __future__ import annotations

from contextlib import suppress

import pytest
from hypothesis import given
from hypothesis import strategies as st

from app.errors import ProtocolError
from app.imap.bodystructure import MAX_OCTETS, has_attachments, parse_bodystructure
from app.messages.parts import MAX_DEPTH, MAX_PARTS, Part, attachments, walk

PLAIN = b'("TEXT" "PLAIN" ("CHARSET" "utf-8") NIL NIL "8BIT" 1234 20 NIL NIL NIL NIL)'
HTML = b'("text" "html" ("charset" "utf-8") NIL NIL "quoted-printable" 99 3 NIL NIL NIL NIL)'
PDF = (
    b'("application" "pdf" ("name" "a \\"b\\".pdf") NIL NIL "base64" 4000 NIL '
    b'("attachment" ("filename" "a \\"b\\".pdf")) NIL NIL)'
)
LOGO = b'("image" "png" ("name" "logo.png") "<logo@x>" NIL "base64" 500 NIL ("inline" NIL) NIL NIL)'
ALTERNATIVE = b"(" + PLAIN + HTML + b' "alternative" ("boundary" "b") NIL NIL)'
RELATED = b"(" + HTML + LOGO + b' "related" NIL NIL NIL)'
SIGNATURE = b'("application" "pgp-signature" NIL NIL NIL "7bit" 5 NIL NIL NIL NIL)'
MIXED = b"(" + ALTERNATIVE + PDF + b' "mixed" ("boundary" "x") NIL NIL NIL)'
ENVELOPE = b'("date" "subject" NIL NIL NIL NIL NIL NIL NIL "<id@x>")'


def letter(body: bytes) -> bytes:
    return b'("message" "rfc822" NIL NIL NIL "7bit" 3000 ' + ENVELOPE + b" " + body + b" 80 NIL NIL NIL NIL)"


def outline(part: Part) -> str:
    inside = " ".join(outline(child) for child in part.children)
    return f"{part.section}:{part.media_type}" + (f"[{inside}]" if inside else "")


@pytest.mark.parametrize(("raw", "expected"), [
    (PLAIN, "1:text/plain"),
    (ALTERNATIVE, "TEXT:multipart/alternative[1:text/plain 2:text/html]"),
    (MIXED, "TEXT:multipart/mixed[1:multipart/alternative[1.1:text/plain 1.2:text/html] 2:application/pdf]"),
    (letter(PLAIN), "1:message/rfc822[1.1:text/plain]"),
    (b"(" + PLAIN + letter(MIXED) + b' "mixed")',
     "TEXT:multipart/mixed[1:text/plain 2:message/rfc822[2.TEXT:multipart/mixed["
     "2.1:multipart/alternative[2.1.1:text/plain 2.1.2:text/html] 2.2:application/pdf]]]"),
    (b'("text" "plain" NIL NIL NIL "7bit" 5 1)', "1:text/plain"),  # BODY without extension data
    (b'("message" "rfc822" NIL NIL NIL "7bit" 3000 NIL NIL NIL)', "1:message/rfc822"),  # no envelope, as some send it
    (b'(("text" "plain" NIL NIL NIL "7bit" 5 1) "mixed" NIL)', "TEXT:multipart/mixed[1:text/plain]"),
    (b"(NIL NIL NIL NIL NIL NIL NIL)", "1:application/octet-stream"),
])  # fmt: skip
def test_sections_are_those_imap_gives(raw, expected):
    assert outline(parse_bodystructure(raw)) == expected


def test_fields_of_a_part():
    part = parse_bodystructure(MIXED).children[1]
    assert (part.filename, part.disposition, part.encoding, part.octets) == ("a _b_.pdf", "attachment", "base64", 4000)
    image = parse_bodystructure(RELATED).children[1]
    assert (image.content_id, image.disposition) == ("logo@x", "inline")
    text = parse_bodystructure(PLAIN)
    assert (text.params, text.encoding, text.octets) == ({"charset": "utf-8"}, "8bit", 1234)


def test_strings_may_be_literals():
    raw = b'("application" "pdf" ("name" {10}\r\na("b)\\.pdf) NIL NIL "base64" 4 NIL ("attachment" NIL) NIL NIL)'
    part = parse_bodystructure(raw)
    assert part.filename == "a(_b)_.pdf"
    assert part.disposition == "attachment"


@pytest.mark.parametrize(("raw", "expected"), [
    (PLAIN, False),
    (HTML, False),
    (ALTERNATIVE, False),
    (RELATED, False),
    (MIXED, True),
    (letter(PLAIN), True),
    (PDF, True),
    (b'("image" "jpeg" ("name" "photo.jpg") NIL NIL "base64" 500 NIL ("inline" NIL) NIL NIL)', True),
    (b'("text" "plain" NIL NIL NIL "7bit" 5 1 NIL ("attachment" ("filename" "notes.txt")) NIL NIL)', True),
    (b'("text" "calendar" NIL NIL NIL "7bit" 5 1 NIL NIL NIL NIL)', True),
    (b"(" + PLAIN + SIGNATURE + b' "signed" NIL NIL NIL)', False),
    (b'("text" "plain" ("name" "(\\"attachment\\"") NIL NIL "7bit" 5 1 NIL NIL NIL NIL)', False),
    (b"", False),
])  # fmt: skip
def test_the_attachment_mark_needs_no_parsing(raw, expected):
    assert has_attachments(raw) is expected
    if raw:
        assert bool(attachments(parse_bodystructure(raw))) is expected


def nested(depth: int) -> bytes:
    return b"(" * depth + PLAIN + b' "mixed")' * depth


@pytest.mark.parametrize("raw", [
    b"", b"(", b")", b"()" * 2, b'("text" "plain', b"NIL", b'"text"', nested(100_000), b"(" * 200_000,
    b'("text" "plain" {9999999999}\r\nx)', b"(" + b"x " * (MAX_OCTETS // 2) + b")", b'("a" {3}', b"(\\",
])  # fmt: skip
def test_what_cannot_be_read_is_a_protocol_error(raw):
    with pytest.raises(ProtocolError):
        parse_bodystructure(raw)


def test_depth_and_number_of_parts_are_bounded():
    deep = parse_bodystructure(nested(MAX_DEPTH + 10))
    assert max(part.section.count(".") for part in walk(deep)) <= MAX_DEPTH
    wide = parse_bodystructure(b"(" + b'("text" "plain" NIL NIL NIL "7bit" 5 1)' * (MAX_PARTS + 50) + b' "mixed")')
    assert len(wide.children) == MAX_PARTS


@given(st.binary(max_size=300) | st.text('()"{}\\ NIL5\r\n', max_size=120).map(str.encode))
def test_any_octets_give_a_tree_or_a_protocol_error(raw):
    has_attachments(raw)
    with suppress(ProtocolError):
        list(walk(parse_bodystructure(raw)))
