"""What an admin does on the page: start, stop, restart, forget.  Intent alone is stored (N1); agents carry it out."""

from __future__ import annotations

from collections.abc import Collection, Mapping, Sequence
from datetime import datetime, timedelta
from enum import StrEnum
from typing import NamedTuple

from sqlalchemy import delete, or_, select, update
from sqlalchemy.exc import IntegrityError
from sqlalchemy.orm import Session

from app.bus import Bell, Topic
from app.db import row_count
from app.engine.models import Engine
from app.errors import MailError, NotFound
from app.machines.agent import AgentTimes
from app.machines.kinds import ServiceKind
from app.machines.models import Desired, Machine, MachineService, MailHome, ServiceState
from app.machines.rows import find_home
from app.machines.stale import differences
from app.mail_services.modes import SWITCHES, Switches
from app.mail_services.service import current_mode
from app.runtime import Runtime

UP = (ServiceState.STARTING, ServiceState.RUNNING)
RUNS = MachineService.state.not_in([ServiceState.STOPPED, ServiceState.FAILED])


class WhyNot(StrEnum):
    """Why a service may not be started on a machine."""

    MODE = "mode"  # the mode has no use for it
    ELSEWHERE = "elsewhere"  # mail is kept in another machine's work directory
    UNKNOWN = "unknown"  # no part of this installation knows the kind


class StartRefused(MailError):
    """The service may not run there now; `why` says why, `home` where mail is kept."""

    def __init__(self, why: WhyNot, home: MailHome | None = None) -> None:
        super().__init__(why.value)
        self.why, self.home = why, home


def why_not(kind: ServiceKind | None, machine: Machine, home: MailHome | None, switches: Switches) -> WhyNot | None:
    """Why this kind may not be started on this machine; None: it may."""
    if kind is None:
        return WhyNot.UNKNOWN
    if not kind.runs(switches):
        return WhyNot.MODE
    if kind.keeps_mail and home is not None and home.work_uuid != machine.work_uuid:
        return WhyNot.ELSEWHERE
    return None


def start(parts: Runtime, db: Session, kinds: Mapping[str, ServiceKind], service_id: int) -> MachineService:
    """Want the service running, with processes that begin from now on: restarts it too.

    The first service that keeps mail makes its machine's work directory the home of all mail.
    Raises NotFound, StartRefused.
    """
    service = db.get(MachineService, service_id)
    if service is None:
        raise NotFound
    machine, kind = db.get_one(Machine, service.machine_id), kinds.get(service.kind)
    home = find_home(db)
    if kind is not None and kind.keeps_mail and home is None and kind.runs(SWITCHES[current_mode(db)]):
        home = _claim_home(db, machine, parts.clock.now())
    if refusal := why_not(kind, machine, home, SWITCHES[current_mode(db)]):
        raise StartRefused(refusal, home)
    values = {"desired": Desired.RUNNING, "generation": MachineService.generation + 1}
    db.execute(update(MachineService).where(MachineService.id == service_id).values(values))
    db.commit()
    parts.bus.ring(Bell(Topic.MACHINES))
    return service


def _claim_home(db: Session, machine: Machine, now: datetime) -> MailHome | None:
    """Mail lies in this machine's work directory from here on, unless another was quicker."""
    found = MailHome(
        id=1, work_uuid=machine.work_uuid, machine_name=machine.name, work_directory=machine.work_directory, since=now
    )
    db.add(found)
    try:
        db.commit()
    except IntegrityError:
        db.rollback()
    return find_home(db)


def stop(parts: Runtime, db: Session, service_ids: Collection[int]) -> None:
    """Want the services stopped."""
    db.execute(update(MachineService).where(MachineService.id.in_(service_ids)).values(desired=Desired.STOPPED))
    db.commit()
    parts.bus.ring(Bell(Topic.MACHINES))


def get_service(db: Session, service_id: int) -> MachineService:
    """Raises NotFound."""
    found = db.get(MachineService, service_id)
    if found is None:
        raise NotFound
    return found


