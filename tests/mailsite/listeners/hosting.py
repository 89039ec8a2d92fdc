"""A mail host in memory: its people, what was delivered, and SMTP listeners that run in a thread of their own."""

from __future__ import annotations

import asyncio
import socket
import ssl
import threading
from collections.abc import Callable, Iterator, Sequence
from concurrent.futures import Future
from contextlib import contextmanager
from dataclasses import dataclass, field, replace
from datetime import UTC, datetime
from pathlib import Path

from app.extension_api import LoginRefused, MailError, SignInBusy, TooManyAttempts
from mailsite_ext.delivery.inbound import Inbound, Outbound
from mailsite_ext.domains.directory import Hosted, Recipient
from mailsite_ext.domains.scram import Keys, Verifier, decoy, derive
from mailsite_ext.errors import DomainNotAllowed, NotLocal
from mailsite_ext.limits import Limits
from mailsite_ext.listeners import ports
from mailsite_ext.listeners.examining import Admits, Examines, Examining
from mailsite_ext.listeners.exchange_log import ExchangeLog
from mailsite_ext.listeners.peers import TOO_MANY, Peers
from mailsite_ext.listeners.serve import Server
from mailsite_ext.listeners.smtp import Reception
from mailsite_ext.protocol.smtp_address import Address
from mailsite_ext.reception.seals import Seals
from mailsite_ext.settings.posture import ListenerRole, ListenerSpec, SignIn, TlsMode
from mailsite_ext.settings.values import Posture
from mailsite_ext.storage.values import Content, Delivery, Placement, Quota, Stored

RECEPTION = ListenerSpec(
    roles=frozenset({ListenerRole.RECEPTION}),
    port=0,
    tls=TlsMode.STARTTLS,
    addresses=("127.0.0.1",),
    sign_in=SignIn.NOBODY,
    sign_in_in_clear=False,
)
SUBMISSION = replace(
    RECEPTION, roles=frozenset({ListenerRole.SUBMISSION}), tls=TlsMode.IMPLICIT, sign_in=SignIn.ANYBODY
)
BOTH = replace(RECEPTION, roles=frozenset({ListenerRole.RECEPTION, ListenerRole.SUBMISSION}), sign_in=SignIn.ANYBODY)
OPEN = replace(BOTH, sign_in_in_clear=True)
REQUIRE = replace(RECEPTION, mail_needs_tls=True)
SPECS = {"reception": RECEPTION, "submission": SUBMISSION, "both": BOTH, "open": OPEN, "require": REQUIRE}
SALT = b"salt of the test"
SEALS = Seals(b"key of the test")


@dataclass(frozen=True)
class Letter:
    """What one mailbox got."""

    mailbox: str
    folder: str
    head: bytes
    body: bytes


@dataclass
class People:
    """Directory and Logins: alice and bob at example.org, each with one password; full's mailbox is full."""

    domains: tuple[str, ...] = ("example.org",)
    test_mode: bool = False
    names: dict[str, Hosted] = field(
        default_factory=lambda: {
            "alice": Hosted(1, "alice", 1),
            "bob": Hosted(2, "bob", 2),
            "full": Hosted(3, "full", 3, quota_octets=10),
            "postmaster": Hosted(1, "alice", 1),
            "abuse": Hosted(1, "alice", 1),
        }
    )
    passwords: dict[str, str] = field(default_factory=lambda: {"alice@example.org": "secret", "bob": "other"})
    failures: int = 0
    signed_out: set[str] = field(default_factory=set)

    def check_domain(self, domain: str) -> None:
        if not self.test_mode and ("." not in domain or domain.startswith("[")):
            raise DomainNotAllowed

    def find_recipient(self, address: Address) -> Recipient | None:
        if address.domain:
            self.check_domain(address.domain)
        if address.domain and address.domain not in self.domains:
            raise NotLocal
        hosted = self.names.get(address.local.partition("+")[0].lower())
        return Recipient(address, (hosted,)) if hosted else None

    def remembers(self, address: Address) -> bool:
        return address.local == "bob"

    def may_send_as(self, mailbox: str, address: Address) -> bool:
        if address.domain not in self.domains:
            return False
        hosted = self.names.get(address.local.lower())
        return hosted is not None and hosted.name == mailbox

    def has_room(self, hosted: Hosted, octets: int) -> bool:
        return hosted.quota_octets is None

    def still_opens(self, hosted: Hosted) -> bool:
        return hosted.name not in self.signed_out

    def check_password(self, login: str, password: str, peer: str) -> Hosted:
        if self.failures >= 10:
            raise TooManyAttempts(900)
        if password == "busy":
            raise SignInBusy
        if self.passwords.get(login) != password:
            self.failures += 1
            raise LoginRefused
        return self.names[login.partition("@")[0]]

    def find_verifier(self, login: str, peer: str) -> Verifier:
        if login not in self.passwords:
            return decoy(login, b"decoy")
        return Verifier(SALT, 4096, (Keys(1, *derive(self.passwords[login], SALT)),))

    def finish_scram(self, login: str, keys: Keys | None, peer: str) -> Hosted:
        if keys is None:
            self.failures += 1
            raise LoginRefused
        return self.names[login.partition("@")[0]]


