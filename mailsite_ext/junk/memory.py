"""The rows of junk filters: what is read to judge, what is written to learn.  The caller commits."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Collection, Mapping
from datetime import datetime
from typing import Any

import sqlalchemy as sa
from sqlalchemy.dialects import postgresql, sqlite
from sqlalchemy.orm import Session

from app.extension_api import Base, row_count
from mailsite_ext.domains.models import Mailbox
from mailsite_ext.junk.models import JunkFilter, JunkLesson, JunkWord
from mailsite_ext.junk.score import FEWEST, Learned
from mailsite_ext.storage.catalogue_sql import Link

MOST_WORDS = 100_000
MOST_LESSONS = 20_000
KEPT = 0.9
"""Of a full table, so that it is full again only after a while."""


def find_trained(db: Session, mailboxes: Collection[str]) -> Mapping[int, tuple[str, Learned]]:
    """Filters that are on and have learned enough to judge: the mailbox's id → its name and what was learned."""
    query = sa.select(JunkFilter, Mailbox.name).join(Mailbox, Mailbox.id == JunkFilter.mailbox_id)
    ready = JunkFilter.is_on & (JunkFilter.good >= FEWEST) & (JunkFilter.junk >= FEWEST)
    rows = db.execute(query.where(Mailbox.name.in_(mailboxes), ready))
    return {each.mailbox_id: (name, Learned(each.good, each.junk)) for each, name in rows}


def known_words(link: Link, mailbox_ids: Collection[int], words: Collection[str]) -> dict[int, dict[str, Learned]]:
    """Those of the words that filters know, by one query."""
    found: defaultdict[int, dict[str, Learned]] = defaultdict(dict)
    query = (
        f"SELECT mailbox_id, word, good, junk FROM mailsite_junk_word "  # noqa: S608  words of ours, values bound
        f"WHERE mailbox_id {link.in_list} AND word {link.in_list}"
    )
    for mailbox_id, word, good, junk in link.rows(query, [link.listed(mailbox_ids), link.listed(words)]):
        found[mailbox_id][word] = Learned(good, junk)
    return found


def find_lesson(db: Session, mailbox_id: int, email_id: str) -> JunkLesson | None:
    return db.get(JunkLesson, (mailbox_id, email_id))


def known_lessons(db: Session, mailbox_id: int, email_ids: Collection[str]) -> Collection[str]:
    """Those of the messages that were learned."""
    mine = sa.select(JunkLesson.email_id).where(JunkLesson.mailbox_id == mailbox_id)
    return set(db.scalars(mine.where(JunkLesson.email_id.in_(email_ids))))


def claim_lesson(db: Session, mailbox_id: int, email_id: str, now: datetime, *, is_junk: bool, again: bool) -> bool:
    """Write down that a message is learned; False: another process did.  `again`: it was learned as the other kind."""
    key = {"mailbox_id": mailbox_id, "email_id": email_id}
    new = {"is_junk": is_junk, "day": now.toordinal()}
    if again:
        turned = sa.update(JunkLesson).filter_by(**key, is_junk=not is_junk).values(new)
        return row_count(db.execute(turned)) == 1
    made = _insert(db, JunkLesson).values(key | new).on_conflict_do_nothing().returning(JunkLesson.email_id)
    return db.scalar(made) is not None


def count(db: Session, mailbox_id: int, words: Collection[str], change: Learned, now: datetime) -> None:
    """Add a message's words, or take them away: what was forgotten meanwhile does not become less than none."""
    start = {"good": max(0, change.good), "junk": max(0, change.junk)}
    totals = _insert(db, JunkFilter).values(mailbox_id=mailbox_id, is_on=True, **start)
    db.execute(totals.on_conflict_do_update(index_elements=["mailbox_id"], set_=_changed(JunkFilter, change)))
    rows = [{"mailbox_id": mailbox_id, "word": word, "day": now.toordinal(), **start} for word in sorted(words)]
    each = _insert(db, JunkWord)
    changed = _changed(JunkWord, change) | {"day": each.excluded.day}
    if rows:
        db.execute(each.on_conflict_do_update(index_elements=["mailbox_id", "word"], set_=changed), rows)


def _changed(model: type[JunkFilter | JunkWord], change: Learned) -> dict[str, Any]:
    return {"good": _at_least_0(model.good + change.good), "junk": _at_least_0(model.junk + change.junk)}


def _at_least_0(value: sa.ColumnElement[int]) -> sa.ColumnElement[int]:
    return sa.case((value < 0, 0), else_=value)


def _insert(db: Session, model: type[Base]) -> Any:
    dialect = postgresql if db.get_bind().dialect.name == "postgresql" else sqlite
    return dialect.insert(model)


def age(db: Session, mailbox_id: int) -> None:
    """Keep both tables bounded: words seen once go first, the oldest of them; then what was not seen for longest."""
    surplus = _surplus(db, JunkWord, mailbox_id, MOST_WORDS)
    if surplus:
        rarest_first = (sa.case((JunkWord.good + JunkWord.junk > 1, 1), else_=0), JunkWord.day, JunkWord.word)
        doomed = sa.select(JunkWord.word).filter_by(mailbox_id=mailbox_id).order_by(*rarest_first).limit(surplus)
        db.execute(sa.delete(JunkWord).where(JunkWord.mailbox_id == mailbox_id, JunkWord.word.in_(doomed)))
    surplus = _surplus(db, JunkLesson, mailbox_id, MOST_LESSONS)
    if surplus:
        oldest = sa.select(JunkLesson.email_id).filter_by(mailbox_id=mailbox_id)
        doomed = oldest.order_by(JunkLesson.day, JunkLesson.email_id).limit(surplus)
        db.execute(sa.delete(JunkLesson).where(JunkLesson.mailbox_id == mailbox_id, JunkLesson.email_id.in_(doomed)))


def _surplus(db: Session, model: type[JunkWord | JunkLesson], mailbox_id: int, most: int) -> int:
    rows = db.scalar(sa.select(sa.func.count()).select_from(model).filter_by(mailbox_id=mailbox_id)) or 0
    return rows - int(most * KEPT) if rows > most else 0


def forget(db: Session, mailbox_id: int) -> None:
    """Everything that was learned; whether the filter is on stays."""
    for model in (JunkWord, JunkLesson):
        db.execute(sa.delete(model).where(model.mailbox_id == mailbox_id))
    db.execute(sa.update(JunkFilter).where(JunkFilter.mailbox_id == mailbox_id).values(good=0, junk=0))


def switch(db: Session, mailbox_id: int, *, is_on: bool) -> None:
    new = _insert(db, JunkFilter).values(mailbox_id=mailbox_id, is_on=is_on, good=0, junk=0)
    db.execute(new.on_conflict_do_update(index_elements=["mailbox_id"], set_={"is_on": is_on}))
