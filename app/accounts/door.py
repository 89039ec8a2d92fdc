"""Knocking at a mail server's door, without a login: name, connection, encryption, greeting, each step timed (E2)."""

from __future__ import annotations

import socket
import ssl
import time
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field
from datetime import UTC, datetime
from enum import StrEnum
from typing import Any

from app.accounts import guard
from app.accounts.addresses import Address, GuardPolicy
from app.accounts.endpoint import Endpoint, Tls
from app.errors import ConnectionLost, MailError, NotAMailServer, StarttlsNotOffered, TimedOut, TlsFailed
from app.imap.wire import Wire, translated
from app.resolver import Resolver

MAX_LINES = 100
MAX_WORDS = 300
MAX_NAMES = 10
GREETING_WAIT_S = 6.0  # a server that expects TLS says nothing to those who wait for its greeting


class Service(StrEnum):
    IMAP = "imap"
    SMTP = "smtp"


class Step(StrEnum):
    NAME = "name"
    CONNECTION = "connection"
    ENCRYPTION = "encryption"
    GREETING = "greeting"
    LOGIN = "login"
    FOLDERS = "folders"


STEPS = {Service.IMAP: tuple(Step), Service.SMTP: tuple(step for step in Step if step is not Step.FOLDERS)}


@dataclass(frozen=True, slots=True)
class CertificateFacts:
    """What a server's certificate says; empty where it could not be read."""

    names: tuple[str, ...] = ()
    begins: datetime | None = None
    ends: datetime | None = None
    version: str = ""  # of TLS: "TLSv1.3"


@dataclass(frozen=True, slots=True)
class StepResult:
    """How a step went: `detail` is a fact or the server's own words, `error` is set where it failed."""

    step: Step
    ms: int = 0
    detail: str = ""
    error: MailError | None = None
    certificate: CertificateFacts | None = None


@dataclass
class Record:
    """The steps of one server, written while they are taken."""

    service: Service
    endpoint: Endpoint
    steps: list[StepResult] = field(default_factory=list)
    extensions: tuple[str, ...] = ()  # what the server can: EHLO keywords or IMAP capabilities
    _began: tuple[Step, float] | None = None

    @property
    def failure(self) -> StepResult | None:
        return next((step for step in self.steps if step.error), None)

    @contextmanager
    def step(self, step: Step) -> Iterator[dict[str, Any]]:
        """Time a step; what is put into the mapping goes into its result.  A MailError is kept and goes on."""
        facts: dict[str, Any] = {}
        self._began = (step, time.perf_counter())
        try:
            yield facts
        except MailError as error:
            self._end(error=error, **facts)
            raise
        self._end(**facts)

    def give_up(self, error: MailError) -> None:
        """Time is over in the middle of a step."""
        if self._began is None:
            self._began = (Step.NAME, time.perf_counter())
        self._end(error=error)

    def _end(self, **facts: Any) -> None:
        if self._began is not None:
            step, began = self._began
            self._began = None
            self.steps.append(StepResult(step, round((time.perf_counter() - began) * 1000), **facts))


@dataclass(frozen=True)
class Visitor:
    """How doors are reached: what may be connected to, how names are found, whom to trust, until when."""

    policy: GuardPolicy
    resolver: Resolver
    context: ssl.SSLContext
    lenient: ssl.SSLContext  # reads the certificates that `context` refuses; nothing is ever said on it
    deadline: float  # of time.monotonic()

    def left_s(self) -> float:
        left = self.deadline - time.monotonic()
        if left <= 0:
            raise TimedOut("the time allowed was over")
        return left


def knock(visitor: Visitor, record: Record) -> Sequence[Address]:
    """Take the steps up to the greeting; the addresses that were checked.  Raises the MailError of a failed step."""
    endpoint = record.endpoint
    with record.step(Step.NAME) as facts:
        addresses = guard.find_addresses(visitor.policy, visitor.resolver, endpoint.host, visitor.left_s())
        facts["detail"] = str(addresses[0])
    with record.step(Step.CONNECTION):
        patience_s = _patience_s(visitor, endpoint)
        link = guard.connect_to(addresses, endpoint.port, visitor.left_s())
    wire = Wire(link, endpoint.host, patience_s)
    try:
        if endpoint.tls is Tls.IMPLICIT:
            _encrypt(visitor, record, wire, addresses)
        _greet(visitor, record, wire, addresses)
        if endpoint.tls is Tls.STARTTLS:
            _encrypt(visitor, record, wire, addresses)
    finally:
        wire.close()
    return addresses


def _patience_s(visitor: Visitor, endpoint: Endpoint) -> float:
    """How long each turn may take; a greeting that does not come may mean that the port expects TLS."""
    left_s = visitor.left_s()
    return left_s if endpoint.tls is Tls.IMPLICIT else min(left_s, GREETING_WAIT_S)


