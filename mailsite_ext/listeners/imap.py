"""The IMAP listener: reads commands, has them carried out in threads, writes what they say (RFC 9051)."""

from __future__ import annotations

import base64
from collections.abc import Awaitable, Callable, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import TypeAlias, TypeVar

from app.extension_api import Clock, ConnectionLost, LoginRefused, MailError
from mailsite_ext.domains.directory import Hosted
from mailsite_ext.errors import CommandNotOffered, LoginCancelled, TlsRequired
from mailsite_ext.imap import appending, catenating
from mailsite_ext.imap.account import Account
from mailsite_ext.imap.carry_out import carry_out, guarded
from mailsite_ext.imap.folder_maps import FolderMaps
from mailsite_ext.imap.notifying import tell_idle, tell_watched
from mailsite_ext.limits import Limits
from mailsite_ext.listeners.exchange_log import ExchangeLog
from mailsite_ext.listeners.imap_ears import Ears
from mailsite_ext.listeners.imap_uploads import Uploads
from mailsite_ext.listeners.imap_wire import ImapWire
from mailsite_ext.listeners.serve import Connection
from mailsite_ext.listeners.sign_in import KnowsLogins, SignIn
from mailsite_ext.listeners.turns import Turns, some_of
from mailsite_ext.protocol import imap_commands as c
from mailsite_ext.protocol.append_grammar import LiteralBegins, MessageBegins, MessageEnds, MessageEvent
from mailsite_ext.protocol.imap_data import status_line
from mailsite_ext.protocol.imap_grammar import decode_sasl
from mailsite_ext.protocol.imap_limits import BadCommand, ImapLimits
from mailsite_ext.protocol.imap_reader import (
    CommandReader,
    ContinuationWanted,
    Event,
    Line,
    LiteralChunk,
)
from mailsite_ext.protocol.imap_session import Offer, State, capabilities, require_allowed
from mailsite_ext.replies import imap_reply
from mailsite_ext.settings.posture import ListenerSpec
from mailsite_ext.storage.bells import FolderBells
from mailsite_ext.storage.engine import StorageEngine
from mailsite_ext.storage.first_use import ensure_mailbox

T = TypeVar("T")
News: TypeAlias = Callable[[Account], Iterator[bytes]]

LOOK_S = 30.0  # how often IDLE looks by itself: bells may be lost
GO_ON = b"+ go on\r\n"


@dataclass(frozen=True, slots=True)
class Access:
    """Everything a conversation needs; one for each listener."""

    spec: ListenerSpec
    limits: Limits
    storage: StorageEngine
    maps: FolderMaps
    bells: FolderBells
    logins: KnowsLogins
    clock: Clock
    spool_folder: Path
    turns: Turns
    log: ExchangeLog | None = None

    async def serve(self, connection: Connection) -> None:
        """The handler of a Server."""
        await Conversation(self, connection).run()

    def reading_limits(self) -> ImapLimits:
        return ImapLimits(
            line_octets=self.limits.imap_line_octets,
            literal_octets=self.limits.imap_literal_octets,
            literals_octets=self.limits.imap_literals_octets,
            literals_a_command=self.limits.imap_literals,
            message_octets=self.limits.message_octets,
        )


