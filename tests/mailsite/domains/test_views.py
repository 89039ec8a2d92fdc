"""The pages of mailboxes: whose they are, what they show and what they never show again."""

import re

import pytest
from sqlalchemy import select

from app.accounts.models import MailAccount
from app.mail_services.modes import Mode
from app.users.models import User
from mailsite_ext.domains import service
from mailsite_ext.domains.clients import ClientServer, host_name, server_for
from mailsite_ext.domains.models import AppPassword, Mailbox, MailboxState
from mailsite_ext.domains.names import parse_name
from mailsite_ext.settings.posture import (
    NO_CERTIFICATE,
    Certificate,
    CertificateState,
    ListenerRole,
    TlsMode,
    listeners_wanted,
)
from mailsite_ext.settings.values import Posture, Settings
from mailsite_ext.storage.open import close_storage, open_storage

from .conftest import HOSTED

CLIENTS, BOXES = "/settings/mail-clients", "/admin/mailboxes"


@pytest.fixture
def config(sqlite_config):
    """The database does not matter here."""
    return sqlite_config


@pytest.fixture
def storage(parts):
    yield open_storage(parts, HOSTED)
    close_storage(parts)


@pytest.fixture
def ada(admin, browser_of):
    return browser_of(admin)


@pytest.mark.parametrize("mode", [Mode.DISABLED, Mode.EXTERNAL])
@pytest.mark.parametrize("address", [CLIENTS, "/settings/mailbox", BOXES])
def test_without_hosting_there_are_no_such_pages(ada, set_mode, mode, address):
    set_mode(mode)
    assert ada.get(address).status_code == 404
    assert "Mail clients" not in ada.get("/settings").text
    assert BOXES not in ada.get("/admin/mail-services").text


def test_hosting_has_them_in_the_side_navigation(ada, hosting):
    assert CLIENTS in ada.get("/settings").text
    assert BOXES in ada.get("/admin/mail-services").text


def test_the_first_visit_of_mail_makes_the_mailbox(alice, browser_of, db, hosting):
    browser_of(alice).get("/mail")
    assert service.find_mailbox(db, alice.id).name == "alice"
    assert db.scalars(select(MailAccount.address)).all() == ["alice@example.org"]


def test_who_cannot_have_the_name_of_their_address_chooses_one(db, alice, make_user, browser_of, mailbox_of):
    other = make_user("Anna")
    other.email = "alice@elsewhere.example"
    db.commit()
    mailbox_of(alice)
    browser = browser_of(other)
    assert browser.get("/mail").headers["Location"] == "/settings/mailbox"
    refused = browser.post("/settings/mailbox", data={"name": "Root"})
    assert refused.status_code == 422
    assert "“Root” cannot be had" in refused.text
    assert browser.post("/settings/mailbox", data={"name": "Alice2"}).headers["Location"] == "/mail"
    assert service.find_mailbox(db, other.id).name == "alice2"
    assert browser.post("/settings/mailbox", data={"name": "another"}).headers["Location"] == CLIENTS, "once"


def test_an_app_password_is_shown_once(alice, browser_of, db, mailbox_of):
    mailbox_of(alice)
    browser = browser_of(alice)
    answer = browser.post(f"{CLIENTS}/passwords", data={"label": "<Laptop>"})
    password = re.search(r"<code>([a-z2-7-]{31})</code>", answer.text)[1]
    assert answer.headers["Cache-Control"] == "no-store"
    assert "&lt;Laptop&gt;" in answer.text
    page = browser.get(CLIENTS).text
    assert password not in page
    assert "&lt;Laptop&gt;" in page
    row = db.scalars(select(AppPassword)).one()
    assert browser.post(f"{CLIENTS}/passwords/{row.id}/revoke").status_code == 303
    assert "Laptop" not in browser.get(CLIENTS).text


