"""The server side of one SMTP session, without I/O (RFC 5321).

Put in what the peer sent, take out events, hand back a reply to each event that asks for one: the state moves only when
the reply accepts.  Commands that came together are answered one by one, in order (PIPELINING, RFC 2920).
"""

from __future__ import annotations

from dataclasses import dataclass
from enum import Enum, auto
from typing import TypeAlias

from app.extension_api import MailError
from mailsite_ext.errors import (
    BadSequence,
    BadSmtpCommand,
    CommandLineTooLong,
    LineEndsInLf,
    TooManyBadCommands,
)
from mailsite_ext.limits import Limits
from mailsite_ext.protocol.smtp_data import ChunkReader, DotReader, MessageCheck
from mailsite_ext.protocol.smtp_grammar import (
    Auth,
    Bdat,
    Body,
    Command,
    Data,
    Hello,
    Help,
    MailFrom,
    Noop,
    Quit,
    RcptTo,
    Rset,
    StartTls,
    Vrfy,
    decode_base64,
    parse_command,
)
from mailsite_ext.replies import Reply, smtp_reply

SASL_LINE_OCTETS = 12_288  # RFC 4954 §4


class State(Enum):
    CONNECTED = auto()
    GREETED = auto()
    HAS_SENDER = auto()
    HAS_RECIPIENT = auto()
    IN_DATA = auto()
    IN_CHUNKS = auto()
    IN_SASL = auto()
    CLOSED = auto()


_BETWEEN_COMMANDS = (State.CONNECTED, State.GREETED, State.HAS_SENDER, State.HAS_RECIPIENT, State.IN_CHUNKS)

NEXT_STATE: dict[tuple[State, type[Command]], State] = {  # order of commands, RFC 5321 §4.1.4
    **{(state, verb): state for state in _BETWEEN_COMMANDS for verb in (Noop, Help, Vrfy)},
    **{(state, Hello): State.GREETED for state in _BETWEEN_COMMANDS},
    **{(state, Rset): State.GREETED for state in _BETWEEN_COMMANDS},
    **{(state, Quit): State.CLOSED for state in _BETWEEN_COMMANDS},
    (State.CONNECTED, Rset): State.CONNECTED,
    (State.CONNECTED, StartTls): State.CONNECTED,
    (State.GREETED, StartTls): State.CONNECTED,  # RFC 3207 §4.2: as if nothing had been said
    (State.GREETED, Auth): State.GREETED,
    (State.GREETED, MailFrom): State.HAS_SENDER,
    (State.HAS_SENDER, RcptTo): State.HAS_RECIPIENT,
    (State.HAS_RECIPIENT, RcptTo): State.HAS_RECIPIENT,
    (State.HAS_RECIPIENT, Data): State.IN_DATA,
    (State.HAS_RECIPIENT, Bdat): State.IN_CHUNKS,  # RFC 3030 §2
    (State.IN_CHUNKS, Bdat): State.IN_CHUNKS,
}


@dataclass(frozen=True, slots=True)
class Chunk:
    """More of the message; needs no reply."""

    data: bytes


@dataclass(frozen=True, slots=True)
class ChunkEnd:
    """A BDAT chunk that is not the last is here whole."""

    octets: int


@dataclass(frozen=True, slots=True)
class MessageEnd:
    """The message is here whole and without fault."""

    octets: int


@dataclass(frozen=True, slots=True)
class SaslResponse:
    """A line of an AUTH exchange, decoded; None: the client gave up with "*"."""

    data: bytes | None


@dataclass(frozen=True, slots=True)
class _Fault:
    """Asked when next_event raised: `is_bad_command` ones in a row end the session, `aborts` ends the transaction."""

    is_bad_command: bool
    aborts: bool


Event: TypeAlias = Command | Chunk | ChunkEnd | MessageEnd | SaslResponse


