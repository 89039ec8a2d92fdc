"""Asking everybody at once where an address's mail is (E1): DNS, autoconfig, likely hosts; then discovery decides."""

from __future__ import annotations

import time
from collections.abc import Callable, Sequence
from concurrent.futures import Future, ThreadPoolExecutor, wait
from dataclasses import dataclass
from enum import StrEnum
from threading import BoundedSemaphore
from typing import Any

from app.accounts.addresses import GuardPolicy
from app.accounts.autoconfig import MAX_OCTETS, ClientConfig, parse_autoconfig
from app.accounts.discovery import (
    SRV_SERVICES,
    Evidence,
    Found,
    decide,
    domain_of,
    guesses,
    read_mx,
    read_srv,
)
from app.accounts.discovery import Service as SrvService
from app.accounts.door import Record, Service, Visitor, knock
from app.accounts.endpoint import Endpoint
from app.accounts.fetch import Bounds, guarded_get
from app.accounts.presets import find_by_domain, find_by_mx
from app.accounts.tls import client_context, lenient_context
from app.errors import MailError, NameNotFound, ProtocolError, TimedOut, TooManyConnections
from app.resolver import Answer, Outcome
from app.runtime import Runtime

TIME_LIMIT_S = 3.0
AT_ONCE = BoundedSemaphore(8)
QUEUE_WAIT_S = 3.0
XML = Bounds(
    max_octets=MAX_OCTETS,
    timeout_s=TIME_LIMIT_S,
    types=("text/xml", "application/xml", "text/plain", "application/octet-stream"),
    redirects=3,
    schemes=("https",),
)


class Source(StrEnum):
    """What is asked; the order is that of the "What was tried" panel."""

    PRESET = "preset"
    SRV = "srv"
    AUTOCONFIG = "autoconfig"
    MX = "mx"
    GUESS = "guess"


@dataclass(frozen=True, slots=True)
class Attempt:
    """One thing that was tried: `subject` is the name or address asked, `found` what it gave, `error` why nothing."""

    source: Source
    subject: str
    ms: int = 0
    found: str = ""
    error: MailError | None = None


@dataclass(frozen=True, slots=True)
class Search:
    """What was found, all that was tried, and how long it took altogether."""

    found: Found
    attempts: Sequence[Attempt]
    ms: int


@dataclass(frozen=True, slots=True)
class _Question:
    """One thing to try; `ask` returns the answer and what to show of it."""

    source: Source
    subject: str
    ask: Callable[[], tuple[Any, str]]


def search(parts: Runtime, policy: GuardPolicy, address: str, *, time_limit_s: float = TIME_LIMIT_S) -> Search:
    """Look for the settings of `address`, for at most `time_limit_s`.  Holds no database session.

    Raises ValueError if it is no address, TooManyConnections if eight other searches are on their way.
    """
    domain = domain_of(address)
    if not AT_ONCE.acquire(timeout=QUEUE_WAIT_S):
        raise TooManyConnections("other settings are being looked for; try again in a minute")
    try:
        return _search(parts, policy, address, domain, time_limit_s)
    finally:
        AT_ONCE.release()


def _search(parts: Runtime, policy: GuardPolicy, address: str, domain: str, time_limit_s: float) -> Search:
    began = time.monotonic()
    preset = find_by_domain(domain)
    first = Attempt(Source.PRESET, domain, found=preset.name if preset else "")
    if preset is not None:  # nothing that a domain publishes would be believed over what its provider is known for
        return Search(decide(address, Evidence(preset=preset)), [first], 0)
    questions = _questions(parts, policy, address, domain, began + time_limit_s)
    answers = _ask_all(questions, time_limit_s)
    evidence = _evidence(questions, [answer for answer, _attempt in answers])
    attempts = [first, *(attempt for _answer, attempt in answers)]
    return Search(decide(address, evidence), attempts, _ms_since(began))


def _questions(parts: Runtime, policy: GuardPolicy, address: str, domain: str, deadline: float) -> list[_Question]:
    asker = _Asker(parts, policy, deadline)
    found = [_Question(Source.SRV, f"{name}.{domain}", asker.srv(name, domain)) for name in SRV_SERVICES]
    urls = autoconfig_urls(domain, address)
    found += [_Question(Source.AUTOCONFIG, url.partition("?")[0], asker.autoconfig(url, address)) for url in urls]
    found.append(_Question(Source.MX, domain, asker.mx(domain)))
    imap, smtp = guesses(domain)
    for service, endpoints in ((Service.IMAP, imap), (Service.SMTP, smtp)):
        for endpoint in endpoints:
            subject = f"{endpoint.host}:{endpoint.port}"
            found.append(_Question(Source.GUESS, subject, asker.guess(service, endpoint)))
    return found


