"""The mail engine's main loop: beats its heart, shares out accounts, hears bells, and lets each account do what is due.

Only the loop's own thread touches `MailEngine`; the accounts' work runs on the threads of `jobs.Pools`.
"""

from __future__ import annotations

import logging
import sys
from collections.abc import Callable, Collection, Mapping, Sequence
from datetime import timedelta

from sqlalchemy.exc import OperationalError
from sqlalchemy.orm import Session

from app.bus import Bell, Topic
from app.engine import deeds, health, leases
from app.engine.account import AccountWork
from app.engine.account_jobs import JOBS
from app.engine.desk import BulkGap, Desk
from app.engine.idle import Watcher
from app.engine.jobs import Lane, Pools
from app.engine.leases import Lease
from app.engine.sources import OpenSource, connection_facts, open_source
from app.engine.times import EngineTimes
from app.mail_services.awake import awake_sources
from app.mirror import sweep as mirror_sweep
from app.outbox import service as outbox
from app.people.collect import collect as collect_people
from app.runtime import Runtime

log = logging.getLogger("satchel.engine")

WORK_TOPICS = frozenset({Topic.ACTIONS, Topic.OUTBOX, Topic.BODY_WANTED, Topic.SEARCH})
SWITCH_INTERVAL_S = 0.001


