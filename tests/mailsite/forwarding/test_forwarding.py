"""Mail for addresses here that lead elsewhere: what leaves, with which sender, what stays, what comes back."""

from __future__ import annotations

from dataclasses import replace

import pytest
from cryptography.hazmat.primitives.asymmetric.rsa import generate_private_key
from sqlalchemy import select

from app.extension_api import BadInput, NotAllowed
from app.mail_services.modes import Mode
from mailsite_ext.authentication.signing_keys import SigningKeys
from mailsite_ext.delivery import allowance, fates, queue
from mailsite_ext.delivery.allowance import Recipients
from mailsite_ext.delivery.header import Origin, read_header
from mailsite_ext.delivery.inbound import Arrival, Inbound
from mailsite_ext.delivery.models import BouncedAddress, QueuedMessage, QueuedRecipient
from mailsite_ext.delivery.notices import Notices
from mailsite_ext.delivery.outbound import DeliveryQueue
from mailsite_ext.domains import service as domains
from mailsite_ext.domains.directory import Directory
from mailsite_ext.errors import AddressTooLong, JunkNotForwarded, MailLoop
from mailsite_ext.forwarding import service
from mailsite_ext.forwarding.forwarder import Forwarder
from mailsite_ext.limits import Limits
from mailsite_ext.protocol.smtp_address import Address, parse_address
from mailsite_ext.protocol.smtp_grammar import MailFrom, Notify
from mailsite_ext.reception.seals import Seals
from mailsite_ext.settings.service import store_settings
from mailsite_ext.settings.values import Posture, Settings
from mailsite_ext.storage.open import close_storage, open_storage
from mailsite_ext.storage.values import Column, Content
from tests.conftest import START
from tests.mailsite.delivery.test_queue import NEVER, claim, settle

LETTER = b"From: Eve <eve@far.example>\r\nDate: x\r\nMessage-ID: <1@far.example>\r\nSubject: Tea\r\n\r\nAt five.\r\n"
EVE = Address("eve", "far.example")
STRANGER = Origin(peer="192.0.2.7", hello="mx.far.example", extended=True, tls="TLSv1.3")


class Host:
    """An installation that takes mail; Alice has a mailbox in it."""

    def __init__(self, parts, db, alice):
        self.parts, self.db = parts, db
        self.settings = Settings(domains=("here.example", "two.example"))
        store_settings(db, self.settings)
        db.commit()
        self.storage = open_storage(parts, self.settings)
        self.directory = Directory(parts, self.settings)
        self.queue = DeliveryQueue(parts, "mx.here.example", Limits())
        self.forwarder = Forwarder(parts, self.directory, self.queue)
        self.alice = domains.ensure_mailbox(parts, db, alice)

    def inbound(self, posture=Posture.ALLOW, forwards=True):
        forwarder = self.forwarder if forwards else None
        return Inbound(self.storage, "mx.here.example", posture, Limits(), Seals(b"k" * 32), forwards=forwarder)

    def receive(self, *addresses, sender=EVE, origin=STRANGER, posture=Posture.ALLOW, letter=LETTER, arrival_id="a1"):
        found = [self.directory.find_recipient(parse_address(address, utf8=True)) for address in addresses]
        arrival = Arrival(MailFrom(sender), found, origin, arrival_id, START)
        fields = read_header(letter, is_whole=True)
        return self.inbound(posture).deliver(arrival, Content(letter, len(letter)), fields).result(timeout=20)

    def queued(self):
        """Each message that leaves: (sender, recipients, octets)."""
        self.db.rollback()
        found = []
        for message in self.db.scalars(select(QueuedMessage).order_by(QueuedMessage.id)):
            mine = select(QueuedRecipient.address).where(QueuedRecipient.message_id == message.id)
            octets = b"".join(queue.read_blocks(self.parts.public, message.id))
            found.append((message.sender, sorted(self.db.scalars(mine)), octets))
        return found

    def folder(self, name, folder="INBOX"):
        found = self.storage.find_folder(name, folder)
        texts = []
        for (uid,) in list(self.storage.rows(found.id, (Column.UID,))) if found else ():
            with self.storage.open_message(found.id, uid) as stored:
                texts.append(stored.read(0, stored.size_octets))
        return texts


@pytest.fixture
def host(parts, db, alice, set_mode):
    set_mode(Mode.MAILSITE)
    made = Host(parts, db, alice)
    yield made
    close_storage(parts)


def forward_alice(host, db, *, keeps_copy=True, target="alice@elsewhere.example"):
    service.allow(db, host.alice.id, may_forward=True)
    service.forward_own(db, host.alice.user_id, target, keeps_copy=keeps_copy)


