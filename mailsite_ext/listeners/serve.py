"""Connections, for SMTP and IMAP alike: bytes, TLS, time, limits.  What is said over them the handlers know.

    server = Server(handle, limits, peers=peers, tls=certificates.context, too_many=b"421 …\r\n")
    server.listen(sockets, implicit_tls=False)
    …
    await server.stop()

`handle(connection)` is a coroutine of one connection:

    while data := await connection.read():       # b"" when the peer is done
        connection.write(answer)
        await connection.drain()
"""

from __future__ import annotations

import asyncio
import logging
import ssl
from collections import deque
from collections.abc import Awaitable, Callable, Sequence
from functools import partial
from ipaddress import ip_address
from socket import socket

from app.extension_api import ConnectionLost, MailError, TimedOut
from mailsite_ext.errors import Stopping, TooMuchBeforeLogin
from mailsite_ext.limits import Limits
from mailsite_ext.listeners.accepting import Acceptor, turn_away
from mailsite_ext.listeners.peers import Peers
from mailsite_ext.listeners.tls import TlsLayer

log = logging.getLogger(__name__)

READ_OCTETS = 64 * 1024
UNREAD_OCTETS = 128 * 1024  # more than this and the peer waits (TCP's own back-pressure)
UNSENT_OCTETS = 64 * 1024
LINGER_S = 30.0  # for a peer to take our last words
_read_buffer = bytearray(READ_OCTETS)
"""For every connection of the process: the loop fills it and calls buffer_updated before it does anything else."""
_read_view = memoryview(_read_buffer)

Handler = Callable[["Connection"], Awaitable[None]]


class Server:
    """All connections of one kind; `tls` gives the current certificate's context, so a new file counts at once."""

    def __init__(
        self,
        handle: Handler,
        limits: Limits,
        *,
        peers: Peers,
        too_many: bytes,
        tls: Callable[[], ssl.SSLContext] | None = None,
    ) -> None:
        self.handle = handle
        self.limits = limits
        self.peers = peers
        self.too_many = too_many
        self.tls = tls
        self.is_stopping = False
        self.connections: set[Connection] = set()
        self._acceptors: list[Acceptor] = []
        self._beginning: set[asyncio.Task[object]] = set()

    async def listen(self, sockets: Sequence[socket], *, implicit_tls: bool) -> None:
        refusal = b"" if implicit_tls else self.too_many
        take = partial(self._take, implicit_tls=implicit_tls, refusal=refusal)
        self._acceptors += [Acceptor(each, take, refusal) for each in sockets]

    def _take(self, accepted: socket, address: str, *, implicit_tls: bool, refusal: bytes) -> None:
        """Who is turned away costs a row looked up, and no more: a burst of thousands is over in a moment."""
        peer = plain_address(address)
        if not self.peers.admit(peer):
            turn_away(accepted, refusal)
            return
        beginning = asyncio.create_task(self._begin(accepted, peer, implicit_tls=implicit_tls))
        self._beginning.add(beginning)
        beginning.add_done_callback(self._beginning.discard)

    async def _begin(self, accepted: socket, peer: str, *, implicit_tls: bool) -> None:
        connection = Connection(self, peer, implicit_tls=implicit_tls)
        self.connections.add(connection)
        try:
            await asyncio.get_running_loop().connect_accepted_socket(lambda: connection, accepted)
        except BaseException:
            accepted.close()
            connection.connection_lost(None)
            raise

    async def stop(self) -> None:
        """Take no more connections, end the idle ones, give the others `stop_grace_s` for what is under way."""
        self.is_stopping = True
        while self._acceptors:
            self._acceptors.pop().close()
        for connection in list(self.connections):
            connection.stop_if_idle()
        tasks = [connection.task for connection in self.connections if connection.task]
        if tasks:
            await asyncio.wait(tasks, timeout=self.limits.stop_grace_s)
        for connection in list(self.connections):
            connection.abort()
        if tasks:
            await asyncio.wait(tasks, timeout=1.0)


