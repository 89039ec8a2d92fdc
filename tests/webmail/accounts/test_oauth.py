"""OAuth (XOAUTH2): consent to both logins, early and single-flight refresh, revocation of one account alone."""

from __future__ import annotations

import threading
from concurrent.futures import ThreadPoolExecutor
from dataclasses import replace
from datetime import timedelta
from urllib.parse import parse_qs, urlsplit

import pytest

from app import create_app, runtime
from app.accounts import oauth, presets
from app.accounts.endpoint import Endpoint, Tls
from app.accounts.models import AccountState, Auth, MailAccount
from app.accounts.oauth_providers import PROVIDERS, Tokens
from app.accounts.presets import PasswordKind, Preset
from app.bus import Bell, Topic
from app.errors import GrantRevoked, MailError, ServerUnreachable
from app.mail_services.models import MailServices
from app.mail_services.modes import Mode
from app.mail_services.oauth_clients import save_client
from app.resolver import ZoneResolver
from tests.factories import make_account
from tests.servers import dovecot as dovecot_server
from tests.servers import oauth_provider
from tests.webmail.accounts.pages.forms import accounts_of


@pytest.fixture(scope="module")
def provider_server(authority):
    with oauth_provider.serve(authority.issue()) as running:
        yield running


@pytest.fixture
def provider(provider_server, monkeypatch):
    """A provider as good as new, in Google's place."""
    fresh = oauth_provider.FakeProvider()
    provider_server.__dict__.update({**fresh.__dict__, "web": provider_server.web})
    monkeypatch.setitem(PROVIDERS, "google", provider_server.endpoints("Google"))
    return provider_server


@pytest.fixture
def parts(config, clock, authority):
    trusting = replace(config, tls_ca_file=str(authority.ca))
    built = runtime.build(trusting, clock=clock, resolver=ZoneResolver({}))
    yield built
    built.dispose()


@pytest.fixture
def app(parts):
    return create_app(parts=parts)


@pytest.fixture(autouse=True)
def external_mail(db, parts, provider):
    db.add(MailServices(id=1, mode=Mode.EXTERNAL, private_hosts="127.0.0.1"))
    db.commit()
    save_client(db, parts.vault, "google", provider.client_id, provider.client_secret)


# Tokens of an account


@pytest.fixture
def account(db, parts, alice, provider, clock):
    return connected(db, parts, alice, provider, "alice@gmail.example")


def connected(db, parts, owner, provider, address) -> MailAccount:
    """An account whose consent was given, with tokens for an hour."""
    account = make_account(db, owner, vault=parts.vault, address=address, provider="gmail", auth=Auth.OAUTH)
    access, refresh = provider.issue(address)
    account.sealed_oauth_tokens = oauth.seal_tokens(parts, account.uuid, Tokens(access, refresh, 3_600))
    account.oauth_expires_at = parts.clock.now() + timedelta(hours=1)
    db.commit()
    return account


def test_a_fresh_token_is_used_as_it_is(parts, account, provider):
    assert provider.is_good(account.address, oauth.access_token(parts, account.id))
    assert provider.refreshes == 0


def test_a_token_is_refreshed_before_it_ends(parts, account, provider, clock):
    first = oauth.access_token(parts, account.id)
    clock.advance(3_600 - 299)
    second = oauth.access_token(parts, account.id)
    assert second != first
    assert provider.is_good(account.address, second)
    assert oauth.access_token(parts, account.id) == second
    assert provider.refreshes == 1


@pytest.mark.parametrize("rotates", [True, False])
def test_refresh_tokens_that_change_and_those_that_stay(parts, account, provider, clock, rotates):
    provider.rotates = rotates
    for count in (1, 2, 3):
        clock.advance(3_600)
        assert provider.is_good(account.address, oauth.access_token(parts, account.id))
        assert provider.refreshes == count


def test_one_refreshes_for_all(parts, config, account, provider, clock):
    """Eight callers in two processes' worth of runtimes: one request goes out, everybody has its token."""
    clock.advance(3_600)
    provider.hold = threading.Event()
    other = runtime.build(parts.config, clock=clock, resolver=ZoneResolver({}))
    with ThreadPoolExecutor(8) as threads:
        calls = [threads.submit(oauth.access_token, (parts, other)[n % 2], account.id) for n in range(8)]
        provider.hold.set()
        tokens = {call.result(15) for call in calls}
    other.dispose()
    assert len(tokens) == 1
    assert provider.refreshes == 1


