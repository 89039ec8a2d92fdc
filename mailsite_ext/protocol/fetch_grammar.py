"""What FETCH asks for (RFC 9051 §6.4.5, RFC 3501, RFC 3516 and the extensions named at each).  Pure."""

from __future__ import annotations

import re

from mailsite_ext.protocol.imap_commands import Attribute, FetchItem, Of, Preview, Reading, Section, SectionItem
from mailsite_ext.protocol.imap_cursor import ATOM, Cursor, RawCommand
from mailsite_ext.protocol.imap_data import astring
from mailsite_ext.protocol.imap_limits import BadCommand, ImapLimits
from mailsite_ext.protocol.sequence_sets import LARGEST

NAME = re.compile(rb"[A-Za-z0-9.]+")
PART = re.compile(rb"[1-9][0-9]{0,8}(?:\.[1-9][0-9]{0,8})*(?=[.\]])")
PARTIAL = re.compile(rb"<([0-9]{1,10})(?:\.([1-9][0-9]{0,9}))?>")
MAX_PART_DEPTH = 100
MAX_ITEMS = 500
MAX_FIELDS = 1_000

FAST: tuple[FetchItem, ...] = (Attribute.FLAGS, Attribute.INTERNALDATE, Attribute.RFC822_SIZE)
MACROS: dict[str, tuple[FetchItem, ...]] = {
    "FAST": FAST,
    "ALL": (*FAST, Attribute.ENVELOPE),
    "FULL": (*FAST, Attribute.ENVELOPE, Attribute.BODY),
}
OLD_NAMES: dict[str, FetchItem] = {  # RFC 3501 §6.4.5
    "RFC822": SectionItem(Section(), b"RFC822"),
    "RFC822.HEADER": SectionItem(Section(of=Of.HEADER), b"RFC822.HEADER", is_peek=True),
    "RFC822.TEXT": SectionItem(Section(of=Of.TEXT), b"RFC822.TEXT"),
}
SECTIONS = {
    "BODY": (Reading.RAW, False),
    "BODY.PEEK": (Reading.RAW, True),
    "BINARY": (Reading.DECODED, False),
    "BINARY.PEEK": (Reading.DECODED, True),
    "BINARY.SIZE": (Reading.SIZE, True),
}


def fetch_items(cursor: Cursor) -> tuple[FetchItem, ...]:
    """A macro, one item, or a list of them."""
    if cursor.peek(b"("):
        return item_list(cursor)
    start = cursor.at
    macro = MACROS.get(_name(cursor))
    if macro is not None:
        return macro
    cursor.at = start
    return (fetch_item(cursor),)


def item_list(cursor: Cursor) -> tuple[FetchItem, ...]:
    items = cursor.some(lambda: fetch_item(cursor))
    if len(items) > MAX_ITEMS:
        raise BadCommand("too many items", code="LIMIT")
    return tuple(dict.fromkeys(items))


def fetch_item(cursor: Cursor) -> FetchItem:
    name = _name(cursor)
    if name in SECTIONS and cursor.peek(b"["):
        return _section_item(cursor, name)
    if name in OLD_NAMES:
        return OLD_NAMES[name]
    if name == "PREVIEW":
        return _preview(cursor)
    try:
        return Attribute(name)
    except ValueError as error:
        raise BadCommand(f"no item {name[:40]}") from error


def _name(cursor: Cursor) -> str:
    return cursor.get(NAME, "an item")[0].decode("ascii").upper()


def _preview(cursor: Cursor) -> Preview:
    """RFC 8970 §3.1"""
    if not cursor.skip(b" ("):
        return Preview()
    if cursor.get(ATOM, "LAZY")[0].upper() != b"LAZY":
        raise BadCommand("PREVIEW knows only LAZY")
    cursor.expect(b")")
    return Preview(is_lazy=True)


def section_item(text: bytes, partial: tuple[int, int] | None) -> SectionItem:
    """BODY.PEEK of a section that stands alone, in a URL.  Raises BadCommand."""
    cursor = Cursor(RawCommand(b"[" + text + b"]"), ImapLimits())
    section = _bracketed(cursor)
    cursor.end()
    return _labelled(section, Reading.RAW, partial, is_peek=True)


def _section_item(cursor: Cursor, name: str) -> SectionItem:
    reading, is_peek = SECTIONS[name]
    section = _bracketed(cursor)
    return _labelled(section, reading, None if reading is Reading.SIZE else _partial(cursor), is_peek=is_peek)


def _bracketed(cursor: Cursor) -> Section:
    cursor.expect(b"[")
    section = _section(cursor)
    cursor.expect(b"]")
    return section


def _labelled(section: Section, reading: Reading, partial: tuple[int, int] | None, *, is_peek: bool) -> SectionItem:
    label = reading.value.encode() + b"[" + _section_text(section) + b"]"
    if partial is not None:
        label += b"<%d>" % partial[0]
    return SectionItem(section, label, reading, is_peek, partial)


def _partial(cursor: Cursor) -> tuple[int, int] | None:
    """`<0.1024>`; without a length, as some clients write, to the end."""
    match = cursor.find(PARTIAL)
    if match is not None:
        return int(match[1]), int(match[2] or LARGEST)
    if cursor.peek(b"<"):
        raise BadCommand("expected a range such as <0.1024>")
    return None


def _section(cursor: Cursor) -> Section:
    """RFC 9051 `section-spec`; of BINARY too, whose own grammar has part numbers only: headers are not encoded."""
    match = cursor.find(PART)
    part = tuple(map(int, match[0].split(b"."))) if match else ()
    if len(part) > MAX_PART_DEPTH:
        raise BadCommand("no part is that deep")
    if cursor.peek(b"]"):
        return Section(part)
    if part:
        cursor.expect(b".")
    of = _section_of(cursor)
    if of is Of.MIME and not part:
        raise BadCommand("a part number is needed here")
    return Section(part, of, _fields(cursor) if of in (Of.FIELDS, Of.FIELDS_NOT) else ())


def _section_of(cursor: Cursor) -> Of:
    name = _name(cursor)
    try:
        return Of(name)
    except ValueError as error:
        raise BadCommand(f"no section {name[:40]}") from error


def _fields(cursor: Cursor) -> tuple[bytes, ...]:
    cursor.space()
    fields = cursor.some(cursor.astring)
    if len(fields) > MAX_FIELDS:
        raise BadCommand("too many fields", code="LIMIT")
    return fields


def _section_text(section: Section) -> bytes:
    words = [str(number).encode() for number in section.part]
    if section.of is not Of.WHOLE:
        words.append(section.of.value.encode())
    fields = b" (" + b" ".join(map(astring, section.fields)) + b")" if section.fields else b""
    return b".".join(words) + fields
