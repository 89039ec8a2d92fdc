"""Address fields as ENVELOPE shows them: name, mailbox, host; groups marked (RFC 5322 §3.4, RFC 9051 §7.5.2).

Pure; takes whatever real mail has, in time linear in its length, and raises nothing.
"""

from __future__ import annotations

import re
from dataclasses import dataclass, field
from typing import NamedTuple

MAX_ADDRESSES = 10_000
FIELD_OCTETS = 262_144
"""Of a field; the rest is not looked at."""
PART_OCTETS = 1_000  # of a mailbox or a host

ONE_ADDRESS = re.compile(  # what nearly all fields hold: `Name <a@b>`, `"Name" <a@b>`, `a@b`
    rb'\s*(?:(?:"([^"\\\r\n]*)"|([^\x00-\x20"(),.:;<>@\[\\\]][^\x00-\x1f"(),.:;<>@\[\\\]]*+))?\s*'
    rb'<([^\x00-\x20"(),:;<>@\[\\\]]+)@([^\x00-\x20"(),:;<>@\[\\\]]+)>'
    rb'|([^\x00-\x20"(),:;<>@\[\\\]]+)@([^\x00-\x20"(),:;<>@\[\\\]]+))\s*(?:,|\Z)'
)
TOKEN = re.compile(
    rb'(?P<space>[ \t\r\n]+)|(?P<quoted>"(?:[^"\\]|\\.)*+(?:"|\\?\Z))|(?P<literal>\[(?:[^\]\\]|\\.)*+(?:\]|\\?\Z))'
    rb'|(?P<special>[,:;<>@().])|(?P<atom>[^ \t\r\n"\[,:;<>@().]+)',
    re.DOTALL,
)
COMMENT_EDGE = re.compile(rb"\\.|[()]", re.DOTALL)
ESCAPE = re.compile(rb"\\(.)", re.DOTALL)
SPACES = re.compile(rb"[ \t]*[\r\n]+[ \t]*|[ \t]+")


class Address(NamedTuple):
    """`host` empty: none was written.  In lists, `host` None begins a group (`mailbox` its name) or ends one (None)."""

    name: bytes | None
    mailbox: bytes | None
    host: bytes | None
    route: bytes | None = None  # "@relay.example": obsolete, RFC 5322 §4.4


GROUP_END = Address(None, None, None)


def parse_addresses(value: bytes) -> list[Address]:
    """The addresses of a field in order; at most MAX_ADDRESSES."""
    value = value[:FIELD_OCTETS]
    found: list[Address] = []
    at = 0
    while at < len(value) and len(found) < MAX_ADDRESSES:
        match = ONE_ADDRESS.match(value, at)
        if match is None:
            found += _Slow(value, at).addresses(MAX_ADDRESSES - len(found))
            break
        quoted, words, mailbox, host, bare, bare_host = match.groups()
        name = quoted if words is None else SPACES.sub(b" ", words.rstrip())
        found.append(Address(name or None, mailbox or bare, host or bare_host))
        at = match.end()
    return found


@dataclass
class _Gathered:
    """What was read of one address."""

    words: list[bytes] = field(default_factory=list)  # with the white space between them as one space
    local: bytes = b""
    domain: bytes = b""
    route: bytes = b""
    comment: bytes = b""
    has_at: bool = False
    has_angle: bool = False
    in_angle: bool = False