@dataclass
class Box:
    """The part of a StorageEngine that delivery uses."""

    letters: list[Letter] = field(default_factory=list)
    deliveries: int = 0
    fault: MailError | None = None
    holds: threading.Event | None = None  # set: deliveries wait until it is

    def quota(self, _mailbox: str) -> Quota:
        return Quota(0, 0)

    def deliver(self, delivery: Delivery) -> Future[Sequence[Stored]]:
        done: Future[Sequence[Stored]] = Future()
        if self.fault is not None:
            done.set_exception(self.fault)
            return done
        threading.Thread(target=self._store, args=(delivery, done)).start()
        return done

    def _store(self, delivery: Delivery, done: Future[Sequence[Stored]]) -> None:
        if self.holds is not None:
            self.holds.wait(10)
        self.deliveries += 1
        body = octets_of(delivery.content)
        self.letters += [letter_of(placement, body) for placement in delivery.placements]
        done.set_result([Stored(1, 1, len(self.letters), 1) for _ in delivery.placements])


def letter_of(placement: Placement, body: bytes) -> Letter:
    return Letter(placement.mailbox, placement.folder, placement.head, body)


def octets_of(content: Content) -> bytes:
    octets = content.body if isinstance(content.body, bytes) else content.body.read_bytes()
    assert len(octets) == content.size_octets
    return octets


class FixedClock:
    def now(self) -> datetime:
        return datetime(2026, 11, 24, 8, 0, tzinfo=UTC)

    def monotonic_s(self) -> float:
        return 0.0


@dataclass
class Host:
    """Listeners that run; `connect` opens a connection to one by its name in SPECS."""

    people: People
    box: Box
    spool_folder: Path
    ports: dict[str, int]
    servers: dict[str, Server]
    loop: asyncio.AbstractEventLoop
    client_context: ssl.SSLContext | None = None

    def connect(self, name: str, *, bare: bool = False) -> socket.socket:
        """`bare`: no handshake where TLS is implicit."""
        opened = socket.create_connection(("127.0.0.1", self.ports[name]), timeout=10)
        if SPECS[name].tls is TlsMode.IMPLICIT and not bare:
            assert self.client_context is not None
            return self.client_context.wrap_socket(opened, server_hostname="localhost")
        return opened

    def stop(self, name: str) -> None:
        asyncio.run_coroutine_threadsafe(self.servers[name].stop(), self.loop).result(20)


@contextmanager
def hosting(
    folder: Path,
    *names: str,
    context: Callable[[], ssl.SSLContext] | None = None,
    client_context: ssl.SSLContext | None = None,
    posture: Posture = Posture.ALLOW,
    limits: Limits | None = None,
    outbound: Outbound | None = None,
    log: ExchangeLog | None = None,
    examiner: Examines | None = None,
    enforces_dmarc: bool = False,
    door: Admits | None = None,
) -> Iterator[Host]:
    """Listeners of these names, each on a free port; without `examiner` nothing is asked about mail from outside."""
    limits = limits or Limits(stop_grace_s=5)
    people, box = People(), Box()
    folder.mkdir(exist_ok=True)
    loop = asyncio.new_event_loop()
    peers = Peers(limits, folder.with_name(f"{folder.name}-peers"))
    servers, numbers = {}, {}
    for name in names:
        inbound = Inbound(box, "mx.example.org", posture, limits, SEALS, enforces_dmarc=enforces_dmarc)
        reception = Reception(
            spec=SPECS[name],
            host="mx.example.org",
            limits=limits,
            directory=people,
            logins=people,
            has_room=people.has_room,
            inbound=inbound,
            clock=FixedClock(),
            spool_folder=folder,
            examining=Examining(examiner, limits, door) if examiner is not None else None,
            outbound=outbound,
            log=log,
        )
        servers[name] = Server(reception.serve, limits, peers=peers, too_many=TOO_MANY["smtp"], tls=context)
        sockets = ports.bind(("127.0.0.1",), 0)
        numbers[name] = sockets[0].getsockname()[1]
        implicit = SPECS[name].tls is TlsMode.IMPLICIT
        loop.run_until_complete(servers[name].listen(sockets, implicit_tls=implicit))
    thread = threading.Thread(target=loop.run_forever)
    thread.start()
    host = Host(people, box, folder, numbers, servers, loop, client_context)
    try:
        yield host
    finally:
        for name in names:
            host.stop(name)
        loop.call_soon_threadsafe(loop.stop)
        thread.join()
        loop.close()