class SmtpSession:
    """One session.  next_event raises a MailError for what cannot be taken: answer it like any event."""

    def __init__(self, limits: Limits) -> None:
        self.state = State.CONNECTED
        self.is_authenticated = False
        self._limits = limits
        self._unread = b""
        self._at = 0  # of `_unread`, what has been taken already
        self._is_skipping_line = False
        self._last_line, self._last_was_secret = b"", False
        self._asked: Event | _Fault | None = None
        self._hello: Hello | None = None
        self._mail: MailFrom | None = None
        self._data: DotReader | None = None
        self._chunk: ChunkReader | None = None
        self._bdat = Bdat(0, is_last=True)
        self._message: MessageCheck | None = None  # of a message that comes in chunks
        self._bad_commands = 0  # in a row
        self._refusals = 0

    @property
    def in_transaction(self) -> bool:
        return self.state in (State.HAS_SENDER, State.HAS_RECIPIENT, State.IN_DATA, State.IN_CHUNKS)

    @property
    def last_heard(self) -> str:
        """The last line, for a log: without secrets."""
        line = self._last_line.decode("utf-8", "replace")
        if self._last_was_secret:
            return "(secret)"
        return line[:4] + " (secret)" if line[:4].upper() == "AUTH" else line

    def receive(self, data: bytes) -> None:
        self._unread = self._unread[self._at :] + data if self._at < len(self._unread) else data
        self._at = 0

    def take_unread(self) -> bytes:
        """What came behind STARTTLS: for the handshake, never for this session (RFC 3207 §6)."""
        unread, self._unread, self._at = self._unread[self._at :], b"", 0
        return unread

    def next_event(self) -> Event | None:
        """The next thing to decide or to keep, or None while more bytes, or an answer, are needed.

        Raises a MailError for what the peer did wrong; `answer` its reply.
        """
        if self._asked is not None or self.state is State.CLOSED:
            return None
        if self._data is not None:
            return self._read_data(self._data)
        if self._chunk is not None:
            return self._read_chunk(self._chunk)
        line = self._next_line()
        if line is None:
            return None
        event = self._understand(line)
        if isinstance(event, Bdat):
            return self._begin_chunk(event)
        self._asked = event
        return event

    def answer(self, reply: Reply) -> bytes:
        """The bytes of `reply` to what next_event gave or raised last; the state moves."""
        asked, self._asked = self._asked, None
        if self._is_one_too_many(asked, reply):
            reply = smtp_reply(TooManyBadCommands())
        self._move(asked, reply)
        if reply.code in (221, 421):  # RFC 5321 §3.8
            self.state = State.CLOSED
        return reply.encode()

    def _is_one_too_many(self, asked: Event | _Fault | None, reply: Reply) -> bool:
        """Guessing at commands, addresses or passwords comes to an end."""
        self._refusals += reply.code >= 500
        if isinstance(asked, _Fault):
            self._bad_commands += asked.is_bad_command
        elif reply.code < 400:
            self._bad_commands = 0
        return self._bad_commands >= self._limits.bad_commands or self._refusals > self._limits.refusals

    def _move(self, asked: Event | _Fault | None, reply: Reply) -> None:
        accepted = reply.code < 400
        match asked:
            case Auth() | SaslResponse():
                self.state = State.IN_SASL if reply.code == 334 else State.GREETED
                self.is_authenticated |= reply.code == 235
            case MessageEnd():
                self._end_transaction(State.GREETED)
            case ChunkEnd() | _Fault(aborts=True) if not accepted:
                self._end_transaction(State.GREETED if self._hello else State.CONNECTED)
            case Hello() | Rset() | StartTls() if accepted:
                self.is_authenticated &= not isinstance(asked, StartTls)
                self._hello = asked if isinstance(asked, Hello) else self._hello if isinstance(asked, Rset) else None
                self._end_transaction(NEXT_STATE[self.state, type(asked)])
            case ChunkEnd():
                self.state = State.IN_CHUNKS
            case MailFrom() | RcptTo() | Data() | Quit() if accepted:
                self._begin(asked)
                self.state = NEXT_STATE[self.state, type(asked)]

    def _begin(self, command: Command) -> None:
        if isinstance(command, MailFrom):
            self._mail = command
        if isinstance(command, Data):
            self._data = DotReader(self._new_check())

    def _end_transaction(self, state: State) -> None:
        self.state, self._mail, self._message = state, None, None

    # Lines

    def _next_line(self) -> bytes | None:
        """The next line without its CRLF."""
        longest = SASL_LINE_OCTETS if self.state is State.IN_SASL else self._limits.command_line_octets
        end = self._unread.find(b"\n", self._at)
        length = (end + 1 if end >= 0 else len(self._unread)) - self._at
        if length > longest:
            self._is_skipping_line = True
        if end < 0:
            self._at = len(self._unread) if self._is_skipping_line else self._at
            return None
        line, self._at = self._unread[self._at : end + 1], end + 1
        self._last_line, self._last_was_secret = line, self.state is State.IN_SASL or self._is_skipping_line
        if self._is_skipping_line:  # its beginning, which might say AUTH, may be gone
            self._is_skipping_line = False
            raise self._fault(CommandLineTooLong())
        if not line.endswith(b"\r\n"):
            raise self._fault(LineEndsInLf())
        return line[:-2]

    def _understand(self, line: bytes) -> Command | SaslResponse:
        try:
            if self.state is State.IN_SASL:
                return SaslResponse(None if line == b"*" else decode_base64(line))
            return self._understand_command(line)
        except MailError as error:
            raise self._fault(error) from None

    def _understand_command(self, line: bytes) -> Command:
        extended = self._hello is not None and self._hello.extended
        command = parse_command(line, extended=extended, utf8=self._mail is not None and self._mail.utf8)
        if isinstance(command, Bdat):  # its octets follow, wanted or not
            return command
        if (self.state, type(command)) not in NEXT_STATE:
            raise BadSequence
        if isinstance(command, Data) and self._mail is not None and self._mail.body is Body.BINARY:
            raise BadSequence  # RFC 3030 §3
        if isinstance(command, Auth) and self.is_authenticated:
            raise BadSequence  # RFC 4954 §4
        return command

    def _fault(self, error: MailError, *, aborts: bool = False) -> MailError:
        """Remember that `error` is to be answered; with `aborts` the transaction ends with it."""
        self._asked = _Fault(isinstance(error, BadSmtpCommand) and not aborts, aborts)
        if self.state is State.IN_SASL:
            self.state = State.GREETED
        return error

    # Messages

    def _new_check(self) -> MessageCheck:
        return MessageCheck(
            max_octets=self._limits.message_octets,
            max_line_octets=self._limits.text_line_octets,
            is_text=self._mail is None or self._mail.body is not Body.BINARY,
        )

    def _take_all(self) -> bytes:
        data = self._unread[self._at :] if self._at else self._unread
        self._unread, self._at = b"", 0
        return data

    def _read_data(self, reader: DotReader) -> Event | None:
        if reader.rest is None:
            content = reader.read(self._take_all())
            self._unread = reader.rest or b""
            if content:
                return Chunk(content)
        if reader.rest is None:
            return None
        self._data = None
        return self._end_message(reader.check)

    def _begin_chunk(self, command: Bdat) -> Event | None:
        """Its octets are read whether it is welcome or not (RFC 3030 §2)."""
        self._bdat = command
        self._message = self._message or self._new_check()
        self._chunk = ChunkReader(command.octets, self._message)
        return self._read_chunk(self._chunk)

    def _read_chunk(self, reader: ChunkReader) -> Event | None:
        content, self._unread = reader.read(self._take_all())
        is_welcome = (self.state, Bdat) in NEXT_STATE
        if content and is_welcome:
            return Chunk(content)
        if reader.octets_left:
            return None
        self._chunk = None
        if not is_welcome:
            self._message = None
            raise self._fault(BadSequence(), aborts=True)
        return self._end_chunk(reader.check)

    def _end_chunk(self, message: MessageCheck) -> Event:
        if self._bdat.is_last:
            message.finish()
            return self._end_message(message)
        if message.fault is not None:
            raise self._fault(message.fault, aborts=True)
        self._asked = ChunkEnd(self._bdat.octets)
        return self._asked

    def _end_message(self, message: MessageCheck) -> Event:
        if message.fault is not None:
            raise self._fault(message.fault, aborts=True)
        self._asked = MessageEnd(message.octets)
        return self._asked
