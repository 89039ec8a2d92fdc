"""People are met in the mirror's messages: each message counts once, Junk never, and there is an end to it."""

from __future__ import annotations

from contextlib import nullcontext

import pytest
from sqlalchemy import delete, event, select

from app.accounts.models import MailAccount
from app.mirror.models import Message
from app.people import collect, store
from app.people.collect import collect as look_through
from app.people.models import PeopleRead, Person, PersonWord
from app.people.ranking import GOT_FROM, WROTE_TO, together, weight_of
from app.sources import Role
from app.users.models import User
from tests.conftest import START
from tests.factories import make_account, make_folder, make_message
from tests.webmail.possessions import sqlite_only


@pytest.fixture
def account(db, alice):
    return make_account(db, alice, address="alice@example.net")


@pytest.fixture
def inbox(db, account):
    return make_folder(db, account)


def _look(db):
    look_through(db, START, nullcontext)


def _got(db, folder, address, name="", **columns):
    return make_message(db, folder, from_address=address, from_name=name, received_at=START, **columns)


def _weights(db) -> dict[str, float]:
    db.rollback()
    return {row.address: row.weight for row in db.scalars(select(Person).order_by(Person.id))}


def test_who_wrote_and_whom_one_wrote_to(db, account, inbox):
    sent = make_folder(db, account, "Sent", Role.SENT)
    make_message(db, sent, received_at=START, header=b"To: Bob <bob@example.org>\r\n")
    _got(db, inbox, "maren@example.com", "Maren Holt")
    _look(db)
    assert _weights(db) == {
        "bob@example.org": weight_of(START, WROTE_TO),
        "maren@example.com": weight_of(START, GOT_FROM),
    }
    assert db.scalars(select(Person.name)).all() == ["Bob", "Maren Holt"]
    words = db.scalars(select(PersonWord.word).join(Person).where(Person.key == "bob@example.org"))
    assert set(words) == {"bob@example.org", "bob", "example", "org"}


def test_each_message_counts_once_and_news_are_added(db, inbox, monkeypatch):
    monkeypatch.setattr(collect, "AT_ONCE", 2)
    for _ in range(5):
        _got(db, inbox, "a@example.org")
    _look(db)
    once = _weights(db)["a@example.org"]
    assert once == pytest.approx(weight_of(START, 5 * GOT_FROM))
    _look(db)
    assert _weights(db)["a@example.org"] == once
    _got(db, inbox, "a@example.org")
    _look(db)
    assert _weights(db)["a@example.org"] == pytest.approx(together(once, weight_of(START, GOT_FROM)))
    assert len(set(db.scalars(select(PersonWord.weight)))) == 1  # words carry the weight of their address


@sqlite_only
@pytest.mark.parametrize("role", [Role.JUNK, Role.TRASH, Role.DRAFTS])
def test_some_folders_are_passed_over(db, account, role):
    _got(db, make_folder(db, account, "There", role), "a@example.org")
    _look(db)
    assert _weights(db) == {}


@sqlite_only
def test_from_alone_makes_nobody_somebody_one_wrote_to(db, account, inbox):
    """Anybody writes a From: only the folder of sent mail, or Gmail's label, says whom one wrote to."""
    _got(db, inbox, "alice@example.net", header=b"To: Boss <boss@evil.example>\r\n")
    _look(db)
    assert _weights(db) == {}
    all_mail = make_folder(db, account, "All Mail", Role.ALL)
    _got(db, all_mail, "alice@example.net", header=b"To: Bob <bob@example.org>\r\n", labels="\\Important\n\\Sent")
    _look(db)
    assert _weights(db) == {"bob@example.org": weight_of(START, WROTE_TO)}


@sqlite_only
def test_a_name_once_known_stays(db, inbox):
    for name in ("", "Maren", "Boss"):
        _got(db, inbox, "maren@example.com", name)
        _look(db)
    assert db.scalars(select(Person.name)).all() == ["Maren"]
    assert "maren" in db.scalars(select(PersonWord.word)).all()


@sqlite_only
def test_those_least_known_are_forgotten(db, inbox, monkeypatch):
    monkeypatch.setattr(store, "MAX_PEOPLE", 4)
    monkeypatch.setattr(store, "TRIMMED_TO", 3)
    for number in (1, 2, 3, 3, 4, 4, 5):
        _got(db, inbox, f"p{number}@example.org")
    _look(db)
    assert set(_weights(db)) == {"p3@example.org", "p4@example.org", "p5@example.org"}
    assert set(db.scalars(select(PersonWord.person_id))) == set(db.scalars(select(Person.id)))


@sqlite_only
def test_people_of_two_accounts_are_the_owners(db, alice, bob, inbox):
    _got(db, make_folder(db, make_account(db, alice)), "a@example.org")
    _got(db, inbox, "a@example.org")
    _got(db, make_folder(db, make_account(db, bob)), "a@example.org")
    _look(db)
    rows = db.scalars(select(Person).order_by(Person.user_id)).all()
    assert [(row.user_id, row.address) for row in rows] == [(alice.id, "a@example.org"), (bob.id, "a@example.org")]


def test_all_goes_with_the_user_and_the_mark_with_the_account(db, alice, account, inbox):
    _got(db, inbox, "a@example.org")
    _look(db)
    db.execute(delete(MailAccount).where(MailAccount.id == account.id))
    db.commit()
    assert db.scalars(select(PeopleRead)).all() == []
    assert len(_weights(db)) == 1
    db.execute(delete(User).where(User.id == alice.id))
    db.commit()
    for table in (Person, PersonWord):
        assert db.scalars(select(table)).all() == []


@sqlite_only
def test_where_nothing_came_nothing_is_written(db, parts, inbox):
    _got(db, inbox, "a@example.org")
    _look(db)
    written = []
    event.listen(
        parts.public.engine, "before_cursor_execute",
        lambda _c, _cursor, sql, *_: written.append(sql) if not sql.startswith("SELECT") else None,
    )  # fmt: skip
    _look(db)
    assert written == []


@sqlite_only
def test_only_what_came_since_is_looked_at(db, parts, inbox):
    """By the primary key: an account's older mail, however much, costs nothing."""
    newer = select(Message.id).where(Message.id > 5, collect.of_account(inbox.account_id)).order_by(Message.id)
    sql = str(newer.compile(parts.public.engine, compile_kwargs={"literal_binds": True}))
    plan = db.connection().exec_driver_sql(f"EXPLAIN QUERY PLAN {sql}").all()
    assert [row[3] for row in plan] == ["SEARCH message USING INTEGER PRIMARY KEY (rowid>?)"]