@pytest.mark.parametrize("label", ["", " ", "x" * 101])
def test_an_app_password_needs_a_label(alice, browser_of, db, mailbox_of, label):
    mailbox_of(alice)
    assert browser_of(alice).post(f"{CLIENTS}/passwords", data={"label": label}).status_code == 422
    assert db.scalars(select(AppPassword)).all() == []


def test_who_has_no_mailbox_has_no_passwords(alice, browser_of, db, hosting):
    browser = browser_of(alice)
    assert browser.get(CLIENTS).headers["Location"] == "/settings/mailbox"
    assert browser.post(f"{CLIENTS}/passwords", data={"label": "x"}).status_code == 404


def test_the_page_says_whether_the_login_password_works(alice, browser_of, db, mailbox_of):
    mailbox_of(alice)
    browser = browser_of(alice)
    assert "Your sign-in password works too" in browser.get(CLIENTS).text
    alice.sealed_totp = b"sealed"
    db.commit()
    assert "Your sign-in password does not work" in browser.get(CLIENTS).text


# What to type into a client

VALID = Certificate(CertificateState.VALID, ("mx.example.org", "*.example.org"))
EXPOSED = Settings(domains=("example.org",), expose=True, posture=Posture.REQUIRE)


@pytest.mark.parametrize(
    ("settings", "certificate", "role", "server"),
    [
        (EXPOSED, VALID, ListenerRole.IMAP, ClientServer("mx", 993, TlsMode.IMPLICIT, True)),
        (EXPOSED, VALID, ListenerRole.SUBMISSION, ClientServer("mx", 465, TlsMode.IMPLICIT, True)),
        (HOSTED, VALID, ListenerRole.IMAP, ClientServer("localhost", 993, TlsMode.IMPLICIT, False)),
        (HOSTED, NO_CERTIFICATE, ListenerRole.SUBMISSION, ClientServer("localhost", 25, TlsMode.NONE, False)),
    ],
)
def test_the_best_server_for_a_client(settings, certificate, role, server):
    assert server_for(role, listeners_wanted(settings, certificate), "mx") == server


@pytest.mark.parametrize(
    ("certificate", "public_host", "host"),
    [
        (VALID, "mail.example.org", "mx.example.org"),
        (VALID, "mx.example.org", "mx.example.org"),
        (NO_CERTIFICATE, "mail.example.org", "mail.example.org"),
        (NO_CERTIFICATE, "", "example.org"),
    ],
)
def test_the_name_of_the_server(certificate, public_host, host):
    assert host_name(certificate, public_host, "example.org") == host


# Administration


@pytest.mark.parametrize(
    ("method", "address"),
    [("GET", BOXES), ("GET", f"{BOXES}/1"), ("POST", f"{BOXES}/1"), ("POST", f"{BOXES}/of/1"),
     ("POST", f"{BOXES}/1/addresses"), ("POST", f"{BOXES}/1/closed"), ("POST", f"{BOXES}/1/release")],
)  # fmt: skip
def test_only_admins_may(alice, browser_of, db, mailbox_of, method, address):
    mailbox_of(alice)
    assert browser_of(alice).open(address, method=method, data={"name": "x"}).status_code == 403
    assert db.scalars(select(Mailbox.state)).all() == [MailboxState.OPEN]


def test_an_admin_makes_a_mailbox_for_somebody(ada, db, alice, hosting):
    assert "alice@example.org" in ada.get(BOXES).text
    refused = ada.post(f"{BOXES}/of/{alice.id}", data={"name": "a b"})
    assert refused.status_code == 422
    assert "“a b” cannot be had" in refused.text
    assert ada.post(f"{BOXES}/of/{alice.id}", data={"name": "Alice.A"}).status_code == 303
    assert service.find_mailbox(db, alice.id).name == "alice.a"
    assert ada.post(f"{BOXES}/of/999", data={"name": "x"}).status_code == 404


