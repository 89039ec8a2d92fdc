"""A message's octets → its parts: where each header and body lies, found by its boundaries in one pass (RFC 2046).

Pure.  Takes bytes or an mmap, which holds no more in memory than is being looked at; time is linear in the size, and
depth and number of parts are bounded: what lies deeper or comes later stays undivided.  Bare LF ends lines too.
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from dataclasses import dataclass, field
from mmap import mmap
from typing import TypeAlias

from mailsite_ext.protocol.mime_fields import (
    HEADER_OCTETS,
    Params,
    first_word,
    media_type,
    params,
    read_fields,
    unfolded,
    without_comments,
)

Octets: TypeAlias = bytes | mmap

MAX_DEPTH = 40
MAX_PARTS = 1_000
COUNTED_OCTETS = 1 << 20  # looked at a time, to count lines
PART_HEADER_OCTETS = 65_536  # of a part's header; fields further down are not looked at
BOUNDARY_OCTETS = 200  # RFC 2046 §5.1.1 says 70

EMPTY_LINE = re.compile(rb"\n\r?\n")
PLAIN_TEXT: Params = [(b"charset", b"us-ascii")]  # RFC 2045 §5.2


@dataclass(slots=True)
class Entity:
    """A message or a part of one; offsets count from the start of the whole message."""

    header_at: int
    body_at: int
    fields: dict[bytes, bytes]
    type: bytes = b"text"  # lower case, as is subtype
    subtype: bytes = b"plain"
    params: Params = field(default_factory=list)
    body_end: int = 0
    lines: int = 0  # line ends in the body
    children: list[Entity] = field(default_factory=list)  # one for message/rfc822

    @property
    def is_multipart(self) -> bool:
        return self.type == b"multipart"

    @property
    def is_message(self) -> bool:
        """RFC 2046 §5.2.1, RFC 6532 §3.7"""
        return self.type == b"message" and self.subtype in (b"rfc822", b"global")

    @property
    def encoding(self) -> bytes:
        """Content-Transfer-Encoding in lower case."""
        value = self.fields.get(b"content-transfer-encoding")
        return b"7bit" if value is None else first_word(without_comments(unfolded(value))) or b"7bit"

    def value(self, name: bytes) -> bytes | None:
        """A field's value, unfolded; None without the field."""
        raw = self.fields.get(name)
        return None if raw is None else unfolded(raw)


@dataclass(slots=True)
class _Stop:
    """What ended a body: the boundary of `level` in a line that begins at `at`; the next part at `next_at`."""

    level: int
    at: int
    next_at: int
    is_last: bool


def scan(data: Octets) -> Entity:
    """The message as a tree; never raises."""
    return _Scanner(data).entity(0, 0, is_in_digest=False)[0]


