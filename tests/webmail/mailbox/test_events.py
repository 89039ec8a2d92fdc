"""The event stream: whose bells a person hears, how it begins and ends, and how many are served."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import pytest
from flask.testing import FlaskClient
from werkzeug.test import TestResponse

from app.bus import Bell, Topic
from app.mail_services.modes import Mode
from app.web import events
from tests.factories import make_account, make_folder


@pytest.fixture
def config(sqlite_config):
    """Both buses are held to one contract by their own tests."""
    return sqlite_config


@pytest.fixture(autouse=True)
def _mail_is_on(set_mode, monkeypatch):
    set_mode(Mode.EXTERNAL)
    monkeypatch.setattr(events, "HEARTBEAT_S", 0.2)


def opened(browser: FlaskClient) -> tuple[TestResponse, Iterator[Any]]:
    """A stream that has begun: its first event is read."""
    response = browser.get("/events")
    assert response.status_code == 200
    assert response.mimetype == "text/event-stream"
    chunks = iter(response.response)
    assert b"event: refresh" in next(chunks)
    return response, chunks


def next_event(chunks: Iterator[bytes]) -> bytes:
    """The next chunk that says something."""
    return next(chunk for chunk in chunks if chunk != b":\n\n")


def test_a_stream_begins_with_refresh_and_tells_what_rings(browser_of, alice, db, parts):
    folder = make_folder(db, make_account(db, alice))
    response, chunks = opened(browser_of(alice))
    parts.bus.ring(Bell(Topic.FOLDER, folder.id))
    assert next_event(chunks) == f"event: folder\ndata: {folder.id}\n\n".encode()
    parts.bus.ring(Bell(Topic.TREE, alice.id))
    assert next_event(chunks) == f"event: tree\ndata: {alice.id}\n\n".encode()
    response.close()


@pytest.mark.parametrize("topic", [Topic.FOLDER, Topic.TREE, Topic.SENT])
def test_nobody_hears_what_rings_for_another(browser_of, alice, bob, mallory, db, parts, topic):
    folders = {person.id: make_folder(db, make_account(db, person)).id for person in (alice, bob)}

    def bell_for(person):
        return Bell(topic, folders[person.id] if topic is Topic.FOLDER else person.id)

    response, chunks = opened(browser_of(alice))
    parts.bus.ring(bell_for(bob), bell_for(alice))
    mine = bell_for(alice)
    assert next_event(chunks) == f"event: {topic}\ndata: {mine.subject}\n\n".encode()
    response.close()

    response, chunks = opened(browser_of(mallory))
    parts.bus.ring(bell_for(bob), bell_for(alice))
    assert next(chunks) == b":\n\n"
    response.close()


def test_bells_of_others_business_are_not_passed_on(alice, parts):
    owners = events.Owners(parts.public)
    for topic in (Topic.ACTIONS, Topic.BODY_WANTED, Topic.OUTBOX, Topic.ACCOUNT, Topic.BODY_READY):
        assert not events.is_for(Bell(topic, alice.id), alice.id, owners)


def test_a_folder_that_is_gone_is_nobodys(parts):
    assert events.Owners(parts.public).find(123) is None


def test_an_idle_stream_beats_and_ends_in_time(browser_of, alice, clock):
    response, chunks = opened(browser_of(alice))
    assert next(chunks) == b":\n\n"
    clock.advance(events.LONGEST_S)
    assert list(chunks) == []
    response.close()


def test_a_changed_setting_ends_the_stream_so_that_the_browser_asks_again(browser_of, alice, parts, set_mode):
    browser = browser_of(alice)
    response, chunks = opened(browser)
    set_mode(Mode.DISABLED)
    parts.bus.ring(Bell(Topic.SETTINGS))
    assert b"event" not in b"".join(chunks)
    response.close()
    assert browser.get("/events").status_code == 404


def test_beyond_the_seats_the_page_is_told_to_ask_instead(app, browser_of, alice, monkeypatch):
    monkeypatch.setitem(app.extensions, "satchel_seats", events.Seats(1))
    first, _chunks = opened(browser_of(alice))
    refused = browser_of(alice).get("/events")
    assert refused.status_code == 503
    assert refused.headers["Retry-After"] == "60"
    first.close()
    again, _chunks = opened(browser_of(alice))
    again.close()


def test_a_stream_is_for_people_who_are_signed_in(anonymous):
    assert anonymous.get("/events").status_code == 401


def test_a_stream_holds_no_database_connection(browser_of, alice, parts):
    before = parts.public.engine.pool.checkedout()
    response, _chunks = opened(browser_of(alice))
    assert parts.public.engine.pool.checkedout() == before
    response.close()
