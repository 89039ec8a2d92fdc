"""The octets of an IMAP connection → whole commands, within limits and however they were cut on the way.  Pure.

    reader.feed(data)
    while (event := reader.next_event()) is not None:   # raises BadCommand: answer its `line()` and go on
        ...

Lines are read to CRLF (a lone LF passes too).  Literals are collected up to their limits (RFC 7888), except the
messages of APPEND and REPLACE, which are announced and then passed on chunk by chunk.
"""

from __future__ import annotations

import re
from dataclasses import dataclass, replace
from typing import TypeAlias

from mailsite_ext.protocol import imap_commands as c
from mailsite_ext.protocol.imap_cursor import Cursor, RawCommand
from mailsite_ext.protocol.imap_grammar import append_target, new_message, parse, read_tag, replace_target
from mailsite_ext.protocol.imap_limits import BadCommand, ImapLimits

ANNOUNCED = re.compile(rb"(~?)\{([0-9]{1,20})(\+?)\}\Z")  # `{9}`, `{9+}`, `~{9}`: RFC 7888 §8, RFC 3516 §7
TAKES_MESSAGES = re.compile(rb"[^ ]+ +(?:APPEND|(UID +)?REPLACE +[^ ]+) +(?=[^ ])", re.IGNORECASE)


@dataclass(frozen=True, slots=True)
class ContinuationWanted:
    """Say `+ OK`: the client waits to send a literal."""


@dataclass(frozen=True, slots=True)
class LiteralBegins:
    """A message begins: answer with `accept_message()` or `refuse_message()` before anything else is read.

    `command` is what is known so far, its last message the one that begins.  `is_synchronising`: the client waits for
    `+ OK`, or for the tagged refusal.
    """

    command: c.Append | c.Replace
    is_synchronising: bool

    @property
    def message(self) -> c.NewMessage:
        return self.command.messages[-1]


@dataclass(frozen=True, slots=True)
class LiteralChunk:
    data: bytes


@dataclass(frozen=True, slots=True)
class LiteralEnds: ...


@dataclass(frozen=True, slots=True)
class Line:
    """What followed `expect_line()`: DONE, or an answer to an AUTHENTICATE challenge; without its CRLF."""

    text: bytes


Event: TypeAlias = c.Command | ContinuationWanted | LiteralBegins | LiteralChunk | LiteralEnds | Line


