"""What people may write as from a hosted mailbox: their addresses, their names, their signatures."""

import pytest
from sqlalchemy import select

from app.accounts.models import Identity, MailAccount
from app.mail_services.modes import Mode
from mailsite_ext.domains import service
from mailsite_ext.domains.directory import Directory
from mailsite_ext.domains.newcomers import make_mailboxes
from mailsite_ext.protocol.smtp_address import parse_address

from .conftest import HOSTED

PAGE = "/settings/identities"


@pytest.fixture
def config(sqlite_config):
    """The database does not matter here."""
    return sqlite_config


@pytest.fixture
def alices(db, alice, mailbox_of, set_mode):
    mailbox = mailbox_of(alice)
    set_mode(Mode.MAILSITE)
    return mailbox


def addresses(db, person):
    db.expire_all()
    mine = select(Identity.address).join(Identity.account).where(MailAccount.owner_id == person.id)
    return db.scalars(mine.order_by(Identity.position)).all()


def test_a_new_mailbox_writes_as_all_its_addresses(db, alice, alices):
    assert addresses(db, alice) == ["alice@example.org", "alice@example.net"]


def test_an_alias_given_is_one_to_write_as_and_one_taken_is_none(db, alice, alices, browser_of):
    given = [service.add_address(db, alices.id, "al", "example.org"), service.add_address(db, alices.id, "*", "")]
    assert addresses(db, alice) == ["alice@example.org", "alice@example.net", "al@example.org"]
    assert "al@example.org" in browser_of(alice).get("/mail/compose").text
    for address in given:
        service.remove_address(db, alices.id, address.id)
    assert addresses(db, alice) == ["alice@example.org", "alice@example.net"]


def test_an_alias_shared_by_two_is_one_of_both(db, alice, bob, alices, mailbox_of):
    for mailbox in (alices, mailbox_of(bob)):
        service.add_address(db, mailbox.id, "team", "example.org")
    assert [addresses(db, person)[-1] for person in (alice, bob)] == ["team@example.org"] * 2


def test_an_alias_before_the_first_visit_is_there_at_it(db, parts, alice, hosting):
    make_mailboxes(parts)
    mailbox = service.find_mailbox(db, alice.id)
    service.add_address(db, mailbox.id, "al", "example.org")
    service.ensure_mailbox(parts, db, alice)
    assert "al@example.org" in addresses(db, alice)


@pytest.mark.parametrize(
    ("address", "is_own"),
    [
        ("alice@example.org", True),
        ("Alice+shop@example.net", True),
        ("al@example.org", True),
        ("al@example.net", False),
        ("bob@example.org", False),
        ("alice@elsewhere.example", False),
        ("postmaster@example.org", False),
    ],
)
def test_the_page_takes_what_submission_takes(db, parts, alice, bob, alices, mailbox_of, browser_of, address, is_own):
    mailbox_of(bob)
    service.add_address(db, alices.id, "al", "example.org")
    answer = browser_of(alice).post(PAGE, data={"name": "A", "address": address})
    assert answer.status_code == (303 if is_own else 422)
    assert Directory(parts, HOSTED).may_send_as("alice", parse_address(address, utf8=True)) is is_own


def test_names_signatures_and_order_are_reached_in_mode_mailsite(db, alice, alices, browser_of):
    browser = browser_of(alice)
    assert browser.get("/mail/accounts").status_code == 404
    assert f'href="{PAGE}"' in browser.get("/settings/mail-clients").text
    first, second = db.scalars(select(Identity).order_by(Identity.position)).all()
    form = {"name": "<b>Alice</b>", "address": second.address, "signature": "<script>\nGreetings"}
    assert browser.post(f"{PAGE}/{second.id}", data=form).status_code == 303
    assert browser.post(f"{PAGE}/{second.id}/first").status_code == 303
    assert addresses(db, alice)[0] == "alice@example.net"
    page = browser.get(f"{PAGE}/{second.id}").text
    assert "&lt;b&gt;Alice&lt;/b&gt;" in page
    assert "&lt;script&gt;" in page
    assert "<script>\nG" not in page
    assert [browser.post(f"{PAGE}/{each}/remove").status_code for each in (first.id, second.id)] == [303, 303]
    assert addresses(db, alice) == ["alice@example.net"], "the last one stays"


def test_a_name_that_would_be_a_header_is_none(alice, alices, browser_of, db):
    form = {"name": "A\r\nBcc: eve@example.org", "address": "alice@example.org", "reply_to": "x@y.example\r\nBcc: e@x"}
    assert browser_of(alice).post(PAGE, data=form).status_code == 422
    assert len(addresses(db, alice)) == 2


def test_without_a_mailbox_or_hosting_there_is_none(alice, hosting, browser_of, set_mode):
    browser = browser_of(alice)
    assert browser.get(PAGE).location == "/settings/mailbox"
    assert browser.post(f"{PAGE}/1").status_code == 404
    set_mode(Mode.EXTERNAL)
    assert browser.get(PAGE).status_code == 404
