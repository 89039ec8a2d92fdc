"""A person's junk filter: switched on and off, and made to forget."""

from __future__ import annotations

from sqlalchemy import func, select
from sqlalchemy.orm import Session

from mailsite_ext.junk import memory
from mailsite_ext.junk.models import JunkFilter, JunkWord


def get_filter(db: Session, mailbox_id: int) -> JunkFilter:
    """The filter of a mailbox; a fresh one is on and knows nothing."""
    return db.get(JunkFilter, mailbox_id) or JunkFilter(mailbox_id=mailbox_id, is_on=True, good=0, junk=0)


def count_words(db: Session, mailbox_id: int) -> int:
    return db.scalar(select(func.count()).select_from(JunkWord).where(JunkWord.mailbox_id == mailbox_id)) or 0


def switch(db: Session, mailbox_id: int, *, is_on: bool) -> None:
    memory.switch(db, mailbox_id, is_on=is_on)
    db.commit()


def forget(db: Session, mailbox_id: int) -> None:
    memory.forget(db, mailbox_id)
    db.commit()
