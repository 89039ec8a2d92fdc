"""Filing on a real server: what another program finds in Drafts and Sent afterwards."""

from __future__ import annotations

import email

import pytest
from sqlalchemy import select

from app.compose import service as drafts
from app.imap.source import ImapSource
from app.mirror.folders import get_role_folder
from app.outbox import filing
from app.outbox.models import Outgoing
from app.outbox.send import send_due
from app.outbox.states import OutboxState
from app.sources import Role
from tests.factories import make_folder
from tests.webmail.imap.sessions import source_of
from tests.webmail.outbox.conftest import FakeSubmitter

pytestmark = [pytest.mark.servers, pytest.mark.parametrize("config", ["sqlite"], indirect=True)]


@pytest.fixture
def source(dovecot, mail_user, authority, db, account):
    source = source_of(dovecot, mail_user, authority.client_context())
    for remote in source.folders():
        validity = remote.status.uidvalidity if remote.status else None
        make_folder(db, account, remote.name, remote.role, uidvalidity=validity)
    yield source
    source.close()


def held_in(source: ImapSource, db, account, role: Role) -> list[email.message.Message]:
    folder = get_role_folder(db, account.id, role)
    db.commit()
    uids = [message.uid for message in source.changes(folder.name, None, []).new]
    return [email.message_from_bytes(source.fetch(folder.name, uid, [""])[""]) for uid in uids]


def test_a_draft_is_replaced_then_sent_and_filed(source, db, alice, parts, account, write, send, clock):
    draft = write(text="first", bcc="boss@example.org")
    clock.advance(20)
    filing.file_due(parts, source, account)
    values = drafts.Values(draft.identity_id, to=draft.to, bcc=draft.bcc, subject="Übung", text="second")
    draft = drafts.save(db, alice.id, draft.uuid, values, version=1, now=clock.now())
    clock.advance(20)
    filing.file_due(parts, source, account)
    assert [str(message.get_payload()).strip() for message in held_in(source, db, account, Role.DRAFTS)] == ["second"]

    outgoing = send(draft)
    clock.advance(10)
    send_due(parts, account, outgoing, submitter=FakeSubmitter())
    filing.file_due(parts, source, account)
    filing.file_due(parts, source, account)
    assert held_in(source, db, account, Role.DRAFTS) == []
    (copy,) = held_in(source, db, account, Role.SENT)
    assert (copy["Bcc"], copy["Message-ID"]) == ("boss@example.org", f"<{outgoing.message_id}>")
    db.commit()
    assert db.scalar(select(Outgoing.state)) is OutboxState.FILED
