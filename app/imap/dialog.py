"""A dialog with an IMAP server: commands go out together, their answers are read in order and in bounds."""

from __future__ import annotations

import re
from collections import deque
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field

from app.errors import MailError, ProtocolError
from app.imap import names, refusals
from app.imap.wire import Wire

TURN_OCTETS = 16_777_216
SETTLING_OCTETS = 1_048_576
LITERAL_AHEAD = re.compile(rb"\{(\d{1,10})\}\r\n\Z")
STATUS_RESPONSE = re.compile(rb"\* (?:OK|NO|BAD|BYE|PREAUTH)\b", re.IGNORECASE)
TAGGED = re.compile(rb"([A-Z]\d+) (OK|NO|BAD)(?: (.*))?", re.IGNORECASE | re.DOTALL)


class Literal(bytes):
    """Part of a command that is sent as a literal, so it may hold any octet but NUL."""


@dataclass(frozen=True)
class Command:
    """A command without its tag.  `pieces` are joined as they are; whoever makes one has quoted what is not its own."""

    pieces: tuple[bytes, ...]

    def __init__(self, *pieces: bytes) -> None:
        object.__setattr__(self, "pieces", pieces)


@dataclass
class Reply:
    """How a command ended: OK, NO or BAD, and the words with it; no status yet while it runs."""

    tag: bytes
    status: bytes = b""
    words: str = ""

    @property
    def ok(self) -> bool:
        return self.status == b"OK"

    def check(self) -> None:
        """Raises FolderFull, FolderMissing, ActionRefused or ProtocolError if the server did not agree."""
        if not self.ok:
            raise refusals.command_error(self.status, self.words)


@dataclass
class Turn:
    """Commands sent together, their replies, and the untagged responses that came before the last of these.

    Servers may answer commands of a turn in any order (RFC 9051 §5.5), so which response belongs to which command is
    told by what it says.
    """

    replies: list[Reply]
    most_octets: int
    untagged: list[bytes] = field(default_factory=list)
    expected_octets: int = 0

    @property
    def is_complete(self) -> bool:
        return all(reply.status for reply in self.replies)

    def check(self) -> Turn:
        """Itself if every command succeeded; raises what the first other one means."""
        for reply in self.replies:
            reply.check()
        return self

    def code(self, name: str) -> str | None:
        """The argument of a response code such as UIDVALIDITY, wherever in the turn it was told."""
        pattern = re.compile(rf"\[{re.escape(name)}(?: ([^\]]*))?\]", re.IGNORECASE)
        words = [text_of(line) for line in self.untagged if STATUS_RESPONSE.match(line)]
        words += [reply.words for reply in self.replies]
        found = next(filter(None, map(pattern.match, words)), None)
        return (found[1] or "") if found else None


@dataclass(frozen=True, slots=True)
class Settled:
    """What was agreed after the login: extensions turned on (ENABLE, RFC 5161), and where folders are (RFC 2342)."""

    enabled: frozenset[str] = frozenset()
    namespaces: names.Namespaces = field(default_factory=names.Namespaces)


def text_of(status_response: bytes) -> str:
    """The words of "* OK words"."""
    return b" ".join(status_response.split(b" ", 2)[2:]).decode("utf-8", "replace").strip()


