"""The SMTP listener: one conversation a connection, from greeting to QUIT.

The session (protocol/smtp_session.py) knows what may be said, smtp_policy.py what is allowed; here they meet directory
and storage.
"""

from __future__ import annotations

import asyncio
import base64
import logging
from collections.abc import Callable, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, field
from functools import partial
from pathlib import Path
from typing import TypeVar
from uuid import uuid4

from app.extension_api import Clock, ConnectionLost, MailError
from mailsite_ext.delivery.header import Field, Origin, authors
from mailsite_ext.delivery.inbound import Arrival, Inbound, Outbound, fields_of
from mailsite_ext.delivery.spool import Spool
from mailsite_ext.domains.directory import Hosted, Recipient
from mailsite_ext.errors import (
    LoginCancelled,
    MailboxFull,
    NoSuchMailbox,
    NotLocal,
    NotYourAddress,
    OutboundNotSetUp,
    SignedOut,
)
from mailsite_ext.limits import Limits
from mailsite_ext.listeners import smtp_policy as policy
from mailsite_ext.listeners.examining import Examining
from mailsite_ext.listeners.exchange_log import ExchangeLog
from mailsite_ext.listeners.landing import Landing
from mailsite_ext.listeners.serve import Connection
from mailsite_ext.listeners.sign_in import KnowsLogins, SignIn
from mailsite_ext.listeners.transaction import Transaction
from mailsite_ext.protocol.smtp_address import Address
from mailsite_ext.protocol.smtp_grammar import (
    Auth,
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
)
from mailsite_ext.protocol.smtp_session import Chunk, ChunkEnd, Event, MessageEnd, SaslResponse, SmtpSession, State
from mailsite_ext.reception.forged import without_claims
from mailsite_ext.replies import Reply, smtp_reply
from mailsite_ext.settings.posture import ListenerSpec
from mailsite_ext.storage.values import Content

log = logging.getLogger(__name__)

UNSENT_REPLIES = 16 * 1024

_SIMPLE: dict[type[Event], Reply] = {
    Noop: Reply(250, "2.0.0 ok"),
    Rset: Reply(250, "2.0.0 forgotten"),
    Vrfy: Reply(252, "2.1.5 send mail and see"),  # RFC 5321 §7.3: nobody learns who is here
    Help: Reply(214, "2.0.0 RFC 5321 says what there is"),
    Quit: Reply(221, "2.0.0 goodbye"),
    Data: Reply(354, "go ahead, end with a dot on a line of its own"),
}
_threads = ThreadPoolExecutor(4, "directory")
Answer = TypeVar("Answer")


@dataclass(frozen=True, slots=True, kw_only=True)
class Reception:
    """Everything a conversation needs; one for each listener.  `outbound` None: only local mail is taken."""

    spec: ListenerSpec
    host: str
    limits: Limits
    directory: policy.KnowsAddresses
    logins: KnowsLogins
    has_room: Callable[[Hosted, int], bool]  # may block
    inbound: Inbound
    clock: Clock
    spool_folder: Path
    examining: Examining | None = None  # None: nothing is asked about mail from outside
    outbound: Outbound | None = None
    log: ExchangeLog | None = None
    landing: Landing = field(default_factory=Landing)

    def clean(self, first: bytes) -> bytes:
        """Without what claims to be our own finding: nobody, not even who signed in, writes that for us."""
        return without_claims(first, {self.host.lower()})

    async def serve(self, connection: Connection) -> None:
        """The handler of a Server."""
        await Conversation(self, connection).run()


