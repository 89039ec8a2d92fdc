"""Adding an account in one go and in two steps, and what goes wrong."""

from __future__ import annotations

import re

import pytest

from app.accounts import lookup, service, views
from app.accounts.endpoint import Endpoint, Tls
from app.accounts.models import AccountState
from app.accounts.presets import Preset
from app.accounts.probe import examine
from app.accounts.service import credentials
from app.bus import Bell, Topic
from app.mail_services.models import MailServices, OAuthClient
from tests.servers import http
from tests.servers.http import Reply
from tests.webmail.accounts.pages.forms import accounts_of, fields

HOME = "127.0.0.1\n::1"
ZONE = {("holt.example", "MX"): ["10 mail.holt.example."], ("mail.holt.example", "A"): ["127.0.0.1"]}


@pytest.mark.servers
def test_an_account_is_added_by_address_and_password_alone(parts, browser_of, alice, servers, mail_user, db):
    with parts.bus.subscribe() as bells:
        answer = browser_of(alice).post(
            "/mail/accounts/add", data={"address": mail_user.name, "password": "correct horse"}
        )
        rung = set(bells.wait(5))
    assert answer.status_code == 303
    (account,) = accounts_of(db, alice)
    assert rung >= {Bell(Topic.ACCOUNT, account.id)}
    assert (account.imap_host, account.smtp_tls, account.provider) == ("localhost", Tls.STARTTLS, "holt")
    assert (account.state, account.label, account.auth) == (AccountState.NEW, mail_user.name, "password")
    opened = credentials(parts.vault, account)
    assert (opened.imap_password, opened.smtp_password) == ("correct horse", "correct horse")
    assert b"correct horse" not in account.sealed_imap_password
    assert len(parts.vault.open(f"mail_account.data_key:{account.uuid}", account.sealed_data_key)) == 32
    assert [identity.address for identity in account.identities] == [mail_user.name]


@pytest.mark.servers
def test_no_database_session_is_held_while_servers_are_asked(parts, browser_of, alice, servers, mail_user, monkeypatch):
    held = []

    def watched(*words, **named):
        held.append(parts.public.engine.pool.checkedout())
        return examine(*words, **named)

    monkeypatch.setattr(service, "examine", watched)
    monkeypatch.setattr(views, "examine", watched)
    browser = browser_of(alice)
    assert browser.post("/mail/accounts/sign-in", data=fields(servers, mail_user)).status_code == 303
    page = browser.get("/mail/accounts").text
    doctor = re.search(r"/mail/accounts/\d+/doctor", page)
    assert doctor is not None
    assert browser.post(doctor[0]).status_code == 200
    assert held == [0, 0]


@pytest.mark.servers
def test_an_account_is_added_in_two_steps(browser_of, alice, servers, mail_user, db):
    browser = browser_of(alice)
    page = browser.post("/mail/accounts/add", data={"address": mail_user.name})
    assert page.status_code == 200
    assert f'value="{servers.imap.port}"' in page.text
    assert "Holt Mail wants an app password" in page.text
    assert accounts_of(db, alice) == []
    assert browser.post("/mail/accounts/sign-in", data=fields(servers, mail_user)).status_code == 303
    assert "Added “Home”. The newest mail comes first." in browser.get("/mail").text
    (account,) = accounts_of(db, alice)
    assert (account.label, account.color) == ("Home", "moss")


@pytest.mark.servers
def test_a_refused_login_stores_nothing_and_says_why(browser_of, alice, servers, mail_user, smtp_sink, db):
    page = browser_of(alice).post("/mail/accounts/sign-in", data=fields(servers, mail_user, password="s3cret-wrong"))
    assert page.status_code == 422
    assert "Holt Mail refused the login" in page.text
    assert "Authentication failed" in page.text
    assert "https://holt.example/help" in page.text
    assert "Folder rights" in page.text
    assert "s3cret-wrong" not in page.text  # C5
    assert accounts_of(db, alice) == []


@pytest.mark.servers
def test_sending_refused_while_reading_works(browser_of, alice, servers, mail_user, smtp_sink, db):
    smtp_sink.accounts.clear()
    page = browser_of(alice).post("/mail/accounts/sign-in", data=fields(servers, mail_user))
    assert page.status_code == 422
    assert "Reading works; only sending does not." in page.text
    assert accounts_of(db, alice) == []


@pytest.mark.servers
def test_the_same_mailbox_twice_is_told(browser_of, alice, bob, servers, mail_user, db):
    alices, bobs = browser_of(alice), browser_of(bob)
    for browser, status in ((alices, 303), (alices, 422), (bobs, 303)):
        assert browser.post("/mail/accounts/sign-in", data=fields(servers, mail_user)).status_code == status
    assert len(accounts_of(db, alice)) == len(accounts_of(db, bob)) == 1


