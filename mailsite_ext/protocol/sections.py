"""Any section of a stored message out of its part table, read piece by piece (RFC 9051 §6.4.5, RFC 3516).  Pure.

`read(offset, octets)` gives at most that many octets of the message from there; no more than PIECE_OCTETS, or one
header, are held at a time.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Iterable, Iterator, Mapping
from typing import NamedTuple, TypeAlias

from app.extension_api import decode
from mailsite_ext.protocol.imap_commands import Of, Reading, Section, SectionItem
from mailsite_ext.protocol.imap_data import literal_head
from mailsite_ext.protocol.part_table import Part

Read: TypeAlias = Callable[[int, int], bytes]

PIECE_OCTETS = 65_536
FIELDS_OCTETS = 1_048_576
"""Of a header, when only some of its fields are wanted."""

FIELD_LINES = re.compile(rb"([^\r\n:]*)[^\n]*(?:\n[ \t][^\n]*)*\n?")
PLAIN_ENCODINGS = frozenset(("7bit", "8bit", "binary"))
ENCODINGS = PLAIN_ENCODINGS | {"base64", "quoted-printable", "x-uuencode", "uuencode", "x-uue", "uue"}


class UnknownEncoding(Exception):
    """A part that BINARY was asked for has an unknown transfer encoding: NO [UNKNOWN-CTE] (RFC 3516 §4.3)."""


class Extent(NamedTuple):
    """Octets of the message that lie together."""

    at: int
    octets: int

    def partial(self, partial: tuple[int, int] | None) -> Extent:
        """From an offset on, at most so many (RFC 9051 §6.4.5): nothing where it begins behind the end."""
        if partial is None:
            return self
        skipped = min(partial[0], self.octets)
        return Extent(self.at + skipped, min(partial[1], self.octets - skipped))


def by_section(parts: Iterable[Part]) -> dict[str, Part]:
    return {part.section: part for part in parts}


def find_extent(parts: Mapping[str, Part], section: Section) -> Extent | None:
    """Where a section lies, the header itself for HEADER.FIELDS; None: the message has none such."""
    part = parts.get(".".join(map(str, section.part)))
    if part is None:
        return None
    match section.of:
        case Of.WHOLE if section.part:
            return Extent(part.body_at, part.body_octets)
        case Of.WHOLE:
            return Extent(0, part.header_octets + part.body_octets)
        case Of.MIME:
            return Extent(part.header_at, part.header_octets)
        case _ if not section.part:
            return _half(part.header_at, part.header_octets, part.body_octets, section.of)
        case _ if part.is_message:
            inner = part.message_header_octets
            return _half(part.body_at, inner, part.body_octets - inner, section.of)
    return None  # HEADER and TEXT are of messages only


def _half(header_at: int, header_octets: int, body_octets: int, of: Of) -> Extent:
    return Extent(header_at + header_octets, body_octets) if of is Of.TEXT else Extent(header_at, header_octets)


def pieces(read: Read, extent: Extent) -> Iterator[bytes]:
    """The octets of `extent`, piece by piece; ends early where the message does."""
    at, end = extent.at, extent.at + extent.octets
    while at < end and (piece := read(at, min(PIECE_OCTETS, end - at))):
        at += len(piece)
        yield piece


def header_fields(header: bytes, names: Iterable[bytes], *, others: bool = False) -> bytes:
    """The fields of those names, or all `others`, as they stand, and an empty line (RFC 9051 §6.4.5.1)."""
    wanted = {name.lower() for name in names}
    found = [field[0] for field in FIELD_LINES.finditer(header) if _is_field(field, wanted, others=others)]
    return b"".join(found) + b"\r\n"


def _is_field(field: re.Match[bytes], wanted: set[bytes], *, others: bool) -> bool:
    name = field[1].rstrip().lower()
    return bool(name) and (name in wanted) is not others


def item_value(item: SectionItem, parts: Mapping[str, Part], read: Read) -> Iterator[bytes]:
    """What follows the item's label in a FETCH response: NIL, a string, a literal in pieces, or a number.

    Raises UnknownEncoding before anything is given.
    """
    match item.reading:
        case Reading.SIZE if item.section.of in (Of.FIELDS, Of.FIELDS_NOT):
            return iter([b"%d" % len(_chosen_fields(item, parts, read) or b"")])
        case Reading.SIZE:
            return iter([b"%d" % _decoded_size(item, parts, read)])
        case Reading.DECODED if item.section.of is Of.WHOLE:
            return _decoded_value(item, parts, read)
    return _raw_value(item, parts, read)


def _raw_value(item: SectionItem, parts: Mapping[str, Part], read: Read) -> Iterator[bytes]:
    found = find_octets(item, parts, read)
    return iter([b"NIL"]) if found is None else _literal_of(*found)


def find_octets(item: SectionItem, parts: Mapping[str, Part], read: Read) -> tuple[int, Iterator[bytes]] | None:
    """How many octets BODY[…] tells, and they in pieces, fewer where the message ends early; None: there is no such
    section.
    """
    extent = find_extent(parts, item.section)
    if extent is None:
        return None
    fields = _chosen_fields(item, parts, read)
    if fields is not None:
        chosen = _cut(fields, item.partial)
        return len(chosen), iter([chosen])
    extent = extent.partial(item.partial)
    return extent.octets, pieces(read, extent)


def _chosen_fields(item: SectionItem, parts: Mapping[str, Part], read: Read) -> bytes | None:
    """None where no header, or not single fields of it, are asked for."""
    extent = find_extent(parts, item.section)
    if extent is None or item.section.of not in (Of.FIELDS, Of.FIELDS_NOT):
        return None
    header = read_all(read, Extent(extent.at, min(extent.octets, FIELDS_OCTETS)))
    return header_fields(header, item.section.fields, others=item.section.of is Of.FIELDS_NOT)


def read_all(read: Read, extent: Extent) -> bytes:
    return b"".join(pieces(read, extent))


def _cut(octets: bytes, partial: tuple[int, int] | None) -> bytes:
    return octets if partial is None else octets[partial[0] : partial[0] + partial[1]]


def _literal_of(octets: int, found: Iterable[bytes], *, is_binary: bool = False) -> Iterator[bytes]:
    """A literal of so many octets; what is missing of them is filled up, or the client would lose its place."""
    yield literal_head(octets, is_binary=is_binary)
    for piece in found:
        octets -= len(piece)
        yield piece
    if octets:
        yield b" " * octets


def decoded(part: Part, read: Read) -> Iterator[bytes]:
    """A part's octets without their transfer encoding.  Raises UnknownEncoding."""
    if part.encoding not in ENCODINGS:
        raise UnknownEncoding
    return decode.transfer_stream(pieces(read, Extent(part.body_at, part.body_octets)), part.encoding)


