"""A person's list of trusted senders (T6): what may stand on it, whom it is about, and its page."""

from __future__ import annotations

import pytest

from app.extension_api import BadInput, NotFound
from app.mail_services.modes import Mode
from mailsite_ext.domains import service as domains
from mailsite_ext.protocol.smtp_address import Address
from mailsite_ext.trusted_senders import service
from tests.conftest import START

PAGE = "/settings/trusted-senders"


@pytest.mark.parametrize(
    ("typed", "entry"),
    [
        ("ada@example.org", "ada@example.org"),
        (" Ada@EXAMPLE.org ", "ada@example.org"),
        ("example.org", "@example.org"),
        ("@Example.ORG", "@example.org"),
        ("ada@exämple.org", "ada@xn--exmple-cua.org"),
        ("ädä@example.org", "ädä@example.org"),
        ('"a b"@example.org', "a b@example.org"),
        ("", None),
        ("@", None),
        ("ada@", None),
        ("org", None),  # all of it
        ("ada@org", None),
        ("[127.0.0.1]", None),
        ("ada@[127.0.0.1]", None),
        ("*@example.org.", None),
        ("a" * 300 + "@example.org", None),
        ("a\nb@example.org", None),
        ("a\0@example.org", None),
    ],
)
def test_addresses_and_domains(typed, entry):
    if entry is None:
        with pytest.raises(BadInput):
            service.entry_of(typed)
    else:
        assert service.entry_of(typed) == entry


@pytest.mark.parametrize(
    ("entry", "author", "trusted"),
    [
        ("ada@example.org", Address("Ada", "example.org"), True),
        ("ada@example.org", Address("eve", "example.org"), False),
        ("@example.org", Address("eve", "example.org"), True),
        ("@example.org", Address("eve", "mail.example.org"), False),  # each domain by its own name
        ("@example.org", Address("eve", "evilexample.org"), False),
        ("ada@example.org", Address("x@ada", "example.org"), False),
    ],
)
def test_whom_a_list_is_about(parts, db, alice, bob, entry, author, trusted):
    service.trust(db, alice.id, entry, START)
    lists = service.TrustedSenders(parts.public)
    assert lists.trusting({alice.id, bob.id}, author) == ({alice.id} if trusted else set())
    assert lists.trusting({bob.id}, author) == set()
    assert lists.trusting((), author) == set()
    assert service.is_trusted(db, alice.id, author) is trusted
    assert not service.is_trusted(db, bob.id, author)


def test_it_has_each_once_and_is_bounded(db, alice, bob, monkeypatch):
    monkeypatch.setattr(service, "MOST", 2)
    for entry in ("@a.example", "@a.example", "@b.example"):
        service.trust(db, alice.id, entry, START)
    assert [each.sender for each in service.list_trusted(db, alice.id)] == ["@a.example", "@b.example"]
    with pytest.raises(BadInput):
        service.trust(db, alice.id, "@c.example", START)
    service.trust(db, bob.id, "@c.example", START)


def test_nobody_takes_from_anothers_list(db, alice, mallory):
    service.trust(db, alice.id, "@a.example", START)
    (found,) = service.list_trusted(db, alice.id)
    for number in (found.id, 999_999):
        with pytest.raises(NotFound):
            service.distrust(db, mallory.id, number)
    service.distrust(db, alice.id, found.id)
    assert service.list_trusted(db, alice.id) == []


@pytest.fixture
def browser(app, parts, db, alice, set_mode, browser_of):
    set_mode(Mode.MAILSITE)
    domains.ensure_mailbox(parts, db, alice)
    return browser_of(alice)


def test_the_page_adds_and_removes(browser, db, alice):
    assert "Nobody yet" in browser.get(PAGE).text
    assert browser.post(PAGE, data={"sender": "Far.Example"}).status_code == 303
    page = browser.get(PAGE).text
    assert "Everybody at far.example" in page
    (found,) = service.list_trusted(db, alice.id)
    assert browser.post(f"{PAGE}/{found.id}/remove").status_code == 303
    assert "Nobody yet" in browser.get(PAGE).text


@pytest.mark.parametrize("typed", ["", "nothing", "<script>alert(1)</script>", "a@b@c", "x" * 5_000])
def test_what_cannot_be_trusted_is_said_and_kept_in_the_field(browser, typed):
    answer = browser.post(PAGE, data={"sender": typed})
    assert answer.status_code == 422
    assert "This is neither an address nor a domain." in answer.text
    assert "<script>alert" not in answer.text


def test_a_full_list_says_so(browser, monkeypatch):
    monkeypatch.setattr(service, "MOST", 0)
    assert "There are 0 already." in browser.post(PAGE, data={"sender": "far.example"}).text


def test_without_hosting_there_is_no_such_page(browser, set_mode):
    set_mode(Mode.EXTERNAL)
    assert browser.get(PAGE).status_code == 404