def test_an_alias_leads_elsewhere_with_a_sender_of_ours_and_content_as_it_came(host, db):
    service.add_alias(db, "Club", "", "club@elsewhere.example")
    service.add_alias(db, "club", "two.example", "second@elsewhere.example")
    assert host.receive("club@two.example") == []
    [(sender, recipients, octets)] = host.queued()
    assert sender.startswith("SRS0=")
    assert sender.endswith("=far.example=eve@two.example")
    assert recipients == ["club@elsewhere.example", "second@elsewhere.example"]
    assert octets.startswith(b"Delivered-To: club@two.example\r\nReceived: from mx.far.example")
    assert octets.endswith(LETTER)
    assert b"DKIM-Signature" not in octets


def test_bounces_of_it_go_back_to_the_sender(host, db):
    service.add_alias(db, "club", "", "club@elsewhere.example")
    host.receive("club@here.example")
    [(srs, _, _)] = host.queued()
    found = host.directory.find_recipient(parse_address(srs, utf8=True))
    assert (found.outside, found.takes_bounces_alone) == (("eve@far.example",), True)
    host.receive(srs, sender=None, arrival_id="a2")
    assert [(sender, to) for sender, to, _ in host.queued()][1] == ("", ["eve@far.example"])
    forged = srs.replace("eve", "bob")
    assert host.directory.find_recipient(parse_address(forged, utf8=True)) is None


def test_a_bounce_needs_no_sender_and_people_here_keep_theirs(host, db):
    service.add_alias(db, "club", "", "club@elsewhere.example")
    host.receive("club@here.example", sender=None)
    host.receive("club@here.example", sender=Address("alice", "here.example"), arrival_id="a2",
                 origin=replace(STRANGER, login="alice"))  # fmt: skip
    assert [sender for sender, _, _ in host.queued()] == ["", "alice@here.example"]


def test_what_people_here_send_to_an_alias_is_signed_and_what_pretends_to_be_theirs_is_not(host, db):
    keys = SigningKeys(host.parts.config, host.parts.clock, lambda: generate_private_key(65537, 1024))
    keys.generate("here.example")
    service.add_alias(db, "club", "", "club@elsewhere.example")
    letter = LETTER.replace(b"eve@far.example", b"alice@here.example")
    sender = Address("alice", "here.example")
    host.receive("club@here.example", sender=sender, letter=letter, origin=replace(STRANGER, login="alice"))
    host.receive("club@here.example", sender=sender, letter=letter, arrival_id="a2")
    signed, forged = (octets for _, _, octets in host.queued())
    assert b"DKIM-Signature" in signed
    assert b"DKIM-Signature" not in forged


@pytest.mark.parametrize("keeps_copy", [True, False])
def test_a_persons_own_mail_goes_on_and_stays_as_they_wish(host, db, keeps_copy):
    forward_alice(host, db, keeps_copy=keeps_copy)
    host.receive("alice@here.example")
    assert [to for _, to, _ in host.queued()] == [["alice@elsewhere.example"]]
    assert len(host.folder("alice")) == (1 if keeps_copy else 0)


@pytest.mark.parametrize("keeps_copy", [True, False])
def test_junk_is_not_forwarded_and_stays_in_junk(host, db, keeps_copy):
    forward_alice(host, db, keeps_copy=keeps_copy)
    host.receive("alice@here.example", origin=replace(STRANGER, tls=""), posture=Posture.SPAM)
    assert host.queued() == []
    assert len(host.folder("alice", "Junk")) == 1


def test_junk_for_an_alias_is_refused_unless_somebody_else_has_it(host, db):
    service.add_alias(db, "club", "", "club@elsewhere.example")
    insecure = {"origin": replace(STRANGER, tls=""), "posture": Posture.SPAM}
    with pytest.raises(JunkNotForwarded):
        host.receive("club@here.example", **insecure)
    host.receive("club@here.example", "alice@here.example", **insecure)
    assert host.queued() == []
    assert len(host.folder("alice", "Junk")) == 1


def test_what_comes_round_is_cut(host, db):
    service.add_alias(db, "club", "", "club@elsewhere.example")
    host.receive("club@here.example")
    [(_, _, octets)] = host.queued()
    with pytest.raises(MailLoop):
        host.receive("club@here.example", letter=octets, arrival_id="a2")
    many = b"".join(b"Received: from x by y\r\n" for _ in range(101))
    with pytest.raises(MailLoop):
        host.receive("club@here.example", letter=many + LETTER, arrival_id="a3")


def test_a_sender_too_long_to_be_rewritten_is_refused(host, db):
    service.add_alias(db, "club", "", "club@elsewhere.example")
    with pytest.raises(AddressTooLong):
        host.receive("club@here.example", sender=Address("a" * 64, ".".join(["b" * 59] * 3)))
    assert host.queued() == []