def _decoded_size(item: SectionItem, parts: Mapping[str, Part], read: Read) -> int:
    part = parts.get(".".join(map(str, item.section.part)))
    if part is None:
        return 0
    if (
        item.section.of is not Of.WHOLE
        or part.is_multipart
        or not item.section.part
        or part.encoding in PLAIN_ENCODINGS
    ):
        extent = find_extent(parts, item.section)
        return extent.octets if extent else 0
    return sum(map(len, decoded(part, read)))


def _decoded_value(item: SectionItem, parts: Mapping[str, Part], read: Read) -> Iterator[bytes]:
    """Decoded twice where it is long: a literal begins with its size, and no part is held whole."""
    part = parts.get(".".join(map(str, item.section.part)))
    extent = find_extent(parts, item.section)
    if part is None or extent is None:
        return iter([b"NIL"])
    encoded = bool(item.section.part) and not part.is_multipart

    def once() -> Iterator[bytes]:
        found = decoded(part, read) if encoded else pieces(read, extent)
        return found if item.partial is None else _window(found, *item.partial)

    octets, has_nul = 0, False
    for piece in once():
        octets += len(piece)
        has_nul = has_nul or b"\0" in piece
    return _literal_of(octets, once(), is_binary=has_nul)


def _window(found: Iterable[bytes], skipped: int, octets: int) -> Iterator[bytes]:
    """The part of a stream that a partial asks for."""
    for piece in found:
        wanted = piece[skipped : skipped + octets]
        skipped = max(0, skipped - len(piece))
        octets -= len(wanted)
        if wanted:
            yield wanted
        if octets <= 0:
            return
