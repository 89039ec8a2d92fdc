"""Sections of a stored message as the mirror asks for them: "1.2", "HEADER", "" for the whole (RFC 9051 §6.4.5.1)."""

from __future__ import annotations

import re
from collections.abc import Iterator, Sequence

from app.extension_api import BadInput
from mailsite_ext.protocol.imap_commands import Of, Section
from mailsite_ext.protocol.part_table import unpack
from mailsite_ext.protocol.sections import by_section, find_extent, header_fields
from mailsite_ext.storage.engine import MessageReader

SECTION = re.compile(r"(\d{1,5}(?:\.\d{1,5}){0,40})?\.?(HEADER|TEXT|MIME)?")
HEADER_OCTETS = 1024 * 1024
"""Of a header, when only some of its fields are wanted."""


def header_of(message: MessageReader, names: Sequence[str]) -> bytes:
    """The fields of these names as they stand, and an empty line."""
    block, at = bytearray(), 0
    while at < HEADER_OCTETS and (some := message.read(at, 16_384)):
        at += len(some)
        block += some
        end = _end_of_header(block)
        if end:
            return header_fields(bytes(block[:end]), [name.encode() for name in names])
    return header_fields(bytes(block), [name.encode() for name in names])


def _end_of_header(block: bytearray) -> int:
    """Where the empty line begins; 0 while it is not there."""
    found = [at + 1 for at in (block.find(b"\n\r\n"), block.find(b"\n\n")) if at >= 0]
    return min(found, default=0)


def check_section(section: str) -> Section:
    """Raises BadInput for what is no section."""
    match = SECTION.fullmatch(section)
    if match is None:
        raise BadInput("section", "A message has no such part.")
    return Section(tuple(map(int, match[1].split("."))) if match[1] else (), Of(match[2] or ""))


def section_pieces(message: MessageReader, table: bytes, section: str, octets: int) -> Iterator[bytes]:
    """A section in pieces of `octets`; empty for one the message does not have.  Raises BadInput for no section."""
    extent = find_extent(by_section(unpack(table)), check_section(section))
    at, end = (extent.at, extent.at + extent.octets) if extent else (0, 0)
    while at < end and (piece := message.read(at, min(octets, end - at))):
        at += len(piece)
        yield piece
