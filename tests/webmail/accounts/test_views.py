"""The pages of mail accounts: adding in one go and in two steps, changing, checking, and whose they are."""

from __future__ import annotations

import re
from dataclasses import replace

import pytest
from sqlalchemy import func, select

from app import create_app, runtime
from app.accounts import lookup, presets, service, views
from app.accounts.endpoint import Endpoint, Tls
from app.accounts.models import AccountState, Identity, MailAccount
from app.accounts.presets import PasswordKind, Preset
from app.accounts.probe import examine
from app.accounts.service import credentials
from app.bus import Bell, Topic
from app.mail_services.models import MailServices, OAuthClient
from app.mail_services.modes import Mode
from app.resolver import ZoneResolver
from tests.factories import make_account
from tests.servers import http
from tests.servers.http import Reply

HOME = "127.0.0.1\n::1"
ZONE = {("holt.example", "MX"): ["10 mail.holt.example."], ("mail.holt.example", "A"): ["127.0.0.1"]}


@pytest.fixture
def parts(config, clock, authority):
    """An installation that trusts the test authority and knows one domain."""
    trusting = replace(config, tls_ca_file=str(authority.ca))
    built = runtime.build(trusting, clock=clock, resolver=ZoneResolver(ZONE))
    yield built
    built.dispose()


@pytest.fixture
def app(parts):
    return create_app(parts=parts)


@pytest.fixture(autouse=True)
def external_mail(db):
    db.add(MailServices(id=1, mode=Mode.EXTERNAL, private_hosts=HOME))
    db.commit()


@pytest.fixture
def servers(dovecot, mail_user, smtp_sink, monkeypatch):
    """A provider with real servers; people of `holt.example` have their mail there."""
    smtp_sink.accounts[mail_user.name] = mail_user.password
    preset = Preset(
        "holt", "Holt Mail", Endpoint("localhost", dovecot.imaps_port),
        Endpoint("localhost", smtp_sink.port, Tls.STARTTLS), domains=("example.org",),
        passwords=PasswordKind.APP, help_url="https://holt.example/help", steps=("Make one.",),
    )  # fmt: skip
    monkeypatch.setitem(presets._BY_DOMAIN, "example.org", preset)
    monkeypatch.setitem(presets._BY_KEY, "holt", preset)
    monkeypatch.setitem(presets._BY_HOST, "localhost", preset)
    return preset


def fields(preset: Preset, user, **changed):
    """The settings form as a browser sends it."""
    form = {"address": user.name, "password": user.password, "name": "Alice"}
    for kind, endpoint in (("imap", preset.imap), ("smtp", preset.smtp)):
        form |= {f"{kind}_host": endpoint.host, f"{kind}_port": endpoint.port, f"{kind}_tls": endpoint.tls.value}
        form[f"{kind}_username"] = user.name
    return {**form, "color": "moss", "label": "Home", "provider": "holt", **changed}


def accounts_of(db, user):
    db.expire_all()
    return db.scalars(select(MailAccount).where(MailAccount.owner_id == user.id).order_by(MailAccount.position)).all()


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
