"""The agent of a machine: makes what runs here what the admin wants to run here, and says what does.

One thread: it looks at its processes twice a second, and at the database when a bell rings or its heart beats.
"""

from __future__ import annotations

import contextlib
import fcntl
import logging
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field, replace
from datetime import datetime, timedelta
from uuid import uuid4

from sqlalchemy.exc import OperationalError
from sqlalchemy.orm import Session

from app.bus import Bell, Topic
from app.errors import MailError
from app.machines import identity, logs, processes, reports, rows
from app.machines.identity import Here
from app.machines.kinds import ServiceKind
from app.machines.processes import Process, StillHeld
from app.machines.reconcile import (
    Actual,
    Deed,
    Phase,
    Slot,
    Wanted,
    deaths_in_a_row,
    reconcile,
    wait_before_retry_s,
)
from app.machines.reports import ProcessView, Report, Trouble
from app.machines.rows import Ousted
from app.mail_services.modes import SWITCHES
from app.mail_services.service import current_mode
from app.runtime import Runtime

log = logging.getLogger("satchel.machines")

HEARD = frozenset({Topic.MACHINES, Topic.SETTINGS})


class AgentRunsAlready(MailError):
    """Another agent runs on this machine; `detail` says how it was noticed."""


@dataclass(frozen=True, slots=True)
class AgentTimes:
    """How often and how long, in seconds."""

    tick_s: float = 0.5
    heartbeat_s: float = 5.0
    dead_after_s: float = 20.0
    patience_s: float = 15.0  # for a service that was asked to end: transactions under way take at most 10


@dataclass(slots=True)
class Seat:
    """A slot in use: its process, or none while it waits to be tried again."""

    generation: int
    process: Process | None = None
    settings: Mapping[str, str] | None = None
    began_s: float = 0.0
    deaths: int = 0
    due_s: float = 0.0
    retry_at: datetime | None = None
    is_ending: bool = False

    def actual(self) -> Actual:
        if self.process is None:
            return Actual(Phase.WAITING, self.generation, self.due_s)
        if self.is_ending:
            return Actual(Phase.ENDING, self.generation, self.due_s)
        return Actual(Phase.RUNNING if self.process.is_ready else Phase.STARTING, self.generation)

    def view(self) -> ProcessView:
        """What the reports are made of."""
        phase = self.actual().phase
        if self.process is None:
            return ProcessView(phase, deaths=self.deaths, retry_at=self.retry_at)
        return ProcessView(phase, self.process.pid, tuple(self.process.addresses), self.settings, self.deaths)


