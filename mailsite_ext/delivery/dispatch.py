"""The delivery process at work: take what is due, find its way, hand it over, write down what came of it."""

from __future__ import annotations

import logging
from collections import Counter
from collections.abc import Callable, Iterable, Sequence
from concurrent.futures import Future, ThreadPoolExecutor
from dataclasses import dataclass, field
from functools import partial
from threading import Lock
from typing import TypeAlias
from uuid import uuid4

from sqlalchemy.exc import SQLAlchemyError

from app.extension_api import Bell, Clock, Resolver, Runtime, Subscription, Topic
from mailsite_ext.delivery import queue
from mailsite_ext.delivery.queue import Claimed
from mailsite_ext.delivery.relay import Relay, hand_to_relay
from mailsite_ext.delivery.remote import Answer, Courier, Handed, Parcel
from mailsite_ext.delivery.route import Hop, NoRoute, Ourselves, Shuffle, find_hops
from mailsite_ext.reports.attached import Kind
from mailsite_ext.reports.written import OWN_REPORT
from mailsite_ext.transport_security.mta_sts import Mode, Policy
from mailsite_ext.transport_security.tls_results import TlsSession

log = logging.getLogger(__name__)

TRIPS = 20  # at once in one process
TICK_S = 5.0
LISTENS_FOR_S = 0.5  # before it looks whether it is to end
TIDIED_EVERY_S = 600.0

PolicyOf: TypeAlias = Callable[[str], Policy | None]
"""A destination's MTA-STS policy, if it has one (X5)."""
RelayOf: TypeAlias = Callable[[str], Relay | None]
"""The relay that takes a destination's mail, if one does.  Raises NoRoute."""
NoteSessions: TypeAlias = Callable[[str, Policy | None, Sequence[TlsSession]], None]
"""Count how the way to a destination was encrypted, for its report (RFC 8460)."""


@dataclass(frozen=True, slots=True, kw_only=True)
class World:
    """What lies between the queue and other servers."""

    resolver: Resolver
    courier: Courier
    ours: Ourselves
    shuffle: Shuffle
    chance: Callable[[], float]
    policy_of: PolicyOf = field(default=lambda _domain: None)
    relay_of: RelayOf = field(default=lambda _domain: None)
    note_sessions: NoteSessions = field(default=lambda _domain, _policy, _sessions: None)


