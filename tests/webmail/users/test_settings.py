"""Settings: what people change about themselves, and nobody else can."""

import re

import pyotp
import pytest
from sqlalchemy import select

from app.users import browsers, service
from app.users.models import User, UserSession

from .conftest import PASSWORD

PREFERENCES = {
    "theme": "dark",
    "density": "compact",
    "layout": "list",
    "mark_read_after_s": "-1",
    "undo_s": "30",
    "single_keys": "y",
}


@pytest.fixture
def config(sqlite_config):
    """The database does not matter here."""
    return sqlite_config


@pytest.fixture
def browser(anna, browser_of):
    return browser_of(anna)


def fresh(db, user):
    db.rollback()
    return db.scalars(select(User).where(User.id == user.id).execution_options(populate_existing=True)).one()


def test_preferences_are_kept_and_shown(browser, anna, db):
    assert browser.post("/settings", data=PREFERENCES).status_code == 303
    user = fresh(db, anna)
    assert (user.theme, user.density, user.layout, user.undo_s) == ("dark", "compact", "list", 30)
    assert (user.conversations, user.single_keys, user.mark_read_after_s) == (False, True, -1)
    page = browser.get("/settings").text
    assert 'data-theme="dark"' in page
    assert 'data-density="compact"' in page


@pytest.mark.parametrize("wrong", [{"theme": "<b>"}, {"undo_s": "3600"}, {"mark_read_after_s": "x"}, {"layout": ""}])
def test_other_values_are_refused(browser, anna, db, wrong):
    assert browser.post("/settings", data={**PREFERENCES, **wrong}).status_code == 422
    assert fresh(db, anna).theme == "auto"


def test_the_button_for_light_or_dark_is_kept(browser, anna, db):
    assert browser.post("/settings/theme", data={"theme": "dark"}).status_code == 200
    assert fresh(db, anna).theme == "dark"
    assert browser.post("/settings/theme", data={"theme": "<b>"}).status_code == 422
    assert fresh(db, anna).theme == "dark"


def test_the_profile(browser, anna, db):
    assert browser.post("/settings/profile", data={"name": " Änne <b>", "timezone": "Europe/Berlin"}).status_code == 303
    assert (fresh(db, anna).name, fresh(db, anna).timezone) == ("Änne <b>", "Europe/Berlin")
    assert "<b>" not in browser.get("/settings/profile").text
    assert browser.post("/settings/profile", data={"name": "x", "timezone": "Mars/Olympus"}).status_code == 422
    assert browser.post("/settings/profile", data={"name": "x" * 201, "timezone": ""}).status_code == 422


def test_a_new_password_needs_the_old_one_and_ends_other_sessions(browser, anna, browser_of, sign_in):
    elsewhere = browser_of(anna)
    wrong = browser.post("/settings/security/password", data={"current": "x", "password": "a wholly new sentence"})
    assert wrong.status_code == 422
    assert "not your current password" in wrong.text
    right = browser.post("/settings/security/password", data={"current": PASSWORD, "password": "a wholly new sentence"})
    assert right.status_code == 303
    assert browser.get("/settings").status_code == 200, "this browser stays signed in"
    assert elsewhere.get("/settings").status_code == 302
    assert sign_in(password="a wholly new sentence").status_code == 303


def test_a_borrowed_browser_cannot_guess_the_password_for_long(browser):
    form = {"current": "guess", "password": "a wholly new sentence"}
    for _ in range(10):
        browser.post("/settings/security/password", data=form)
    assert "Too many attempts" in browser.post("/settings/security/password", data={**form, "current": PASSWORD}).text


def test_sessions_are_listed_and_ended_one_by_one(browser, anna, browser_of, db):
    other = browser_of(anna)
    page = browser.get("/settings/security").text
    assert page.count("/end") == 3, "two browsers, and everywhere"
    assert page.count("this browser") == 1
    newest = db.scalars(select(UserSession.id).order_by(UserSession.id.desc())).first()
    assert browser.post(f"/settings/security/sessions/{newest}/end").status_code == 303
    assert other.get("/settings").status_code == 302
    assert browser.get("/settings").status_code == 200


