"""What of a message has to be read from its octets: BODY[…], BINARY[…], BINARY.SIZE[…] (RFC 9051 §6.4.5)."""

from __future__ import annotations

from collections.abc import Iterator, Sequence

from mailsite_ext.protocol.imap_commands import SectionItem
from mailsite_ext.protocol.imap_limits import BadCommand
from mailsite_ext.protocol.part_table import unpack
from mailsite_ext.protocol.sections import UnknownEncoding, by_section, item_value
from mailsite_ext.storage.engine import MessageReader


def values(message: MessageReader, table: bytes, items: Sequence[SectionItem]) -> Iterator[Iterator[bytes]]:
    """Of each item its label and value, in pieces.  Raises BadCommand (NO [UNKNOWN-CTE]) before one is begun."""
    parts = by_section(unpack(table))
    for item in items:
        try:
            value = item_value(item, parts, message.read)
        except UnknownEncoding:
            raise BadCommand("The part's encoding is not known", code="UNKNOWN-CTE", condition="NO") from None
        yield _labelled(item.label, value)


def _labelled(label: bytes, value: Iterator[bytes]) -> Iterator[bytes]:
    yield label + b" "
    yield from value
