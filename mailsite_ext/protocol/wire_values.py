"""Stored ENVELOPE and BODYSTRUCTURE octets read back: nested lists of strings (RFC 9051 §7.5.2).  Pure.

Only what this server wrote is read; ValueError for anything else.
"""

from __future__ import annotations

import re
from dataclasses import dataclass, field
from typing import TypeAlias

TOKEN = re.compile(rb' ?(?:"((?:[^"\\]|\\.)*+)"|~?\{([0-9]+)\}\r\n|([()])|([^\s()"{]+))')
ESCAPE = re.compile(rb"\\(.)")

Value: TypeAlias = "bytes | list[Value] | None"
Item: TypeAlias = tuple[int, int, Value]


@dataclass(slots=True)
class _List:
    """A list, with the octets it stands at."""

    start: int
    items: list[Item] = field(default_factory=list)


def read_value(octets: bytes) -> Value:
    """`("a" NIL (b))` → `[b"a", None, [b"b"]]`."""
    ((_, _, value),) = read_items(octets)
    return value


def read_items(octets: bytes) -> list[Item]:
    """The items side by side in `octets`, each with where it begins and ends.  Raises ValueError."""
    open_lists = [_List(0)]
    at = 0
    while at < len(octets):
        token = TOKEN.match(octets, at)
        if token is None:
            raise ValueError("not what this server writes")
        start, at = at + octets.startswith(b" ", at), token.end()
        quoted, size, bracket, atom = token.groups()
        if size is not None:
            at += int(size)
            open_lists[-1].items.append((start, at, octets[token.end() : at]))
        elif bracket == b"(":
            open_lists.append(_List(start))
        elif bracket:
            closed = open_lists.pop()
            open_lists[-1].items.append((closed.start, at, [value for _, _, value in closed.items]))
        elif quoted is not None:
            open_lists[-1].items.append((start, at, ESCAPE.sub(rb"\1", quoted)))
        elif atom is not None:
            open_lists[-1].items.append((start, at, None if atom == b"NIL" else atom))
    return open_lists[0].items
