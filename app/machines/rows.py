"""The agent's side of the tables: its machine's row, what is wanted, and what it says of its services.

Whatever an agent writes is conditional on its name in the machine's row: one that was taken for dead changes nothing.
"""

from __future__ import annotations

from collections.abc import Collection, Mapping
from dataclasses import asdict, dataclass
from datetime import datetime

from sqlalchemy import or_, select, update
from sqlalchemy.exc import IntegrityError
from sqlalchemy.orm import Session

from app.db import row_count
from app.machines.identity import Here
from app.machines.models import Desired, Machine, MachineService, MailHome
from app.machines.reports import Report


class Ousted(Exception):
    """Another agent has this machine's row, or the row is gone.  Nothing was written."""


def ensure_machine(db: Session, here: Here) -> int:
    """The id of this machine's row, made where there is none."""
    find = select(Machine.id).where(Machine.uuid == here.uuid)
    found = db.scalar(find)
    if found is None:
        _insert(db, Machine(uuid=here.uuid, name=here.name, work_uuid=here.work_uuid))
        found = db.scalars(find).one()
    facts = {"name": here.name, "work_uuid": here.work_uuid, "work_directory": str(here.work_directory)}
    db.execute(update(Machine).where(Machine.id == found).values(facts))
    db.commit()
    return found


def ensure_services(db: Session, machine_id: int, kinds: Collection[str], desired: Desired = Desired.STOPPED) -> None:
    """A row for each kind; those that are there stay as they are."""
    there = set(db.scalars(select(MachineService.kind).where(MachineService.machine_id == machine_id)))
    for kind in sorted(set(kinds) - there):
        _insert(db, MachineService(machine_id=machine_id, kind=kind, desired=desired))


def _insert(db: Session, row: Machine | MachineService) -> None:
    """Commit a row, unless another process made it in the same moment."""
    db.add(row)
    try:
        db.commit()
    except IntegrityError:
        db.rollback()


def take_charge(db: Session, machine_id: int, token: str, boot: str, now: datetime, dead_before: datetime) -> bool:
    """Make `token` this machine's agent; False while another one lives.

    The caller holds the machine's lock file, so an agent of the same run of the system is gone.
    """
    is_free = or_(
        Machine.agent == "",
        (Machine.boot == boot) & (Machine.boot != ""),
        Machine.heartbeat_at.is_(None),
        Machine.heartbeat_at < dead_before,
    )
    taken = update(Machine).where(Machine.id == machine_id, is_free)
    result = db.execute(taken.values(agent=token, boot=boot, started_at=now, heartbeat_at=now))
    db.commit()
    return row_count(result) == 1


def beat(db: Session, machine_id: int, token: str, now: datetime, facts: Mapping[str, str]) -> None:
    """Say that this agent lives.  Opens the write transaction and does not commit.  Raises Ousted."""
    mine = update(Machine).where(Machine.id == machine_id, Machine.agent == token)
    if row_count(db.execute(mine.values(heartbeat_at=now, **facts))) != 1:
        db.rollback()
        raise Ousted


def say(db: Session, machine_id: int, reports: Mapping[str, Report]) -> None:
    """Write what the services do now, in the transaction that `beat` opened."""
    for kind, report in reports.items():
        row = update(MachineService).where(MachineService.machine_id == machine_id, MachineService.kind == kind)
        db.execute(row.values(asdict(report)))


def resign(db: Session, machine_id: int, token: str) -> None:
    """No agent runs here any more; no effect if another one took charge."""
    mine = update(Machine).where(Machine.id == machine_id, Machine.agent == token)
    db.execute(mine.values(agent="", heartbeat_at=None))
    db.commit()


def is_known(db: Session, machine_id: int) -> bool:
    """Whether the machine has a row: an admin may have forgotten it."""
    return db.scalar(select(Machine.id).where(Machine.id == machine_id)) is not None


@dataclass(frozen=True, slots=True)
class Order:
    """What is wanted of a kind on this machine."""

    running: bool
    generation: int


def find_orders(db: Session, machine_id: int) -> dict[str, Order]:
    """What is wanted here, by kind."""
    columns = select(MachineService.kind, MachineService.desired, MachineService.generation)
    rows = db.execute(columns.where(MachineService.machine_id == machine_id))
    return {row.kind: Order(row.desired is Desired.RUNNING, row.generation) for row in rows}


def find_home(db: Session) -> MailHome | None:
    """Where mail lies; None before hosting began."""
    return db.get(MailHome, 1, populate_existing=True)


def is_mail_elsewhere(db: Session, work_uuid: str) -> bool:
    """Whether mail is kept in a work directory that is not this one."""
    home = find_home(db)
    return home is not None and home.work_uuid != work_uuid