def test_an_admin_gives_and_takes_addresses(ada, db, alice, mailbox_of):
    box = f"{BOXES}/{mailbox_of(alice).id}"
    assert ada.post(f"{box}/addresses", data={"local": "*", "domain": "example.org"}).status_code == 303
    assert ada.post(f"{box}/addresses", data={"local": "Al", "domain": ""}).status_code == 303
    assert "al@every domain" in ada.get(BOXES).text
    assert ada.post(f"{box}/addresses", data={"local": "root", "domain": ""}).status_code == 422
    assert ada.post(f"{box}/addresses", data={"local": "x", "domain": "other.example"}).status_code == 422
    removes = re.findall(r'action="([^"]*/remove)"', ada.get(box).text)
    assert [ada.post(address).status_code for address in removes] == [303, 303]
    assert [ada.post(address).status_code for address in removes] == [404, 404]


def test_an_admin_sets_limits(ada, db, alice, mailbox_of, storage):
    box = mailbox_of(alice)
    form = {"quota_mib": "2", "hidden_capabilities": "notify compress"}
    assert ada.post(f"{BOXES}/{box.id}", data=form).status_code == 303
    db.refresh(box)
    assert (box.quota_octets, box.hidden_capabilities) == (2_097_152, "NOTIFY COMPRESS")
    assert storage.quota("alice").limit_octets == 2_097_152
    for wrong in ({"quota_mib": "0"}, {"quota_mib": "-1"}, {"quota_mib": "x"}, {"hidden_capabilities": "é"}):
        assert ada.post(f"{BOXES}/{box.id}", data=wrong).status_code == 422
    assert ada.post(f"{BOXES}/{box.id}", data={"quota_mib": ""}).status_code == 303
    assert storage.quota("alice").limit_octets is None


def test_an_admin_closes_and_opens(ada, db, alice, mailbox_of):
    box = mailbox_of(alice)
    for state in ("closed", "open"):
        assert ada.post(f"{BOXES}/{box.id}/{state}").status_code == 303
        db.refresh(box)
        assert box.state == state
    assert ada.post(f"{BOXES}/{box.id}/burnt").status_code == 404


def test_an_admin_releases_the_name_of_who_is_gone(ada, db, alice, mailbox_of, storage):
    box = mailbox_of(alice)
    storage.create_mailbox("alice")
    db.delete(db.get_one(User, alice.id))
    db.commit()
    assert "This name is retired" in ada.get(f"{BOXES}/{box.id}").text
    assert ada.post(f"{BOXES}/{box.id}/release").headers["Location"] == BOXES
    assert list(storage.mailboxes()) == []
    assert not service.is_taken(db, parse_name("name", "alice"))


def test_a_name_in_use_is_not_released(ada, db, alice, mailbox_of, storage):
    assert ada.post(f"{BOXES}/{mailbox_of(alice).id}/release").status_code == 403
    assert service.find_mailbox(db, alice.id) is not None


def test_addresses_follow_when_a_domain_is_hosted_no_more(ada, db, alice, bob, hosting, mailbox_of):
    for person in (alice, bob):
        mailbox_of(person)
    account = db.scalar(select(MailAccount).where(MailAccount.owner_id == bob.id))
    account.label = "Work"
    account.identities[0].address = "bob+work@example.org"
    db.commit()
    form = {
        "mode": "both", "mailsite-domains": "other.example", "mailsite-storage_engine": "files",
        "mailsite-smtp_port": "25", "mailsite-imap_port": "143", "mailsite-fallback_port": "2525",
    }  # fmt: skip
    assert ada.post("/admin/mail-services", data=form).status_code == 303
    db.expire_all()
    accounts = db.scalars(select(MailAccount).order_by(MailAccount.owner_id)).all()
    assert [(row.address, row.label) for row in accounts] == [
        ("alice@other.example", "alice@other.example"),
        ("bob@other.example", "Work"),
    ]
    addresses = [row.identities[0].address for row in accounts]
    assert addresses == ["alice@other.example", "bob+work@example.org"], "what people wrote themselves stays"
