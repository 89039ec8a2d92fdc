"""What every request passes: a CSRF token for changes, a host of ours, headers on the way out."""

from dataclasses import replace
from uuid import uuid4

import pytest

from app import create_app, runtime
from app.mail_services.modes import Mode
from tests.webmail.mail_services.test_mode import dummy_arguments

CHANGES = {"POST", "PUT", "PATCH", "DELETE"}


@pytest.fixture
def config(sqlite_config):
    """The database does not matter here."""
    return sqlite_config


def test_no_change_without_a_token(app, admin, browser_of, set_mode):
    set_mode(Mode.EXTERNAL)
    browser = browser_of(admin)
    app.config["WTF_CSRF_ENABLED"] = True
    rules = [rule for rule in app.url_map.iter_rules() if rule.methods & CHANGES]
    assert len(rules) > 20, "too few routes: what was tested?"
    for rule in rules:
        path = app.url_map.bind("localhost").build(rule.endpoint, dummy_arguments(rule), append_unknown=False)
        for method in rule.methods & CHANGES:
            assert browser.open(path, method=method).status_code == 400, (method, path)


def test_no_read_changes_a_cookie_of_somebody_signed_out(anonymous):
    """A page without a form sets no cookie: probes and images stay cheap."""
    assert "Set-Cookie" not in anonymous.get("/healthz").headers


@pytest.fixture
def public(sqlite_config, clock):
    """A browser of a site with a public address."""
    parts = runtime.build(replace(sqlite_config, public_url="https://mail.example.org"), clock=clock)
    yield create_app(parts=parts).test_client()
    parts.dispose()


@pytest.mark.parametrize("host", ["evil.example", "mail.example.org.evil.example", "localhost", "127.0.0.1"])
def test_a_foreign_host_is_refused(public, host):
    answer = public.get("/sign-in", headers={"Host": host})
    assert answer.status_code == 400
    assert host not in answer.text


def test_the_public_host_is_served_with_or_without_a_port(public):
    assert public.get("/sign-in", headers={"Host": "mail.example.org"}).status_code == 200
    assert public.get("/sign-in", headers={"Host": "mail.example.org:443"}).status_code == 200


def test_without_a_public_address_only_this_machine_is_served(anonymous):
    assert anonymous.get("/sign-in", headers={"Host": "127.0.0.1:8000"}).status_code == 200
    assert anonymous.get("/sign-in", headers={"Host": "rebound.example"}).status_code == 400


def test_the_cookie_is_bound_to_https_and_hidden_from_scripts(public):
    cookie = public.get("/sign-in", base_url="https://mail.example.org").headers["Set-Cookie"]
    assert all(word in cookie for word in ("Secure", "HttpOnly", "SameSite=Lax"))


def test_a_form_over_https_passes_with_the_headers_a_browser_sends(public):
    """The CSRF check over https reads the Referer, so our own policy must let browsers send it."""
    page = public.get("/sign-in", base_url="https://mail.example.org")
    assert page.headers["Referrer-Policy"] == "same-origin"
    token = page.text.split('name="csrf_token" value="')[1].split('"')[0]
    form = {"csrf_token": token, "email": "a@example.org", "password": "x"}
    headers = {"Referer": "https://mail.example.org/sign-in"}
    assert public.post("/sign-in", data=form, base_url="https://mail.example.org", headers=headers).status_code == 422
    headers = {"Referer": "https://evil.example/"}
    assert public.post("/sign-in", data=form, base_url="https://mail.example.org", headers=headers).status_code == 400


@pytest.mark.parametrize("path", ["/sign-in", "/nothing-here", "/healthz"])
def test_every_answer_carries_the_policy(anonymous, path):
    headers = anonymous.get(path).headers
    assert "unsafe" not in headers["Content-Security-Policy"]
    assert headers["X-Content-Type-Options"] == "nosniff"
    assert headers["Cache-Control"] == "no-store"


@pytest.mark.parametrize("path", ["/settings", "/settings/profile", "/settings/security", "/sign-in", "/admin/users"])
def test_pages_carry_no_inline_style_or_script(admin, anonymous, browser_of, path):
    page = browser_of(admin).get(path, follow_redirects=True).text
    assert "style=" not in page
    assert "<script>" not in page
    assert " onclick=" not in page


def test_nul_is_refused_before_a_database_meets_it(anonymous, alice, browser_of, set_mode):
    """PostgreSQL stores none; in what is written the composer drops it."""
    set_mode(Mode.EXTERNAL)
    assert anonymous.post("/sign-in", data={"email": "a\0@example.org", "password": "x"}).status_code == 400
    assert anonymous.get("/sign-in?next=/%00").status_code == 400
    assert anonymous.get("/reset/a%00b").status_code == 404
    draft = f"/mail/draft/{uuid4()}"
    written = {"version": "0", "text": "a\0b", "subject": "c\0d", "to": "e\0f"}
    assert browser_of(alice).post(draft, data=written).status_code == 303
    assert browser_of(alice).post(draft, data=written | {"remove": "\0"}).status_code == 400


def test_a_form_of_another_site_gets_neither_cookie_nor_page(app, anonymous):
    """SameSite keeps our cookie out of it; a new one in the answer would sign the person out."""
    app.config["WTF_CSRF_ENABLED"] = True
    foreign = {"Sec-Fetch-Site": "cross-site", "Origin": "https://evil.example"}
    for path in ("/sign-in", "/sign-out", f"/mail/draft/{uuid4()}"):
        form = {"text": "Send me the keys", "to": "mallory@evil.example", "do": "send"}
        answer = anonymous.post(path, data=form, headers=foreign)
        assert answer.status_code in (400, 404)
        assert "Set-Cookie" not in answer.headers
        assert "Send me the keys" not in answer.text
    assert "Set-Cookie" in anonymous.get("/sign-in", headers=foreign).headers  # a link from elsewhere is a visit
