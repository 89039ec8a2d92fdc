"""A message as signatures see it: header fields octet for octet, and a body that is read once.  Pure."""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from itertools import chain

from mailsite_ext.errors import HeaderTooLarge

LONGEST_HEADER = 1024 * 1024

_LINES = re.compile(rb"[^\r\n][^\n]*(?:\n(?:[ \t][^\n]*))*\n?")
_NAMED = re.compile(rb"([!-9;-~]+)[ \t]*:")


@dataclass(frozen=True, slots=True)
class RawField:
    name: str  # in lower case
    octets: bytes  # name, colon, value and folds, with the CRLF at the end

    @property
    def value(self) -> bytes:
        return self.octets.partition(b":")[2]

    @property
    def text(self) -> str:
        return self.value.decode("utf-8", "replace")


def read_message(blocks: Iterable[bytes]) -> tuple[Sequence[RawField], Iterator[bytes]]:
    """Header fields from the top, and the blocks of the body still to be read.  Raises HeaderTooLarge."""
    source = iter(blocks)
    read = b""
    for block in source:
        tail = max(len(read) - 3, 0)
        read += block
        if read.startswith(b"\r\n") or read.find(b"\r\n\r\n", tail) >= 0:
            break
        if len(read) > LONGEST_HEADER:
            raise HeaderTooLarge
    header, body = split_message(read)
    return split_fields(header), chain([body], source)


def split_message(message: bytes) -> tuple[bytes, bytes]:
    """The header with the CRLF of its last field, and the body; the empty line between them belongs to neither."""
    if message.startswith(b"\r\n"):
        return b"", message[2:]
    header, empty_line, body = message.partition(b"\r\n\r\n")
    return (header + b"\r\n", body) if empty_line else (header, b"")


def split_fields(header: bytes) -> Sequence[RawField]:
    return [field for _, _, field in field_spans(header)]


def field_spans(header: bytes) -> Iterator[tuple[int, int, RawField]]:
    """Where each field begins and ends.  Lines that are none, such as the "From " of a mbox file, are passed over."""
    for lines in _LINES.finditer(header):
        if name := _NAMED.match(lines[0]):
            yield *lines.span(), RawField(name[1].decode("ascii").lower(), lines[0])