class CommandReader:
    """One connection's input.  `limits` and `utf8` may be set anew between commands (after LOGIN, ENABLE).

    After a BadCommand that `is_fatal` nothing more comes out.
    """

    def __init__(self, limits: ImapLimits | None = None, *, utf8: bool = False) -> None:
        self.limits = limits or ImapLimits()
        self.utf8 = utf8
        self._received = bytearray()
        self._searched = 0  # of _received, without a line's end
        self.heard = b""  # the lines of the command read last, for a log: its literals are not in it
        self._expects_line = False
        self._is_dead = False
        self._pending: LiteralBegins | None = None
        self._passing = 0  # octets of a message still to pass on; -1: none
        self._skipping = 0  # octets of a refused literal
        self._is_dropping = False  # the rest of a refused command
        self._begin()

    def _begin(self) -> None:
        self._text = b""  # the lines of this command so far
        self._literals: list[bytes | int] = []
        self._literals_octets = 0
        self._wanted: int | None = None  # octets of the literal being collected
        self._command: c.Append | c.Replace | None = None
        self._messages: list[c.NewMessage] = []
        self._passing = -1

    @property
    def buffered(self) -> int:
        """Octets received and not used yet: before STARTTLS goes on there must be none (RFC 9051 §6.2.1)."""
        return len(self._received)

    @property
    def is_between_commands(self) -> bool:
        """Nothing of a next command has come."""
        return not (self._received or self._text or self._command or self._skipping or self._is_dropping)

    def take_rest(self) -> bytes:
        """All octets not used yet, which are then gone: they were compressed (RFC 4978), or are to be thrown away."""
        rest = bytes(self._received)
        self._received.clear()
        self._searched = 0
        return rest

    def feed(self, data: bytes) -> None:
        if not self._is_dead:
            self._received += data

    def expect_line(self) -> None:
        """The next line is no command: DONE after IDLE, or what AUTHENTICATE asked for."""
        self._expects_line = True

    def accept_message(self) -> None:
        assert self._pending is not None
        self._passing = self._pending.message.size
        self._messages.append(self._pending.message)
        self._pending = None

    def refuse_message(self) -> None:
        """Forget the command; a literal already on its way is skipped."""
        assert self._pending is not None
        size, waits = self._pending.message.size, self._pending.is_synchronising
        self._pending = None
        self._forget(0 if waits else size, is_dropping=not waits)

    def next_event(self) -> Event | None:
        """None while more octets are needed.  Raises BadCommand."""
        if self._is_dead or self._pending is not None:
            return None
        if self._passing >= 0:
            return self._pass_on()
        while self._skip() and self._collect() and (line := self._next_line()) is not None:
            event = self._take_line(line)
            if event is not None:
                return event
        return None

    def _pass_on(self) -> Event | None:
        if self._passing == 0:
            self._passing = -1
            return LiteralEnds()
        chunk = self._take(self._passing)
        self._passing -= len(chunk)
        return LiteralChunk(chunk) if chunk else None

    def _take(self, octets: int) -> bytes:
        taken = bytes(self._received[:octets])
        del self._received[:octets]
        return taken

    def _skip(self) -> bool:
        """False while a refused literal is not over."""
        self._skipping -= len(self._take(self._skipping))
        return self._skipping == 0

    def _collect(self) -> bool:
        """False while a literal is not whole."""
        if self._wanted is None:
            return True
        if len(self._received) < self._wanted:
            return False
        self._literals.append(self._take(self._wanted))
        self._wanted = None
        return True

    def _next_line(self) -> bytes | None:
        end = self._received.find(b"\n", self._searched)
        length = (len(self._received) if end < 0 else end) + len(self._text)
        if length > self.limits.line_octets:
            raise self._fatal("the line is too long")
        if end < 0:
            self._searched = len(self._received)
            return None
        self._searched = 0
        return self._take(end + 1)[:-1].removesuffix(b"\r")

    def _take_line(self, line: bytes) -> Event | None:
        if self._is_dropping:
            self._drop(line)
            return None
        if self._expects_line:
            self._expects_line = False
            return Line(line)
        self.heard = self._text + line
        try:
            return self._understand(line)
        except BadCommand as error:
            error.tag = error.tag or self._tag(line)
            self._drop(line)
            raise

    def _tag(self, line: bytes) -> bytes | None:
        try:
            return read_tag(Cursor(RawCommand(self._text or line), self.limits))
        except BadCommand:
            return None

    def _understand(self, line: bytes) -> Event | None:
        if b"\0" in line or b"\r" in line:
            raise BadCommand("a line has a NUL or a lone CR")
        announced = ANNOUNCED.search(line)
        if self._command is not None:
            return self._next_message(line, announced) if announced else self._last_message(line)
        if announced is None:
            return self._finish(line)
        head = TAKES_MESSAGES.match(self._text + line)
        if head is not None and head.end() < len(self._text) + announced.start():  # at it: the folder is the literal
            return self._first_message(line, announced, is_uid=bool(head[1]))
        return self._begin_literal(line, announced)

    def _finish(self, line: bytes) -> c.Command:
        raw = RawCommand(self._text + line, tuple(self._literals))
        command = parse(raw, self.limits, utf8=self.utf8)
        self._begin()
        return command

    def _begin_literal(self, line: bytes, announced: re.Match[bytes]) -> Event | None:
        size = int(announced[2])
        self._literals_octets += size
        limits = self.limits
        if size > limits.literal_octets or self._literals_octets > limits.literals_octets:
            raise self._too_big(announced, "a literal is too large")
        if len(self._literals) >= limits.literals_a_command:
            raise BadCommand("too many literals", code="LIMIT")
        self._text += line + b"\r\n"
        self._wanted = size
        return None if announced[3] else ContinuationWanted()

    def _first_message(self, line: bytes, announced: re.Match[bytes], *, is_uid: bool) -> Event:
        text = self._text + line + b"\r\n"
        cursor = Cursor(RawCommand(text, (*self._literals, int(announced[2]))), self.limits, utf8=self.utf8)
        tag = read_tag(cursor)
        verb = cursor.word()
        cursor.space()
        if verb == "APPEND":
            self._command = append_target(tag, cursor)
        else:
            if is_uid:
                cursor.word()
                cursor.space()
            self._command = replace_target(tag, cursor, is_uid=is_uid)
        return self._announce(cursor, announced)

    def _next_message(self, line: bytes, announced: re.Match[bytes]) -> Event:
        cursor = self._after_message(line + b"\r\n")
        cursor.space()
        if isinstance(self._command, c.Replace) or len(self._messages) >= self.limits.messages_a_command:
            raise BadCommand("too many messages", code="LIMIT")
        return self._announce(cursor, announced)

    def _after_message(self, line: bytes) -> Cursor:
        cursor = Cursor(RawCommand(line), self.limits)
        if self._messages[-1].is_utf8:
            cursor.expect(b")")
        return cursor

    def _last_message(self, line: bytes) -> c.Command:
        self._after_message(line).end()
        command = self._command
        assert command is not None
        messages = tuple(self._messages)
        self._begin()
        return replace(command, messages=messages)

    def _announce(self, cursor: Cursor, announced: re.Match[bytes]) -> Event:
        message = new_message(cursor)
        cursor.end()
        if message.size > self.limits.message_octets:
            raise self._too_big(announced, "the message is too large")
        assert self._command is not None
        command = replace(self._command, messages=(*self._messages, message))
        self._text = cursor.text if not self._messages else self._text
        self._pending = LiteralBegins(command, is_synchronising=not announced[3])
        return self._pending

    def _too_big(self, announced: re.Match[bytes], words: str) -> BadCommand:
        """Refused where the client waits for our word, or sends little enough to skip; else the connection ends."""
        if announced[3] and int(announced[2]) > 2 * self.limits.message_octets:
            return self._fatal(words)
        return BadCommand(words, code="TOOBIG", condition="NO")

    def _fatal(self, words: str) -> BadCommand:
        tag = self._tag(bytes(self._received[:200]))
        self._is_dead = True
        self._received.clear()
        return BadCommand(words, tag, code="LIMIT", is_fatal=True)

    def _drop(self, line: bytes) -> None:
        """The rest of a refused command: what the client sends without waiting for us is read and forgotten."""
        announced = ANNOUNCED.search(line)
        is_on_its_way = announced is not None and bool(announced[3])
        self._forget(int(announced[2]) if announced and is_on_its_way else 0, is_dropping=is_on_its_way)

    def _forget(self, skipping: int, *, is_dropping: bool) -> None:
        if skipping > 2 * self.limits.message_octets:
            self._fatal("")
        self._begin()
        self._skipping = skipping
        self._is_dropping = is_dropping and not self._is_dead
