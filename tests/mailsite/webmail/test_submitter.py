"""Sending between people of one installation: at once, with no listener and no queue, on both databases."""

from __future__ import annotations

from dataclasses import replace

import pytest
from cryptography.hazmat.primitives.asymmetric.rsa import generate_private_key
from sqlalchemy import select
from sqlalchemy.exc import OperationalError

from app.accounts.models import MailAccount
from app.errors import SubmissionDeferred, SubmissionRefused
from app.mail_services.modes import Mode
from app.outbox.submitter import Envelope
from app.resolver import ZoneResolver
from mailsite_ext.authentication.budget import DnsBudget
from mailsite_ext.authentication.dkim import DkimResult, verify
from mailsite_ext.authentication.signing_keys import SigningKeys
from mailsite_ext.delivery import queue, suppression
from mailsite_ext.delivery.models import QueuedMessage, QueuedRecipient
from mailsite_ext.domains import service
from mailsite_ext.errors import StorageFull
from mailsite_ext.replies import Reply
from mailsite_ext.settings.service import store_settings
from mailsite_ext.settings.values import Settings, StorageKind
from mailsite_ext.storage.open import close_storage, open_storage
from mailsite_ext.storage.values import Column
from mailsite_ext.webmail.register import make_submitter
from tests.webmail.contract.accounts import message

LETTER = message("Lunch", "lunch@example.org").replace(b"ann@example.net", b"alice@example.org")


class Office:
    """An installation in which Alice sends and Bob reads."""

    def __init__(self, parts, db, settings):
        self.parts, self.db, self.settings = parts, db, settings

    @property
    def storage(self):
        return open_storage(self.parts, self.settings)

    def submitter(self):
        account = self.db.scalars(select(MailAccount).where(MailAccount.address == "alice@example.org")).one()
        return make_submitter(self.parts, account)

    def send(self, *recipients, letter=LETTER, **changed):
        envelope = Envelope("1", "alice@example.org", recipients)
        return self.submitter().submit(replace(envelope, **changed), letter)

    def inbox(self, name, folder="INBOX"):
        """The octets of each message."""
        found = self.storage.find_folder(name, folder)
        texts = []
        for (uid,) in list(self.storage.rows(found.id, (Column.UID,))) if found else ():
            with self.storage.open_message(found.id, uid) as stored:
                texts.append(stored.read(0, stored.size_octets))
        return texts


@pytest.fixture(params=list(StorageKind))
def office(request, parts, db, alice, bob, set_mode):
    set_mode(Mode.MAILSITE)
    settings = Settings(domains=("example.org",), storage_engine=request.param)
    store_settings(db, settings)
    db.commit()
    made = Office(parts, db, settings)
    for person in (alice, bob):
        made.storage.create_mailbox(service.ensure_mailbox(parts, db, person).name)
    yield made
    close_storage(parts)


def test_people_here_have_it_at_once(office):
    assert office.send("bob@example.org", "Alice+copy@EXAMPLE.org") == {}
    (bobs,), (alices,) = office.inbox("bob"), office.inbox("alice")
    assert bobs.endswith(LETTER)
    assert b"Return-Path: <alice@example.org>\r\nDelivered-To: bob@example.org\r\n" in bobs
    assert b"Delivered-To: Alice+copy@example.org" in alices


def test_nobody_has_it_twice(office):
    office.send("bob@example.org")
    office.send("bob@example.org", "alice@example.org")
    office.send("bob@example.org", "bob+again@example.org")
    assert (len(office.inbox("bob")), len(office.inbox("alice"))) == (1, 1)


def test_who_is_nobody_is_refused_by_name_and_the_others_have_it(office):
    refused = office.send("nobody@example.org", "bob@example.org", "eve@localhost", "no address")
    assert {who: reply.code for who, reply in refused.items()} == {
        "nobody@example.org": 550, "eve@localhost": 550, "no address": 501,
    }  # fmt: skip
    assert "no such mailbox" in refused["nobody@example.org"].words
    assert len(office.inbox("bob")) == 1


