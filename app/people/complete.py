"""Completion: whose name or address has words that begin with what was typed, best known first.

A look into one index for each word that was typed, whatever the size of the address book; see PersonWord.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import sqlalchemy as sa
from sqlalchemy import select
from sqlalchemy.orm import Session

from app.compose.addresses import Address
from app.people.models import Person
from app.people.ranking import MAX_WORDS, terms_of
from app.people.store import WORD, own_keys

HITS = 8
MOST_COMPARED = 2_000  # words that fit one term and are held against the others
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
    chosen = _fitting(db, user_id, terms, wanted * MAX_WORDS)[:wanted]
    place = {person_id: number for number, person_id in enumerate(chosen)}
    found = db.execute(select(Person.id, Person.key, Person.address, Person.name).where(Person.id.in_(chosen))).all()
    rows = sorted(found, key=lambda row: (row.key in own, place[row.id]))
    return [Hit(row.name, row.address) for row in rows[:limit]]


def _fitting(db: Session, user_id: int, terms: Sequence[str], limit: int) -> Sequence[int]:
    """Ids of people that fit all terms, the best known first.

    One statement a term: joined into one, PostgreSQL compares all with all while its statistics are old.
    """
    longest, *others = sorted(terms, key=len, reverse=True)
    found = list(dict.fromkeys(db.scalars(best(user_id, longest, MOST_COMPARED if others else limit))))
    for term in others:
        fitting = select(WORD.c.person_id).where(WORD.c.person_id.in_(found), _begins(WORD, user_id, term))
        ids = set(db.scalars(fitting))
        found = [person_id for person_id in found if person_id in ids]
    return found


def best(user_id: int, term: str, limit: int) -> sa.Select[int]:
    """Ids of people, one for each word that fits, the best known first."""
    found = select(WORD.c.person_id).where(_begins(WORD, user_id, term))
    return found.order_by(WORD.c.weight.desc(), WORD.c.person_id).limit(limit)


def _begins(words: sa.FromClause, user_id: int, term: str) -> sa.ColumnElement[bool]:
    return (words.c.user_id == user_id) & (words.c.word >= term) & (words.c.word < term + BEYOND)
