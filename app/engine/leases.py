"""Leases: which engine works for which account.

Each engine has one row and beats its heart in it.  Claiming an account raises its epoch, and whatever an engine writes
is conditional on its id and the epoch of its lease: one that stalled and wakes up after another took over changes
nothing.  Only this module writes `engine` rows and the lease columns of `mail_account`.
"""

from __future__ import annotations

import os
import socket
from collections.abc import Collection, Mapping
from dataclasses import dataclass
from datetime import datetime

from sqlalchemy import ColumnElement, Select, Update, delete, event, func, or_, select, update
from sqlalchemy.orm import Session

from app.accounts.models import MailAccount
from app.db import Database, row_count
from app.engine.models import Engine


class LeaseLost(Exception):
    """The account is no longer this engine's: taken over, paused, or its row is gone.  Nothing was written."""


@dataclass(frozen=True, slots=True)
class Lease:
    """An account this engine works for; `owner_id` is the user who is rung when its tree changes."""

    engine_id: int
    account_id: int
    epoch: int
    owner_id: int

    def covers(self) -> ColumnElement[bool]:
        """True of the account's row as long as the lease holds."""
        return (
            (MailAccount.id == self.account_id)
            & (MailAccount.engine_id == self.engine_id)
            & (MailAccount.epoch == self.epoch)
        )


def register(db: Session, now: datetime) -> int:
    """A row for this process; its id."""
    engine = Engine(machine=socket.gethostname(), pid=os.getpid(), started_at=now, heartbeat_at=now)
    db.add(engine)
    db.commit()
    return engine.id


def _is_running(pid: int) -> bool:
    try:
        os.kill(pid, 0)
    except ProcessLookupError:
        return False
    except PermissionError:  # somebody else's: alive
        return True
    return True


def beat(db: Session, engine_id: int, now: datetime) -> bool:
    """Say that this engine lives; False if it was buried meanwhile and must register anew."""
    beaten = db.execute(update(Engine).where(Engine.id == engine_id).values(heartbeat_at=now))
    db.commit()
    return row_count(beaten) == 1


def retire(db: Session, engine_id: int) -> None:
    """Remove this engine's row; its accounts are free at once."""
    db.execute(update(MailAccount).where(MailAccount.engine_id == engine_id).values(engine_id=None))
    db.execute(delete(Engine).where(Engine.id == engine_id))
    db.commit()


def bury_dead(db: Session, dead_before: datetime) -> None:
    """Free the accounts of engines whose last heartbeat is older than `dead_before`.

    Those of this machine whose process is gone need not be waited for.
    """
    here = select(Engine.id, Engine.pid).where(Engine.machine == socket.gethostname())
    gone = [row.id for row in db.execute(here) if not _is_running(row.pid)]
    if gone:
        db.execute(update(MailAccount).where(MailAccount.engine_id.in_(gone)).values(engine_id=None))
        db.execute(delete(Engine).where(Engine.id.in_(gone)))
        db.commit()
    dead = db.scalars(select(Engine.id).where(Engine.heartbeat_at < dead_before)).all()
    for engine_id in dead:
        still = select(Engine.id).where(Engine.id == engine_id, Engine.heartbeat_at < dead_before)
        db.execute(update(MailAccount).where(MailAccount.engine_id.in_(still)).values(engine_id=None))
        db.execute(delete(Engine).where(Engine.id == engine_id, Engine.heartbeat_at < dead_before))
        db.commit()


def fair_share(db: Session, sources: Collection[str]) -> int:
    """How many accounts each engine should hold: all that run, divided by all engines, rounded up."""
    engines = db.scalar(select(func.count()).select_from(Engine)) or 1
    accounts = db.scalar(select(func.count()).select_from(MailAccount).where(_runs(sources))) or 0
    return -(-accounts // engines)


def _runs(sources: Collection[str]) -> ColumnElement[bool]:
    return MailAccount.source.in_(sources) & MailAccount.paused.is_(False)


def held(db: Session, engine_id: int, sources: Collection[str]) -> Mapping[int, Lease]:
    """The leases this engine has on accounts that still run, by account id: the truth, to compare with its work."""
    rows = db.execute(_leases(engine_id).where(_runs(sources)))
    return {row.id: Lease(engine_id, row.id, row.epoch, row.owner_id) for row in rows}


def _leases(engine_id: int) -> Select[int, int, int]:
    columns = select(MailAccount.id, MailAccount.epoch, MailAccount.owner_id)
    return columns.where(MailAccount.engine_id == engine_id)


def claim(db: Session, engine_id: int, sources: Collection[str], at_most: int) -> None:
    """Lease up to `at_most` free accounts, oldest first; two engines that claim at once never get the same one."""
    free = MailAccount.engine_id.is_(None) & _runs(sources)
    wanted = db.scalars(select(MailAccount.id).where(free).order_by(MailAccount.id).limit(max(at_most, 0))).all()
    for account_id in wanted:
        claimed = update(MailAccount).where(MailAccount.id == account_id, free)
        db.execute(claimed.values(engine_id=engine_id, epoch=MailAccount.epoch + 1))
        db.commit()


def release(db: Session, lease: Lease) -> None:
    """Give the account back; no effect if it is somebody else's by now."""
    db.execute(update(MailAccount).where(lease.covers()).values(engine_id=None))
    db.commit()


def release_idle(db: Session, engine_id: int, sources: Collection[str]) -> None:
    """Give back what must not run any more: paused accounts, and sources the mode switched off."""
    stopped = or_(MailAccount.source.not_in(sources), MailAccount.paused.is_(True))
    db.execute(update(MailAccount).where(MailAccount.engine_id == engine_id, stopped).values(engine_id=None))
    db.commit()


def hold(db: Session, lease: Lease) -> None:
    """Keep the lease until this transaction ends: nobody can take the account over in between.

    Opens the write transaction.  Raises LeaseLost.
    """
    if row_count(db.execute(_touch(lease))) != 1:
        db.rollback()
        raise LeaseLost


def _touch(lease: Lease) -> Update:
    return update(MailAccount).where(lease.covers()).values(epoch=lease.epoch)


def leased_session(database: Database, lease: Lease) -> Session:
    """A session whose every commit is conditional on the lease: once that is lost it raises LeaseLost."""
    session = database.session()

    @event.listens_for(session, "before_commit")
    def hold_to_the_end(db: Session) -> None:
        if row_count(db.connection().execute(_touch(lease))) != 1:
            raise LeaseLost

    return session