def test_those_elsewhere_get_it_by_the_queue_once_and_signed(office):
    key = SigningKeys(office.parts.config, office.parts.clock, lambda: generate_private_key(65537, 1024))
    made = key.generate("example.org")
    for _ in range(2):
        assert office.send("bob@example.org", "eve@elsewhere.example") == {}
    queued = office.db.scalars(select(QueuedMessage)).one()
    assert (queued.sender, queued.mailbox) == ("alice@example.org", "alice")
    recipient = office.db.scalars(select(QueuedRecipient)).one()
    assert (recipient.address, recipient.domain) == ("eve@elsewhere.example", "elsewhere.example")
    sent = b"".join(queue.read_blocks(office.parts.public, queued.id))
    assert sent.endswith(LETTER)
    assert b"bob@" not in sent.removesuffix(LETTER)
    zone = {(f"{made.selector}._domainkey.example.org", "TXT"): [f"v=DKIM1; k=rsa; p={made.public}"]}
    [verdict] = verify([sent], DnsBudget(ZoneResolver(zone), office.parts.clock), office.parts.clock.now())
    assert (verdict.result, verdict.domain) == (DkimResult.PASS, "example.org")
    assert len(office.inbox("bob")) == 1


def test_a_queue_that_cannot_take_it_is_asked_again(office, monkeypatch):
    def fails(*_):
        raise OperationalError("INSERT", {}, Exception("disk I/O error"))

    monkeypatch.setattr(queue, "enqueue", fails)
    with pytest.raises(SubmissionDeferred):
        office.send("bob@example.org", "eve@elsewhere.example")
    monkeypatch.undo()
    assert office.send("bob@example.org", "eve@elsewhere.example") == {}
    assert len(office.inbox("bob")) == 1


def test_what_bounced_and_what_is_too_much_is_refused_by_name(office, alice):
    now = office.parts.clock.now()
    suppression.remember(office.db, "alice", "gone@elsewhere.example", Reply(550, "5.1.1 no such user"), now)
    service.save_sending(office.db, service.find_mailbox(office.db, alice.id).id, 1, None)
    for _ in range(2):  # the second time it is the same message, which counts once
        refused = office.send("gone@elsewhere.example", "eve@elsewhere.example", "joe@elsewhere.example")
        assert {who: reply.code for who, reply in refused.items()} == {
            "gone@elsewhere.example": 550, "joe@elsewhere.example": 450,
        }  # fmt: skip
    assert "bounced on 24 November 2026: 550 5.1.1 no such user" in refused["gone@elsewhere.example"].words
    assert "1 recipients an hour" in refused["joe@elsewhere.example"].words
    queued = office.db.scalars(select(QueuedMessage)).one()
    assert queued.subject == "Lunch"
    assert office.db.scalars(select(QueuedRecipient.address)).all() == ["eve@elsewhere.example"]


@pytest.mark.parametrize("sender", ["bob@example.org", "alice@elsewhere.example", "not an address", ""])
def test_nobody_sends_as_somebody_else(office, sender):
    with pytest.raises(SubmissionRefused):
        office.send("bob@example.org", mail_from=sender)
    assert office.inbox("bob") == []


def test_blind_copies_stay_blind(office):
    """Of several recipients none is told to another: not in Received, not in Delivered-To."""
    office.send("bob@example.org", "alice@example.org")
    (bobs,), (alices,) = office.inbox("bob"), office.inbox("alice")
    head = bobs.removesuffix(LETTER)
    assert b"Delivered-To: bob@example.org" in head
    assert b"for <" not in head
    assert b"bob@example.org" not in alices.removesuffix(LETTER)


def test_one_full_mailbox_keeps_nobody_else_from_it(office):
    office.storage.set_quota("bob", 10)
    refused = office.send("bob@example.org", "alice@example.org", "alice+copy@example.org")
    assert {who: str(reply) for who, reply in refused.items()} == {"bob@example.org": "452 4.2.2 the mailbox is full"}
    assert refused["bob@example.org"].is_temporary
    assert (len(office.inbox("bob")), len(office.inbox("alice"))) == (0, 1)
    office.storage.set_quota("bob", None)
    assert office.send("bob@example.org", "alice@example.org") == {}
    assert (len(office.inbox("bob")), len(office.inbox("alice"))) == (1, 1)


def test_a_full_disk_puts_it_off_in_words(office, monkeypatch):
    def full(*_args):
        raise StorageFull

    monkeypatch.setattr(type(office.storage), "deliver", full)
    with pytest.raises(SubmissionDeferred, match="no space left here, try later"):
        office.send("bob@example.org")