class Dispatcher:
    """One for each delivery process.  `tell` sends the notices that wait, `care` is what else is done now and then."""

    def __init__(
        self,
        parts: Runtime,
        world: World,
        tell: Callable[[], None],
        care: Callable[[], None] = lambda: None,
        *,
        trips: int = TRIPS,
    ) -> None:
        self._parts = parts
        self._world = world
        self._tell = tell
        self._care = care
        self._trips = trips
        self._threads = ThreadPoolExecutor(trips, "trip")
        self._under_way: Counter[str] = Counter()
        self._lock = Lock()
        self._tidy_at_s = 0.0

    def run(self, goes_on: Callable[[], bool]) -> None:
        """Until `goes_on` says no; then what is under way is finished."""
        with self._parts.bus.subscribe() as ear, self._threads:
            while goes_on():
                self.turn()
                _wait_for_work(ear, self._parts.clock, goes_on)

    def turn(self) -> Sequence[Future[None]]:
        """Send somebody off to each destination something is due for.  A database that is away is waited for."""
        try:
            started = [self._threads.submit(self._trip, domain) for domain in self._due()]
            self._tell()
            self._tidy()
        except SQLAlchemyError:
            log.warning("the database does not answer", exc_info=True)
            return []
        return started

    def _due(self) -> Sequence[str]:
        """Destinations to set out for now; each is counted until its trip is over."""
        with self._lock:
            busy = [domain for domain, trips in self._under_way.items() if trips >= queue.CLAIMS_OF_A_DOMAIN]
            free = self._trips - self._under_way.total()
        if free <= 0:
            return []
        with self._parts.public.session() as db:
            due = queue.due_domains(db, self._parts.clock.now(), besides=busy, most=free)
        with self._lock:
            self._under_way.update(due)
        return due

    def _tidy(self) -> None:
        now_s = self._parts.clock.monotonic_s()
        if now_s >= self._tidy_at_s:
            self._tidy_at_s = now_s + TIDIED_EVERY_S
            with self._parts.public.session() as db:
                queue.tidy(db, self._parts.clock.now())
            self._care()

    def _trip(self, domain: str) -> None:
        try:
            more = self._deliver(domain)
        except Exception:  # what a job of ours broke is logged; its claim ends by itself, and it is tried again
            log.exception("a delivery to %s failed", domain)
            more = False
        with self._lock:
            self._under_way[domain] -= 1
            self._under_way += Counter()  # forgets the zeros
        if more:
            self._parts.bus.ring(Bell(Topic.DELIVERY))

    def _deliver(self, domain: str) -> bool:
        """One claim's worth; True if there may be more or somebody is to be told."""
        parts, begun_at = self._parts, self._parts.clock.now()
        with parts.public.session() as db:
            claimed = queue.claim(db, domain, uuid4().hex, begun_at)
        if not claimed:
            return False
        handed = self._hand_over(domain, claimed)
        with parts.public.session() as db:
            transcript = "\n".join(handed.transcript)
            queue.note_attempt(db, claimed, domain, begun_at, transcript, blocked=handed.port_25_blocked)
            queue.settle(db, claimed, handed.answers, parts.clock.now(), self._world.chance)
        return True

    def _hand_over(self, domain: str, claimed: Sequence[Claimed]) -> Handed:
        """By a relay where one is set up.  Else what must go over verified TLS goes on a trip of its own (RFC 8689), as
        do reports of TLS that fails.
        """
        try:
            relay = self._world.relay_of(domain)
        except NoRoute as error:
            return _no_route(claimed, error)
        if relay is not None:
            return hand_to_relay(self._world.courier, relay, self._parcels(claimed))
        reports = [one for one in claimed if one.message.token.startswith(OWN_REPORT[Kind.TLS])]
        strict = [one for one in claimed if one.message.requires_tls]
        usual = [one for one in claimed if one not in reports and one not in strict]
        trips = [self._hand_some_over(domain, some, must_verify=some is strict) for some in (usual, strict) if some]
        if reports:
            trips.append(self._hand_reports_over(domain, reports))
        answers = {key: answer for handed in trips for key, answer in handed.answers.items()}
        lines = [line for handed in trips for line in handed.transcript]
        return Handed(answers, lines, any(handed.port_25_blocked for handed in trips))

    def _hand_some_over(self, domain: str, claimed: Sequence[Claimed], *, must_verify: bool) -> Handed:
        policy = self._world.policy_of(domain)
        enforced = policy if policy and policy.mode is Mode.ENFORCE else None
        handed = self._carried(
            domain,
            claimed,
            enforced,
            verified_tls=must_verify or enforced is not None,
            tests_tls=policy is not None and policy.mode is Mode.TESTING,
        )
        self._world.note_sessions(domain, policy, handed.sessions)
        return handed

    def _hand_reports_over(self, domain: str, claimed: Sequence[Claimed]) -> Handed:
        """Whatever is wrong with their TLS: that is what the report is about, and it is not counted (RFC 8460 §3)."""
        return self._carried(domain, claimed, None, verified_tls=False, tests_tls=False)

    def _carried(
        self, domain: str, claimed: Sequence[Claimed], enforced: Policy | None, *, verified_tls: bool, tests_tls: bool
    ) -> Handed:
        try:
            hops = _allowed(self._hops(domain, claimed), enforced)
        except NoRoute as error:
            return _no_route(claimed, error)
        parcels = self._parcels(claimed)
        return self._world.courier.hand_over(hops, parcels, verified_tls=verified_tls, tests_tls=tests_tls)

    def _parcels(self, claimed: Sequence[Claimed]) -> Sequence[Parcel]:
        return [Parcel(one.message.id, one.mail, partial(self._blocks, one.message.id)) for one in claimed]

    def _hops(self, domain: str, claimed: Sequence[Claimed]) -> Sequence[Hop]:
        """Every second try begins with the other family of addresses."""
        world = self._world
        is_second = max(each.tries for one in claimed for each in one.recipients) % 2 == 0
        return find_hops(domain, world.resolver, world.ours, world.shuffle, ipv4_first=is_second)

    def _blocks(self, message_id: int) -> Iterable[bytes]:
        return queue.read_blocks(self._parts.public, message_id)


def _no_route(claimed: Sequence[Claimed], error: NoRoute) -> Handed:
    keys = [(one.message.id, each.address) for one in claimed for each in one.recipients]
    return Handed(dict.fromkeys(keys, Answer(error.reply)), [f"- {error.reply.code} {error.reply.words}"])


def _wait_for_work(ear: Subscription, clock: Clock, goes_on: Callable[[], bool]) -> None:
    """Until the bell of the queue rings, or it is time to end; a bell may be lost, so no longer than TICK_S."""
    until_s = clock.monotonic_s() + TICK_S
    while (left_s := until_s - clock.monotonic_s()) > 0 and goes_on():
        if any(bell.topic is Topic.DELIVERY for bell in ear.wait(min(left_s, LISTENS_FOR_S))):
            return


def _allowed(hops: Sequence[Hop], enforced: Policy | None) -> Sequence[Hop]:
    """Those an enforced policy names (RFC 8461 §5).  Raises NoRoute, for now: a policy may be out of date."""
    found = [hop for hop in hops if enforced is None or enforced.allows(hop.host)]
    if not found:
        raise NoRoute(451, "4.7.5 none of the domain's mail servers is named by its own MTA-STS policy")
    return found
