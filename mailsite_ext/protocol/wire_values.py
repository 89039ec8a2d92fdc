"""Stored ENVELOPE and BODYSTRUCTURE octets read back: nested lists of strings (RFC 9051 §7.5.2).  Pure.

Only what this server wrote is read; ValueError for anything else.
"""

from __future__ import annotations

import re
from dataclasses import dataclass
from typing import TypeAlias

TOKEN = re.compile(rb' ?(?:"((?:[^"\\]|\\.)*+)"|~?\{([0-9]+)\}\r\n|([()])|([^\s()"{]+))')
ESCAPE = re.compile(rb"\\(.)")

Value: TypeAlias = "bytes | list[Value] | None"


@dataclass(slots=True)
class Item:
    """A string, NIL or a list, and the octets it stands at, without the space before it."""

    start: int
    end: int
    value: bytes | list[Item] | None


def read_value(octets: bytes) -> Value:
    """`("a" NIL (b))` → `[b"a", None, [b"b"]]`."""
    (item,) = read_items(octets)
    return _plain(item)


def _plain(item: Item) -> Value:
    return [_plain(each) for each in item.value] if isinstance(item.value, list) else item.value


def read_items(octets: bytes) -> list[Item]:
    """The items side by side in `octets`, those of lists inside of them.  Raises ValueError."""
    top: list[Item] = []
    open_lists = [top]
    starts: list[int] = []
    at = 0
    while at < len(octets):
        token = TOKEN.match(octets, at)
        if token is None:
            raise ValueError("not what this server writes")
        start, at = at + octets.startswith(b" ", at), token.end()
        quoted, size, bracket, atom = token.groups()
        if size is not None:
            at += int(size)
            open_lists[-1].append(Item(start, at, octets[token.end() : at]))
        elif bracket == b"(":
            open_lists.append([])
            starts.append(start)
        elif bracket:
            closed = open_lists.pop()
            open_lists[-1].append(Item(starts.pop(), at, closed))
        elif quoted is not None:
            open_lists[-1].append(Item(start, at, ESCAPE.sub(rb"\1", quoted)))
        elif atom is not None:
            open_lists[-1].append(Item(start, at, None if atom == b"NIL" else atom))
    return top
