"""Sets of message numbers or UIDs as IMAP writes them (RFC 9051 §9, `sequence-set`).  Pure."""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator
from dataclasses import dataclass

STAR = 0
"""Stands for `*`, the largest number in use."""
LARGEST = 4_294_967_295
MEMBER = re.compile(rb"(\*|[1-9][0-9]{0,9})(?::(\*|[1-9][0-9]{0,9}))?(,|\Z)")


@dataclass(frozen=True, slots=True)
class SequenceSet:
    """`2,4:7,9:*` as pairs, each as written: `(9, STAR)`; a single number is a pair of the same.

    `is_saved` is `$`, the result of the last SEARCH with SAVE (RFC 9051 §6.4.4.1).
    """

    ranges: tuple[tuple[int, int], ...] = ()
    is_saved: bool = False

    def spans(self, largest: int) -> list[tuple[int, int]]:
        """Ascending, disjoint, inclusive pairs with `*` read as `largest`; nothing for `*` where that is 0."""
        pairs = ((low or largest, high or largest) for low, high in self.ranges)
        return merged((min(pair), max(pair)) for pair in pairs if all(pair))

    def contains(self, number: int, largest: int) -> bool:
        return any(low <= number <= high for low, high in self.spans(largest))

    def __str__(self) -> str:
        return "$" if self.is_saved else ",".join(_member(low, high) for low, high in self.ranges)


def _member(low: int, high: int) -> str:
    return f"{low or '*'}" if low == high else f"{low or '*'}:{high or '*'}"


def merged(pairs: Iterable[tuple[int, int]]) -> list[tuple[int, int]]:
    """The pairs in ascending order, those that touch or overlap made one."""
    spans: list[tuple[int, int]] = []
    for low, high in sorted(pairs):
        if spans and low <= spans[-1][1] + 1:
            spans[-1] = (spans[-1][0], max(high, spans[-1][1]))
        else:
            spans.append((low, high))
    return spans


def parse_set(text: bytes, longest: int) -> SequenceSet:
    """Raises ValueError for what is no set, has more than `longest` members or a number above 32 bits."""
    if text == b"$":
        return SequenceSet(is_saved=True)
    members = list(_members(text, longest))
    return SequenceSet(tuple(members))


def _members(text: bytes, longest: int) -> Iterator[tuple[int, int]]:
    at, ended = 0, b","
    while ended:
        match = MEMBER.match(text, at)
        longest -= 1
        if match is None or longest < 0:
            raise ValueError
        at, ended = match.end(), match[3]
        low = _number(match[1])
        yield low, low if match[2] is None else _number(match[2])


def _number(text: bytes) -> int:
    number = STAR if text == b"*" else int(text)
    if number > LARGEST:
        raise ValueError
    return number


def compact(numbers: Iterable[int]) -> bytes:
    """Ascending numbers as the shortest set: `1:3,7`; empty for none."""
    spans: list[tuple[int, int]] = []
    start = last = None
    for number in numbers:
        if start is None or last is None:
            start = last = number
        elif number == last + 1:
            last = number
        else:
            spans.append((start, last))
            start = last = number
    if start is not None and last is not None:
        spans.append((start, last))
    return span_text(spans)


def span_text(spans: Iterable[tuple[int, int]]) -> bytes:
    """Inclusive pairs as a set: `(1, 3), (7, 7)` gives `1:3,7`."""
    return ",".join([str(low) if low == high else f"{low}:{high}" for low, high in spans]).encode()