def test_the_same_arrival_is_forwarded_once(host, db):
    forward_alice(host, db)
    host.receive("alice@here.example")
    host.receive("alice@here.example")
    assert len(host.queued()) == 1


def test_an_alias_is_more_than_a_catch_all_and_takes_a_name(host, db, bob, parts):
    domains.add_address(db, host.alice.id, "*", "")
    service.add_alias(db, "club", "here.example", "club@elsewhere.example")
    found = host.directory.find_recipient(Address("club", "here.example"))
    assert (found.mailboxes, found.outside) == ((), ("club@elsewhere.example",))
    assert host.directory.find_recipient(Address("club", "two.example")).mailboxes
    with pytest.raises(BadInput):
        domains.ensure_mailbox(parts, db, bob, "club")


def test_it_is_not_the_persons_sending(host, db):
    forward_alice(host, db)
    host.receive("alice@here.example")
    assert allowance.used(db, "alice", START) == Recipients(0, 0)
    assert fates.list_sent(db, host.alice, None).sent == []
    settle(db, claim(db, "elsewhere.example", now=START), NEVER, START)
    assert db.scalars(select(BouncedAddress)).all() == []


@pytest.mark.parametrize("is_own", [True, False])
def test_whoever_forwards_hears_of_failures_never_the_stranger(host, parts, db, admin, is_own):
    domains.ensure_mailbox(parts, db, admin)
    if is_own:
        forward_alice(host, db, keeps_copy=False)
    else:
        service.add_alias(db, "club", "", "club@elsewhere.example")
    host.receive("alice@here.example" if is_own else "club@here.example")
    assert db.scalars(select(QueuedRecipient.notify)).all() == [Notify.FAILURE]
    settle(db, claim(db, "elsewhere.example", now=START), NEVER, START)
    Notices(parts, host.directory, host.inbound(forwards=False), host.storage, "mx.here.example").tell()
    [notice] = host.folder("alice" if is_own else "ada")
    assert b"550 5.1.1 no such user" in notice
    assert b"To: <alice@here.example>" in notice if is_own else b"To: <club@here.example>" in notice
    assert len(host.queued()) == 1, "nothing goes out about it"


@pytest.mark.parametrize(
    ("local", "domain", "target", "field"),
    [
        ("club", "", "no address", "target"),
        ("club", "", "club@here.example", "target"),  # hosted: that is an alias
        ("club", "", "x@localhost", "target"),
        ("club", "", "SRS0=aaaaaaaa=aa=far.example=eve@elsewhere.example", "target"),
        ("club", "", "x@elsewhere.example\r\nBcc: y", "target"),
        ("a b", "", "x@elsewhere.example", "local"),
        ("*", "", "x@elsewhere.example", "local"),
        ("dmarc-reports", "", "x@elsewhere.example", "local"),
        ("club", "other.example", "x@elsewhere.example", "domain"),
    ],
)
def test_aliases_that_cannot_be(host, db, local, domain, target, field):
    with pytest.raises(BadInput) as caught:
        service.add_alias(db, local, domain, target)
    assert caught.value.field == field
    assert service.list_aliases(db) == []


def test_who_may_not_forward_does_not(host, db):
    with pytest.raises(NotAllowed):
        service.forward_own(db, host.alice.user_id, "alice@elsewhere.example", keeps_copy=True)
    forward_alice(host, db, keeps_copy=False)
    service.allow(db, host.alice.id, may_forward=False)
    host.receive("alice@here.example")
    assert host.queued() == []
    assert len(host.folder("alice")) == 1


def test_the_pages(app, host, db, admin, alice, browser_of):
    ada, own = browser_of(admin), browser_of(alice)
    form = {"local": "club", "domain": "", "target": "club@elsewhere.example"}
    assert ada.post("/admin/forwarding", data=form).status_code == 303
    assert ada.post("/admin/forwarding", data=form).status_code == 422
    assert "club@every domain" in ada.get("/admin/forwarding").text
    [row] = service.list_aliases(db)
    assert ada.post(f"/admin/forwarding/{row.id}/remove").status_code == 303
    assert ada.post(f"/admin/forwarding/{row.id}/remove").status_code == 404
    wish = {"forward_to": "alice@elsewhere.example", "keeps_copy": "y"}
    assert own.get("/settings/forwarding").status_code == 404
    assert own.post("/settings/forwarding", data=wish).status_code == 404
    assert ada.post(f"/admin/mailboxes/{host.alice.id}", data={"may_forward": "y"}).status_code == 303
    assert "/settings/forwarding" in own.get("/settings/mail-clients").text
    assert own.post("/settings/forwarding", data=wish).status_code == 303
    assert own.post("/settings/forwarding", data={"forward_to": "bob@here.example"}).status_code == 422
    db.expire_all()
    assert (host.alice.forward_to, host.alice.keeps_copy) == ("alice@elsewhere.example", True)
