"""The messages of APPEND and REPLACE, read as they come in (RFC 9051 §6.3.12, RFC 3502, RFC 4469, RFC 8508).  Pure.

They are too long to be held: what a command says of them is read stretch by stretch, from one literal to the next.
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from dataclasses import dataclass, replace
from typing import TypeAlias

from mailsite_ext.protocol import imap_commands as c
from mailsite_ext.protocol.imap_cursor import LITERAL, Cursor
from mailsite_ext.protocol.imap_limits import BadCommand

CATENATE = re.compile(rb"CATENATE +\( *", re.IGNORECASE)
URL = re.compile(rb"URL +", re.IGNORECASE)
TEXT = re.compile(rb"TEXT +(?=[~{])", re.IGNORECASE)
UTF8 = re.compile(rb"UTF8 +\(", re.IGNORECASE)

Appending: TypeAlias = c.Append | c.Replace


@dataclass(frozen=True, slots=True)
class MessageBegins:
    """The last message of `command`, which is what is known so far."""

    command: Appending


@dataclass(frozen=True, slots=True)
class LiteralBegins:
    """Octets of the message, all or one piece of them.

    `is_synchronising`: the client waits for `+ OK`, or for the tagged refusal.
    """

    command: Appending
    size: int
    is_synchronising: bool
    is_binary: bool = False  # literal8: NUL may stand in it (RFC 3516 §4.4)
    is_utf8: bool = False  # RFC 6855 §4


@dataclass(frozen=True, slots=True)
class UrlNamed:
    """The next piece of the message is what a URL names (RFC 4469 §3)."""

    command: Appending
    url: bytes


@dataclass(frozen=True, slots=True)
class UrlBegins:
    """A literal that is a URL itself: to be collected, and put before the next stretch."""


@dataclass(frozen=True, slots=True)
class MessageEnds: ...


MessageEvent: TypeAlias = MessageBegins | LiteralBegins | UrlNamed
Step: TypeAlias = MessageEvent | UrlBegins | MessageEnds | Appending


def append_target(tag: bytes, cursor: Cursor) -> c.Append:
    """`folder SP`"""
    folder = cursor.folder()
    cursor.space()
    return c.Append(tag, folder, ())


def replace_target(tag: bytes, cursor: Cursor, *, is_uid: bool) -> c.Replace:
    """`number SP folder SP`"""
    numbers = cursor.sequence_set()
    if len(numbers.ranges) != 1 or numbers.ranges[0][0] != numbers.ranges[0][1]:
        raise BadCommand("REPLACE takes one message")
    cursor.space()
    folder = cursor.folder()
    cursor.space()
    return c.Replace(tag, numbers.ranges[0][0], is_uid, folder, ())


class Messages:
    """What stands behind the folder.  `cursor` is the stretch at hand: set it anew before going on behind a literal."""

    def __init__(self, command: Appending, cursor: Cursor) -> None:
        self.cursor = cursor
        self._command = command
        self._limits = cursor.limits
        self._pieces = 0

    def steps(self) -> Iterator[Step]:
        """The command itself is the last one.  Raises BadCommand; behind a LiteralBegins and a UrlBegins a new
        stretch is needed.
        """
        while True:
            yield from self._message()
            if not self.cursor.has_space() or self.cursor.is_at_end:
                break
            if isinstance(self._command, c.Replace) or len(self._command.messages) >= self._limits.messages_a_command:
                raise BadCommand("too many messages", code="LIMIT")
        self.cursor.end()
        yield self._command

    def _message(self) -> Iterator[Step]:
        self._command = replace(self._command, messages=(*self._command.messages, new_message(self.cursor)))
        pieces = self._catenated() if self.cursor.find(CATENATE) else self._literal()
        first = next(pieces)  # it is well-formed before anybody acts upon it
        yield MessageBegins(self._command)
        yield first
        yield from pieces
        yield MessageEnds()

    def _catenated(self) -> Iterator[Step]:
        """`TEXT {n}` and `URL "…"`, at least one, and the closing bracket (RFC 4469 §5)."""
        while True:
            self._pieces += 1
            if self._pieces > self._limits.pieces_a_command:
                raise BadCommand("too many pieces", code="LIMIT")
            yield from self._url() if self.cursor.find(URL) else self._text()
            if self.cursor.skip(b")"):
                return
            self.cursor.space()

    def _text(self) -> Iterator[Step]:
        if not self.cursor.find(TEXT) and UTF8.match(self.cursor.text, self.cursor.at) is None:  # RFC 6855 §4
            raise BadCommand("CATENATE knows only TEXT and URL")
        return self._literal()

    def _url(self) -> Iterator[Step]:
        if self.cursor.find(LITERAL):
            yield UrlBegins()
        url = self.cursor.astring()
        if len(url) > self._limits.url_octets:
            raise BadCommand("the URL is too long", code="LIMIT", condition="NO")
        yield UrlNamed(self._command, url)

    def _literal(self) -> Iterator[Step]:
        is_utf8 = self.cursor.find(UTF8) is not None
        announced = self.cursor.get(LITERAL, "a message as a literal")
        yield LiteralBegins(self._command, int(announced[2]), not announced[3], bool(announced[1]), is_utf8)
        if is_utf8:
            self.cursor.expect(b")")


def new_message(cursor: Cursor) -> c.NewMessage:
    """`[(flags) SP] ["date" SP]` (RFC 9051 §6.3.12)."""
    flags: tuple[str, ...] = ()
    received_at = None
    if cursor.peek(b"("):
        flags = cursor.flags()
        cursor.space()
    if cursor.peek(b'"'):
        received_at = cursor.date_time()
        cursor.space()
    return c.NewMessage(flags, received_at)