def test_while_another_refreshes_the_old_token_serves(parts, account, provider, clock, db):
    first = oauth.access_token(parts, account.id)
    clock.advance(3_600 - 200)
    db.get(MailAccount, account.id).oauth_refreshing_until = clock.now() + timedelta(seconds=20)
    db.commit()
    assert oauth.access_token(parts, account.id) == first
    clock.advance(30)  # who claimed it died; the claim ends
    assert oauth.access_token(parts, account.id) != first


def test_a_provider_that_is_down_changes_nothing(parts, account, provider, clock, db):
    first = oauth.access_token(parts, account.id)
    provider.status = 503
    clock.advance(3_600 - 200)
    assert oauth.access_token(parts, account.id) == first
    clock.advance(300)
    with pytest.raises(ServerUnreachable):
        oauth.access_token(parts, account.id)
    provider.status = 200
    assert provider.is_good(account.address, oauth.access_token(parts, account.id))
    db.expire_all()
    assert db.get(MailAccount, account.id).error == ""


def test_a_revoked_grant_asks_to_reconnect_that_account_only(parts, account, provider, clock, db, alice):
    other = connected(db, parts, alice, provider, "other@gmail.example")
    provider.revoke(account.address)
    clock.advance(3_600)
    with parts.bus.subscribe() as bells:
        with pytest.raises(GrantRevoked):
            oauth.access_token(parts, account.id)
        assert Bell(Topic.TREE, alice.id) in bells.wait(5)
    asked = provider.refreshes
    with pytest.raises(GrantRevoked):  # and nobody asks again
        oauth.access_token(parts, account.id)
    assert provider.refreshes == asked
    assert provider.is_good(other.address, oauth.access_token(parts, other.id))
    db.expire_all()
    marked, well = db.get(MailAccount, account.id), db.get(MailAccount, other.id)
    assert (marked.state, marked.error, marked.sealed_oauth_tokens) == (AccountState.REFUSED, "GrantRevoked", None)
    assert "revoked" in marked.error_detail
    assert well.error == ""


def test_a_wrong_client_secret_is_the_admins_matter(parts, account, provider, clock, db):
    provider.client_secret = "another"
    clock.advance(3_600)
    with pytest.raises(ServerUnreachable, match="invalid_client"):
        oauth.access_token(parts, account.id)
    db.expire_all()
    assert db.get(MailAccount, account.id).sealed_oauth_tokens is not None


def test_tokens_do_not_open_at_another_account(parts, account, db, alice, provider):
    other = connected(db, parts, alice, provider, "other@gmail.example")
    other.sealed_oauth_tokens = account.sealed_oauth_tokens
    db.commit()
    with pytest.raises(MailError):
        oauth.access_token(parts, other.id)


# Consent


@pytest.fixture
def mailbox(authority, provider, smtp_sink, monkeypatch):
    """A preset in Gmail's place whose Dovecot and submission server take the provider's tokens."""
    smtp_sink.check_token = provider.is_good
    introspection = oauth_provider.serve_introspection(provider)
    with introspection as url, dovecot_server.serve(authority, introspection_url=url) as server:
        smtp = Endpoint("localhost", smtp_sink.port, Tls.STARTTLS)
        preset = Preset(
            "gmail", "Gmail", Endpoint("localhost", server.imaps_port), smtp,
            domains=("example.org",), passwords=PasswordKind.NONE, oauth="google", files_sent_itself=True,
        )  # fmt: skip
        monkeypatch.setitem(presets._BY_DOMAIN, "example.org", preset)
        monkeypatch.setitem(presets._BY_KEY, "gmail", preset)
        monkeypatch.setitem(presets._BY_HOST, "localhost", preset)
        yield server.add_user()


def query_of(answer) -> dict[str, str]:
    """What the consent page is asked."""
    assert answer.status_code == 302
    return {name: values[0] for name, values in parse_qs(urlsplit(answer.location).query).items()}


def path_of(url: str) -> str:
    target = urlsplit(url)
    return f"{target.path}?{target.query}"


def consent(browser, provider, start):
    """Follow a person to the provider and back; the page they end on."""
    return browser.get(path_of(provider.consent(query_of(browser.get(start)))))