def restart_stale(parts: Runtime, db: Session, kinds: Mapping[str, ServiceKind], machine_id: int) -> int:
    """Restart what runs on a machine with settings of the past; how many.  Raises NotFound, StartRefused."""
    if db.get(Machine, machine_id) is None:
        raise NotFound
    stale = [service.id for service in services_of(db, machine_id) if is_stale(db, kinds.get(service.kind), service)]
    for service_id in stale:
        start(parts, db, kinds, service_id)
    return len(stale)


def is_stale(db: Session, kind: ServiceKind | None, service: MachineService) -> bool:
    """Whether it runs with other settings than those that are stored."""
    if kind is None or service.settings is None or service.state not in UP:
        return False
    return bool(differences(service.settings, kind.settings_fingerprint(db)))


def services_of(db: Session, machine_id: int) -> Sequence[MachineService]:
    return db.scalars(select(MachineService).where(MachineService.machine_id == machine_id)).all()


class Running(NamedTuple):
    """A service that runs: with which settings, and on which ports it listens; none are known while it starts."""

    settings: Mapping[str, str]
    ports: frozenset[int]


def running_services(db: Session, kind: str) -> Sequence[Running]:
    """Each of a kind, on any machine; one that is still stopping counts."""
    columns = select(MachineService.settings, MachineService.addresses)
    rows = db.execute(columns.where(MachineService.kind == kind, RUNS).order_by(MachineService.id))
    return [Running(row.settings or {}, _ports(row.addresses)) for row in rows]


def _ports(addresses: str) -> frozenset[int]:
    """Of "0.0.0.0:25, [::]:25"."""
    texts = (address.rpartition(":")[2].strip() for address in addresses.split(","))
    return frozenset(int(text) for text in texts if text.isascii() and text.isdigit())


def running_settings(db: Session, kind: str) -> Sequence[Mapping[str, str]]:
    """With which settings each service of a kind runs."""
    return [running.settings for running in running_services(db, kind)]


def running_addresses(db: Session, kind: str) -> Sequence[str]:
    """From which addresses the machines speak to the world that a service of the kind runs on."""
    machines = select(Machine.addresses).join(MachineService, MachineService.machine_id == Machine.id)
    found = db.scalars(machines.where(MachineService.kind == kind, RUNS).order_by(Machine.id))
    return [text.strip() for listed in found for text in listed.split(",") if text.strip()]


class Hosted(NamedTuple):
    """A service that would run on in a mode without use for it."""

    id: int
    title: str
    machine: str


def would_run_on(db: Session, kinds: Mapping[str, ServiceKind], switches: Switches) -> Sequence[Hosted]:
    """What agents run, or are wanted to, that a mode with these switches has no use for (M5)."""
    useless = [name for name, kind in kinds.items() if kind.command and not kind.runs(switches)]
    runs = or_(MachineService.desired == Desired.RUNNING, MachineService.state != ServiceState.STOPPED)
    found = select(MachineService.id, MachineService.kind, Machine.name).join(
        Machine, Machine.id == MachineService.machine_id
    )
    rows = db.execute(found.where(MachineService.kind.in_(useless), runs).order_by(MachineService.id))
    return [Hosted(row.id, kinds[row.kind].title(), row.name) for row in rows]


def forget(parts: Runtime, db: Session, machine_id: int) -> str:
    """Remove a machine that is silent; its name.  The home of mail is free when nobody has that work directory.

    Raises NotFound, also for a machine that is alive: its page offers no such thing.
    """
    dead_before = parts.clock.now() - timedelta(seconds=AgentTimes().dead_after_s)
    machine = db.get(Machine, machine_id)
    if machine is None:
        raise NotFound
    engines = select(Engine.id).where(Engine.machine == Machine.name, Engine.heartbeat_at >= dead_before)
    is_silent = or_(Machine.heartbeat_at.is_(None), Machine.heartbeat_at < dead_before)
    gone = db.execute(delete(Machine).where(Machine.id == machine_id, is_silent, ~engines.exists()))
    if row_count(gone) != 1:
        db.rollback()
        raise NotFound
    left = select(Machine.id).where(Machine.work_uuid == MailHome.work_uuid)
    db.execute(delete(MailHome).where(~left.exists()))
    db.commit()
    parts.bus.ring(Bell(Topic.MACHINES))
    return machine.name