def _greet(visitor: Visitor, record: Record, wire: Wire, addresses: Sequence[Address]) -> None:
    with record.step(Step.GREETING) as facts:
        try:
            facts["detail"] = _greeting(wire, record.service)
            record.extensions = _extensions(wire, record.service)
        except (TimedOut, ConnectionLost, NotAMailServer):
            if record.endpoint.tls is not Tls.IMPLICIT and _expects_tls(visitor, record.endpoint, addresses):
                raise NotAMailServer("the port expects TLS from the start") from None
            raise


def _greeting(wire: Wire, service: Service) -> str:
    """The server's first words.  Raises NotAMailServer where another protocol answers."""
    lines = _reply(wire) if service is Service.SMTP else [_line(wire)]
    words = lines[-1]
    good = ("220",) if service is Service.SMTP else ("* OK", "* PREAUTH")
    if words.upper().startswith(good):
        return words
    other = {"220": "an SMTP server answers", "* OK": "an IMAP server answers", "+OK": "a POP3 server answers"}
    raise NotAMailServer(next((said for start, said in other.items() if words.upper().startswith(start)), words))


def _extensions(wire: Wire, service: Service) -> tuple[str, ...]:
    if service is Service.IMAP:
        return ()
    wire.send(b"EHLO [127.0.0.1]\r\n")
    return tuple(line[4:].strip().upper() for line in _reply(wire)[1:] if line.startswith("250"))


def _encrypt(visitor: Visitor, record: Record, wire: Wire, addresses: Sequence[Address]) -> None:
    with record.step(Step.ENCRYPTION) as facts:
        if record.endpoint.tls is Tls.STARTTLS:
            _ask_for_tls(wire, record)
        try:
            wire.start_tls(visitor.context)
        except TlsFailed as error:
            if isinstance(error.__cause__, ssl.SSLCertVerificationError):
                facts["certificate"] = _refused_certificate(visitor, record, addresses)
            raise
        facts["certificate"] = _facts(wire.sock)


def _ask_for_tls(wire: Wire, record: Record) -> None:
    """Raises StarttlsNotOffered (RFC 3207, RFC 9051 §6.2.1)."""
    if record.service is Service.SMTP:
        if "STARTTLS" not in record.extensions:
            raise StarttlsNotOffered("the server's list of what it can does not have STARTTLS")
        wire.send(b"STARTTLS\r\n")
        words = _reply(wire)[-1]
        is_ready = words.startswith("220")
    else:
        wire.send(b"a STARTTLS\r\n")
        words = next((line for _ in range(MAX_LINES) if (line := _line(wire)).startswith("a ")), "")
        is_ready = words.upper().startswith("A OK")
    if not is_ready:
        raise StarttlsNotOffered(words)


def _reply(wire: Wire) -> list[str]:
    """All lines of one SMTP reply (RFC 5321 §4.2.1)."""
    lines: list[str] = []
    while len(lines) < MAX_LINES:
        lines.append(_line(wire))
        if lines[-1][3:4] != "-":
            return lines
    raise NotAMailServer("the server does not stop talking")


def _line(wire: Wire) -> str:
    text = wire.readline().decode("utf-8", "replace").strip()[:MAX_WORDS]
    return "".join(char if char.isprintable() else " " for char in text)


def _expects_tls(visitor: Visitor, endpoint: Endpoint, addresses: Sequence[Address]) -> bool:
    """Does the server take a TLS handshake at once?  Then the port is right and the protection is not."""
    try:
        with guard.connect_to(addresses, endpoint.port, visitor.left_s()) as link, translated(endpoint.host):
            visitor.lenient.wrap_socket(link, server_hostname=endpoint.host).close()
    except MailError as error:
        return isinstance(error.__cause__, ssl.SSLCertVerificationError)
    return True


def _refused_certificate(visitor: Visitor, record: Record, addresses: Sequence[Address]) -> CertificateFacts:
    """What the refused certificate says, read on a connection of its own that is closed at once."""
    try:
        wire = Wire(guard.connect_to(addresses, record.endpoint.port, visitor.left_s()), record.endpoint.host, 5)
    except MailError:
        return CertificateFacts()
    try:
        if record.endpoint.tls is Tls.STARTTLS:
            _greeting(wire, record.service)
            _extensions(wire, record.service)
            _ask_for_tls(wire, record)
        wire.start_tls(visitor.lenient)
        return _facts(wire.sock)
    except MailError:
        return CertificateFacts()
    finally:
        wire.close()


def _facts(link: socket.socket) -> CertificateFacts:
    assert isinstance(link, ssl.SSLSocket)
    told: Mapping[str, Any] = link.getpeercert() or {}
    names = tuple(str(value)[:MAX_WORDS] for _kind, value in told.get("subjectAltName", ()))[:MAX_NAMES]
    return CertificateFacts(names, _date(told, "notBefore"), _date(told, "notAfter"), link.version() or "")


def _date(told: Mapping[str, Any], name: str) -> datetime | None:
    return datetime.fromtimestamp(ssl.cert_time_to_seconds(told[name]), UTC) if name in told else None