@pytest.mark.servers
@pytest.mark.parametrize("sends_id_token", [True, False])
def test_consent_adds_the_account(parts, browser_of, alice, provider, mailbox, smtp_sink, db, sends_id_token):
    provider.sends_id_token = sends_id_token
    browser = browser_of(alice)
    page = browser.post("/mail/accounts/add", data={"address": mailbox.name})
    answer = consent(browser, provider, page.headers["Refresh"].removeprefix("0; url="))
    assert answer.status_code == 303, answer.text
    (account,) = accounts_of(db, alice)
    assert (account.auth, account.address, account.files_sent_itself) == (Auth.OAUTH, mailbox.name, True)
    assert account.sealed_imap_password is None
    assert smtp_sink.logins == [("XOAUTH2", mailbox.name)]
    token = oauth.access_token(parts, account.id)
    assert provider.is_good(mailbox.name, token)
    assert token.encode() not in account.sealed_oauth_tokens


@pytest.mark.servers
def test_a_revoked_account_is_connected_again(parts, browser_of, alice, provider, mailbox, clock, db):
    browser = browser_of(alice)
    consent(browser, provider, f"/mail/oauth/google/start?preset=gmail&address={mailbox.name}")
    (account,) = accounts_of(db, alice)
    provider.revoke(mailbox.name)
    clock.advance(3_600)
    page = browser.post(f"/mail/accounts/{account.id}/doctor")
    assert "no longer lets Satchel in" in page.text
    assert "Continue at Gmail" in page.text
    assert 'type="password"' not in page.text
    answer = consent(browser, provider, f"/mail/oauth/google/start?account={account.id}")
    assert answer.status_code == 303
    (account,) = accounts_of(db, alice)
    assert account.error == ""
    assert provider.is_good(mailbox.name, oauth.access_token(parts, account.id))
    assert "Both logins work" in browser.post(f"/mail/accounts/{account.id}/doctor").text


@pytest.mark.servers
def test_a_token_of_somebody_else_opens_nothing(browser_of, alice, provider, mailbox, db):
    """The person consented for another mailbox than the one they typed."""
    browser = browser_of(alice)
    asked = query_of(browser.get(f"/mail/oauth/google/start?preset=gmail&address={mailbox.name}"))
    page = browser.get(path_of(provider.consent({**asked, "login_hint": "other@example.org"})))
    assert page.status_code == 422
    assert accounts_of(db, alice) == []


def test_the_persons_no_is_told(browser_of, alice, provider, db):
    provider.refusal = "access_denied"
    page = consent(browser_of(alice), provider, "/mail/oauth/google/start?preset=gmail&address=a@gmail.com")
    assert page.status_code == 422
    assert "access_denied" in page.text
    assert accounts_of(db, alice) == []


def callback_of(browser, provider):
    start = "/mail/oauth/google/start?preset=gmail&address=a@gmail.com"
    return path_of(provider.consent(query_of(browser.get(start))))


def test_a_consent_counts_only_where_and_when_it_was_begun(browser_of, alice, mallory, provider, clock, db):
    browser, other = browser_of(alice), browser_of(mallory)
    url = callback_of(browser, provider)
    assert other.get(url).status_code == 400  # another person's browser: a forged link
    other.get("/mail/oauth/google/start?preset=gmail&address=m@gmail.com")
    assert other.get(url).status_code == 400  # another state
    assert browser.get(url.replace("state=", "state=x")).status_code == 400
    assert browser.get(url).status_code == 400  # the wrong try has used it up
    late = callback_of(browser, provider)
    clock.advance(16 * 60)
    assert browser.get(late).status_code == 400
    assert browser.get(late.replace("google", "microsoft")).status_code == 400
    assert provider.access_tokens == {}
    assert accounts_of(db, alice) == accounts_of(db, mallory) == []


@pytest.mark.parametrize(
    "url",
    [
        "/mail/oauth/microsoft/start?preset=outlook",  # nobody registered it
        "/mail/oauth/unknown/start?preset=gmail",
        "/mail/oauth/google/start?preset=outlook",  # another provider's
        "/mail/oauth/google/start?preset=fastmail",
        "/mail/oauth/google/start",
        "/mail/oauth/google/start?account=99",
    ],
)
def test_consents_that_cannot_begin(browser_of, alice, url):
    assert browser_of(alice).get(url).status_code == 404


def test_the_consent_asks_for_what_is_needed(browser_of, alice, provider):
    onward = browser_of(alice).get("/mail/oauth/google/start?preset=gmail&address=a@gmail.com")
    asked = parse_qs(urlsplit(onward.location).query)
    assert asked["code_challenge_method"] == ["S256"]
    assert asked["login_hint"] == ["a@gmail.com"]
    assert asked["redirect_uri"] == ["http://127.0.0.1:8000/mail/oauth/google/callback"]
    assert len(asked["state"][0]) >= 32
    assert "client_secret" not in asked
