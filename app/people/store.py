"""Rows of people: made, weighed, given words.  For services only: nothing here commits."""

from __future__ import annotations

from collections.abc import Collection, Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any, cast

import sqlalchemy as sa
from sqlalchemy import delete, func, insert, select, update
from sqlalchemy.orm import Session, joinedload

from app.accounts.models import Identity, MailAccount
from app.compose.addresses import Address
from app.mirror.counters import chunks
from app.people.models import Person, PersonAddress, PersonWord
from app.people.ranking import fold, words_of

MAX_ADDRESSES = 20_000  # a user
TRIMMED_TO = 19_000
SORT_CHARS = 60
ADDRESS = cast(sa.Table, PersonAddress.__table__)
WORD = cast(sa.Table, PersonWord.__table__)


@dataclass(frozen=True, slots=True)
class Newcomer:
    """Somebody to be added, each address with its weight."""

    name: str
    addresses: Sequence[tuple[Address, float]]
    in_book: bool


def own_keys(db: Session, user_id: int) -> frozenset[str]:
    """The addresses a person writes from."""
    of_user = MailAccount.owner_id == user_id
    written_from = select(Identity.address).join(MailAccount).where(of_user)
    found = db.scalars(written_from.union(select(MailAccount.address).where(of_user)))
    return frozenset(address.casefold() for address in found)


def known(db: Session, user_id: int, keys: Collection[str]) -> Mapping[str, PersonAddress]:
    """The rows of these addresses, by key."""
    found: dict[str, PersonAddress] = {}
    for some in chunks(sorted(keys)):
        mine = select(PersonAddress).where(PersonAddress.user_id == user_id, PersonAddress.key.in_(some))
        fresh = mine.options(joinedload(PersonAddress.person)).execution_options(populate_existing=True)
        found |= {row.key: row for row in db.scalars(fresh)}
    return found


def add(db: Session, user_id: int, newcomers: Sequence[Newcomer]) -> None:
    """None of their addresses is known yet."""
    if not newcomers:
        return
    people = [
        {"user_id": user_id, "name": new.name, "in_book": new.in_book, "sort_key": sort_key(new.name, new.addresses)}
        for new in newcomers
    ]
    made = db.scalars(insert(Person).returning(Person.id, sort_by_parameter_order=True), people).all()
    addresses: list[dict[str, Any]] = [
        {"user_id": user_id, "person_id": person_id, "position": place, "address": address.address,
         "key": address.key, "weight": weight}
        for person_id, new in zip(made, newcomers, strict=True)
        for place, (address, weight) in enumerate(new.addresses)
    ]  # fmt: skip
    ids = db.scalars(insert(PersonAddress).returning(PersonAddress.id, sort_by_parameter_order=True), addresses).all()
    names = [new.name for new in newcomers for _ in new.addresses]
    add_words(db, user_id, [
        (address_id, name, row["address"], row["weight"])
        for address_id, name, row in zip(ids, names, addresses, strict=True)
    ])  # fmt: skip


def sort_key(name: str, addresses: Sequence[tuple[Address, float]]) -> str:
    return fold(name or addresses[0][0].address)[:SORT_CHARS]


def add_words(db: Session, user_id: int, found_by: Iterable[tuple[int, str, str, float]]) -> None:
    """`found_by` are addresses: id, the person's name, the address, its weight."""
    words = [
        {"address_id": address_id, "user_id": user_id, "word": word, "weight": weight}
        for address_id, name, address, weight in found_by
        for word in words_of(name, address)
    ]
    if words:
        db.execute(insert(WORD), words)


def weigh(db: Session, weights: Mapping[int, float]) -> None:
    """Give addresses, by id, these weights."""
    if not weights:
        return
    values = [{"row_id": row_id, "new_weight": weight} for row_id, weight in sorted(weights.items())]
    new: dict[str, Any] = {"weight": sa.bindparam("new_weight")}
    db.execute(update(ADDRESS).where(ADDRESS.c.id == sa.bindparam("row_id")).values(new), values)
    db.execute(update(WORD).where(WORD.c.address_id == sa.bindparam("row_id")).values(new), values)


def rename(db: Session, people: Mapping[int, str]) -> None:
    """Give people, by id, names; and make anew what they are found by."""
    for some in chunks(sorted(people)):
        rows = db.scalars(select(Person).where(Person.id.in_(some)).execution_options(populate_existing=True)).all()
        for row in rows:
            row.name = people[row.id]
        db.flush()
        refresh(db, rows)


def refresh(db: Session, people: Sequence[Person]) -> None:
    """Words and order, after names or addresses changed."""
    ids = [person.id for person in people]
    here = select(PersonAddress).where(PersonAddress.person_id.in_(ids)).order_by(PersonAddress.position)
    rows = db.scalars(here.execution_options(populate_existing=True)).all()
    names = {person.id: person.name for person in people}
    db.execute(delete(WORD).where(WORD.c.address_id.in_([row.id for row in rows])))
    for person in people:
        first = next(row.address for row in rows if row.person_id == person.id)
        person.sort_key = fold(person.name or first)[:SORT_CHARS]
        add_words(db, person.user_id, [
            (row.id, names[person.id], row.address, row.weight) for row in rows if row.person_id == person.id
        ])  # fmt: skip


def remove_empty(db: Session, user_id: int, person_ids: Collection[int]) -> None:
    """Those of the people who have no address any more."""
    has_address = select(PersonAddress.id).where(PersonAddress.person_id == Person.id).exists()
    for some in chunks(sorted(person_ids)):
        empty = Person.user_id == user_id, Person.id.in_(some), ~has_address
        db.execute(delete(Person).where(*empty), execution_options={"synchronize_session": False})


def count(db: Session, user_id: int) -> int:
    """Addresses of a user."""
    rows = select(func.count(PersonAddress.id)).where(PersonAddress.user_id == user_id)
    return db.scalar(rows) or 0


def trim(db: Session, user_id: int) -> None:
    """Forget those least known when there are more than MAX_ADDRESSES; never whom the owner keeps."""
    total = count(db, user_id)
    if total <= MAX_ADDRESSES:
        return
    met = select(PersonAddress.id, PersonAddress.person_id).join(Person)
    met = met.where(PersonAddress.user_id == user_id, Person.in_book.is_(False))
    least = db.execute(met.order_by(PersonAddress.weight, PersonAddress.id).limit(total - TRIMMED_TO)).all()
    for some in chunks([row.id for row in least]):
        db.execute(delete(ADDRESS).where(ADDRESS.c.id.in_(some)))
    remove_empty(db, user_id, {row.person_id for row in least})