class MailEngine:
    """All the work of one engine process."""

    def __init__(
        self, parts: Runtime, *, times: EngineTimes | None = None, open_source: OpenSource = open_source
    ) -> None:
        self.parts = parts
        self.times = times or EngineTimes()
        self.accounts: dict[int, AccountWork] = {}
        self.engine_id = 0
        self._open_source = open_source
        self._pools = Pools()
        self._sweeping = Lane(self._pools.bulk)
        self._watcher = Watcher()
        self._gap = BulkGap(self.times.bulk_gap_s if parts.public.is_sqlite else 0.0)
        self._next_beat_s = self._next_sweep_s = 0.0

    def run(self, goes_on: Callable[[], bool]) -> None:
        """Work until `goes_on` says no, which is asked every tick."""
        sys.setswitchinterval(SWITCH_INTERVAL_S)  # a parsing bulk thread gives a waiting prompt one its turn sooner
        with self.parts.bus.subscribe() as ear:
            self.begin()
            try:
                self.turn([])
                while goes_on():
                    self.turn(ear.wait(self.times.tick_s))
            finally:
                self.end()

    def begin(self) -> None:
        with self.parts.public.session() as db:
            self.engine_id = leases.register(db, self.parts.clock.now())
        log.info("engine %d started", self.engine_id)

    def turn(self, bells: Sequence[Bell]) -> None:
        """One round of the loop.  A database that is away is waited for: nothing can be done without it."""
        try:
            self._turn(bells)
        except OperationalError:
            log.warning("the database does not answer", exc_info=True)

    def _turn(self, bells: Sequence[Bell]) -> None:
        now_s = self.parts.clock.monotonic_s()
        heard = [self._hear(bell) for bell in bells]
        shares_anew = now_s >= self._next_beat_s or any(heard)
        if shares_anew:
            self._next_beat_s = now_s + self.times.heartbeat_s
            self.share()
        self._look_for_work(all_kinds=shares_anew)
        if now_s >= self._next_sweep_s:
            self._next_sweep_s = now_s + self.times.sweep_s
            self._sweeping.put("sweep", 0, self.sweep)
        for work in self.accounts.values():
            work.tick()

    def _hear(self, bell: Bell) -> bool:
        """Pass a bell on; True if it may change which accounts are worked for."""
        work = self.accounts.get(bell.subject)
        if work is not None and bell.topic in WORK_TOPICS:
            work.hear(bell.topic)
        if work is not None and bell.topic is Topic.ACCOUNT:
            self._look_at_account(work)
        return bell.topic in (Topic.ACCOUNT, Topic.SETTINGS)

    def _look_at_account(self, work: AccountWork) -> None:
        """Somebody changed something: another server or password begins anew, and so does one in trouble."""
        with self.parts.public.session() as db:
            facts = connection_facts(db, work.desk.account_id)
        if work.is_resting or facts != work.facts:
            self._stop(work.desk.account_id)

    # Accounts come and go

    def share(self) -> None:
        """Beat, take over from the dead, and hold a fair share of the accounts that run."""
        now = self.parts.clock.now()
        with self.parts.public.session() as db:
            if not leases.beat(db, self.engine_id, now):
                self._start_over(db)
            leases.bury_dead(db, now - timedelta(seconds=self.times.dead_after_s))
            sources = awake_sources(db)
            self._follow(leases.held(db, self.engine_id, sources))
            leases.release_idle(db, self.engine_id, sources)
            self._take_or_give(db, sources)
            self._follow(leases.held(db, self.engine_id, sources))

    def _start_over(self, db: Session) -> None:
        """Others thought this engine dead and took its accounts: it stalled."""
        log.warning("engine %d was taken for dead; it begins anew", self.engine_id)
        self._follow({})
        self.engine_id = leases.register(db, self.parts.clock.now())

    def _take_or_give(self, db: Session, sources: Collection[str]) -> None:
        share = min(leases.fair_share(db, sources), self.parts.config.engine_share)
        for account_id in sorted(self.accounts)[share:]:
            lease = self.accounts[account_id].desk.lease
            self._stop(account_id)
            leases.release(db, lease)
        leases.claim(db, self.engine_id, sources, share - len(self.accounts))

    def _follow(self, held: Mapping[int, Lease]) -> None:
        """Make the work match the leases: what was lost, removed or paused stops at once."""
        for account_id, work in list(self.accounts.items()):
            if work.stopped or held.get(account_id) != work.desk.lease:
                self._stop(account_id)
        for account_id, lease in held.items():
            if account_id not in self.accounts:
                self._start(lease)

    def _start(self, lease: Lease) -> None:
        with self.parts.public.session() as db:
            facts = connection_facts(db, lease.account_id)
        desk = Desk(self.parts, lease, self.times, self._gap)
        opener = lambda: self._open_source(self.parts, lease.account_id)  # noqa: E731  short, and read where it is used
        work = AccountWork(desk, self._pools, self._watcher, opener, facts)
        self.accounts[lease.account_id] = work
        log.info("engine %d works for account %d", self.engine_id, lease.account_id)
        work.start()

    def _stop(self, account_id: int) -> None:
        self.accounts.pop(account_id).stop()
        log.info("engine %d no longer works for account %d", self.engine_id, account_id)

    # What no bell told

    def _look_for_work(self, *, all_kinds: bool) -> None:
        """Find work whose bell was lost: bodies each tick, since people wait for them; the rest each heartbeat."""
        with self.parts.public.session() as db:
            found = deeds.accounts_that_wait(db, self.engine_id, self.parts.clock.now(), all_kinds=all_kinds)
        for account_id, topic in found:
            if account_id in self.accounts:
                self.accounts[account_id].hear(topic)
        if all_kinds:
            self._look_for_jobs()

    def _look_for_jobs(self) -> None:
        for name, job in JOBS.items():
            with self.parts.public.session() as db:
                waiting = set(job.waiting(db, self.parts.clock.now()))
            for account_id in waiting & self.accounts.keys():
                self.accounts[account_id].do_job(name, job)

    def sweep(self) -> None:
        """Tidy up behind what was deleted, sent or forgotten; in a bulk thread, as it may take its time."""
        now = self.parts.clock.now()
        with self.parts.public.session() as db:
            health.forget_old_requests(db, now - timedelta(seconds=self.times.request_kept_s))
            mirror_sweep.sweep(db, now, body_cache_mib=self.parts.config.body_cache_mib)
            outbox.cancel_orphans(db)
            outbox.forget_old(db, now)
            collect_people(db, now, self._gap.turn)

    def end(self) -> None:
        """Close everything; whoever comes next finds the accounts free."""
        for account_id in list(self.accounts):
            self._stop(account_id)
        self._watcher.close()
        self._pools.close()
        with self.parts.public.session() as db:
            leases.retire(db, self.engine_id)
        log.info("engine %d ended", self.engine_id)
