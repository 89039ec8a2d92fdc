"""Whole views of Gmail's labels: built when a label appears, counted when All Mail is complete, emptied.

See `labels.py` for the messages in them.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import sqlalchemy as sa
from sqlalchemy import delete, select, update
from sqlalchemy.orm import Session, aliased

from app.mirror import labels, rows
from app.mirror.counters import AT_ONCE, chunks
from app.mirror.labels import ENTRY, STARRED
from app.mirror.models import Folder, LabelEntry, Message
from app.sources import Role


def complete(db: Session, store_id: int) -> None:
    """All Mail's first sync is through: from here on the counters of its views are the mirror's own, too."""
    for view in labels.views_of(db, store_id):
        _complete(db, view.id)


def reopen(db: Session, store_id: int) -> None:
    """All Mail starts over: until it is complete again the server counts what its views hold."""
    for view in labels.views_of(db, store_id):
        _set(db, view.id, {"complete": False})


def build_missing(db: Session, account_id: int) -> None:
    """Fill the views of labels that appeared after All Mail was complete; commits in small steps."""
    store = aliased(Folder)
    views = select(Folder.id, Folder.label, store.id.label("store_id")).join(
        store, store.account_id == Folder.account_id
    )
    missing = views.where(
        Folder.account_id == account_id,
        Folder.label.is_not(None),
        Folder.complete.is_(False),
        store.role == Role.ALL,
        store.label.is_(None),
        store.complete.is_(True),
    )
    for row in db.execute(missing).all():
        _build(db, account_id, row.store_id, row.id, row.label)


def _build(db: Session, account_id: int, store_id: int, view_id: int, label: str) -> None:
    """One walk through All Mail; messages that change meanwhile show themselves in the view."""
    has_label = sa.text("message.flagged") if label == STARRED else Message.labels.contains(label, autoescape=True)
    for some in chunks(db.scalars(select(Message.id).where(Message.folder_id == store_id, has_label)).all()):
        rows.lock_account(db, account_id)
        labels.show(db, store_id, some, counted=False)
        db.commit()
    rows.lock_account(db, account_id)
    _complete(db, view_id)
    db.commit()


def empty(db: Session, account_id: int, folder_id: int) -> None:
    """Remove what a view shows; the messages stay in All Mail.  Commits in small steps."""
    some = select(ENTRY.c.message_id).where(ENTRY.c.folder_id == folder_id).limit(AT_ONCE)
    while shown := db.scalars(some).all():
        rows.lock_account(db, account_id)
        db.execute(delete(ENTRY).where(ENTRY.c.folder_id == folder_id, ENTRY.c.message_id.in_(shown)))
        db.commit()


def _complete(db: Session, view_id: int) -> None:
    total = select(sa.func.count()).select_from(LabelEntry).where(LabelEntry.folder_id == view_id)
    unread = total.where(sa.text("NOT label_entry.seen"))
    _set(db, view_id, {"total": total.scalar_subquery(), "unread": unread.scalar_subquery(), "complete": True})
    labels.note_changed(db, [view_id])


def _set(db: Session, view_id: int, values: Mapping[str, Any]) -> None:
    changed = update(Folder).where(Folder.id == view_id).values(**values)
    db.execute(changed, execution_options={"synchronize_session": False})