def autoconfig_urls(domain: str, address: str) -> Sequence[str]:
    """Where domains publish their settings; https only, since what is there decides who gets the password."""
    return (
        f"https://autoconfig.{domain}/mail/config-v1.1.xml?emailaddress={_quoted(address)}",
        f"https://{domain}/.well-known/autoconfig/mail/config-v1.1.xml",
    )


def _quoted(address: str) -> str:
    return "".join(char if char.isascii() and (char.isalnum() or char in "@.-_") else "" for char in address)


class _Asker:
    """Makes the questions; each of them runs in a thread of its own."""

    def __init__(self, parts: Runtime, policy: GuardPolicy, deadline: float) -> None:
        ca_file = parts.config.tls_ca_file
        self._resolver = parts.resolver
        self._visitor = Visitor(policy, parts.resolver, client_context(ca_file), lenient_context(ca_file), deadline)

    def srv(self, name: str, domain: str) -> Callable[[], tuple[Any, str]]:
        def ask() -> tuple[SrvService, str]:
            service = read_srv(name, _records(self._look_up(f"{name}.{domain}", "SRV")))
            shown = [f"{endpoint.host}, {endpoint.port}" for endpoint in service.endpoints[:1]]
            return service, "".join(shown) or ("." if service.refused else "")

        return ask

    def mx(self, domain: str) -> Callable[[], tuple[Any, str]]:
        def ask() -> tuple[Sequence[str], str]:
            hosts = read_mx(_records(self._look_up(domain, "MX")))
            return hosts, "".join(hosts[:1])

        return ask

    def autoconfig(self, url: str, address: str) -> Callable[[], tuple[Any, str]]:
        def ask() -> tuple[ClientConfig, str]:
            visitor = self._visitor
            fetched = guarded_get(visitor.policy, visitor.resolver, url, XML, ssl_context=visitor.context)
            if fetched.status != 200:
                raise ProtocolError(f"HTTP {fetched.status}")
            config = parse_autoconfig(fetched.body, address)
            return config, config.imap.endpoint.host if config.imap else ""

        return ask

    def guess(self, service: Service, endpoint: Endpoint) -> Callable[[], tuple[Any, str]]:
        def ask() -> tuple[tuple[Service, Endpoint], str]:
            knock(self._visitor, Record(service, endpoint))
            return (service, endpoint), endpoint.host

        return ask

    def _look_up(self, name: str, record_type: str) -> Answer:
        return self._resolver.lookup(name, record_type, timeout_s=self._visitor.left_s())


def _records(answer: Answer) -> Sequence[str]:
    if answer.outcome is Outcome.NO_ANSWER:
        raise TimedOut("no name server answered")
    if answer.outcome is not Outcome.FOUND:
        raise NameNotFound("no such record")
    return answer.records


def _ask_all(questions: Sequence[_Question], time_limit_s: float) -> list[tuple[Any, Attempt]]:
    """All at once; who has not answered in time has not answered."""
    threads = ThreadPoolExecutor(len(questions), "discovery")
    futures = [threads.submit(_try, question) for question in questions]
    wait(futures, timeout=time_limit_s)
    threads.shutdown(wait=False, cancel_futures=True)
    return [_result(question, future, time_limit_s) for question, future in zip(questions, futures, strict=True)]


def _try(question: _Question) -> tuple[Any, Attempt]:
    began = time.monotonic()
    try:
        answer, shown = question.ask()
    except MailError as error:
        return None, Attempt(question.source, question.subject, _ms_since(began), error=error)
    return answer, Attempt(question.source, question.subject, _ms_since(began), found=shown)


def _result(question: _Question, future: Future[tuple[Any, Attempt]], time_limit_s: float) -> tuple[Any, Attempt]:
    if future.done() and not future.cancelled():
        return future.result()
    late = TimedOut("no answer in time")
    return None, Attempt(question.source, question.subject, round(time_limit_s * 1000), error=late)


def _ms_since(began: float) -> int:
    return round((time.monotonic() - began) * 1000)


def _evidence(questions: Sequence[_Question], answers: Sequence[Any]) -> Evidence:
    """What the answers say, in the order of the questions: the best guesses come first."""
    pairs = [(q, a) for q, a in zip(questions, answers, strict=True) if a is not None]
    open_doors = [answer for question, answer in pairs if question.source is Source.GUESS]
    hosts = [host for question, answer in pairs if question.source is Source.MX for host in answer]
    return Evidence(
        services={q.subject.split("._tcp")[0] + "._tcp": a for q, a in pairs if q.source is Source.SRV},
        configs=[answer for question, answer in pairs if question.source is Source.AUTOCONFIG],
        mx_preset=find_by_mx(hosts),
        guesses=[endpoint for service, endpoint in open_doors if service is Service.IMAP],
        smtp_guesses=[endpoint for service, endpoint in open_doors if service is Service.SMTP],
    )
