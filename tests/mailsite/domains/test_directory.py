"""Whose an address is, and who may write from it."""

from dataclasses import replace

import pytest

from app.users.models import User, UserRole
from mailsite_ext.domains import service
from mailsite_ext.domains.directory import Directory
from mailsite_ext.domains.models import EVERY_DOMAIN, MailboxState
from mailsite_ext.errors import DomainNotAllowed, NotLocal
from mailsite_ext.protocol.smtp_address import Address, parse_address
from mailsite_ext.settings.values import Settings

from .conftest import HOSTED


def address(text):
    return parse_address(text, utf8=True)


@pytest.fixture
def directory(parts, hosting):
    return Directory(parts, HOSTED)


@pytest.fixture
def people(directory, db, admin, alice, bob, mailbox_of):
    """Alice with an alias, Bob with another, both with a third; Ada, an admin, with one that is reserved."""
    boxes = {person.name: mailbox_of(person) for person in (admin, alice, bob)}
    for person, local, domain in [
        ("Alice", "al", "example.org"),
        ("Bob", "sales-team", EVERY_DOMAIN),
        ("Alice", "sales-team", EVERY_DOMAIN),
        ("Ada", "security", "example.org"),
    ]:
        service.add_address(db, boxes[person].id, local, domain)
    return boxes


def reached(directory, text):
    recipient = directory.find_recipient(address(text))
    return recipient and [hosted.name for hosted in recipient.mailboxes]


@pytest.mark.parametrize(
    ("text", "names"),
    [
        ("alice@example.org", ["alice"]),
        ("alice@example.net", ["alice"]),
        ("Alice@Example.ORG", ["alice"]),
        ("alice+shop@example.org", ["alice"]),
        ("al@example.org", ["alice"]),
        ("al+x@example.org", ["alice"]),
        ("al@example.net", None),  # this alias stands at one domain
        ("sales-team@example.net", ["alice", "bob"]),
        ("security@example.org", ["ada"]),
        ("security@example.net", None),
        ("postmaster@example.net", ["ada"]),  # RFC 5321 §4.5.1
        ("Postmaster", ["ada"]),
        ("abuse@example.org", ["ada"]),  # RFC 2142 §4
        ("dmarc-reports@example.org", []),
        ("TLS-reports+x@example.net", []),
        ("nobody@example.org", None),
        ("+x@example.org", None),
        ("*@example.org", None),
        ('"alice"@example.org', ["alice"]),
        ('"al ice"@example.org', None),
    ],
)
def test_who_gets_mail(directory, people, text, names):
    assert reached(directory, text) == names


def test_the_detail_of_a_subaddress_is_told(directory, people):
    assert directory.find_recipient(address("alice+shop@example.org")).detail == "shop"


@pytest.mark.parametrize(
    ("domain", "text", "names"),
    [
        ("example.org", "anything@example.org", ["bob"]),
        ("example.org", "anything@example.net", None),
        (EVERY_DOMAIN, "anything@example.net", ["bob"]),
        (EVERY_DOMAIN, "alice@example.net", ["alice"]),
        (EVERY_DOMAIN, "hostmaster@example.net", ["ada"]),  # a certificate for the domain hangs on it
        (EVERY_DOMAIN, "admin+x@example.org", ["ada"]),
        (EVERY_DOMAIN, "postmaster@example.org", ["ada"]),
        (EVERY_DOMAIN, "dmarc-reports@example.org", []),  # no flood of reports in anybody's mailbox
    ],
)
def test_catch_all(directory, db, people, domain, text, names):
    service.add_address(db, people["Bob"].id, "*", domain)
    assert reached(directory, text) == names


def test_a_domains_own_catch_all_comes_before_that_of_all(directory, db, people):
    service.add_address(db, people["Bob"].id, "*", EVERY_DOMAIN)
    service.add_address(db, people["Alice"].id, "*", "example.net")
    assert (reached(directory, "x@example.net"), reached(directory, "x@example.org")) == (["alice"], ["bob"])


@pytest.mark.parametrize("text", ["x@elsewhere.example", "alice@sub.example.org"])
def test_never_a_relay(directory, people, text):
    with pytest.raises(NotLocal):
        directory.find_recipient(address(text))