class Conversation:
    """One peer and what it has said so far."""

    def __init__(self, reception: Reception, connection: Connection) -> None:
        self._at = reception
        self._connection = connection
        self._session = SmtpSession(reception.limits)
        self._hello = Hello("", extended=False)
        self._login: Hosted | None = None
        self._sign_in: SignIn | None = None
        self._transaction: Transaction | None = None
        self._replies = b""
        self._id = uuid4().hex[:12]

    async def run(self) -> None:
        """Raises ConnectionLost when the peer is gone."""
        try:
            self._say(Reply(220, f"{self._at.host} ESMTP").encode())
            while self._session.state is not State.CLOSED:
                if not await self._take_next():
                    await self._read()
        except ConnectionLost:
            raise
        except MailError as error:  # too slow, too much, or we are stopping
            self._say(smtp_reply(error).encode())
        finally:
            self._forget_transaction()
            self._flush()

    async def _read(self) -> None:
        self._flush()
        await self._connection.drain()
        data = await self._connection.read()
        if not data:
            raise ConnectionLost
        self._session.receive(data)

    async def _take_next(self) -> bool:
        """Handle the next event; False: more bytes are needed."""
        event = self._next_event()
        if event is None:
            return False
        if isinstance(event, Chunk):
            self._keep(event.data)
            return True
        self._note_heard()
        await self._answer(event, event if isinstance(event, Reply) else await self._reply_to(event))
        return True

    def _next_event(self) -> Event | Reply | None:
        """The next event, or what is said to that which cannot be one."""
        try:
            return self._session.next_event()
        except MailError as error:
            return smtp_reply(error)

    async def _reply_to(self, event: Event) -> Reply:
        """A fault of ours is one too: nobody has the message, and it may come again."""
        try:
            return await self._decide(event)
        except MailError as error:
            return smtp_reply(error)
        except Exception:
            log.exception("conversation %s: a fault of ours", self._id)
            return smtp_reply(MailError())

    async def _answer(self, event: Event | Reply, reply: Reply) -> None:
        self._say(self._session.answer(reply))
        if isinstance(event, StartTls) and reply.code == 220:
            await self._start_tls()
        if not self._session.in_transaction:
            self._forget_transaction()
        self._connection.is_busy = self._session.in_transaction
        if len(self._replies) > UNSENT_REPLIES:
            self._flush()

    async def _start_tls(self) -> None:
        self._flush()
        self._hello, self._login = Hello("", extended=False), None
        await self._connection.start_tls(self._session.take_unread())

    def _say(self, reply: bytes) -> None:
        if self._at.log is not None:
            self._at.log.note(self._id, self._connection.peer, "S", reply.decode())
        self._replies += reply

    def _note_heard(self) -> None:
        if self._at.log is not None:
            self._at.log.note(self._id, self._connection.peer, "C", self._session.last_heard)

    def _flush(self) -> None:
        self._connection.write(self._replies)
        self._replies = b""

    # What each event comes to

    async def _decide(self, event: Event) -> Reply:
        """Raises MailError, said as replies.py says it."""
        match event:
            case Hello():
                return self._greet(event)
            case StartTls():
                return self._offer_tls()
            case Auth():
                return await self._begin_sign_in(event)
            case SaslResponse():
                return await self._go_on_signing_in(event)
            case MailFrom():
                return await self._take_sender(event)
            case RcptTo():
                return await self._take_recipient(event)
            case ChunkEnd():
                self._check_spool()
                return Reply(250, f"2.0.0 {event.octets} octets")
            case MessageEnd():
                return await self._take_message()
        return _SIMPLE[type(event)]

    def _peer(self) -> policy.Peer:
        connection = self._connection
        return policy.Peer(
            over_tls=connection.is_tls,
            can_start_tls=connection.can_start_tls,
            from_loopback=connection.is_from_loopback,
            signed_in=self._login is not None,
        )

    def _greet(self, hello: Hello) -> Reply:
        self._hello = hello
        first = f"{self._at.host} greets {self._connection.peer}"
        if not hello.extended:
            return Reply(250, first)
        return Reply(250, "\n".join([first, *policy.extensions(self._at.spec, self._peer(), self._at.limits)]))

    def _offer_tls(self) -> Reply:
        policy.check_starttls(self._peer())
        return Reply(220, "2.0.0 go ahead")

    # Signing in

    async def _begin_sign_in(self, command: Auth) -> Reply:
        policy.check_sign_in(self._at.spec, self._peer())
        self._sign_in = SignIn(self._at.logins, self._connection.peer, command.mechanism)
        return self._after_step(await self._sign_in.start(command.initial))

    async def _go_on_signing_in(self, response: SaslResponse) -> Reply:
        if response.data is None or self._sign_in is None:
            raise LoginCancelled
        return self._after_step(await self._sign_in.step(response.data))

    def _after_step(self, step: bytes | Hosted) -> Reply:
        if isinstance(step, bytes):
            return Reply(334, base64.b64encode(step).decode())
        self._sign_in, self._login = None, step
        self._welcome()
        return Reply(235, "2.7.0 welcome")

    def _welcome(self) -> None:
        self._connection.welcome()
        self._connection.idle_s = self._at.limits.smtp_idle_s

    # The envelope

    async def _take_sender(self, mail: MailFrom) -> Reply:
        login = self._login
        if login is not None and not await self._ask(partial(self._at.logins.still_opens, login)):
            raise SignedOut
        policy.check_mail(self._at.spec, self._peer(), mail, self._at.limits)
        if mail.sender is not None:
            self._at.directory.check_domain(mail.sender.domain)
            await self._check_is_theirs([mail.sender])
        self._transaction = Transaction(mail, Spool(self._at.spool_folder, self._at.clean))
        self._connection.bound_transaction(self._at.limits.smtp_transaction_s)
        return Reply(250, "2.1.0 sender ok")

    async def _check_is_theirs(self, addresses: Sequence[Address]) -> None:
        """Who signed in writes only as themselves (RFC 6409 §6.1).  Raises NotYourAddress."""
        if self._login is None:
            return
        mailbox = self._login.name
        for address in addresses:
            if not await self._ask(partial(self._at.directory.may_send_as, mailbox, address)):
                raise NotYourAddress

    async def _take_recipient(self, rcpt: RcptTo) -> Reply:
        transaction = self._now
        others = len(transaction.local) + len(transaction.outside)
        policy.check_recipient(self._peer(), transaction.mail, rcpt.recipient, others, self._at.limits)
        try:
            found = await self._find(rcpt.recipient)
        except NotLocal:
            await self._take_outside(rcpt)
        else:
            await self._take_local(found)
        self._welcome()
        return Reply(250, "2.1.5 recipient ok")

    async def _find(self, address: Address) -> Recipient | None:
        """Most mail is for few people: who is remembered costs no thread."""
        directory = self._at.directory
        if directory.remembers(address):
            return directory.find_recipient(address)
        return await self._ask(partial(directory.find_recipient, address))

    async def _take_local(self, found: Recipient | None) -> None:
        if found is None or (found.takes_bounces_alone and self._now.mail.sender is not None):
            raise NoSuchMailbox
        size = self._now.mail.size_octets
        for hosted in found.mailboxes:
            if hosted.quota_octets is not None and not await self._ask(partial(self._at.has_room, hosted, size)):
                raise MailboxFull
        if self._login is None and self._at.examining is not None:
            await self._at.examining.admit(self._connection.peer, self._now.mail.sender, found.address)
        self._now.local.append(found)

    async def _take_outside(self, rcpt: RcptTo) -> None:
        """Never for strangers: we are no relay."""
        if self._login is None:
            raise NotLocal
        if self._at.outbound is None:
            raise OutboundNotSetUp
        outside, check = self._now.outside, self._at.outbound.check
        await self._ask(partial(check, self._login.name, rcpt.recipient, len(outside)))
        outside.append(rcpt)

    # The message

    @property
    def _now(self) -> Transaction:
        assert self._transaction is not None, "the session lets nothing here outside of a transaction"
        return self._transaction

    def _keep(self, data: bytes) -> None:
        """A block of the message; a fault is said when it is over."""
        transaction = self._now
        if transaction.fault is None:
            try:
                transaction.spool.write(data)
            except MailError as error:
                transaction.fault = error

    def _check_spool(self) -> None:
        if self._now.fault is not None:
            raise self._now.fault

    async def _take_message(self) -> Reply:
        self._check_spool()
        transaction = self._now
        content = transaction.spool.finish()
        fields = fields_of(transaction.spool)
        if self._login is not None:
            await self._check_is_theirs([policy.author(text) for text in authors(fields)])
        message_id = uuid4().hex
        arrival = Arrival(transaction.mail, transaction.local, self._origin(), message_id, self._at.clock.now())
        if self._login is None and self._at.examining is not None:
            arrival = await self._at.examining.examined(arrival, transaction.spool.blocks)
        await self._store(arrival, content, fields)
        return Reply(250, f"2.0.0 taken as {message_id}")

    async def _store(self, arrival: Arrival, content: Content, fields: Sequence[Field]) -> None:
        """Local copies first: a fault of theirs then stops the rest, and nothing has gone out yet."""
        outside = self._now.outside
        if arrival.recipients:
            await self._at.landing.wait(self._at.inbound.deliver(arrival, content, fields))
        if outside and self._at.outbound is not None:
            await self._at.landing.wait(self._at.outbound.submit(arrival, outside, content, fields))

    def _origin(self) -> Origin:
        tls = self._connection.tls
        return Origin(
            peer=self._connection.peer,
            hello=self._hello.name,
            extended=self._hello.extended,
            tls=f"{tls.version} {tls.cipher}" if tls is not None else "",
            login=self._login.name if self._login is not None else "",
            utf8=self._now.mail.utf8,
        )

    def _forget_transaction(self) -> None:
        if self._transaction is not None:
            self._transaction.spool.discard()
            self._transaction = None
            self._connection.bound_transaction(0)

    async def _ask(self, question: Callable[[], Answer]) -> Answer:
        """The directory may wait for the database."""
        return await asyncio.get_running_loop().run_in_executor(_threads, question)
