"""Completion: whose name or address has words that begin with what was typed, best known first.

One look into one index, whatever the size of the address book; see PersonWord.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import sqlalchemy as sa
from sqlalchemy import select
from sqlalchemy.orm import Session

from app.compose.addresses import Address
from app.people.models import Person, PersonAddress
from app.people.ranking import MAX_WORDS, terms_of
from app.people.store import WORD, own_keys

HITS = 8
OWN_AT_MOST = 40  # addresses of one's own that may stand before others
BEYOND = "\U0010ffff"  # after everything that begins with a term


@dataclass(frozen=True, slots=True)
class Hit:
    """An address that was found."""

    name: str
    address: str

    @property
    def text(self) -> str:
        """As a field of the composer holds it."""
        return str(Address(self.name, self.address))


def complete(db: Session, user_id: int, query: str, limit: int = HITS) -> Sequence[Hit]:
    """The best known people of a user whose words begin with each word of `query`; oneself comes last."""
    terms = terms_of(query)
    if not terms:
        return ()
    own = own_keys(db, user_id)
    wanted = limit + min(len(own), OWN_AT_MOST)
    chosen = list(dict.fromkeys(db.scalars(best(user_id, terms, wanted * MAX_WORDS))))[:wanted]
    place = {address_id: number for number, address_id in enumerate(chosen)}
    found = select(PersonAddress.id, PersonAddress.key, PersonAddress.address, Person.name).join(Person)
    rows = db.execute(found.where(PersonAddress.id.in_(chosen))).all()
    rows = sorted(rows, key=lambda row: (row.key in own, place[row.id]))
    return [Hit(row.name, row.address) for row in rows[:limit]]


def best(user_id: int, terms: Sequence[str], limit: int) -> sa.Select[int]:
    """Ids of addresses, one for each word that fits, the best known first."""
    first, *others = terms
    found = select(WORD.c.address_id).where(_begins(WORD, user_id, first))
    for term in others:
        other = WORD.alias()
        # By the primary key, one address at a time: a count is no join, of which PostgreSQL
        # would compare all with all while its statistics are old.
        of_same = (other.c.address_id == WORD.c.address_id) & (other.c.word >= term) & (other.c.word < term + BEYOND)
        found = found.where(select(sa.func.count()).select_from(other).where(of_same).scalar_subquery() > 0)
    return found.order_by(WORD.c.weight.desc(), WORD.c.address_id).limit(limit)


def _begins(words: sa.FromClause, user_id: int, term: str) -> sa.ColumnElement[bool]:
    return (words.c.user_id == user_id) & (words.c.word >= term) & (words.c.word < term + BEYOND)
