"""The engine's side: who is named by messages the mirror has, a little at a time, behind everything people wait for."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from contextlib import AbstractContextManager
from dataclasses import replace
from datetime import datetime
from typing import Any

import sqlalchemy as sa
from sqlalchemy import func, select
from sqlalchemy.exc import IntegrityError
from sqlalchemy.orm import Session

from app.accounts.models import MailAccount
from app.errors import NotFound
from app.mirror.models import Folder
from app.mirror.rows import MESSAGE, lock_account
from app.people import store
from app.people.meeting import Letter, Met, people_of
from app.people.models import PeopleRead
from app.people.ranking import together
from app.sources import Role

AT_ONCE = 100
"""Messages in one commit, so that it takes no longer than some 30 ms."""
STEPS = 50
"""Commits of one account in a round; the engine does one a minute."""
PASSED_OVER = frozenset({Role.JUNK, Role.TRASH, Role.DRAFTS})
SENT = "\\Sent"  # Gmail's label
Turn = Callable[[], AbstractContextManager[None]]


def collect(db: Session, now: datetime, turn: Turn) -> None:
    """One round over all accounts; `turn` is entered around each commit: bulk waits its turn."""
    for account_id, owner_id in db.execute(select(MailAccount.id, MailAccount.owner_id)).all():
        for _ in range(STEPS):
            first = _find_next(db, account_id)
            if first is None:
                break
            with turn():
                if not step(db, account_id, owner_id, first, now):
                    break


def of_account(account_id: int) -> sa.ColumnElement[bool]:
    """No index leads from an account to its newest rows.  The sum keeps SQLite from one that leads to all of them: by
    the primary key only what came since is looked at.
    """
    return (MESSAGE.c.account_id + 0) == account_id


def _find_next(db: Session, account_id: int) -> int | None:
    """The first message that was not looked at.  Asked before the lock: for a new account it may lie far behind the
    mail of others.
    """
    read = select(PeopleRead.message_id).where(PeopleRead.account_id == account_id).scalar_subquery()
    newer = select(MESSAGE.c.id).where(MESSAGE.c.id > func.coalesce(read, 0), of_account(account_id))
    found = db.scalar(newer.order_by(MESSAGE.c.id).limit(1))
    db.rollback()
    return found


def step(db: Session, account_id: int, owner_id: int, first: int, now: datetime) -> bool:
    """Look through AT_ONCE messages of an account, from `first` on; False if another writer was faster, or it is gone.

    The account's lock is held: nobody stores messages meanwhile, so none that comes later has a smaller id.
    """
    try:
        lock_account(db, account_id)
        _read_on(db, account_id, owner_id, first, now)
        db.commit()
    except (IntegrityError, NotFound):
        db.rollback()
        return False
    return True


def _read_on(db: Session, account_id: int, owner_id: int, first: int, now: datetime) -> None:
    mark = db.get(PeopleRead, account_id, populate_existing=True) or PeopleRead(account_id=account_id, message_id=0)
    newest = db.scalar(select(func.max(MESSAGE.c.id))) or 0
    rows = _next_rows(db, account_id, max(first, mark.message_id + 1))
    own = store.own_keys(db, owner_id)
    meet(db, owner_id, list(people_of((_letter(row) for row in rows if _counts(row)), own, now).values()))
    mark.message_id = rows[-1].id if len(rows) == AT_ONCE else max(newest, mark.message_id)
    db.add(mark)


def _next_rows(db: Session, account_id: int, first: int) -> Sequence[Any]:
    columns = (
        MESSAGE.c[name] for name in ("id", "from_name", "from_address", "received_at", "header", "labels", "draft")
    )
    of_folder = select(*columns, Folder.role).join(Folder, Folder.id == MESSAGE.c.folder_id)
    newer = of_folder.where(MESSAGE.c.id >= first, of_account(account_id))
    return db.execute(newer.order_by(MESSAGE.c.id).limit(AT_ONCE)).all()


def _counts(row: sa.Row[Any]) -> bool:
    return row.role not in PASSED_OVER and not row.draft


def _letter(row: sa.Row[Any]) -> Letter:
    is_sent = row.role is Role.SENT or SENT in row.labels.splitlines()
    return Letter(row.from_name, row.from_address, row.received_at, row.header, is_sent)


def meet(db: Session, user_id: int, met: Sequence[Met]) -> None:
    """Add who is new, give those known their weight.  A name once known stays: From is anybody's to write."""
    known = store.known(db, user_id, [one.address.key for one in met])
    again = {row.id: replace(one, name=row.name or one.name, weight=together(row.weight, one.weight))
             for one in met if (row := known.get(one.address.key))}  # fmt: skip
    named = {row.id for row in known.values() if not row.name and again[row.id].name}
    store.weigh(db, {row_id: one.weight for row_id, one in again.items()})
    store.rename(db, user_id, {row_id: again[row_id] for row_id in sorted(named)})
    new = [one for one in met if one.address.key not in known]
    store.add(db, user_id, new)
    if new:
        store.trim(db, user_id)