def test_nobody_ends_anothers_session(browser, anna, mallory, browser_of, db):
    session = db.scalars(select(UserSession.id).where(UserSession.user_id == anna.id)).one()
    theft = browser_of(mallory)
    assert theft.post(f"/settings/security/sessions/{session}/end").status_code == 404
    assert theft.post("/settings/security/sessions/987654/end").status_code == 404
    assert browser.get("/settings").status_code == 200


def test_sign_out_everywhere(browser, anna, browser_of, bob):
    elsewhere, others = browser_of(anna), browser_of(bob)
    assert browser.post("/settings/security/sessions/end").location == "/sign-in"
    assert browser.get("/settings").status_code == elsewhere.get("/settings").status_code == 302
    assert others.get("/settings").status_code == 200


def start_second_step(browser):
    page = browser.get("/settings/security/second-step").text
    assert 'src="data:image/svg+xml' in page
    (secret,) = re.findall(r"<code class=\"mono\">([A-Z2-7 ]+)</code>", page)
    return secret.replace(" ", "")


def test_the_second_step_is_set_up_with_its_first_code(browser, anna, db, parts, clock):
    secret = start_second_step(browser)
    form = {"code": pyotp.TOTP(secret).at(clock.now()), "current": PASSWORD}
    assert browser.post("/settings/security/second-step", data={**form, "code": "000000"}).status_code == 422
    assert browser.post("/settings/security/second-step", data={**form, "current": "x"}).status_code == 422
    assert fresh(db, anna).sealed_totp is None
    assert browser.post("/settings/security/second-step", data=form).status_code == 303
    user = fresh(db, anna)
    assert parts.vault.open_text(service.totp_seal(user), user.sealed_totp) == secret
    assert secret not in browser.get("/settings/security").text
    assert browser.get("/settings/security/second-step").status_code == 303, "the secret is shown no more"


def test_the_code_that_set_it_up_does_not_sign_in(browser, anna, clock, sign_in, anonymous):
    code = pyotp.TOTP(start_second_step(browser)).at(clock.now())
    browser.post("/settings/security/second-step", data={"code": code, "current": PASSWORD})
    sign_in()
    assert anonymous.post("/sign-in/code", data={"code": code}).status_code == 422


def test_the_pending_secret_stays_the_same_and_is_sealed(browser):
    assert start_second_step(browser) == start_second_step(browser)
    with browser.session_transaction() as cookie:
        assert start_second_step(browser) not in cookie["totp"]


def test_turning_it_off_needs_the_password(browser, anna, db, clock):
    code = pyotp.TOTP(start_second_step(browser)).at(clock.now())
    browser.post("/settings/security/second-step", data={"code": code, "current": PASSWORD})
    assert browser.post("/settings/security/second-step/off", data={"current": "x"}).status_code == 422
    assert fresh(db, anna).sealed_totp is not None
    assert browser.post("/settings/security/second-step/off", data={"current": PASSWORD}).status_code == 303
    assert fresh(db, anna).sealed_totp is None


@pytest.mark.parametrize(
    ("user_agent", "name"),
    [
        ("Mozilla/5.0 (X11; Linux x86_64; rv:140.0) Gecko/20100101 Firefox/140.0", "Firefox, Linux"),
        ("Mozilla/5.0 (Linux; Android 15) AppleWebKit/537.36 Chrome/140.0 Mobile Safari/537.36", "Chrome, Android"),
        (
            "Mozilla/5.0 (iPhone; CPU iPhone OS 18_0 like Mac OS X) AppleWebKit/605 Version/18 Safari/604",
            "Safari, iPhone",
        ),
        ("Mozilla/5.0 (Windows NT 10.0) AppleWebKit/537.36 Chrome/140 Safari/537.36 Edg/140", "Edge, Windows"),
        ("curl/8.1", "curl"),
        ("", ""),
    ],
)
def test_browsers_have_names(user_agent, name):
    assert browsers.browser_name(user_agent) == name
