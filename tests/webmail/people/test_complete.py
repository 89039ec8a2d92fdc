"""Completion: who is found by what, in which order, whose they are, and at what price with 20,000 people."""

from __future__ import annotations

import pytest
from sqlalchemy import text

from app.compose.addresses import Address
from app.mail_services.modes import Mode
from app.people import store
from app.people.complete import HITS, best, complete
from app.people.meeting import Met
from tests.factories import make_account
from tests.webmail.possessions import sqlite_only

MANY = 20_000
PLANNED = {"sqlite": "USING COVERING INDEX ix_person_word_found", "postgresql": "ix_person_word_found"}


def _add(db, user, *people: tuple[str, str, float]) -> None:
    store.add(db, user.id, [Met(name, Address(name, address), weight) for name, address, weight in people])
    db.commit()


def _found(db, user, query: str) -> list[str]:
    return [hit.address for hit in complete(db, user.id, query)]


@pytest.fixture
def people(db, alice, bob):
    _add(db, alice,
         ("Ines Vidal", "i.vidal@orchard.example", 5.0), ("Vida, Jürgen", "jv@example.org", 7.0),
         ("", "solo_ist@example.org", 6.0), ("Ines", "ines@other.example", 4.0))  # fmt: skip
    _add(db, bob, ("Ines of Bob", "ines@example.org", 99.0))


@pytest.mark.parametrize(("query", "found"), [
    ("ines", ["i.vidal@orchard.example", "ines@other.example"]),  # best known first; none of Bob's
    ("INES v", ["i.vidal@orchard.example"]),
    ("vid", ["jv@example.org", "i.vidal@orchard.example"]),
    ("jur", ["jv@example.org"]), ("Jür", ["jv@example.org"]),
    ("orch", ["i.vidal@orchard.example"]), ("ist", ["solo_ist@example.org"]),
    ("i.vidal@o", ["i.vidal@orchard.example"]),
    ("idal", []), ("", []), (",", []), ("%", []), ("_", []), ("\0", []), ("\U0010ffff", []), ("a' OR 1=1 --", []),
])  # fmt: skip
def test_who_is_found(db, alice, people, query, found):
    assert _found(db, alice, query) == found


def test_oneself_comes_last(db, alice, people):
    _add(db, alice, ("Ines at home", "ines@example.net", 100.0))
    assert _found(db, alice, "ines")[0] == "ines@example.net"
    make_account(db, alice, address="Ines@example.net")
    assert _found(db, alice, "ines") == ["i.vidal@orchard.example", "ines@other.example", "ines@example.net"]


def test_with_20_000_people_one_index_is_read(db, parts, alice):
    for start in range(0, MANY, 2_000):
        numbers = range(start, start + 2_000)
        _add(db, alice, *((f"Name{n} Family{n % 99}", f"p{n}@example.org", n % 997 + n / MANY) for n in numbers))
    if not parts.public.is_sqlite:
        db.execute(text("SET LOCAL statement_timeout = 5000"))  # ms: it once compared all with all, for minutes
    assert len(_found(db, alice, "fam p1")) == HITS  # two words, with no statistics yet
    db.execute(text("ANALYZE"))
    db.commit()
    dialect = parts.public.engine.dialect
    sql = best(alice.id, "exa", 500).compile(parts.public.engine, compile_kwargs={"literal_binds": True})
    explain = "EXPLAIN QUERY PLAN" if dialect.name == "sqlite" else "EXPLAIN"
    rare = best(alice.id, "name1234", 500).compile(parts.public.engine, compile_kwargs={"literal_binds": True})
    for statement in (sql, rare) if dialect.name == "sqlite" else (rare,):
        plan = " ".join(str(row) for row in db.connection().exec_driver_sql(f"{explain} {statement}"))
        assert PLANNED[dialect.name] in plan
    assert len(_found(db, alice, "e")) == HITS
    assert _found(db, alice, "name12345") == ["p12345@example.org"]


@sqlite_only
def test_the_answer_is_json_of_ones_own_people(alice, mallory, people, browser_of, set_mode):
    set_mode(Mode.EXTERNAL)
    answer = browser_of(alice).get("/mail/people/complete?q=vida")
    jurgen, ines = answer.json["hits"]
    assert jurgen == {"name": "Vida, Jürgen", "address": "jv@example.org", "text": '"Vida, Jürgen" <jv@example.org>'}
    assert ines["text"] == "Ines Vidal <i.vidal@orchard.example>"
    assert browser_of(mallory).get("/mail/people/complete?q=vida").json == {"hits": []}


@sqlite_only
def test_nobody_asks_without_signing_in(anonymous, set_mode):
    set_mode(Mode.EXTERNAL)
    assert anonymous.get("/mail/people/complete?q=a").status_code in (302, 303)