class Connection(asyncio.BufferedProtocol):
    """One peer.  Until `welcome` it is a stranger: `before_login_s` and `before_login_octets` are all it has."""

    def __init__(self, server: Server, peer: str, *, implicit_tls: bool) -> None:
        self.peer = peer
        self.is_from_loopback = ip_address(peer).is_loopback
        self.is_busy = False  # in the middle of something that a stop waits for
        self.idle_s = server.limits.before_login_s
        self.task: asyncio.Task[None] | None = None
        self._server = server
        self._loop = asyncio.get_running_loop()
        self._transport: asyncio.Transport | None = None
        self._tls: TlsLayer | None = None
        self._implicit_tls = implicit_tls
        self._unread: deque[bytes] = deque()
        self._unread_octets = 0
        self._is_at_end = False
        self._is_paused = False  # reading from the peer
        self._is_full = False  # the peer does not read fast enough
        self._is_roused = False
        self._error: MailError | None = None
        self._waiter: asyncio.Future[None] | None = None
        self._timer: asyncio.TimerHandle | None = None
        self._due = 0.0
        self._stranger_until = 0.0  # monotonic; 0: no stranger any more
        self._stranger_octets = server.limits.before_login_octets
        self._transaction_until = 0.0

    # What handlers use

    @property
    def is_tls(self) -> bool:
        return self._tls is not None

    @property
    def tls(self) -> TlsLayer | None:
        """For words in Received."""
        return self._tls

    @property
    def can_start_tls(self) -> bool:
        return self._server.tls is not None and self._tls is None

    @property
    def is_stopping(self) -> bool:
        return self._server.is_stopping

    def is_wanted(self) -> bool:
        """Is there somebody to answer?  For work in threads, which asks now and then."""
        return not (self._is_at_end or self._error is not None)

    def welcome(self) -> None:
        """No stranger any more: signed in, or known to have something for us."""
        self._stranger_until = 0.0

    def bound_transaction(self, seconds: float) -> None:
        """What is under way must be over in `seconds`; 0: no bound any more."""
        self._transaction_until = self._loop.time() + seconds if seconds else 0.0

    async def read(self) -> bytes:
        """What the peer sent next; b"" when it is done.

        Raises TimedOut, ConnectionLost, TooMuchBeforeLogin, and Stopping when the server stops and nothing is under
        way.
        """
        if self._stranger_until and self._stranger_octets <= 0:
            raise TooMuchBeforeLogin
        while not self._unread:
            if self._error is not None:
                raise self._error
            if self._is_at_end:
                return b""
            if self.is_stopping and not self.is_busy:
                raise Stopping
            await self._wait()
        data = self._unread.popleft()
        if self._stranger_until:
            data = self._ration(data)
        self._unread_octets -= len(data)
        if self._is_paused and self._unread_octets < UNREAD_OCTETS // 2:
            self._is_paused = False
            self._transport_now.resume_reading()
        return data

    async def until_roused(self, seconds: float) -> bool:
        """Wait for something to read, for `rouse`, or so long; is there something to read?  Raises as `read` does."""
        timer = self._loop.call_later(seconds, self.rouse)
        try:
            while not (self._unread or self._is_at_end or self._is_roused):
                if self._error is not None:
                    raise self._error
                if self.is_stopping and not self.is_busy:
                    raise Stopping
                await self._wait()
        finally:
            timer.cancel()
            self._is_roused = False
        return bool(self._unread or self._is_at_end)

    def rouse(self) -> None:
        """End `until_roused`; called in the loop's thread."""
        self._is_roused = True
        self._wake()

    def _ration(self, data: bytes) -> bytes:
        given, left = data[: self._stranger_octets], data[self._stranger_octets :]
        if left:
            self._unread.appendleft(left)
        self._stranger_octets -= len(given)
        return given

    def write(self, data: bytes) -> None:
        """Send; `drain` says when there is room again."""
        if not data or self._error is not None:
            return
        if self._tls is not None:
            self._tls.write(data)
        else:
            self._transport_now.write(data)

    async def drain(self) -> None:
        """Wait until the peer has taken most of what was written.  Raises TimedOut, ConnectionLost."""
        while self._is_full:
            if self._error is not None:
                raise self._error
            await self._wait()

    async def start_tls(self, first: bytes) -> None:
        """Go on over TLS; `first`: what came behind STARTTLS, and belongs to the handshake (RFC 3207 §6)."""
        if self._server.tls is None:
            raise ConnectionLost
        pending = [first, *self._unread] if first else list(self._unread)
        self._unread.clear()
        self._unread_octets = 0
        self._tls = TlsLayer(self._server.tls(), self._transport_now.write)
        for data in pending:
            self._take(data)
        while not self._tls.is_ready:
            if self._error is not None:
                raise self._error
            if self._is_at_end:
                raise ConnectionLost
            await self._wait()

    def close(self) -> None:
        """Send what is written, then hang up."""
        if self._transport is not None and not self._transport.is_closing():
            if self._tls is not None and self._tls.is_ready:
                self._tls.close()
            self._transport.close()
            self._set_timer(self._loop.call_later(LINGER_S, self._transport.abort))

    def abort(self) -> None:
        """Hang up now."""
        self._fail(ConnectionLost())
        if self._transport is not None:
            self._transport.abort()

    def stop_if_idle(self) -> None:
        if not self.is_busy:
            self._wake()

    # Time

    async def _wait(self) -> None:
        """Until something happens to this connection, or its time is up.  Raises TimedOut."""
        self._due = self._next_due()
        if self._timer is None or self._timer.when() > self._due:
            self._set_timer(self._loop.call_at(self._due, self._look_at_clock))
        self._waiter = self._loop.create_future()
        try:
            await self._waiter
        finally:
            self._waiter = None

    def _next_due(self) -> float:
        bounds = (self._stranger_until, self._transaction_until, self._loop.time() + self.idle_s)
        return min(bound for bound in bounds if bound)

    def _look_at_clock(self) -> None:
        """One timer a connection, put off only when it rings: a read costs none."""
        self._timer = None
        if self._waiter is None or self._waiter.done():
            return
        if self._loop.time() < self._due:
            self._timer = self._loop.call_at(self._due, self._look_at_clock)
        else:
            self._waiter.set_exception(TimedOut())

    def _set_timer(self, timer: asyncio.TimerHandle) -> None:
        if self._timer is not None:
            self._timer.cancel()
        self._timer = timer

    def _wake(self) -> None:
        if self._waiter is not None and not self._waiter.done():
            self._waiter.set_result(None)

    def _fail(self, error: MailError) -> None:
        self._error = self._error or error
        self._wake()

    # What the loop calls

    @property
    def _transport_now(self) -> asyncio.Transport:
        if self._transport is None:
            raise ConnectionLost
        return self._transport

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        self._transport = transport  # type: ignore[assignment]  # a stream's is a Transport
        self._transport_now.set_write_buffer_limits(high=UNSENT_OCTETS)
        self._stranger_until = self._loop.time() + self._server.limits.before_login_s
        self.task = self._loop.create_task(self._serve())

    async def _serve(self) -> None:
        try:
            if self._implicit_tls:
                await self.start_tls(b"")
            await self._server.handle(self)
        except (ConnectionLost, TimedOut, Stopping):
            pass
        except Exception:
            log.exception("a connection from %s ended by a fault of ours", self.peer)
        finally:
            self.close()

    def get_buffer(self, _sizehint: int) -> memoryview:
        return _read_view

    def buffer_updated(self, nbytes: int) -> None:
        try:
            self._take(bytes(_read_view[:nbytes]))
        except ConnectionLost as error:
            self._fail(error)
        self._wake()
        if self._unread_octets >= UNREAD_OCTETS and not self._is_paused:
            self._is_paused = True
            self._transport_now.pause_reading()

    def _take(self, data: bytes) -> None:
        for plain in self._tls.receive(data) if self._tls is not None else (data,):
            self._unread.append(plain)
            self._unread_octets += len(plain)

    def eof_received(self) -> bool:
        self._is_at_end = True
        self._wake()
        return True  # the answers to what came before still go out

    def pause_writing(self) -> None:
        self._is_full = True

    def resume_writing(self) -> None:
        self._is_full = False
        self._wake()

    def connection_lost(self, _error: Exception | None) -> None:
        if self._timer is not None:
            self._timer.cancel()
        self._fail(ConnectionLost())
        if self in self._server.connections:
            self._server.connections.discard(self)
            self._server.peers.leave(self.peer)


def plain_address(text: str) -> str:
    """An IPv4 address that came over IPv6 as what it is; no zone."""
    address = ip_address(text.partition("%")[0])
    return str(getattr(address, "ipv4_mapped", None) or address)
