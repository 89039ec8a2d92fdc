"""Accounts: changing, checking, order and end, and whose they are."""

from __future__ import annotations

import re

import pytest
from sqlalchemy import func, select

from app.accounts.models import AccountState, Identity, MailAccount
from app.accounts.service import credentials
from app.bus import Bell, Topic
from app.mail_services.models import OAuthClient
from app.mail_services.modes import Mode
from tests.factories import make_account
from tests.webmail.accounts.pages.forms import accounts_of, fields


@pytest.fixture
def added(parts, browser_of, alice, servers, mail_user, db):
    """Alice's browser and her account, which works."""
    browser = browser_of(alice)
    assert browser.post("/mail/accounts/sign-in", data=fields(servers, mail_user)).status_code == 303
    return browser, accounts_of(db, alice)[0]


@pytest.mark.servers
def test_a_name_changes_without_asking_the_servers(added, servers, mail_user, db, alice, dovecot):
    browser, account = added
    page = browser.get(f"/mail/accounts/{account.id}").text
    assert mail_user.password not in page
    form = fields(servers, mail_user, label="Elsewhere", password="")
    assert browser.post(f"/mail/accounts/{account.id}", data=form).status_code == 303
    assert accounts_of(db, alice)[0].label == "Elsewhere"


@pytest.mark.servers
def test_a_stored_password_never_goes_to_another_server(added, servers, mail_user, free_port, db, alice):
    browser, account = added
    form = fields(servers, mail_user, password="", imap_port=free_port())
    page = browser.post(f"/mail/accounts/{account.id}", data=form)
    assert page.status_code == 422
    assert "not sent to other servers" in page.text
    form["password"] = mail_user.password
    page = browser.post(f"/mail/accounts/{account.id}", data=form)
    assert page.status_code == 422
    assert "refuses connections" in page.text
    assert accounts_of(db, alice)[0].imap_port == servers.imap.port


@pytest.mark.servers
def test_a_new_password_reconnects(parts, added, dovecot, mail_user, smtp_sink, db, alice):
    browser, account = added
    changed = dovecot.change_password(mail_user, "battery staple")
    smtp_sink.accounts[mail_user.name] = "battery staple"
    db.get(MailAccount, account.id).state = AccountState.REFUSED
    db.get(MailAccount, account.id).error = "LoginRefused"
    db.commit()
    assert "refused the login" in browser.get(f"/mail/accounts/{account.id}/doctor").text
    page = browser.post(f"/mail/accounts/{account.id}/doctor")
    assert "Authentication failed" in page.text
    assert browser.post(f"/mail/accounts/{account.id}/sign-in", data={"password": "no"}).status_code == 422
    answer = browser.post(f"/mail/accounts/{account.id}/sign-in", data={"password": changed.password})
    assert answer.status_code == 303
    (account,) = accounts_of(db, alice)
    assert (account.state, account.error) == (AccountState.NEW, "")
    assert credentials(parts.vault, account).smtp_password == "battery staple"


@pytest.mark.servers
def test_a_check_that_finds_all_well_ends_the_error(added, db, alice):
    browser, account = added
    db.get(MailAccount, account.id).error = "TimedOut"
    db.commit()
    assert "did not answer" in browser.get("/mail/accounts").text
    page = browser.post(f"/mail/accounts/{account.id}/doctor")
    assert "Both logins work" in page.text
    assert "push new mail" in page.text
    assert accounts_of(db, alice)[0].error == ""


def test_pause_resume_order_and_remove(browser_of, alice, db, parts):
    first, second = (make_account(db, alice, vault=parts.vault, label=label) for label in ("one", "two"))
    browser = browser_of(alice)
    browser.post(f"/mail/accounts/{first.id}/pause", data={"paused": "1"})
    assert accounts_of(db, alice)[0].paused
    browser.post(f"/mail/accounts/{first.id}/pause", data={"paused": "0"})
    assert not accounts_of(db, alice)[0].paused
    for target, order in (
        ("up", ["two", "one"]),
        ("up", ["two", "one"]),
        ("down", ["one", "two"]),
        ("x", ["one", "two"]),
    ):
        assert browser.post(f"/mail/accounts/{second.id}/move", data={"to": target}).status_code == 303
        assert [account.label for account in accounts_of(db, alice)] == order
    assert browser.get(f"/mail/accounts/{first.id}/remove").status_code == 200
    with parts.bus.subscribe() as bells:
        browser.post(f"/mail/accounts/{first.id}/remove")
        assert Bell(Topic.ACCOUNT, first.id) in bells.wait(5)
    assert [account.label for account in accounts_of(db, alice)] == ["two"]
    assert db.scalar(select(func.count()).select_from(Identity)) == 1


