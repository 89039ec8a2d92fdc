"""Drafts in the server's Drafts folder, begun here or with another program, opened for writing."""

from __future__ import annotations

import pytest
from sqlalchemy import select

from app.compose import attachments, service
from app.compose.addresses import Address
from app.compose.build import Attached, Letter, build
from app.compose.models import Draft, FiledDraft
from app.outbox import filing
from app.sources import Role
from tests.conftest import START
from tests.factories import make_folder, make_message

PHONE = build(
    Letter(
        sender=Address("Alice", "alice@example.net"),
        date=START,
        message_id="<p1@phone.example>",
        to=[Address("Bøb", "bob@x.example")],
        bcc=[Address("", "boss@x.example")],
        subject="Begun on the phone",
        text="half a thought",
        in_reply_to="<o@x.example>",
        references="<o@x.example>",
        attachments=[Attached("a.pdf", "application/pdf", b"%PDF")],
    ),
    keep_bcc=True,
)


@pytest.fixture
def drafts_folder(db, account):
    return make_folder(db, account, "Drafts", Role.DRAFTS, uidvalidity=7)


@pytest.fixture
def on_the_phone(db, drafts_folder, monkeypatch):
    monkeypatch.setattr("app.compose.originals.get_sections", lambda *_: {"": PHONE})
    return make_message(db, drafts_folder, flags=["\\Draft"], message_id="p1@phone.example")


def drafts_of(db):
    db.commit()
    return db.scalars(select(Draft)).all()


def test_a_draft_begun_elsewhere_opens_with_all_it_holds(db, browser_of, alice, account, on_the_phone):
    answer = browser_of(alice).get(f"/mail/message/{on_the_phone.id}/edit")
    (draft,) = drafts_of(db)
    assert answer.location.startswith(f"/mail/draft/{draft.uuid}")
    assert (draft.to, draft.bcc, draft.subject) == ("Bøb <bob@x.example>", "boss@x.example", "Begun on the phone")
    assert (draft.text.strip(), draft.in_reply_to, draft.account_id) == ("half a thought", "<o@x.example>", account.id)
    assert [(file.filename, file.data) for file in attachments.read_all(db, draft)] == [("a.pdf", b"%PDF")]
    assert draft.file_after is None  # it stands there already


def test_opened_twice_it_is_one_draft(db, browser_of, alice, on_the_phone):
    browser = browser_of(alice)
    first = browser.get(f"/mail/message/{on_the_phone.id}/edit").location
    assert browser.get(f"/mail/message/{on_the_phone.id}/edit").location == first
    assert len(drafts_of(db)) == 1


def test_once_changed_here_the_other_copy_is_stale(db, browser_of, alice, account, on_the_phone, clock):
    browser_of(alice).get(f"/mail/message/{on_the_phone.id}/edit")
    (draft,) = drafts_of(db)
    assert filing.stale_copies(db, account.id) == []
    service.discard(db, draft)
    (stale,) = filing.stale_copies(db, account.id)
    assert (stale.message_id, stale.uid, stale.uidvalidity) == ("p1@phone.example", on_the_phone.uid, 7)


def test_a_copy_we_filed_opens_its_own_draft(db, browser_of, alice, account, drafts_folder, clock):
    values = service.Values(account.identities[0].id, text="mine")
    draft = service.save(db, alice.id, "7e5a3a0e-8c39-4d0c-9a53-1d4b0a7a6a11", values, version=0, now=clock.now())
    db.add(
        FiledDraft(account_id=account.id, folder_id=drafts_folder.id, draft_id=draft.id, version=1, message_id="f1@x")
    )
    copy = make_message(db, drafts_folder, flags=["\\Draft"], message_id="f1@x")
    answer = browser_of(alice).get(f"/mail/message/{copy.id}/edit")
    assert answer.location.startswith(f"/mail/draft/{draft.uuid}")


def test_a_received_message_is_no_draft(db, browser_of, alice, account):
    message = make_message(db, make_folder(db, account))
    answer = browser_of(alice).get(f"/mail/message/{message.id}/edit")
    assert answer.status_code == 422
    assert drafts_of(db) == []


def test_a_draft_that_is_too_large_is_not_fetched(db, browser_of, alice, on_the_phone):
    on_the_phone.size_octets = 60 * 1_048_576
    db.commit()
    assert browser_of(alice).get(f"/mail/message/{on_the_phone.id}/edit").status_code == 422