class Conversation:
    """One client and what it has asked for so far."""

    def __init__(self, access: Access, connection: Connection) -> None:
        self._at = access
        self._connection = connection
        self._reader = CommandReader(access.reading_limits())
        self._account: Account | None = None
        self._hosted: Hosted | None = None
        self._open_until = 0.0  # monotonic: looked at again then
        self._is_over = False
        self._bad_commands = 0
        self._uploads = Uploads(access.spool_folder, access.limits.message_octets)
        self._wire = ImapWire(connection, access.log)
        self._write = self._wire.write
        self._ears = Ears(access.bells, connection.rouse)

    @property
    def state(self) -> State:
        if self._is_over:
            return State.LOGGED_OUT
        if self._account is None:
            return State.NOT_SIGNED_IN
        return State.SELECTED if self._account.view else State.SIGNED_IN

    async def run(self) -> None:
        self._write(status_line(b"", "OK", "Satchel is ready", self._capabilities()))
        try:
            while not self._is_over:
                event = await self._next_event()
                self._connection.is_busy = True
                await self._answer(event)
                self._connection.is_busy = False
                await self._connection.drain()
        except ConnectionLost:
            raise
        except MailError as error:  # too slow, too much, or we are stopping
            self._write(b"* BYE " + imap_reply(error).partition(" ")[2].encode() + b"\r\n")
        finally:
            self._uploads.discard()
            self._ears.close()

    def _note_heard(self, event: Event) -> None:
        self._wire.note_heard(event, self._reader.heard, is_signed_in=self._account is not None)

    def _capabilities(self) -> str:
        offer = Offer(
            self._at.limits.message_octets,
            starttls=self._connection.can_start_tls,
            sign_in=self._may_sign_in(),
            hidden=self._hosted.hidden_capabilities if self._hosted else frozenset(),
            compress=not self._wire.is_compressed,
        )
        return "CAPABILITY " + capabilities(self.state, offer)

    def _may_sign_in(self) -> bool:
        connection = self._connection
        return self._at.spec.offers_sign_in(from_loopback=connection.is_from_loopback, over_tls=connection.is_tls)

    async def _next_event(self) -> Event:
        """Bad commands are answered here.  Raises ConnectionLost when the client is done."""
        while True:
            try:
                event = self._reader.next_event()
            except BadCommand as fault:
                self._refuse(fault)
                continue
            if event is not None:
                self._note_heard(event)
                return event
            await self._await_command()

    async def _await_command(self) -> None:
        """Until there is more to read; what NOTIFY asked for is told meanwhile, never inside a command."""
        watches = self._account is not None and self._account.watch is not None
        try:
            await self._read_more(tell_watched if watches and self._reader.is_between_commands else None)
        except BadCommand as fault:  # the selected folder was removed
            self._refuse(fault)

    def _refuse(self, fault: BadCommand) -> None:
        """Raises ConnectionLost after one that ends the connection, and for strangers who know no IMAP."""
        self._bad_commands += 1
        self._write(fault.line())
        if fault.is_fatal or (self._account is None and self._bad_commands > self._at.limits.bad_commands):
            raise ConnectionLost

    async def _answer(self, event: Event) -> None:
        try:
            await self._take(event)
        except BadCommand as fault:
            tag = self._tag_of_refused(event)
            fault.tag = fault.tag or tag
            self._refuse(fault)
        except MailError as error:
            reply, tag = imap_reply(error), self._tag_of_refused(event)
            if isinstance(error, ConnectionLost) or tag is None or reply.startswith("BYE"):
                raise
            self._write(tag + b" " + reply.encode() + b"\r\n")

    def _tag_of_refused(self, event: Event) -> bytes | None:
        """The tag of a command that is answered now; what more comes of its messages is forgotten."""
        if isinstance(event, MessageEvent):
            self._reader.refuse_message()
            self._uploads.discard()
            return event.command.tag
        return event.tag if isinstance(event, c.Command) else None

    async def _take(self, event: Event) -> None:
        if isinstance(event, ContinuationWanted):
            self._write(GO_ON)
        elif isinstance(event, MessageEvent):
            await self._hear_of_message(event)
        elif isinstance(event, LiteralChunk):
            self._uploads.write(event.data)
        elif isinstance(event, MessageEnds):
            self._uploads.end_message()
        elif isinstance(event, c.Command):
            require_allowed(self.state, event)
            self._bad_commands = 0
            await self._carry_out(event)

    async def _carry_out(self, command: c.Command) -> None:
        own = OWN.get(type(command))
        if own is not None:
            await own(self, command)
        elif self._account is None:  # NOOP
            self._write(status_line(command.tag, "OK", "done"))
        else:
            await self._write_all(carry_out(self._account, command))
            self._reader.utf8 = self._account.is_utf8

    # Carried out in threads

    async def _in_thread(self, work: Callable[[], T]) -> T:
        if self._account is None:
            return await self._at.turns.run("", work)
        await self._require_open()
        return await self._at.turns.run(self._account.mailbox, work)

    async def _require_open(self) -> None:
        """Raises ConnectionLost, after a BYE, once what opened this session opens nothing any more."""
        at, now = self._at, self._at.clock.monotonic_s()
        if self._hosted is None or now < self._open_until:
            return
        self._open_until = now + at.limits.recheck_login_s
        hosted = self._hosted
        if not await at.turns.run(hosted.name, lambda: at.logins.still_opens(hosted)):
            self._write(b"* BYE signed out: the mailbox was closed, or the password changed\r\n")
            raise ConnectionLost

    async def _write_all(self, responses: Iterator[bytes]) -> None:
        """Made in a thread, some OUTPUT_OCTETS at a time: a client that reads slowly costs no memory."""
        while True:
            data, more = await self._in_thread(lambda: some_of(responses))
            if not more:
                break
            self._wire.write(data, noted=False)
            await self._wire.drain()
        self._write(data)

    # Commands of the connection itself

    async def _tell_capabilities(self, command: c.Capability) -> None:
        self._write(b"* " + self._capabilities().encode() + b"\r\n" + status_line(command.tag, "OK", "done"))

    async def _log_out(self, command: c.Logout) -> None:
        self._write(b"* BYE goodbye\r\n" + status_line(command.tag, "OK", "done"))
        self._is_over = True

    async def _identify(self, command: c.Id) -> None:
        self._write(b'* ID ("name" "Satchel")\r\n' + status_line(command.tag, "OK", "done"))

    async def _start_tls(self, command: c.StartTls) -> None:
        """What came behind the command belongs to the handshake, never to the session (RFC 9051 §6.2.1)."""
        if not self._connection.can_start_tls:
            raise BadCommand("TLS cannot be started here")
        self._write(status_line(command.tag, "OK", "begin TLS now"))
        await self._connection.start_tls(self._reader.take_rest())
        self._reader = CommandReader(self._at.reading_limits())

    async def _log_in(self, command: c.Login) -> None:
        sign_in = self._begin_sign_in("PLAIN")
        response = b"\0".join((b"", command.user, command.password))
        if b"\0" in command.user + command.password:
            raise LoginRefused
        hosted = await sign_in.start(response)
        assert isinstance(hosted, Hosted)
        await self._welcome(command, hosted)

    def _begin_sign_in(self, mechanism: str) -> SignIn:
        if not self._may_sign_in():
            raise TlsRequired if self._connection.can_start_tls else CommandNotOffered
        return SignIn(self._at.logins, self._connection.peer, mechanism)

    async def _authenticate(self, command: c.Authenticate) -> None:
        sign_in = self._begin_sign_in(command.mechanism)
        said = await sign_in.start(command.initial_response)
        while not isinstance(said, Hosted):
            self._write(b"+ " + base64.b64encode(said) + b"\r\n")
            said = await sign_in.step(await self._sasl_response())
        await self._welcome(command, said)

    async def _sasl_response(self) -> bytes:
        self._reader.expect_line()
        line = await self._next_event()
        if not isinstance(line, Line) or line.text == b"*":
            raise LoginCancelled
        return decode_sasl(line.text)

    async def _welcome(self, command: c.Command, hosted: Hosted) -> None:
        at = self._at
        await self._in_thread(lambda: ensure_mailbox(at.storage, hosted.name))
        self._hosted, self._open_until = hosted, at.clock.monotonic_s() + at.limits.recheck_login_s
        octets, hidden = at.limits.message_octets, hosted.hidden_capabilities
        self._account = Account(at.storage, at.maps, hosted.name, at.clock, octets, hidden)
        self._account.is_wanted = self._connection.is_wanted
        self._connection.welcome()
        self._connection.idle_s = at.limits.imap_idle_s
        self._write(status_line(command.tag, "OK", "signed in", self._capabilities()))

    # APPEND and REPLACE

    async def _hear_of_message(self, event: MessageEvent) -> None:
        """Refused before it is sent, where that can be (RFC 7888 §4)."""
        require_allowed(self.state, event.command)
        account, uploads = self._account, self._uploads
        assert account is not None
        if isinstance(event, MessageBegins):
            await self._in_thread(lambda: appending.check_target(account, event.command))
            uploads.begin_message()
        elif isinstance(event, LiteralBegins):
            appending.check_literal(account, event)
            uploads.begin_literal(event.size, is_binary=event.is_binary)
            if event.is_synchronising:
                self._write(GO_ON)
        else:
            await self._copy(catenating.named_octets(account, event.url, uploads.begin_copy))

    async def _copy(self, named: Iterator[bytes]) -> None:
        """Read in threads, a little at a time, as all that is written goes."""
        more = True
        while more:
            data, more = await self._in_thread(lambda: some_of(named))
            self._uploads.write(data)

    async def _append(self, command: c.Append | c.Replace) -> None:
        assert self._account is not None
        contents = self._uploads.take()
        carry = appending.append if isinstance(command, c.Append) else appending.replace
        account = self._account
        try:
            await self._write_all(guarded(command.tag, lambda: carry(account, command, contents)))  # type: ignore[arg-type]  # each takes its own command
        finally:
            self._uploads.discard()

    # News

    async def _idle(self, command: c.Idle) -> None:
        """Tells news until DONE (RFC 2177), at most as long as a silent client may stay (RFC 9051 §5.4)."""
        connection = self._connection
        self._reader.expect_line()
        self._write(b"+ idling\r\n")
        connection.is_busy = False
        connection.bound_transaction(connection.idle_s)
        try:
            while (line := self._reader.next_event()) is None:
                await self._read_more(tell_idle)
        finally:
            connection.bound_transaction(0)
        self._note_heard(line)
        if not isinstance(line, Line) or line.text.upper() != b"DONE":
            raise BadCommand("DONE ends IDLE")
        self._write(status_line(command.tag, "OK", "done"))

    async def _read_more(self, news: News | None) -> None:
        """A bell wakes it, and it looks every LOOK_S by itself; no task and no thread waits with the client."""
        account, ears = self._account, self._ears
        while news is not None and account is not None:
            ears.listen(account)
            if ears.rang:
                ears.rang = False
                await self._write_all(news(account))
            elif await self._wire.until_roused(LOOK_S):
                break
            else:
                ears.rang = True  # perhaps a bell was lost
        self._reader.feed(await self._wire.read())

    async def _compress(self, command: c.Compress) -> None:
        """What came behind the command is compressed already (RFC 4978 §3)."""
        if self._wire.is_compressed:
            raise BadCommand("The connection is compressed", code="COMPRESSIONACTIVE", condition="NO")
        if command.mechanism != "DEFLATE":
            raise BadCommand("DEFLATE is what is offered", condition="NO")
        self._write(status_line(command.tag, "OK", "compressed from now on"))
        self._wire.compress(self._reader.take_rest())


OWN: dict[type[c.Command], Callable[..., Awaitable[None]]] = {
    c.Capability: Conversation._tell_capabilities,
    c.Logout: Conversation._log_out,
    c.Id: Conversation._identify,
    c.StartTls: Conversation._start_tls,
    c.Login: Conversation._log_in,
    c.Authenticate: Conversation._authenticate,
    c.Append: Conversation._append,
    c.Replace: Conversation._append,
    c.Idle: Conversation._idle,
    c.Compress: Conversation._compress,
}
