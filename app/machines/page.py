"""What Manage Machines shows, put together from rows; the words are in the templates and in `views`."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta

from sqlalchemy import select
from sqlalchemy.orm import Session

from app.engine.models import Engine
from app.machines.agent import AgentTimes
from app.machines.kinds import ENGINE, ServiceKind
from app.machines.models import Desired, Machine, MachineService, MailHome, ServiceState
from app.machines.rows import find_home
from app.machines.service import UP, WhyNot, why_not
from app.machines.stale import Difference, differences
from app.mail_services.modes import SWITCHES, Switches
from app.mail_services.service import current_mode

DEAD_AFTER = timedelta(seconds=AgentTimes().dead_after_s)


@dataclass(frozen=True, slots=True)
class ServiceView:
    """One row of the table."""

    id: int
    kind: str
    title: str
    desired: Desired
    state: ServiceState
    since: datetime | None
    pids: str
    addresses: str
    row: MachineService
    stale: Sequence[Difference]
    why_not: WhyNot | None
    is_unwatched: bool  # nobody tells what it does now: the agent is silent
    has_log: bool

    @property
    def is_up(self) -> bool:
        return self.state in UP

    @property
    def runs_unwanted(self) -> bool:
        """It runs on in a mode that has no use for it, and the page says so (M5)."""
        return self.is_up and self.why_not is WhyNot.MODE


@dataclass(frozen=True, slots=True)
class MachineView:
    """One panel."""

    row: Machine
    services: Sequence[ServiceView]
    is_alive: bool  # its agent or an engine of it was heard lately
    has_agent: bool
    heard_at: datetime | None
    heard_s: int
    up_s: int

    @property
    def is_stale(self) -> bool:
        return any(service.stale for service in self.services)


@dataclass(frozen=True, slots=True)
class Circumstances:
    """What is the same for all machines."""

    now: datetime
    kinds: Mapping[str, ServiceKind]
    switches: Switches
    home: MailHome | None
    fingerprints: Mapping[str, Mapping[str, str]]


def circumstances(db: Session, kinds: Mapping[str, ServiceKind], now: datetime) -> Circumstances:
    fingerprints = {name: kind.settings_fingerprint(db) for name, kind in kinds.items()}
    return Circumstances(now, kinds, SWITCHES[current_mode(db)], find_home(db), fingerprints)


def machines(db: Session, around: Circumstances) -> Sequence[MachineView]:
    """Every machine, by name."""
    services: defaultdict[int, list[MachineService]] = defaultdict(list)
    for service in db.scalars(select(MachineService).order_by(MachineService.id)):
        services[service.machine_id].append(service)
    engines: defaultdict[str, list[Engine]] = defaultdict(list)
    for engine in db.scalars(select(Engine).where(Engine.heartbeat_at >= around.now - DEAD_AFTER).order_by(Engine.id)):
        engines[engine.machine].append(engine)
    rows = db.scalars(select(Machine).order_by(Machine.name, Machine.id))
    return [machine_view(row, services[row.id], engines[row.name], around) for row in rows]


def machine_view(
    row: Machine, services: Sequence[MachineService], engines: Sequence[Engine], around: Circumstances
) -> MachineView:
    has_agent = row.heartbeat_at is not None and row.heartbeat_at >= around.now - DEAD_AFTER
    heard_at = max((at for at in (row.heartbeat_at, *(engine.heartbeat_at for engine in engines)) if at), default=None)
    starts = (row.started_at if has_agent else None, *(engine.started_at for engine in engines))
    began = min((at for at in starts if at), default=around.now)
    views = [service_view(row, service, engines, has_agent, around) for service in services]
    return MachineView(
        row=row,
        services=[view for view in views if is_shown(view)],
        is_alive=has_agent or bool(engines),
        has_agent=has_agent,
        heard_at=heard_at,
        heard_s=max(0, int((around.now - heard_at).total_seconds())) if heard_at else 0,
        up_s=max(0, int((around.now - began).total_seconds())),
    )


def is_shown(service: ServiceView) -> bool:
    """What can be started in this mode, or runs all the same."""
    return service.why_not not in (WhyNot.MODE, WhyNot.UNKNOWN) or service.state is not ServiceState.STOPPED


def service_view(
    machine: Machine, row: MachineService, engines: Sequence[Engine], has_agent: bool, around: Circumstances
) -> ServiceView:
    kind = around.kinds.get(row.kind)
    is_engine = row.kind == ENGINE.name
    state = engine_state(engines) if is_engine else row.state
    stored = around.fingerprints.get(row.kind, {})
    return ServiceView(
        id=row.id,
        kind=row.kind,
        title=kind.title() if kind else row.kind,
        desired=row.desired,
        state=state,
        since=min((engine.started_at for engine in engines), default=None) if is_engine else row.since,
        pids=", ".join(str(engine.pid) for engine in engines) if is_engine else row.pids,
        addresses=row.addresses,
        row=row,
        stale=in_words(differences(row.settings, stored), kind)
        if kind and row.settings is not None and state in UP
        else (),
        why_not=why_not(kind, machine, around.home, around.switches),
        is_unwatched=not is_engine and not has_agent,
        has_log=not is_engine,
    )


def in_words(found: Sequence[Difference], kind: ServiceKind) -> Sequence[Difference]:
    """Differences with the titles of the settings for their names."""
    return [difference._replace(name=kind.setting_title(difference.name)) for difference in found]


def engine_state(engines: Sequence[Engine]) -> ServiceState:
    """An engine is seen while its heart beats, and only then."""
    return ServiceState.RUNNING if engines else ServiceState.STOPPED
