"""Rows of people: made, weighed, given words.  For services only: nothing here commits."""

from __future__ import annotations

from collections.abc import Collection, Iterable, Mapping, Sequence
from typing import Any, cast

import sqlalchemy as sa
from sqlalchemy import delete, func, insert, select, update
from sqlalchemy.orm import Session

from app.accounts.models import Identity, MailAccount
from app.mirror.counters import chunks
from app.people.meeting import Met
from app.people.models import Person, PersonWord
from app.people.ranking import words_of

MAX_PEOPLE = 20_000  # of a user
TRIMMED_TO = 19_000
PERSON = cast(sa.Table, Person.__table__)
WORD = cast(sa.Table, PersonWord.__table__)


def own_keys(db: Session, user_id: int) -> frozenset[str]:
    """The addresses a person writes from."""
    of_user = MailAccount.owner_id == user_id
    written_from = select(Identity.address).join(MailAccount).where(of_user)
    found = db.scalars(written_from.union(select(MailAccount.address).where(of_user)))
    return frozenset(address.casefold() for address in found)


def known(db: Session, user_id: int, keys: Collection[str]) -> Mapping[str, Person]:
    """The rows of these addresses, by key."""
    found: dict[str, Person] = {}
    for some in chunks(sorted(keys)):
        mine = select(Person).where(Person.user_id == user_id, Person.key.in_(some))
        found |= {row.key: row for row in db.scalars(mine.execution_options(populate_existing=True))}
    return found


def add(db: Session, user_id: int, met: Sequence[Met]) -> None:
    """None of their addresses is known yet."""
    if not met:
        return
    rows = [
        {"user_id": user_id, "name": one.name, "address": one.address.address, "key": one.address.key,
         "weight": one.weight}
        for one in met
    ]  # fmt: skip
    ids = db.scalars(insert(Person).returning(Person.id, sort_by_parameter_order=True), rows).all()
    _add_words(db, user_id, zip(ids, met, strict=True))


def _add_words(db: Session, user_id: int, people: Iterable[tuple[int, Met]]) -> None:
    words = [
        {"person_id": person_id, "user_id": user_id, "word": word, "weight": met.weight}
        for person_id, met in people
        for word in words_of(met.name, met.address.address)
    ]
    db.execute(insert(WORD), words)


def weigh(db: Session, weights: Mapping[int, float]) -> None:
    """Give people, by id, these weights."""
    if not weights:
        return
    values = [{"row_id": row_id, "new_weight": weight} for row_id, weight in sorted(weights.items())]
    new: dict[str, Any] = {"weight": sa.bindparam("new_weight")}
    db.execute(update(PERSON).where(PERSON.c.id == sa.bindparam("row_id")).values(new), values)
    db.execute(update(WORD).where(WORD.c.person_id == sa.bindparam("row_id")).values(new), values)


def rename(db: Session, user_id: int, people: Mapping[int, Met]) -> None:
    """Give people, by id, their names and weights; and make anew what they are found by."""
    if not people:
        return
    for person_id, met in people.items():
        db.execute(update(PERSON).where(PERSON.c.id == person_id).values(name=met.name))
    db.execute(delete(WORD).where(WORD.c.person_id.in_(people)))
    _add_words(db, user_id, people.items())


def trim(db: Session, user_id: int) -> None:
    """Forget those least known when there are more than MAX_PEOPLE."""
    mine = PERSON.c.user_id == user_id
    total = db.scalar(select(func.count()).select_from(PERSON).where(mine)) or 0
    if total <= MAX_PEOPLE:
        return
    least = select(PERSON.c.id).where(mine).order_by(PERSON.c.weight, PERSON.c.id).limit(total - TRIMMED_TO)
    for some in chunks(db.scalars(least).all()):
        db.execute(delete(PERSON).where(PERSON.c.id.in_(some)))
