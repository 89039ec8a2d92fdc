"""Leases: shared fairly, taken over from the dead, and worth nothing to an engine that stalled."""

from __future__ import annotations

import os
from collections.abc import Callable
from datetime import timedelta

import pytest
from sqlalchemy import delete, select, update
from sqlalchemy.orm import Session

from app.accounts.models import MailAccount
from app.engine import leases
from app.engine.leases import Lease, LeaseLost, leased_session
from app.engine.models import Engine
from app.engine.queries import engine_is_alive
from app.runtime import Runtime
from app.users.models import User
from tests.conftest import FakeClock
from tests.factories import make_account

IMAP = frozenset({"imap"})


@pytest.fixture
def make_engine(db: Session, clock: FakeClock) -> Callable[[], int]:
    """Another engine, on a machine of its own."""

    def make_engine() -> int:
        engine = Engine(machine="elsewhere", pid=1, started_at=clock.now(), heartbeat_at=clock.now())
        db.add(engine)
        db.commit()
        return engine.id

    return make_engine


def claim_one(db: Session, engine_id: int) -> Lease:
    leases.claim(db, engine_id, IMAP, 1)
    (lease,) = leases.held(db, engine_id, IMAP).values()
    return lease


def test_two_engines_never_hold_the_same_account(db: Session, alice: User, make_engine: Callable[[], int]) -> None:
    accounts = {make_account(db, alice).id for _ in range(5)}
    first, second = make_engine(), make_engine()
    leases.claim(db, first, IMAP, 3)
    leases.claim(db, second, IMAP, 10)
    ours, theirs = leases.held(db, first, IMAP).keys(), leases.held(db, second, IMAP).keys()
    assert len(ours) == 3
    assert not ours & theirs
    assert ours | theirs == accounts


@pytest.mark.parametrize(("accounts", "engines", "share"), [(0, 1, 0), (3, 1, 3), (3, 2, 2), (4, 2, 2), (5, 3, 2)])
def test_a_fair_share_is_rounded_up(
    db: Session, alice: User, make_engine: Callable[[], int], accounts: int, engines: int, share: int
) -> None:
    for _ in range(accounts):
        make_account(db, alice)
    for _ in range(engines):
        make_engine()
    make_account(db, alice, paused=True)
    make_account(db, alice, source="mailsite")
    assert leases.fair_share(db, IMAP) == share


def test_the_accounts_of_a_dead_engine_are_free(
    db: Session, alice: User, clock: FakeClock, make_engine: Callable[[], int]
) -> None:
    make_account(db, alice)
    dead = make_engine()
    old = claim_one(db, dead)
    clock.advance(15)
    living = make_engine()
    clock.advance(10)
    leases.bury_dead(db, clock.now() - timedelta(seconds=20))
    new = claim_one(db, living)
    assert new.epoch > old.epoch
    assert not leases.beat(db, dead, clock.now()), "it must notice that it was buried"
    assert leases.beat(db, living, clock.now())


def test_an_engine_that_stalled_writes_nothing(
    parts: Runtime, db: Session, alice: User, make_engine: Callable[[], int]
) -> None:
    account = make_account(db, alice)
    stalled = claim_one(db, make_engine())
    work = leased_session(parts.public, stalled)
    mine = work.get_one(MailAccount, account.id)
    db.execute(update(MailAccount).values(engine_id=None))
    db.commit()
    claim_one(db, make_engine())
    mine.sync_done = 77
    with pytest.raises(LeaseLost):
        work.commit()
    work.close()
    assert db.scalar(select(MailAccount.sync_done)) == 0
    with leased_session(parts.public, stalled) as again, pytest.raises(LeaseLost):
        leases.hold(again, stalled)


def test_an_engine_that_got_the_account_back_has_no_use_of_its_old_lease(
    parts: Runtime, db: Session, alice: User, make_engine: Callable[[], int]
) -> None:
    make_account(db, alice)
    engine = make_engine()
    old = claim_one(db, engine)
    leases.release(db, old)
    new = claim_one(db, engine)
    with leased_session(parts.public, old) as work, pytest.raises(LeaseLost):
        leases.hold(work, old)
    with leased_session(parts.public, new) as work:
        leases.hold(work, new)
        work.commit()


def test_a_release_of_somebody_elses_account_changes_nothing(
    db: Session, alice: User, make_engine: Callable[[], int]
) -> None:
    make_account(db, alice)
    old = claim_one(db, make_engine())
    leases.release(db, old)
    new = claim_one(db, make_engine())
    leases.release(db, old)
    assert leases.held(db, new.engine_id, IMAP) == {new.account_id: new}


def test_a_removed_account_is_no_longer_held(
    parts: Runtime, db: Session, alice: User, make_engine: Callable[[], int]
) -> None:
    account = make_account(db, alice)
    lease = claim_one(db, make_engine())
    db.execute(delete(MailAccount).where(MailAccount.id == account.id))
    db.commit()
    assert leases.held(db, lease.engine_id, IMAP) == {}
    with leased_session(parts.public, lease) as work, pytest.raises(LeaseLost):
        leases.hold(work, lease)


def test_paused_accounts_and_switched_off_sources_are_given_back(
    db: Session, alice: User, make_engine: Callable[[], int]
) -> None:
    runs, paused = make_account(db, alice), make_account(db, alice)
    engine = make_engine()
    leases.claim(db, engine, IMAP, 5)
    paused.paused = True
    db.commit()
    leases.release_idle(db, engine, IMAP)
    assert leases.held(db, engine, IMAP).keys() == {runs.id}
    leases.release_idle(db, engine, frozenset())
    assert db.scalars(select(MailAccount.engine_id)).all() == [None, None]


def test_an_engine_of_this_machine_whose_process_is_gone_is_buried_at_once(
    db: Session, alice: User, clock: FakeClock
) -> None:
    make_account(db, alice)
    first = leases.register(db, clock.now())
    claim_one(db, first)
    db.execute(update(Engine).values(pid=2**22 + 1))  # beyond what Linux gives
    db.commit()
    second = leases.register(db, clock.now())
    leases.bury_dead(db, clock.now() - timedelta(seconds=20))
    assert db.scalars(select(Engine.id)).all() == [second]
    assert claim_one(db, second).engine_id == second


def test_an_engine_of_this_machine_that_runs_stays(db: Session, clock: FakeClock) -> None:
    first = leases.register(db, clock.now())
    assert db.scalar(select(Engine.pid)) == os.getpid()
    second = leases.register(db, clock.now())
    leases.bury_dead(db, clock.now() - timedelta(seconds=20))
    assert set(db.scalars(select(Engine.id))) == {first, second}


def test_retiring_frees_the_accounts(db: Session, alice: User, make_engine: Callable[[], int]) -> None:
    make_account(db, alice)
    engine = make_engine()
    claim_one(db, engine)
    leases.retire(db, engine)
    assert db.scalars(select(Engine.id)).all() == []
    assert db.scalars(select(MailAccount.engine_id)).all() == [None]


def test_pages_know_whether_an_engine_lives(db: Session, clock: FakeClock, make_engine: Callable[[], int]) -> None:
    assert not engine_is_alive(db, clock.now())
    make_engine()
    assert engine_is_alive(db, clock.now())
    clock.advance(21)
    assert not engine_is_alive(db, clock.now())