def test_identities(browser_of, alice, db, parts):
    account = make_account(db, alice, vault=parts.vault)
    browser, url = browser_of(alice), f"/mail/accounts/{account.id}/identities"
    new = {"name": "A <b>", "address": "info@example.net", "reply_to": "", "signature": "Best <wishes>\nAlice & co"}
    assert browser.post(url, data=new).status_code == 303
    db.expire_all()
    added = db.scalars(select(Identity).order_by(Identity.id)).all()[-1]
    assert (added.address, added.signature_html) == ("info@example.net", "Best &lt;wishes&gt;<br>Alice &amp; co")
    page = browser.get(f"{url}/{added.id}").text
    assert "Best &lt;wishes&gt;\nAlice &amp; co</textarea>" in page
    bad = {**new, "name": "x\r\nBcc: y@example.org"}
    assert browser.post(f"{url}/{added.id}", data=bad).status_code == 422
    for identity_id in (added.id, account.identities[0].id):
        browser.post(f"{url}/{identity_id}/remove")
    assert db.scalar(select(func.count()).select_from(Identity)) == 1  # the last one stays


# Whose they are

ROUTES = [
    ("GET", "/mail/accounts/{}"), ("POST", "/mail/accounts/{}"), ("POST", "/mail/accounts/{}/pause"),
    ("POST", "/mail/accounts/{}/move"), ("GET", "/mail/accounts/{}/remove"), ("POST", "/mail/accounts/{}/remove"),
    ("GET", "/mail/accounts/{}/doctor"), ("POST", "/mail/accounts/{}/doctor"), ("POST", "/mail/accounts/{}/sign-in"),
    ("GET", "/mail/accounts/{}/identities"), ("POST", "/mail/accounts/{}/identities"),
    ("GET", "/mail/accounts/{}/identities/1"), ("POST", "/mail/accounts/{}/identities/1"),
    ("POST", "/mail/accounts/{}/identities/1/remove"),
    ("GET", "/mail/oauth/google/start?account={}"),
]  # fmt: skip


@pytest.mark.parametrize(("method", "route"), ROUTES)
def test_others_accounts_look_like_none(parts, browser_of, alice, mallory, db, method, route):
    db.add(OAuthClient(provider="google", client_id="id"))
    account = make_account(db, alice, vault=parts.vault, provider="gmail")
    browser = browser_of(mallory)
    data = {"paused": "1", "to": "up", "password": "x", "label": "mine", "name": "x", "address": "x@example.org"}
    theirs, none = (browser.open(route.format(number), method=method, data=data) for number in (account.id, 999_999))
    assert theirs.status_code == none.status_code == 404
    assert strip_ids(theirs.text) == strip_ids(none.text)
    (same,) = accounts_of(db, alice)
    assert (same.label, same.paused) == (account.label, False)
    assert len(same.identities) == 1


def strip_ids(page: str) -> str:
    return re.sub(r'(csrf-token" content|csrf_token" value)="[^"]*"', "", page)


@pytest.mark.parametrize(("method", "route"), [*ROUTES, ("GET", "/mail/accounts"), ("GET", "/mail/accounts/add")])
def test_nobody_sees_them_signed_out(anonymous, method, route):
    answer = anonymous.open(route.format(1), method=method)
    assert answer.status_code == (302 if method == "GET" else 401)


@pytest.mark.parametrize("mode", [Mode.DISABLED, Mode.MAILSITE])
def test_they_are_gone_in_modes_without_external_accounts(browser_of, alice, set_mode, mode):
    set_mode(mode)
    browser = browser_of(alice)
    for url in ("/mail/accounts", "/mail/accounts/add", "/mail/oauth/google/start"):
        assert browser.get(url).status_code == 404


def test_no_account_is_changed_without_a_token(app, browser_of, alice, db, parts):
    account = make_account(db, alice, vault=parts.vault)
    browser = browser_of(alice)
    app.config["WTF_CSRF_ENABLED"] = True
    assert browser.post(f"/mail/accounts/{account.id}/remove").status_code == 400
    assert len(accounts_of(db, alice)) == 1
