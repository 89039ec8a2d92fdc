"""What the engine tidies once a minute: rows whose parent was deleted by hand, and bodies beyond the cache's bound.

On PostgreSQL foreign keys hold for every client, so there are no orphans.  On SQLite they are off in the sqlite3
shell: triggers take what hangs on an account (N5), this takes what hangs on a folder or message deleted by itself.
Each pass only reads, by indexes, unless there is something to do.
"""

from __future__ import annotations

from datetime import datetime, timedelta
from typing import Any

import sqlalchemy as sa
from sqlalchemy import delete, select, update
from sqlalchemy.orm import InstrumentedAttribute, Session

from app.accounts.models import MailAccount
from app.actions.models import Action, ActionState, BulkDeed
from app.compose.models import Draft, FiledDraft
from app.mirror import bodies
from app.mirror.counters import AT_ONCE, chunks
from app.mirror.models import BodyChunk, BodyRequest, CachedSection, Folder, LabelEntry, Message
from app.outbox.models import Outgoing
from app.users.models import User

MEBIBYTE = 1024 * 1024
UNFINISHED_AFTER = timedelta(hours=1)
ACTIONS_KEPT = timedelta(days=7)

ORPHANS: tuple[tuple[InstrumentedAttribute[Any], InstrumentedAttribute[Any]], ...] = (
    (MailAccount.owner_id, User.id),
    (Folder.account_id, MailAccount.id),
    (Message.folder_id, Folder.id),
    (LabelEntry.folder_id, Folder.id),
    (CachedSection.message_id, Message.id),
    (BodyChunk.section_id, CachedSection.id),
    (BodyRequest.message_id, Message.id),
    (Action.folder_id, Folder.id),
    (Action.target_id, Folder.id),
    (BulkDeed.folder_id, Folder.id),
    (FiledDraft.folder_id, Folder.id),
)
DANGLING: tuple[tuple[InstrumentedAttribute[Any], InstrumentedAttribute[Any]], ...] = (
    (Draft.answers_message_id, Message.id),
    (Outgoing.answers_message_id, Message.id),
)


def sweep(db: Session, now: datetime, *, body_cache_mib: int) -> None:
    """One pass; commits in small steps."""
    if db.get_bind().dialect.name == "sqlite":
        for child, parent in ORPHANS:
            _remove_orphans(db, child, parent)
        for child, parent in DANGLING:
            _unlink(db, child, parent)
    _forget_done(db, now)
    _trim_caches(db, now, body_cache_mib * MEBIBYTE)


def _lost(db: Session, child: InstrumentedAttribute[Any], parent: InstrumentedAttribute[Any]) -> list[int]:
    """Parents that are named and do not exist.

    Distinct names are found by jumping through the child's index, so a folder of 500,000 messages costs one look-up.
    """
    first = select(sa.func.min(child).label("id")).cte("named", recursive=True)
    following = select(sa.func.min(child)).where(child > first.c.id).correlate(first).scalar_subquery()
    named = first.union_all(select(following).where(first.c.id.is_not(None)))
    lost = select(named.c.id).where(named.c.id.is_not(None), named.c.id.not_in(select(parent)))
    return list(db.scalars(lost))


def _remove_orphans(db: Session, child: InstrumentedAttribute[Any], parent: InstrumentedAttribute[Any]) -> None:
    table = child.class_.__table__
    for lost in _lost(db, child, parent):
        left: sa.Select[Any] = select(sa.literal_column("rowid")).select_from(table).where(child == lost)
        while db.execute(left.limit(1)).first():
            db.execute(delete(table).where(sa.literal_column("rowid").in_(left.limit(AT_ONCE))))
            db.commit()


def _unlink(db: Session, child: InstrumentedAttribute[Any], parent: InstrumentedAttribute[Any]) -> None:
    lost = _lost(db, child, parent)
    if lost:
        unlinked = update(child.class_).where(child.in_(lost)).values({child: None})
        db.execute(unlinked, execution_options={"synchronize_session": False})
        db.commit()


def _forget_done(db: Session, now: datetime) -> None:
    """Actions long done: nobody undoes them any more."""
    done = Action.state.not_in((ActionState.PENDING, ActionState.RUNNING)) & (Action.created_at < now - ACTIONS_KEPT)
    for some in chunks(db.scalars(select(Action.id).where(done)).all()):
        db.execute(delete(Action).where(Action.id.in_(some)), execution_options={"synchronize_session": False})
        db.commit()


def _trim_caches(db: Session, now: datetime, most_octets: int) -> None:
    half_done = (CachedSection.octets == bodies.UNFINISHED) & (CachedSection.used_at < now - UNFINISHED_AFTER)
    bodies.forget(db, db.scalars(select(CachedSection.id).where(half_done)).all())
    for owner_id in db.scalars(select(MailAccount.owner_id).distinct()).all():
        bodies.trim(db, owner_id, most_octets)
