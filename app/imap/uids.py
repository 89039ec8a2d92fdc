"""Sets of UIDs as IMAP writes them (sequence-set, RFC 9051 §9): "1:3,7".  Pure."""

from __future__ import annotations

import re
from bisect import bisect_left, bisect_right
from collections.abc import Iterable, Iterator, Sequence

from app.errors import ProtocolError

MAX_UID = 4_294_967_295
MAX_SET_OCTETS = 4_000
"""Longest set in a command; RFC 7162 §4 wants servers to take lines of 8,192 octets."""
RANGE = re.compile(rb"(\d{1,10})(?::(\d{1,10}))?")

Range = tuple[int, int]


def ranges_of(uids: Iterable[int]) -> Iterator[Range]:
    """Runs of neighbours, ascending.  Raises ProtocolError for what is no UID."""
    first = last = 0
    for uid in sorted(set(uids)):
        if not 0 < uid <= MAX_UID:
            raise ProtocolError(f"{uid} is not a UID")
        if uid != last + 1 or not first:
            if first:
                yield first, last
            first = uid
        last = uid
    if first:
        yield first, last


def sets_of(uids: Iterable[int]) -> Iterator[bytes]:
    """The UIDs as one or more sets, none longer than MAX_SET_OCTETS."""
    words: list[bytes] = []
    octets = 0
    for first, last in ranges_of(uids):
        word = b"%d" % first if first == last else b"%d:%d" % (first, last)
        if octets + len(word) >= MAX_SET_OCTETS:
            yield b",".join(words)
            words, octets = [], 0
        words.append(word)
        octets += len(word) + 1
    if words:
        yield b",".join(words)


def parse_ranges(text: bytes) -> list[Range]:
    """The ranges of a set, in the order written, each from low to high; never expanded.  Raises ProtocolError."""
    ranges: list[Range] = []
    for word in text.split(b",") if text else []:
        match = RANGE.fullmatch(word)
        if match is None:
            raise ProtocolError("unreadable set of UIDs")
        first, last = int(match[1]), int(match[2] or match[1])
        ranges.append((min(first, last), max(first, last)))
    return ranges


def expand(ranges: Iterable[Range], most: int) -> list[int]:
    """Every UID of the ranges, in order.  Raises ProtocolError beyond `most`: a set of ten octets can mean millions."""
    uids: list[int] = []
    for first, last in ranges:
        if not 0 < first <= last <= MAX_UID or len(uids) + last - first >= most:
            raise ProtocolError("a set of UIDs is larger than the folder")
        uids.extend(range(first, last + 1))
    return uids


def within(ranges: Iterable[Range], known: Sequence[int]) -> set[int]:
    """Those of `known`, ascending, that lie in the ranges, however wide these are."""
    found: set[int] = set()
    for first, last in ranges:
        found.update(known[bisect_left(known, first) : bisect_right(known, last)])
    return found