class ImapSession:
    """Commands and replies on one connection, signed in.  Not thread-safe.

    After ConnectionLost, TimedOut, TlsFailed or ProtocolError the session is closed.
    """

    def __init__(self, wire: Wire) -> None:
        self.wire = wire
        self.capabilities: frozenset[str] = frozenset()
        self._number = 0
        self._awaited: deque[Turn] = deque()
        self._ahead: tuple[Command, ...] = ()
        self._settling: Turn | None = None
        self._settled = Settled()

    def has(self, *capabilities: str) -> bool:
        return self.capabilities.issuperset(capabilities)

    def settle(self, learn: Callable[[Turn], Settled], *commands: Command) -> None:
        """Have `commands` go out in front of the next ones, in the same write, so that they cost no turn.

        `learn` makes of their answers what `enabled` and `namespaces` say; reading these earlier waits for them.
        """
        self._learn, self._ahead = learn, commands

    @property
    def enabled(self) -> frozenset[str]:
        return self._get_settled().enabled

    @property
    def namespaces(self) -> names.Namespaces:
        return self._get_settled().namespaces

    def _get_settled(self) -> Settled:
        if self._ahead:
            self.send()
        if self._settling is not None:
            self.receive(self._settling)
        return self._settled

    def run(self, *commands: Command, most_octets: int = TURN_OCTETS) -> Turn:
        """Send commands that do not depend on each other in one write, and read all their replies."""
        return self.receive(self.send(*commands, most_octets=most_octets))

    def ask(self, *pieces: bytes) -> Turn:
        """One command that must succeed."""
        return self.run(Command(*pieces)).check()

    def send(
        self,
        *commands: Command,
        most_octets: int = TURN_OCTETS,
        expected_octets: int = 0,
        behind: Turn | None = None,
    ) -> Turn:
        """Send commands without waiting for replies; `expected_octets`, if these are many, may take their time.

        `behind` is the turn on its way that these follow: responses of either may come while the other is read.
        Without it, turns nobody reads any more are read and forgotten first, lest theirs be taken for news.
        """
        if behind is None and self._awaited:
            self.receive(self._awaited[-1])
        ahead, self._ahead = self._ahead, ()
        if ahead:
            self._settling = self._await(ahead, SETTLING_OCTETS)
        turn = self._await(commands, most_octets, expected_octets)
        with self._closing_on_fault():
            self._begin_turn()
            self._write((*ahead, *commands), self._running[-len(ahead) - len(commands) :])
        return turn

    def _await(self, commands: Sequence[Command], most_octets: int, expected_octets: int = 0) -> Turn:
        turn = Turn([self._new_reply() for _ in commands], most_octets, expected_octets=expected_octets)
        self._awaited.append(turn)
        return turn

    def _begin_turn(self) -> None:
        most = sum(turn.most_octets for turn in self._awaited)
        self.wire.begin_turn(most, sum(turn.expected_octets for turn in self._awaited))

    @property
    def _running(self) -> list[Reply]:
        return [reply for turn in self._awaited for reply in turn.replies if not reply.status]

    def receive(self, turn: Turn) -> Turn:
        """Read until all of the turn's replies, and those of turns before it, are there."""
        with self._closing_on_fault():
            self._begin_turn()
            while not turn.is_complete:
                self._read_one()
        return turn

    def _new_reply(self) -> Reply:
        self._number += 1
        return Reply(b"S%d" % self._number)

    def _write(self, commands: Sequence[Command], replies: Sequence[Reply]) -> None:
        """Send everything at once; only a literal the server must first agree to makes it wait (RFC 9051 §4.3)."""
        out = b""
        for command, reply in zip(commands, replies, strict=True):
            out += reply.tag + b" "
            for piece in command.pieces:
                if not isinstance(piece, Literal):
                    out += piece
                elif self._takes_unasked(piece):
                    out += b"{%d+}\r\n" % len(piece) + piece
                else:
                    self.wire.send(out + b"{%d}\r\n" % len(piece))
                    if not self._may_go_on(reply):
                        out = b""
                        break
                    out = bytes(piece)
            else:
                out += b"\r\n"
        self.wire.send(out)

    def _takes_unasked(self, literal: bytes) -> bool:
        """RFC 7888: LITERAL+ of any size, LITERAL- up to 4,096 octets."""
        return self.has("LITERAL+") or (self.has("LITERAL-") and len(literal) <= 4096)

    def _may_go_on(self, reply: Reply) -> bool:
        """Wait until the server wants the literal; False if it refuses the command instead."""
        while not reply.status:
            if self._read_one() == b"+":
                return True
        return False

    def _read_one(self) -> bytes:
        """Read one response and put it where it belongs; returns its first octet."""
        response = self._read_response()
        first = response[:1]
        if first == b"*":
            self._take_untagged(response)
        elif first != b"+":
            self._take_completion(response)
        return first

    def _read_response(self) -> bytes:
        """A whole response with its literals, without the last CRLF."""
        line = self.wire.readline()
        if line.endswith(b"}\r\n") and line.startswith(b"* ") and not STATUS_RESPONSE.match(line):
            pieces = [line]
            while ahead := LITERAL_AHEAD.search(pieces[-1]):
                pieces.append(self.wire.read(int(ahead[1])))
                pieces.append(self.wire.readline())
            line = b"".join(pieces)
        return line[:-2] if line.endswith(b"\r\n") else line[:-1]

    def _take_untagged(self, response: bytes) -> None:
        if response[2:5].upper() == b"BYE":
            raise refusals.bye_error(text_of(response))
        if self._awaited:
            self._awaited[0].untagged.append(response)

    def _take_completion(self, response: bytes) -> None:
        match = TAGGED.fullmatch(response)
        reply = next((reply for reply in self._running if match and reply.tag == match[1]), None)
        if match is None or reply is None:
            raise ProtocolError("the server answers something that was not asked")
        reply.status, reply.words = match[2].upper(), (match[3] or b"").decode("utf-8", "replace")
        while self._awaited and self._awaited[0].is_complete:
            self._end(self._awaited.popleft())

    def _end(self, turn: Turn) -> None:
        if turn is self._settling:
            self._settling, self._settled = None, self._learn(turn)
            if self._awaited:  # should the server have answered what came behind in between
                self._awaited[0].untagged[:0] = turn.untagged

    def begin_idle(self) -> Turn:
        """Send IDLE (RFC 2177) and wait for the server's consent."""
        turn = self.send(Command(b"IDLE"))
        with self._closing_on_fault():
            if not self._may_go_on(turn.replies[0]):
                turn.replies[0].check()
                raise ProtocolError("the server ended IDLE before it began")
        return turn

    def waiting_lines(self, turn: Turn) -> Iterator[bytes]:
        """What has come while idling; the completion, if the server ended it, is taken.  Never waits."""
        with self._closing_on_fault():
            self.wire.begin_turn(turn.most_octets)
            while (line := self.wire.read_waiting_line()) is not None:
                if line.startswith(b"* BYE"):
                    raise refusals.bye_error(text_of(line))
                if not line.startswith((b"*", b"+")):
                    self._take_completion(line.rstrip(b"\r\n"))
                yield line

    def end_idle(self, turn: Turn) -> None:
        with self._closing_on_fault():
            self.wire.begin_turn(turn.most_octets)
            self.wire.send(b"DONE\r\n")
        self.receive(turn)

    @contextmanager
    def _closing_on_fault(self) -> Iterator[None]:
        """A fault in between leaves replies unread, so the session is of no use."""
        try:
            yield
        except MailError:
            self.close()
            raise

    def close(self) -> None:
        """Hang up.  No LOGOUT: nobody should wait for a server to say good-bye."""
        self.wire.close()


def astring(text: str) -> bytes:
    """`text` as a quoted string, or as a literal where it has octets a quoted string may not hold."""
    octets = text.encode("utf-8", "surrogateescape")
    return names.quoted(octets) if text.isascii() else Literal(octets)