class _Scanner:
    def __init__(self, data: Octets) -> None:
        self._data = data
        self._end = len(data)
        self._boundaries: list[bytes] = []  # of the multiparts we are in, outermost first, as they look in the text
        self._hits: list[int] = []  # of each, no hit lies between where we are and there
        self._parts = 0

    def entity(self, at: int, depth: int, *, is_in_digest: bool) -> tuple[Entity, _Stop | None]:
        """The entity whose header begins at `at`, and the boundary that ended it, None at the end of the message."""
        self._parts += 1
        body_at, stop = self._header_end(at)
        made = self._make(at, body_at, is_in_digest=is_in_digest)
        if stop is None:
            stop = self._body(made, depth)
        made.body_end = self._before_line(made.body_at, stop.at) if stop else self._end
        if not made.is_multipart:
            made.lines = count_lines(self._data, made.body_at, made.body_end)
        return made, stop

    def _make(self, at: int, body_at: int, *, is_in_digest: bool) -> Entity:
        longest = HEADER_OCTETS if at == 0 else PART_HEADER_OCTETS
        fields = read_fields(self._data[at : min(body_at, at + longest)])
        made = Entity(at, body_at, fields)
        value = fields.get(b"content-type")
        value = without_comments(unfolded(value)) if value else b""
        kind = media_type(value)
        if kind is not None:
            made.type, made.subtype = kind
            made.params = params(value)
            self._check_multipart(made)
        elif is_in_digest:
            made.type, made.subtype = b"message", b"rfc822"  # RFC 2046 §5.1.5
        if made.type == b"text" and not any(name == b"charset" for name, _ in made.params):
            made.params = [*made.params, *PLAIN_TEXT]
        return made

    def _check_multipart(self, made: Entity) -> None:
        """Without a boundary it has no parts: as text its octets can be had at all (RFC 2046 §5.1.1)."""
        if made.is_multipart and not _boundary(made):
            made.type, made.subtype, made.params = b"text", b"plain", []

    def _header_end(self, at: int) -> tuple[int, _Stop | None]:
        """Where the body begins, and the boundary that came before any empty line."""
        if self._data[at : at + 1] == b"\n":
            return at + 1, None
        if self._data[at : at + 2] == b"\r\n":
            return at + 2, None
        stop = self._next_boundary(at)
        end = stop.at if stop else self._end
        empty = EMPTY_LINE.search(self._data, at, end)
        return (empty.end(), None) if empty else (end, stop)

    def _body(self, made: Entity, depth: int) -> _Stop | None:
        may_divide = depth < MAX_DEPTH and self._parts < MAX_PARTS
        if made.is_message and may_divide:
            child, stop = self.entity(made.body_at, depth + 1, is_in_digest=False)
            made.children.append(child)
            return stop
        if made.is_multipart and may_divide:
            return self._multipart(made, _boundary(made), depth)
        return self._next_boundary(made.body_at)

    def _multipart(self, made: Entity, boundary: bytes, depth: int) -> _Stop | None:
        level = len(self._boundaries)
        self._boundaries.append(b"\n--" + boundary)
        self._hits.append(-1)
        stop = self._next_boundary(made.body_at)
        while stop is not None and stop.level == level and not stop.is_last and self._parts < MAX_PARTS:
            child, stop = self.entity(stop.next_at, depth + 1, is_in_digest=made.subtype == b"digest")
            made.children.append(child)
        self._boundaries.pop()
        self._hits.pop()
        if stop is not None and stop.level == level:  # the epilogue goes on to a boundary further out
            return self._next_boundary(stop.next_at)
        return stop

    def _next_boundary(self, at: int) -> _Stop | None:
        """The first line from `at` on that begins with a boundary of a multipart we are in.

        Of several in one line the longest counts, then the innermost; what follows it there does not matter (RFC 2046
        §5.1.1).  Each is looked for only up to the next of those around it: no octet is searched twice for one.
        """
        best, first = -1, self._end
        for level, boundary in enumerate(self._boundaries):
            hit = self._hits[level]
            if hit < at - 1:
                hit = self._data.find(boundary, at - 1, min(self._end, first + len(boundary)))
                hit = self._hits[level] = hit if hit >= 0 else first + 1
            if hit < first or (hit == first and len(boundary) >= len(self._boundaries[best])):
                best, first = level, hit
        return None if best < 0 else self._stop(best, first + 1)

    def _stop(self, level: int, at: int) -> _Stop:
        end = self._data.find(b"\n", at)
        after = at + len(self._boundaries[level]) - 1
        return _Stop(level, at, self._end if end < 0 else end + 1, self._data[after : after + 2] == b"--")

    def _before_line(self, body_at: int, line_at: int) -> int:
        """The line end before a boundary belongs to the boundary."""
        if self._data[line_at - 2 : line_at] == b"\r\n":
            return max(body_at, line_at - 2)
        return max(body_at, line_at - 1)


def _boundary(made: Entity) -> bytes:
    return next((value for name, value in made.params if name == b"boundary"), b"")[:BOUNDARY_OCTETS]


def count_lines(data: Octets, at: int, end: int) -> int:
    if isinstance(data, bytes):
        return data.count(b"\n", at, end)
    return sum(data[start : min(end, start + COUNTED_OCTETS)].count(b"\n") for start in range(at, end, COUNTED_OCTETS))


def numbered(message: Entity) -> Iterator[tuple[str, Entity]]:
    """Every part with its section number (RFC 9051 §6.4.5.1), the message itself first, as ""."""
    yield "", message
    yield from _numbered(message, "")


def _numbered(entity: Entity, prefix: str) -> Iterator[tuple[str, Entity]]:
    """Below a message: its body is part 1, unless that is a multipart, whose parts take its number."""
    for number, child in enumerate(entity.children if entity.is_multipart else (entity,), 1):
        section = f"{prefix}{number}"
        yield section, child
        if child.is_multipart:
            yield from _numbered(child, section + ".")
        elif child.is_message and child.children:
            yield from _numbered(child.children[0], section + ".")
