"""Real processes and a real Dovecot: what is delivered is mirrored, whoever is killed."""

from __future__ import annotations

import os
import shutil
import signal
import subprocess
import sys
from collections.abc import Callable, Iterator, Sequence
from dataclasses import replace

import pytest
from sqlalchemy import select
from sqlalchemy.orm import Session

from app import runtime
from app.accounts.endpoint import Tls
from app.accounts.models import MailAccount
from app.config import Config
from app.engine.models import Engine
from app.mail_services.models import MailServices
from app.mail_services.modes import Mode
from app.mirror.models import Message
from app.users.models import User
from tests.conftest import START
from tests.factories import make_account
from tests.fake_messages import simple_message
from tests.servers.certificates import Authority
from tests.servers.dovecot import Dovecot, MailUser
from tests.servers.engine import is_running, run_engine, run_gunicorn, run_process, wait_for

pytestmark = pytest.mark.servers


@pytest.fixture
def site(sqlite_config: Config, authority: Authority) -> Iterator[runtime.Runtime]:
    """An installation that may reach loopback and trusts the tests' certificate authority."""
    parts = runtime.build(replace(sqlite_config, tls_ca_file=str(authority.ca)))
    with parts.public.session() as db:
        db.add(MailServices(id=1, mode=Mode.EXTERNAL, private_hosts="localhost\n127.0.0.0/8\n::1", cleartext_hosts=""))
        db.commit()
    yield parts
    parts.dispose()


@pytest.fixture
def site_db(site: runtime.Runtime) -> Iterator[Session]:
    with site.public.session() as session:
        yield session


def add_account(site: runtime.Runtime, dovecot: Dovecot, user: MailUser) -> int:
    """An account of somebody new on the real server."""
    with site.public.session() as db:
        owner = User(email=f"owner-of-{user.name}", created_at=START)
        db.add(owner)
        db.flush()
        account = make_account(
            db,
            owner,
            address=user.name,
            vault=site.vault,
        )
        account.imap_host, account.imap_port, account.imap_tls = dovecot.host, dovecot.imaps_port, Tls.IMPLICIT
        account.sealed_imap_password = site.vault.seal(f"mail_account.imap_password:{account.uuid}", user.password)
        db.commit()
        return account.id


def subjects(db: Session, account_id: int) -> Sequence[str]:
    return db.scalars(select(Message.subject).where(Message.account_id == account_id).order_by(Message.id)).all()


def engines(db: Session) -> dict[int, int]:
    """Engine id → process id."""
    return {row.id: row.pid for row in db.execute(select(Engine.id, Engine.pid))}


def owners(db: Session) -> dict[int, int | None]:
    """Account id → engine id."""
    return {row.id: row.engine_id for row in db.execute(select(MailAccount.id, MailAccount.engine_id))}


def test_delivered_mail_appears_and_a_killed_engine_comes_back(
    site: runtime.Runtime, site_db: Session, dovecot: Dovecot, mail_user: MailUser, free_port: Callable[[], int]
) -> None:
    dovecot.deliver(mail_user, simple_message("First"))
    account = add_account(site, dovecot, mail_user)
    log = site.config.work_directory / "gunicorn.log"
    with run_gunicorn(site.config, free_port()) as web:
        wait_for(lambda: subjects(site_db, account) == ["First"], "the first message", log)
        dovecot.deliver(mail_user, simple_message("Second"))
        wait_for(lambda: "Second" in subjects(site_db, account), "new mail by IDLE", log)
        ((first, pid),) = engines(site_db).items()
        os.kill(pid, signal.SIGKILL)
        dovecot.deliver(mail_user, simple_message("Third"))
        wait_for(lambda: first not in engines(site_db) and engines(site_db), "another engine", log)
        wait_for(lambda: "Third" in subjects(site_db, account), "mail delivered while none ran", log)
        (pid,) = engines(site_db).values()
    wait_for(lambda: not is_running(pid), "the engine to end with gunicorn", log)
    assert engines(site_db) == {}
    assert owners(site_db) == {account: None}
    assert mail_user.password not in log.read_text()
    assert web.returncode == 0


def test_a_killed_master_takes_its_engine_along(
    site: runtime.Runtime, site_db: Session, free_port: Callable[[], int]
) -> None:
    with run_gunicorn(site.config, free_port()) as web:
        wait_for(lambda: engines(site_db), "an engine")
        (pid,) = engines(site_db).values()
        web.kill()
        wait_for(lambda: not is_running(pid), "the engine to end")
        assert engines(site_db) == {}


def test_an_engine_whose_parent_ended_before_it_was_ready_ends(site: runtime.Runtime) -> None:
    log = site.config.work_directory / "engine.log"
    command = [sys.executable, "-m", "flask", "--app", "wsgi", "engine", "run", "--parent", "1"]
    with run_process(command, site.config, log) as engine:
        assert engine.wait(30) == 0, log.read_text()


def test_two_engines_share_and_one_takes_over(site: runtime.Runtime, site_db: Session, dovecot: Dovecot) -> None:
    accounts = {add_account(site, dovecot, dovecot.add_user()): None for _ in range(4)}
    user = dovecot.add_user()
    watched = add_account(site, dovecot, user)
    accounts[watched] = None
    log = site.config.work_directory / "engine.log"
    with run_engine(site.config) as first, run_engine(site.config):
        wait_for(lambda: sorted(held(site_db).values()) == [2, 3], "a fair share each", log)
        first.kill()
        first.wait()
        wait_for(lambda: list(held(site_db).values()) == [5], "the other to take over", log)
        dovecot.deliver(user, simple_message("Still here"))
        wait_for(lambda: subjects(site_db, watched) == ["Still here"], "mail after the take-over")


def held(db: Session) -> dict[int, int]:
    """How many accounts each living engine has."""
    found = [engine for engine in owners(db).values() if engine is not None]
    return {engine: found.count(engine) for engine in engines(db)}


def test_a_row_deleted_by_hand_closes_the_connections(
    site: runtime.Runtime, site_db: Session, dovecot: Dovecot, mail_user: MailUser
) -> None:
    """As N5 says: with the sqlite3 shell, without a bell."""
    if shutil.which("sqlite3") is None:
        pytest.skip("the sqlite3 shell is not installed: a row deleted by hand was not tested")
    dovecot.deliver(mail_user, simple_message("Gone soon"))
    account = add_account(site, dovecot, mail_user)
    with run_engine(site.config):
        wait_for(lambda: subjects(site_db, account) == ["Gone soon"], "the first message")
        assert connections(dovecot, mail_user)
        database = site.config.work_directory / "satchel.db"
        subprocess.run(
            ["sqlite3", "-cmd", ".timeout 9000", str(database), f"DELETE FROM mail_account WHERE id = {account}"],
            check=True,
        )
        wait_for(lambda: not connections(dovecot, mail_user), "the connections to close")
        assert subjects(site_db, account) == []


def connections(dovecot: Dovecot, user: MailUser) -> int:
    return sum(user.name in line for line in dovecot.doveadm("who").splitlines())