@dataclass(slots=True)
class Agent:
    """All the services of one machine."""

    parts: Runtime
    kinds: Mapping[str, ServiceKind]
    here: Here
    times: AgentTimes = AgentTimes()
    own_addresses: Callable[[], Sequence[str]] = tuple
    token: str = field(default_factory=lambda: str(uuid4()))
    machine_id: int = 0
    seats: dict[Slot, Seat] = field(default_factory=dict)
    _wanted: Mapping[str, Wanted] = field(default_factory=dict)
    _troubles: dict[str, Trouble] = field(default_factory=dict)
    _said: dict[str, Report] = field(default_factory=dict)
    _next_beat_s: float = 0.0

    def run(self, goes_on: Callable[[], bool]) -> None:
        """Work until `goes_on` says no, which is asked every tick.  Raises AgentRunsAlready."""
        with self._alone(), self.parts.bus.subscribe() as ear:
            self.begin()
            try:
                while goes_on():
                    self.turn(ear.wait(self.times.tick_s))
            except Ousted:
                log.error("another agent took charge of machine %s; this one ends", self.here.name)
                raise AgentRunsAlready("it took charge of the machine's row") from None
            finally:
                self.end()

    @contextlib.contextmanager
    def _alone(self) -> Iterator[None]:
        """Hold this machine's lock, which the system frees however the agent ends."""
        with (self.here.folder / "agent").open("a+") as held:
            try:
                fcntl.flock(held, fcntl.LOCK_EX | fcntl.LOCK_NB)
            except BlockingIOError:
                raise AgentRunsAlready(f"it holds {held.name}") from None
            yield

    def begin(self) -> None:
        """Take charge of the machine, and end what an earlier agent left behind."""
        with self.parts.public.session() as db:
            self._register(db)
        for pid in processes.end_orphans(self.here.folder, self.times.patience_s):
            log.warning("ended process %d of an earlier agent", pid)
        log.info("the agent of %s began", self.here.name)

    def _register(self, db: Session) -> None:
        now = self.parts.clock.now()
        self.machine_id = rows.ensure_machine(db, self.here)
        rows.ensure_services(db, self.machine_id, self._own_kinds())
        dead_before = now - timedelta(seconds=self.times.dead_after_s)
        if not rows.take_charge(db, self.machine_id, self.token, identity.boot_id(), now, dead_before):
            raise AgentRunsAlready("its heart beat a moment ago")
        self._said = {}

    def _own_kinds(self) -> list[str]:
        return [name for name, kind in self.kinds.items() if kind.command]

    def turn(self, bells: Sequence[Bell]) -> None:
        """One round.  Raises Ousted.  A database that is away is waited for: what runs is looked after meanwhile."""
        changed = self._look_at_processes()
        is_due = self.parts.clock.monotonic_s() >= self._next_beat_s
        try:
            if is_due or any(bell.topic in HEARD for bell in bells):
                self._look_up_wishes()
            changed |= self._take_steps()
            if changed or is_due:
                self._speak()
        except OperationalError:
            log.warning("the database does not answer", exc_info=True)

    # What is wanted

    def _look_up_wishes(self) -> None:
        with self.parts.public.session() as db:
            orders = rows.find_orders(db, self.machine_id)
            switches = SWITCHES[current_mode(db)]
            is_elsewhere = rows.is_mail_elsewhere(db, self.here.work_uuid)
            self._wanted = {
                name: Wanted(
                    order.running,
                    order.generation,
                    self._processes(db, self.kinds[name], order),
                    self.kinds[name].runs(switches) and not (is_elsewhere and self.kinds[name].keeps_mail),
                )
                for name, order in orders.items()
                if name in self._own_kinds()
            }

    def _processes(self, db: Session, kind: ServiceKind, order: rows.Order) -> int:
        """As many as there were to be when it was last started: a setting that changes touches nothing that runs."""
        before = self._wanted.get(kind.name)
        return before.processes if before and before.generation == order.generation else kind.processes(db)

    # What is

    def _look_at_processes(self) -> bool:
        """Take in what the processes told and which of them ended; True if anything is other than before."""
        before = {slot: seat.actual() for slot, seat in self.seats.items()}
        for slot, seat in list(self.seats.items()):
            if seat.process is not None and (status := seat.process.poll()) is not None:
                self._bury(slot, seat, seat.process, status)
        return before != {slot: seat.actual() for slot, seat in self.seats.items()}

    def _bury(self, slot: Slot, seat: Seat, process: Process, status: int) -> None:
        process.close()
        if seat.is_ending:
            del self.seats[slot]
            log.info("%s ended (status %d)", slot.kind, status)
            return
        words, lived_s = process.last_words(), self.parts.clock.monotonic_s() - seat.began_s
        log.warning("%s ended by itself (status %d): %s", slot.kind, status, words)
        self._try_again_later(slot, seat, lived_s, words, status)

    def _try_again_later(self, slot: Slot, seat: Seat, lived_s: float, words: str, status: int | None) -> None:
        deaths = deaths_in_a_row(seat.deaths, lived_s)
        wait_s, now = wait_before_retry_s(deaths), self.parts.clock.now()
        due_s, retry_at = self.parts.clock.monotonic_s() + wait_s, now + timedelta(seconds=wait_s)
        self.seats[slot] = replace(seat, process=None, deaths=deaths, due_s=due_s, retry_at=retry_at)
        self._troubles[slot.kind] = Trouble(words, status, now)

    # What to do

    def _take_steps(self) -> bool:
        actual = {slot: seat.actual() for slot, seat in self.seats.items()}
        steps = reconcile(self._wanted, actual, self.parts.clock.monotonic_s())
        for step in steps:
            self._take_step(step.deed, step.slot)
        return bool(steps)

    def _take_step(self, deed: Deed, slot: Slot) -> None:
        log.info("%s %s %d", deed, slot.kind, slot.number)
        if deed is Deed.START:
            self._start(slot)
        elif deed is Deed.FORGET:
            del self.seats[slot]
        elif deed is Deed.END:
            self._ask_to_end(self.seats[slot])
        elif (process := self.seats[slot].process) is not None:
            process.kill()
            self.seats[slot].due_s = float("inf")

    def _start(self, slot: Slot) -> None:
        kind, generation = self.kinds[slot.kind], self._wanted[slot.kind].generation
        before = self.seats.get(slot)
        if before is None or before.generation != generation:
            self._troubles.pop(slot.kind, None)
            before = Seat(generation)
        settings = self._fingerprint(kind)  # read first: what changes meanwhile makes it look out of date
        began_s = self.parts.clock.monotonic_s()
        seat = Seat(generation, settings=settings, began_s=began_s, deaths=before.deaths)
        try:
            path = logs.log_file(self.parts.config, slot.kind)
            seat.process = Process(kind.command, processes.lock_of(self.here.folder, slot), path)
        except StillHeld as still:
            words = f"A process of an earlier agent still runs here (number {still}). End it by hand."
            self._try_again_later(slot, seat, 0.0, words, None)
        except OSError as error:
            self._try_again_later(slot, seat, 0.0, str(error), None)
        else:
            self.seats[slot] = seat

    def _fingerprint(self, kind: ServiceKind) -> Mapping[str, str] | None:
        """The settings it starts with; None where its kind fails to tell: that is no reason to leave mail unserved."""
        with self.parts.public.session() as db:
            try:
                return kind.settings_fingerprint(db)
            except OperationalError:
                raise
            except Exception:
                log.exception("the settings of %s cannot be told", kind.name)
                return None

    def _ask_to_end(self, seat: Seat) -> None:
        assert seat.process is not None
        seat.process.end()
        seat.is_ending, seat.due_s = True, self.parts.clock.monotonic_s() + self.times.patience_s

    # What is said

    def _speak(self) -> None:
        """Beat, say what is new of the services, and keep their logs in bounds.  Raises Ousted."""
        now = self.parts.clock.now()
        self._next_beat_s = self.parts.clock.monotonic_s() + self.times.heartbeat_s
        news = self._news(now)
        with self.parts.public.session() as db:
            try:
                rows.beat(db, self.machine_id, self.token, now, self._facts())
            except Ousted:
                if rows.is_known(db, self.machine_id):
                    raise
                return self._register(db)  # an admin forgot this machine: here it is again
            rows.say(db, self.machine_id, news)
            db.commit()
        self._said |= news
        if news:
            self.parts.bus.ring(Bell(Topic.MACHINES))
        for kind in self._own_kinds():
            logs.bound(logs.log_file(self.parts.config, kind))
        return None

    def _facts(self) -> dict[str, str]:
        addresses = ", ".join(self.own_addresses())
        return {"addresses": addresses, "version": identity.own_version()}

    def _news(self, now: datetime) -> dict[str, Report]:
        """The reports that differ from what was said last."""
        found = {}
        for kind in self._own_kinds():
            views = [self.seats[slot].view() for slot in sorted(self.seats) if slot.kind == kind]
            report = reports.report(views, self._troubles.get(kind), self._said.get(kind), now)
            if report != self._said.get(kind):
                found[kind] = report
        return found

    # The end

    def end(self) -> None:
        """End every service, gracefully, then not; say so."""
        running = [seat for seat in self.seats.values() if seat.process is not None]
        for seat in running:
            if not seat.is_ending:
                self._ask_to_end(seat)
        until_s = self.parts.clock.monotonic_s() + self.times.patience_s
        for seat in running:
            assert seat.process is not None
            if not seat.process.wait(max(0.0, until_s - self.parts.clock.monotonic_s())):
                seat.process.kill()
                seat.process.wait(processes.KILLED_WITHIN_S)
            seat.process.close()
        self.seats.clear()
        self._say_goodbye()
        log.info("the agent of %s ended", self.here.name)

    def _say_goodbye(self) -> None:
        with contextlib.suppress(Ousted, OperationalError), self.parts.public.session() as db:
            now = self.parts.clock.now()
            rows.beat(db, self.machine_id, self.token, now, {})
            rows.say(db, self.machine_id, self._news(now))
            db.commit()
            rows.resign(db, self.machine_id, self.token)
        self.parts.bus.ring(Bell(Topic.MACHINES))
