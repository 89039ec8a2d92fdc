"""Drafts, files and outgoing mail are their writer's alone."""

from __future__ import annotations

from uuid import uuid4

import pytest
from sqlalchemy import select

from app.compose.models import Draft, DraftAttachment
from app.outbox.models import Outgoing
from app.outbox.states import OutboxState
from tests.webmail.compose.forms import file

pytestmark = pytest.mark.parametrize("config", ["sqlite"], indirect=True)  # test_service.py runs on both databases


@pytest.fixture
def alices(db, browser, compose_form, url, original):
    """A draft of Alice's with a file, a message on its way, and a message to answer."""
    browser.post(url, data=compose_form(files=[file()]))
    attachment = db.scalars(select(DraftAttachment)).one()
    sending = f"/mail/draft/{uuid4()}"
    browser.post(sending, data=compose_form(do="send", subject="On its way"))
    outgoing = db.scalars(select(Outgoing)).one()
    return {"url": url, "file": attachment.uuid, "outgoing": outgoing.uuid, "message": original.id}


REQUESTS = [
    ("get", "{url}"),
    ("post", "{url}"),
    ("put", "{url}"),
    ("post", "{url}/attachments"),
    ("get", "{url}/attachments/{file}"),
    ("post", "{url}/attachments/{file}/remove"),
    ("get", "/mail/message/{message}/reply"),
    ("get", "/mail/message/{message}/reply-all"),
    ("get", "/mail/message/{message}/forward"),
    ("get", "/mail/message/{message}/edit"),
    ("post", "/mail/message/{message}/reply"),
    ("post", "/mail/outbox/{outgoing}/undo"),
    ("post", "/mail/outbox/{outgoing}/again"),
    ("post", "/mail/outbox/{outgoing}/sent"),
    ("post", "/mail/outbox/{outgoing}/dismiss"),
]


@pytest.mark.parametrize(("method", "path"), REQUESTS)
def test_what_is_somebody_elses_does_not_exist(db, alices, mallory, browser_of, compose_form, method, path):
    theirs = browser_of(mallory)
    data = compose_form(version="1") if method != "get" else None
    answer = getattr(theirs, method)(path.format(**alices), data=data)
    absent = alices | {"url": f"/mail/draft/{uuid4()}", "file": str(uuid4()), "outgoing": str(uuid4()), "message": 9999}
    missing = getattr(theirs, method)(path.format(**absent), data=data)
    assert (answer.status_code, missing.status_code) == (404, 404)
    assert "Dear Bob" not in answer.text
    db.commit()
    assert db.scalars(select(Draft.text).order_by(Draft.id)).all() == ["Dear Bob", "Dear Bob"]
    assert db.scalars(select(Outgoing.state)).all() == [OutboxState.HELD]


def test_somebody_elses_name_cannot_be_begun_again(alices, mallory, browser_of, compose_form, db):
    theirs = browser_of(mallory)
    assert theirs.put(alices["url"], data=compose_form(text="mine now")).status_code == 404
    assert "mine now" not in db.scalars(select(Draft.text)).all()


def test_the_outbox_and_drafts_list_only_ones_own(alices, mallory, browser_of):
    assert "On its way" not in browser_of(mallory).get("/mail/outbox").text


@pytest.mark.parametrize(("method", "path"), [*REQUESTS, ("get", "/mail/compose"), ("get", "/mail/outbox")])
def test_strangers_are_asked_to_sign_in(alices, anonymous, method, path):
    answer = getattr(anonymous, method)(path.format(**alices))
    assert answer.status_code in (302, 401)
    assert "Dear Bob" not in answer.text
