"""A database that is locked, full, absent or without its tables: the page says so and what to do, and nothing more."""

from __future__ import annotations

import logging
import os
import sqlite3
from contextlib import closing
from pathlib import Path
from uuid import uuid4

import pytest
import sqlalchemy as sa
from sqlalchemy import event

from app import create_app, runtime
from app.mail_services.modes import Mode

LETTER = "Dear Bob, nobody else is to read this"


@pytest.fixture
def config(sqlite_config):
    """Files that are taken away are SQLite's."""
    return sqlite_config


@pytest.fixture
def save(alice, browser_of, set_mode, app):
    """Alice saves a draft."""
    set_mode(Mode.EXTERNAL)
    app.config["PROPAGATE_EXCEPTIONS"] = False
    browser = browser_of(alice)
    return lambda: browser.post(f"/mail/draft/{uuid4()}", data={"version": "0", "text": LETTER})


def is_plain(page) -> bool:
    """What happened and what to do, and none of what stands behind it."""
    hidden = ("Traceback", "sqlite", "SELECT", "INSERT", "OperationalError", ".py", LETTER)
    return "Go to the start" in page.text and not any(word in page.text for word in hidden)


def hurry(parts) -> None:
    """Connections that wait for a lock no longer than a test should."""
    parts.public.engine.dispose()
    event.listen(parts.public.engine, "connect", lambda link, _record: link.execute("PRAGMA busy_timeout=20"))


def file_of(database) -> Path:
    return Path(database.url.database)


def test_another_program_holds_the_lock(parts, save):
    hurry(parts)
    with closing(sqlite3.connect(file_of(parts.public), isolation_level=None)) as other:
        other.execute("BEGIN IMMEDIATE")
        page = save()
        assert (page.status_code, page.headers["Retry-After"]) == (503, "10")
        assert "The database is busy" in page.text
        assert is_plain(page)
    assert save().status_code == 303


def test_the_disk_is_full(parts, save, caplog):
    event.listen(parts.public.engine, "checkout", lambda link, *_: link.execute("PRAGMA max_page_count=1"))
    answers = [save() for _ in range(40)]
    full = next(page for page in answers if page.status_code != 303)
    assert full.status_code == 507
    assert "no room left" in full.text
    assert is_plain(full)
    assert LETTER not in caplog.text


def test_the_tables_are_gone(parts, save):
    with parts.public.engine.begin() as link:
        link.execute(sa.text("DROP TABLE user_session"))
    page = save()
    assert page.status_code == 503
    assert "flask doctor" in page.text
    assert is_plain(page)


@pytest.mark.parametrize(("which", "address"), [
    *(("public", address) for address in ("/sign-in", "/mail", "/setup/abc")),
    *(("private", address) for address in ("/", "/sign-in", "/mail", "/nowhere", "/setup/abc")),
])  # fmt: skip
def test_a_database_file_is_missing(parts, config, clock, which, address):
    parts.dispose()
    os.unlink(file_of(getattr(parts, which)))
    anew = runtime.build(config, clock=clock)
    app = create_app(parts=anew)
    app.config["PROPAGATE_EXCEPTIONS"] = False
    browser = app.test_client()
    page = browser.get(address)
    assert page.status_code == 503
    assert is_plain(page)
    assert browser.get("/readyz").status_code == 503
    assert browser.get("/healthz").status_code == 200
    anew.dispose()


def test_what_people_wrote_is_not_in_the_log(parts, save, caplog, monkeypatch):
    """A statement that fails is logged without its values."""
    caplog.set_level(logging.DEBUG)
    with parts.public.engine.begin() as link:
        link.execute(sa.text("CREATE TRIGGER broken BEFORE INSERT ON draft BEGIN SELECT RAISE(ABORT, 'broken'); END"))
    monkeypatch.setattr("app.compose.service.IntegrityError", ZeroDivisionError)
    page = save()
    assert page.status_code == 500
    assert "Something in Satchel failed" in page.text
    assert "broken" in caplog.text
    assert LETTER not in caplog.text
    assert LETTER not in page.text