@pytest.mark.parametrize("text", ["alice@localhost", "alice@[127.0.0.1]"])
def test_names_of_test_mode_are_refused_outside_of_it(parts, people, text):
    settings = replace(HOSTED, domains=("localhost", "[127.0.0.1]"))
    with pytest.raises(DomainNotAllowed):
        Directory(parts, settings).find_recipient(address(text))
    assert reached(Directory(parts, replace(settings, test_mode=True)), text) == ["alice"]


def test_blank_domains_host_localhost_alone(parts, people):
    directory = Directory(parts, Settings(test_mode=True))
    assert reached(directory, "alice@localhost") == ["alice"]
    with pytest.raises(NotLocal):
        directory.find_recipient(address("alice@example.org"))


def test_a_closed_mailbox_takes_no_mail(directory, db, people):
    service.set_state(db, people["Alice"].id, MailboxState.CLOSED)
    assert reached(directory, "alice@example.org") is None
    assert reached(directory, "sales-team@example.org") == ["bob"]


def test_who_is_gone_gets_no_mail_and_a_catch_all_does_not_inherit(directory, db, alice, people):
    db.delete(db.get_one(User, alice.id))
    db.commit()
    assert reached(directory, "alice@example.org") is None
    assert reached(directory, "al@example.org") is None


def test_a_new_address_counts_at_once_and_an_old_one_ends_soon(directory, db, people, clock):
    assert reached(directory, "new@example.org") is None
    made = service.add_address(db, people["Bob"].id, "new", "example.org")
    assert reached(directory, "new@example.org") == ["bob"]
    service.remove_address(db, people["Bob"].id, made.id)
    clock.advance(5)
    assert reached(directory, "new@example.org") is None


@pytest.mark.parametrize(
    ("name", "text", "may"),
    [
        ("alice", "alice@example.net", True),
        ("alice", "ALICE+x@example.org", True),
        ("alice", "sales-team@example.org", True),
        ("bob", "sales-team@example.org", True),
        ("alice", "bob@example.org", False),
        ("alice", "nobody@example.org", False),
        ("alice", "alice@elsewhere.example", False),
        ("alice", "postmaster@example.org", False),
        ("ada", "postmaster@example.org", True),
        ("nobody", "alice@example.org", False),
    ],
)
def test_who_may_write_from(directory, people, name, text, may):
    assert directory.may_send_as(name, address(text)) is may


def test_addresses_of_a_mailbox(directory, db, people):
    service.add_address(db, people["Alice"].id, "*", EVERY_DOMAIN)
    assert directory.addresses_of("alice") == [
        "alice@example.org",
        "alice@example.net",
        "al@example.org",
        "sales-team@example.org",
        "sales-team@example.net",
    ]


def test_postmaster_reaches_every_admin_and_nobody_else(directory, db, people, make_user, mailbox_of):
    mailbox_of(make_user("Eve", UserRole.ADMIN))
    assert reached(directory, "postmaster@example.org") == ["ada", "eve"]


def test_an_address_is_told_as_it_was_asked(directory, people):
    asked = Address("Alice", "example.org")
    assert directory.find_recipient(asked).address == asked


@pytest.mark.parametrize("name", ["postmaster", "abuse"])
def test_postmaster_is_taken_though_no_admin_has_a_mailbox_yet(directory, admin, alice, mailbox_of, name):
    mailbox_of(alice)
    assert reached(directory, f"{name}@example.org") == ["ada"]


def test_postmaster_is_taken_though_somebody_has_the_admins_name(directory, admin, alice, mailbox_of):
    mailbox_of(alice, "ada")
    assert reached(directory, "postmaster@example.org") == ["postmaster"]


def test_without_an_admin_nobody_is_postmaster(directory, alice, mailbox_of):
    mailbox_of(alice)
    assert reached(directory, "postmaster@example.org") is None


@pytest.mark.parametrize("local", ["a\0b", "\n", "", "%", "_", "a" * 5_000, "\u202ealice", "é" * 100])
def test_odd_local_parts_are_nobodys(directory, people, local):
    assert directory.find_recipient(Address(local, "example.org")) is None