@pytest.mark.parametrize(
    ("changed", "words"),
    [
        ({"imap_host": "10.0.0.1"}, "private address"),
        ({"imap_host": "nowhere.example"}, "No server is called"),
        ({"imap_host": "a b"}, "not a host name"),
        ({"imap_port": "0"}, "from 1 to 65535"),
        ({"imap_port": "x"}, "from 1 to 65535"),
        ({"imap_tls": "none"}, "Not encrypted"),
        ({"imap_tls": "rot13"}, "Not a valid choice"),
        ({"address": "nobody"}, "not a mail address"),
        ({"imap_username": "a\r\nb"}, "control character"),
        ({"password": "a\r\nA1 LOGOUT"}, "control character"),
        ({"name": "x\r\nBcc: y@example.org"}, "control character"),
        ({"password": "x" * 1_001}, "longer than 1000"),
        ({"label": "x" * 101}, "longer than 100"),
        ({"password": ""}, "Type the password"),
    ],
)
def test_fields_that_cannot_be_used(browser_of, alice, db, changed, words):
    user = type("User", (), {"name": "alice@example.org", "password": "pw"})
    preset = Preset("x", "X", Endpoint("127.0.0.1", 1), Endpoint("127.0.0.1", 1))
    page = browser_of(alice).post("/mail/accounts/sign-in", data=fields(preset, user, **changed))
    assert page.status_code == 422
    assert words in page.text
    assert accounts_of(db, alice) == []


# Finding


def test_what_was_tried_is_shown(browser_of, alice, monkeypatch, authority):
    with http.serve(authority.issue("localhost")) as web:
        web.pages["/config.xml"] = Reply(body=CONFIG, headers={"Content-Type": "text/xml"})
        urls = (web.url("/config.xml"), "https://nowhere.example/config.xml")
        monkeypatch.setattr(lookup, "autoconfig_urls", lambda domain, address: urls)
        page = browser_of(alice).post("/mail/accounts/add", data={"address": "maren@holt.example"})
    assert page.status_code == 200
    assert "Found at the domain" in page.text
    assert 'value="imap.holt.example"' in page.text
    for words in (
        "Known providers",
        "_imaps._tcp.holt.example",
        "config.xml",
        "(MX)",
    ):
        assert words in page.text


CONFIG = b"""<clientConfig><emailProvider id="h"><incomingServer type="imap"><hostname>imap.holt.example</hostname>
<port>993</port><socketType>SSL</socketType><username>%EMAILLOCALPART%</username></incomingServer>
<outgoingServer type="smtp"><hostname>smtp.holt.example</hostname><port>465</port><socketType>SSL</socketType>
</outgoingServer></emailProvider></clientConfig>"""


def test_nothing_found_leads_to_the_form(browser_of, alice, monkeypatch):
    monkeypatch.setattr(lookup, "autoconfig_urls", lambda domain, address: ())
    page = browser_of(alice).post("/mail/accounts/add", data={"address": "a@unknown.example", "password": "pw"})
    assert page.status_code == 200
    assert "Not all settings" in page.text
    assert "Likely host: imap.unknown.example" in page.text


@pytest.mark.parametrize(
    ("address", "status", "words"),
    [
        ("a@outlook.com", 422, "Your admin must register OAuth first"),
        ("a@tuta.com", 422, "offers no IMAP"),
        ("a@b@c", 422, "not a mail address"),
        ("a@gmail.com", 200, "Gmail wants an app password"),
    ],
)
def test_providers_with_their_own_ways(browser_of, alice, address, status, words):
    page = browser_of(alice).post("/mail/accounts/add", data={"address": address, "password": ""})
    assert page.status_code == status
    assert words in page.text
    if "outlook" in address:
        assert 'type="password"' not in page.text


def test_a_bridge_only_where_an_admin_listed_it(browser_of, alice, db):
    browser = browser_of(alice)
    assert "1143" in browser.post("/mail/accounts/add", data={"address": "a@proton.me"}).text
    db.get(MailServices, 1).private_hosts = ""
    db.commit()
    page = browser.post("/mail/accounts/add", data={"address": "a@proton.me"})
    assert page.status_code == 422
    assert "an admin must allow that" in page.text


def test_oauth_only_providers_go_straight_to_consent(browser_of, alice, db):
    db.add(OAuthClient(provider="microsoft", client_id="id"))
    db.commit()
    browser = browser_of(alice)
    page = browser.post("/mail/accounts/add", data={"address": "a@outlook.com"})
    assert page.status_code == 200
    target = page.headers["Refresh"].removeprefix("0; url=")
    onward = browser.get(target)
    assert onward.status_code == 302
    assert onward.location.startswith("https://login.microsoftonline.com/")
    by_hand = {"imap_host": "outlook.office365.com", "smtp_host": "smtp.office365.com", "imap_port": 993,
               "smtp_port": 587, "imap_tls": "implicit", "smtp_tls": "starttls", "address": "a@holt.example",
               "password": "pw", "color": "moss"}  # fmt: skip
    assert "Refresh" in browser.post("/mail/accounts/sign-in", data=by_hand).headers


def test_the_first_page_of_a_newcomer(browser_of, alice):
    browser = browser_of(alice)
    assert "Add your first account" in browser.get("/mail/accounts/add").text
    assert "No account yet" in browser.get("/mail/accounts").text
    assert "Incoming server" in browser.get("/mail/accounts/add?by-hand=1").text


# Changing