class _Slow:
    """The whole grammar, leniently: comments, groups, routes, quoted local parts, what is not an address at all."""

    def __init__(self, value: bytes, at: int) -> None:
        self._value = value
        self._at = at
        self._found: list[Address] = []
        self._in_group = False
        self._now = _Gathered()

    def addresses(self, most: int) -> list[Address]:
        while self._at < len(self._value) and len(self._found) < most:
            token = TOKEN.match(self._value, self._at)
            if token is None:  # a lone backslash or bracket
                self._at += 1
                continue
            self._at = token.end()
            self._take(token.lastgroup or "", token[0])
        self._flush()
        if self._in_group:
            self._found.append(GROUP_END)
        return self._found

    def _take(self, kind: str, text: bytes) -> None:
        if kind == "space":
            if self._now.words[-1:] not in ([], [b" "]) and not self._now.in_angle:
                self._now.words.append(b" ")
        elif kind == "special":
            self._special(text)
        elif kind == "quoted":
            self._word(ESCAPE.sub(rb"\1", text[1:].removesuffix(b'"')))
        else:
            self._word(text)

    def _word(self, text: bytes) -> None:
        now = self._now
        if not now.in_angle:
            now.words.append(text)
        elif now.has_at:
            now.domain = (now.domain + text)[:PART_OCTETS]
        else:
            now.local = (now.local + text)[:PART_OCTETS]

    def _special(self, text: bytes) -> None:
        now = self._now
        if text == b"(":
            now.comment = self._comment()
        elif now.in_angle:
            self._in_angle(text)
        elif text == b"<":
            now.in_angle = now.has_angle = True
        elif text == b",":
            self._flush()
        elif text == b";":
            self._flush()
            self._end_group()
        elif text == b":" and not self._in_group:
            self._begin_group()
        elif text != b">":
            now.words.append(text)

    def _in_angle(self, text: bytes) -> None:
        now = self._now
        if text == b">":
            now.in_angle = False
        elif text == b"@" and not now.has_at:
            now.has_at = True
        elif text in b":," and now.has_at and not now.local:  # a route: `<@relay.example:a@b>`
            now.route = (now.route + b","[: len(now.route)] + b"@" + now.domain)[:PART_OCTETS]
            now.has_at, now.domain = False, b""
        elif text in b",;":
            now.in_angle = False
            self._special(text)
        else:
            self._word(text)

    def _comment(self) -> bytes:
        """The text of a comment, which may hold others; the cursor is moved behind it."""
        start, depth = self._at, 1
        for edge in COMMENT_EDGE.finditer(self._value, start):
            depth += {b"(": 1, b")": -1}.get(edge[0], 0)
            if not depth:
                self._at = edge.end()
                return ESCAPE.sub(rb"\1", SPACES.sub(b" ", self._value[start : edge.start()])).strip()
        self._at = len(self._value)
        return self._value[start:].strip()

    def _begin_group(self) -> None:
        name = b"".join(self._now.words).strip()
        self._now = _Gathered()
        if name:
            self._in_group = True
            self._found.append(Address(None, name, None))

    def _end_group(self) -> None:
        if self._in_group:
            self._found.append(GROUP_END)
        self._in_group = False

    def _flush(self) -> None:
        now, self._now = self._now, _Gathered()
        if now.has_angle:
            name = b"".join(now.words).strip() or now.comment
            if now.local or now.domain or name:
                self._found.append(Address(name or None, now.local, now.domain, now.route or None))
        elif now.words:
            self._flush_bare(_closed(now.words), now.comment)

    def _flush_bare(self, words: list[bytes], comment: bytes) -> None:
        """Without angle brackets: `a@b`, `a`, or only a name; a name before `a@b` is taken for one."""
        at = words.index(b"@") if b"@" in words else len(words)
        domain = b"".join(_closed(words[at + 1 :])).partition(b" ")[0]
        local = _closed(words[:at])
        named = len(local) - local[::-1].index(b" ") - 1 if b" " in local else -1
        if at == len(words) and b" " in b"".join(local):
            self._found.append(Address(b"".join(local), b"", b""))
        elif local or domain:
            name = b"".join(local[: max(named, 0)]) or comment
            self._found.append(Address(name or None, b"".join(local[named + 1 :]), domain))


def _closed(words: list[bytes]) -> list[bytes]:
    """White space around dots and at the ends goes: `a . b` is `a.b` (RFC 5322 §4.4)."""
    edged = [b".", *words, b"."]
    return [word for n, word in enumerate(words) if word != b" " or (edged[n] != b"." and edged[n + 2] != b".")]
