"""Probes."""

import subprocess
import sys

import pytest
from alembic.script import ScriptDirectory
from sqlalchemy import text

from app import migrate
from app.engine.models import Engine
from app.mail_services.modes import Mode


@pytest.fixture
def config(sqlite_config):
    """The database does not matter here."""
    return sqlite_config


def test_the_process_is_alive(anonymous):
    assert anonymous.get("/healthz").status_code == 200


def test_a_fresh_installation_is_ready(anonymous):
    answer = anonymous.get("/readyz")
    assert (answer.status_code, answer.json["engine"]) == (200, "not needed")


def test_a_mode_with_mail_needs_a_beating_heart(anonymous, db, set_mode, clock):
    set_mode(Mode.EXTERNAL)
    assert anonymous.get("/readyz").status_code == 503
    db.add(Engine(machine="mx-1", pid=1, started_at=clock.now(), heartbeat_at=clock.now()))
    db.commit()
    assert anonymous.get("/readyz").json["engine"] == "ok"
    clock.advance(60)
    assert anonymous.get("/readyz").json["engine"] == "not running"


def test_a_database_behind_its_revisions_is_not_ready(anonymous, parts):
    with parts.private.engine.begin() as link:
        link.execute(text("UPDATE alembic_version SET version_num = 'private_0000'"))
    answer = anonymous.get("/readyz")
    assert (answer.status_code, answer.json["private database"]) == (503, "not migrated")


def test_a_database_that_does_not_answer_is_not_ready_and_nothing_leaks(anonymous, parts, monkeypatch):
    def broken(*_args):
        from sqlalchemy.exc import OperationalError

        raise OperationalError("SELECT secret", {}, Exception("password=hunter2"))

    monkeypatch.setattr("app.migrate.revisions", broken)
    answer = anonymous.get("/readyz")
    assert (answer.status_code, answer.json["public database"]) == (503, "no answer")
    assert "hunter2" not in answer.text


def test_a_database_without_tables_is_not_migrated(anonymous, parts):
    with parts.private.engine.begin() as link:
        link.execute(text("DROP TABLE alembic_version"))
    assert anonymous.get("/readyz").json["private database"] == "not migrated"


@pytest.mark.parametrize("branch", ["app", "private"])
def test_the_newest_revision_is_alembics(parts, branch):
    scripts = ScriptDirectory.from_config(migrate.alembic_config(parts.public, branch))
    assert migrate.newest_revision(branch) == scripts.get_current_head()


def test_a_probe_loads_no_alembic(tmp_path):
    """In a process of its own: other tests migrate."""
    asked = (
        "import sys; from app import migrate; from app.db import Database; "
        f"print(migrate.revisions(Database('sqlite:///{tmp_path}/none.db'), 'app'), 'alembic' in sys.modules)"
    )
    said = subprocess.run([sys.executable, "-c", asked], capture_output=True, text=True, check=True).stdout
    assert said.split() == ["(None,", f"'{migrate.newest_revision('app')}')", "False"]
