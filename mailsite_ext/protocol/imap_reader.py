"""The octets of an IMAP connection → whole commands, within limits and however they were cut on the way.  Pure.

    reader.feed(data)
    while (event := reader.next_event()) is not None:   # raises BadCommand: answer its `line()` and go on
        ...

Lines are read to CRLF (a lone LF passes too).  Literals are collected up to their limits (RFC 7888), except the
messages of APPEND and REPLACE, which are announced and then passed on chunk by chunk: after each MessageEvent
`refuse_message()` may be called, and the rest of the command is forgotten.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from typing import TypeAlias

from mailsite_ext.protocol import imap_commands as c
from mailsite_ext.protocol.append_grammar import (
    LiteralBegins,
    MessageEnds,
    MessageEvent,
    Messages,
    Step,
    UrlBegins,
    append_target,
    replace_target,
)
from mailsite_ext.protocol.imap_cursor import Cursor, RawCommand
from mailsite_ext.protocol.imap_grammar import parse, read_tag
from mailsite_ext.protocol.imap_limits import BadCommand, ImapLimits

ANNOUNCED = re.compile(rb"(~?)\{([0-9]{1,20})(\+?)\}\Z")  # `{9}`, `{9+}`, `~{9}`: RFC 7888 §8, RFC 3516 §7
TAKES_MESSAGES = re.compile(rb"[^ ]+ +(?:APPEND|(?:UID +)?REPLACE +[^ ]+) +(?=[^ ])", re.IGNORECASE)


@dataclass(frozen=True, slots=True)
class ContinuationWanted:
    """Say `+ OK`: the client waits to send a literal."""


@dataclass(frozen=True, slots=True)
class LiteralChunk:
    data: bytes


@dataclass(frozen=True, slots=True)
class Line:
    """What followed `expect_line()`: DONE, or an answer to an AUTHENTICATE challenge; without its CRLF."""

    text: bytes


Event: TypeAlias = c.Command | ContinuationWanted | MessageEvent | LiteralChunk | MessageEnds | Line


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
        self._skipping = 0  # octets of a refused literal
        self._is_dropping = False  # the rest of a refused command
        self._begin()

    def _begin(self) -> None:
        self._text = b""  # the lines of this command so far, of one with messages the first
        self._line = b""  # the one read last
        self._literals: list[bytes] = []
        self._literals_octets = 0
        self._wanted: int | None = None  # octets of the literal being collected
        self._messages: Messages | None = None
        self._steps: Iterator[Step] = iter(())
        self._needs_line = True  # before the next step
        self._passing = 0  # octets of a message still to pass on

    @property
    def buffered(self) -> int:
        """Octets received and not used yet: before STARTTLS goes on there must be none (RFC 9051 §6.2.1)."""
        return len(self._received)

    @property
    def is_between_commands(self) -> bool:
        """Nothing of a next command has come."""
        return not (self._received or self._text or self._skipping or self._is_dropping)

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

    def refuse_message(self) -> None:
        """Forget the command; what of it is on its way already is skipped."""
        self._drop()

    def next_event(self) -> Event | None:
        """None while more octets are needed.  Raises BadCommand."""
        if self._is_dead:
            return None
        if self._passing:
            return self._pass_on()
        if not self._needs_line and (event := self._guarded(self._step)) is not None:
            return event
        while self._skip() and self._collect() and (line := self._next_line()) is not None:
            self._line = line
            event = self._take_line(line)
            if event is not None:
                return event
        return None

    def _pass_on(self) -> Event | None:
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
            self._drop()
            return None
        if self._expects_line:
            self._expects_line = False
            return Line(line)
        self.heard = self._text + line
        return self._guarded(lambda: self._understand(line))

    def _guarded(self, work: Callable[[], Event | None]) -> Event | None:
        """Raises BadCommand with the tag, the rest of the command forgotten."""
        try:
            return work()
        except BadCommand as error:
            error.tag = error.tag or self._tag(self._line)
            self._drop()
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
        if self._messages is not None or self._takes_messages(line, announced):
            if announced and int(announced[2]) > self.limits.message_octets:
                raise self._too_big(announced, "the message is too large")
            return self._next_stretch(line, announced)
        return self._begin_literal(line, announced) if announced else self._finish(line)

    def _takes_messages(self, line: bytes, announced: re.Match[bytes] | None) -> bool:
        head = TAKES_MESSAGES.match(self._text + line)
        if head is None or announced is None:
            return head is not None
        return head.end() < len(self._text) + announced.start()  # at it: the folder is the literal

    def _finish(self, line: bytes) -> c.Command:
        raw = RawCommand(self._text + line, tuple(self._literals))
        command = parse(raw, self.limits, utf8=self.utf8)
        self._begin()
        return command

    def _begin_literal(self, line: bytes, announced: re.Match[bytes]) -> Event | None:
        event = self._collect_literal(announced)
        self._text += line + b"\r\n"
        return event

    def _collect_literal(self, announced: re.Match[bytes]) -> Event | None:
        size = int(announced[2])
        self._literals_octets += size
        limits = self.limits
        if size > limits.literal_octets or self._literals_octets > limits.literals_octets:
            raise self._too_big(announced, "a literal is too large")
        if len(self._literals) >= limits.literals_a_command:
            raise BadCommand("too many literals", code="LIMIT")
        self._wanted = size
        return None if announced[3] else ContinuationWanted()

    def _next_stretch(self, line: bytes, announced: re.Match[bytes] | None) -> Event | None:
        """What stands between two literals of a command with messages, or behind the last one."""
        text = line + b"\r\n" if announced else line
        if self._messages is None:
            self._text += text
            self._messages = self._first_stretch(self._cursor(self._text))
            self._steps = self._messages.steps()
        else:
            self._messages.cursor = self._cursor(b"{0}\r\n" * len(self._literals) + text)  # at most one: a URL
        self._literals = []
        self._needs_line = False
        return self._step()

    def _cursor(self, text: bytes) -> Cursor:
        return Cursor(RawCommand(text, tuple(self._literals)), self.limits, utf8=self.utf8)

    def _first_stretch(self, cursor: Cursor) -> Messages:
        tag = read_tag(cursor)
        verb = cursor.word()
        cursor.space()
        if verb == "APPEND":
            return Messages(append_target(tag, cursor), cursor)
        if verb == "UID":
            cursor.word()
            cursor.space()
        return Messages(replace_target(tag, cursor, is_uid=verb == "UID"), cursor)

    def _step(self) -> Event | None:
        step = next(self._steps)
        if isinstance(step, UrlBegins):
            self._needs_line = True
            announced = ANNOUNCED.search(self._line)
            assert announced is not None
            return self._collect_literal(announced)
        if isinstance(step, LiteralBegins):
            self._needs_line, self._passing = True, step.size
        elif isinstance(step, c.Command):
            self._begin()
        return step

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

    def _drop(self) -> None:
        """The rest of a refused command: what the client sends without waiting for us is read and forgotten."""
        announced = ANNOUNCED.search(self._line)
        is_on_its_way = announced is not None and bool(announced[3])
        skipping = int(announced[2]) if announced and is_on_its_way else 0
        if skipping > 2 * self.limits.message_octets:
            self._fatal("")
        self._begin()
        self._skipping = skipping
        self._is_dropping = is_on_its_way and not self._is_dead
