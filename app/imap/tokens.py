"""IMAP's data formats (RFC 9051 §9): from octets to nested values.  Pure.

Text here is a whole response as it stood on the wire, literals included ("{5}\\r\\nhello"), without its last CRLF.
"""

from __future__ import annotations

import re

from app.errors import ProtocolError

Value = bytes | None | tuple["Value", ...]
"""An atom, string or literal; NIL; or a parenthesised list."""

MAX_NESTING = 120
"""Deepest list: a message of parts.MAX_DEPTH levels needs two lists a level (RFC 9051 leaves it open)."""
MAX_VALUES = 100_000

TOKEN = re.compile(
    rb' *(?:(\()|(\))|"([^"\\]*(?:\\.[^"\\]*)*)"|~?\{(\d{1,10})\+?\}\r\n|([^\s()"{][^\s()"]*))', re.DOTALL
)
ESCAPED = re.compile(rb'\\(["\\])')


def parse(text: bytes, start: int = 0) -> tuple[Value, ...]:
    """All values of `text` from `start` on.  Raises ProtocolError if it is malformed, too deep or too long."""
    stack: list[list[Value]] = [[]]
    position, count = start, 0
    while position < len(text):
        match = TOKEN.match(text, position)
        if match is None:
            if not text[position:].strip():
                break
            raise ProtocolError(f"unreadable answer: {shown(text[position : position + 60])}")
        position, count = match.end(), count + 1
        position = _take(match, text, position, stack)
        if count > MAX_VALUES or len(stack) > MAX_NESTING:
            raise ProtocolError("an answer is nested too deeply or has too many parts")
    if len(stack) != 1:
        raise ProtocolError("an answer ends within a list")
    return tuple(stack[0])


def _take(match: re.Match[bytes], text: bytes, position: int, stack: list[list[Value]]) -> int:
    """Put one token where it belongs and return where the next one begins."""
    kind = match.lastindex
    if kind == 1:
        stack.append([])
    elif kind == 2:
        if len(stack) == 1:
            raise ProtocolError("a list ends that never began")
        closed = tuple(stack.pop())
        stack[-1].append(closed)
    elif kind == 3:
        stack[-1].append(unescape(match[3]))
    elif kind == 4:
        end = position + int(match[4])
        stack[-1].append(text[position:end])
        return end
    else:
        stack[-1].append(None if match[5].upper() == b"NIL" else match[5])
    return position


def unescape(quoted: bytes) -> bytes:
    """The inside of a quoted string, its escapes undone."""
    return ESCAPED.sub(rb"\1", quoted) if b"\\" in quoted else quoted


def shown(octets: bytes) -> str:
    """Octets of a peer, fit for an error message."""
    return octets.decode("utf-8", "backslashreplace").translate(dict.fromkeys(range(32), " "))
