"""The words of a stored message as SEARCH compares them: decoded, unfolded, in one case (RFC 9051 §6.4.4).  Pure."""

from __future__ import annotations

import re
import unicodedata
from collections.abc import Iterator, Mapping
from datetime import date

from app.extension_api import decode
from mailsite_ext.protocol.address_lists import parse_addresses
from mailsite_ext.protocol.imap_cursor import MONTHS
from mailsite_ext.protocol.mime_fields import FIELD
from mailsite_ext.protocol.part_table import Part
from mailsite_ext.protocol.sections import Extent, Read, read_all

HEADER_OCTETS = 262_144
PART_OCTETS = 16_777_216
"""Of a part; what comes after is not searched."""

OF_ADDRESSES = frozenset({"from", "sender", "reply-to", "to", "cc", "bcc"})
BROKEN_UP = re.compile(rb"[(\\]|\s@|@\s")
"""Of an address list: perhaps an address is not written in one piece (RFC 5322 §3.2.2, §3.4.1)."""
SENT_DAY = re.compile(r"(?<!\d)(\d{1,2})[ -]+([A-Za-z]{3})[a-z]*[ -]+(\d{4}|\d{2})(?!\d)")


def folded(text: str) -> str:
    """`text` in the form in which two spellings of the same are equal: one case, composed (RFC 5051 in spirit)."""
    return text.lower() if text.isascii() else unicodedata.normalize("NFC", text.casefold())


class MessageText:
    """One message's searchable text; each part is read when it is first asked for."""

    def __init__(self, parts: Mapping[str, Part], read: Read) -> None:
        self._parts = parts
        self._read = read
        self._fields: list[tuple[str, str]] | None = None
        self._body: list[str] | None = None

    def fields(self, name: str) -> list[str]:
        """The values of a field (its name in lower case), folded."""
        return [value for found, value in self.all_fields() if found == name]

    def has_in_header(self, text: str) -> bool:
        return any(text in value or text in f"{name}: {value}" for name, value in self.all_fields())

    def has_in_body(self, text: str) -> bool:
        return any(text in part for part in self.body_texts())

    def all_fields(self) -> list[tuple[str, str]]:
        """Name in lower case and value, folded, of every field, in order."""
        if self._fields is None:
            root = self._parts[""]
            self._fields = self._fields_of(Extent(root.header_at, root.header_octets))
        return self._fields

    def _fields_of(self, header: Extent) -> list[tuple[str, str]]:
        octets = read_all(self._read, Extent(header.at, min(header.octets, HEADER_OCTETS)))
        found = FIELD.findall(b"\n" + octets)
        return [text for name, value in found for text in _field_texts(name.decode("ascii", "replace").lower(), value)]

    def body_texts(self) -> list[str]:
        """What BODY looks through, folded; no text goes on in the next."""
        if self._body is None:
            self._body = list(self._read_body())
        return self._body

    def _read_body(self) -> Iterator[str]:
        """Texts, and the headers of attached messages."""
        for section, part in self._parts.items():
            if part.is_message and part.message_header_octets:
                inner = self._fields_of(Extent(part.body_at, part.message_header_octets))
                yield "\n".join(f"{name}: {value}" for name, value in inner)
            elif section and part.type.startswith("text/"):
                octets = read_all(self._read, Extent(part.body_at, min(part.body_octets, PART_OCTETS)))
                yield folded(decode.text(decode.transfer(octets, part.encoding), part.charset))


def _field_texts(name: str, value: bytes) -> Iterator[tuple[str, str]]:
    """A field as it stands, and what ENVELOPE says of its addresses where comments or spaces stand inside them."""
    text = folded(decode.header(value))
    yield name, text
    if name in OF_ADDRESSES and BROKEN_UP.search(value):
        plain = (
            folded(b"@".join((one.mailbox or b"", one.host or b"")).decode("utf-8", "replace"))
            for one in parse_addresses(value)
        )
        if missing := [address for address in plain if address not in text]:
            yield name, ", ".join(missing)


def sent_day(value: str) -> date | None:
    """The day a Date field names, time and zone disregarded; two digits of a year as RFC 5322 §4.3 reads them."""
    match = SENT_DAY.search(value)
    month = match[2].lower().encode() if match else b""
    if match is None or month not in MONTHS:
        return None
    year = int(match[3]) + {4: 0}.get(len(match[3]), 2000 if int(match[3]) < 50 else 1900)
    try:
        return date(year, MONTHS.index(month) + 1, int(match[1]))
    except ValueError:
        return None
