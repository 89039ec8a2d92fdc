"""Signing in and out: who gets in, what others learn, how guessing is slowed."""

import threading

import pyotp
import pytest
from sqlalchemy import func, select

from app.errors import LoginRefused, SignInBusy
from app.users import passwords, service
from app.users.models import LoginFailure, SignInFailure, UserSession, UserState
from app.users.views import safe_next

from .conftest import PASSWORD


@pytest.fixture
def config(sqlite_config):
    """The database does not matter here."""
    return sqlite_config


def sessions_of(db, user):
    db.rollback()
    return db.scalar(select(func.count()).where(UserSession.user_id == user.id))


def test_the_right_password_opens_a_session(anna, sign_in, anonymous, db):
    answer = sign_in()
    assert (answer.status_code, answer.location) == (303, "/")
    assert sessions_of(db, anna) == 1
    assert anonymous.get("/").location == "/settings"


@pytest.mark.parametrize("email", ["alice@example.org", "nobody@example.org"])
def test_unknown_names_and_wrong_passwords_read_the_same(anna, sign_in, email):
    answer = sign_in(email=email, password="wrong")
    page = answer.text.replace(email, "…")
    assert answer.status_code == 422
    assert "That address and password do not match." in page
    assert "wrong" not in page, "a password never travels back"


def test_a_name_is_compared_without_case_or_spaces(anna, sign_in):
    assert sign_in(email=" Alice@Example.ORG ").status_code == 303


def test_an_unknown_name_costs_a_whole_hash(monkeypatch, db, clock):
    checked = []
    monkeypatch.setattr(passwords, "_verify", lambda stored, _password: checked.append(stored))
    with pytest.raises(LoginRefused):
        service.check_sign_in(db, "nobody@example.org", "x", service.Browser(), clock.now())
    assert checked[0].startswith("$argon2id$")


def test_who_was_only_invited_cannot_sign_in_with_any_password(alice, sign_in):
    assert sign_in(password="the password of nobody").status_code == 422


@pytest.mark.parametrize(
    ("state", "words"),
    [
        (UserState.DISABLED, "An admin has disabled this account."),
        (UserState.WAITING, "An admin has not approved this account yet."),
        (UserState.UNCONFIRMED, "This account is not confirmed yet."),
    ],
)
def test_a_closed_account_is_told_apart_only_by_its_password(anna, sign_in, db, state, words):
    anna.state = state
    db.commit()
    assert words in sign_in().text
    assert "That address and password do not match." in sign_in(password="wrong").text


def test_disabling_ends_what_is_open(anna, sign_in, anonymous, db):
    sign_in()
    anna.state = UserState.DISABLED
    db.commit()
    assert anonymous.get("/settings").status_code == 302


def test_the_eleventh_wrong_guess_is_not_tried_and_the_time_heals(anna, sign_in, clock):
    for _ in range(10):
        assert sign_in(password="wrong").status_code == 422
    refused = sign_in()
    assert refused.status_code == 429
    assert "Try again in 15 min" in refused.text
    clock.advance(15 * 60)
    assert sign_in().status_code == 303


def test_an_unknown_name_is_throttled_alike(sign_in):
    statuses = [sign_in(email="nobody@example.org", password="x").status_code for _ in range(11)]
    assert statuses == [422] * 10 + [429]


def test_one_address_cannot_try_many_names(anna, sign_in):
    for number in range(50):
        sign_in(email=f"user{number}@example.org", password="x")
    assert sign_in().status_code == 429


def test_a_refused_attempt_does_not_prolong_the_wait(anna, sign_in, db):
    for _ in range(20):
        sign_in(password="wrong")
    db.rollback()
    per_account = select(func.count()).where(LoginFailure.key.startswith("account:"))
    assert db.scalar(per_account) == 10


def test_a_success_forgives_the_slips_before(anna, sign_in, anonymous):
    for _ in range(3):
        for _ in range(9):
            sign_in(password="wrong")
        assert sign_in().status_code == 303
        anonymous.post("/sign-out")


@pytest.mark.parametrize(
    ("target", "goes_to"),
    [
        ("/mail/folder/3?view=messages", "/mail/folder/3?view=messages"),
        ("", "/"),
        ("//evil.example", "/"),
        ("/\\evil.example", "/"),
        ("/a\\b", "/"),
        ("\\\\evil.example", "/"),
        ("https://evil.example/", "/"),
        ("javascript:alert(1)", "/"),
        ("/\t/evil.example", "/"),
        ("/x\r\nSet-Cookie: a=b", "/"),
        ("mail", "/"),
        ("//[", "/"),
        ("http://[", "/"),  # urlsplit raises on both
        ("/" + "a" * 5_000, "/"),
    ],
)
def test_no_redirect_leaves_this_site(target, goes_to):
    assert safe_next(target) == goes_to


def test_a_page_asked_for_before_the_sign_in_opens_after_it(anna, anonymous, sign_in):
    asked = anonymous.get("/settings/security")
    assert asked.location == "/sign-in?next=/settings/security"
    assert sign_in(next="/settings/security").location == "/settings/security"


def test_the_cookie_is_new_at_sign_in_and_dead_after_sign_out(anna, app, sign_in, anonymous, db):
    anonymous.get("/sign-in")
    before = anonymous.get_cookie("satchel").value
    sign_in()
    inside = anonymous.get_cookie("satchel").value
    assert inside != before
    anonymous.post("/sign-out")
    thief = app.test_client()
    thief.set_cookie("satchel", inside)
    assert thief.get("/settings").status_code == 302
    assert sessions_of(db, anna) == 0


def test_staying_signed_in_outlives_the_browser_and_the_night(anna, sign_in, anonymous, clock):
    assert "Expires" in sign_in(stay="y").headers["Set-Cookie"]
    clock.advance(29 * 86_400)
    assert anonymous.get("/settings").status_code == 200


def test_not_staying_ends_with_the_browser_or_half_a_day(anna, sign_in, anonymous, clock):
    assert "Expires" not in sign_in().headers["Set-Cookie"]
    clock.advance(13 * 3600)
    assert anonymous.get("/settings").status_code == 302


def test_a_form_of_somebody_signed_out_answers_401(anonymous):
    assert anonymous.post("/settings").status_code == 401
    assert anonymous.get("/settings", headers={"Sec-Fetch-Mode": "cors"}).status_code == 401


@pytest.fixture
def secret(anna, parts, db) -> str:
    """Alice's second factor."""
    secret = pyotp.random_base32()
    anna.sealed_totp = parts.vault.seal(service.totp_seal(anna), secret)
    db.commit()
    return secret


def test_a_second_factor_is_asked_for_and_a_code_works_once(secret, sign_in, anonymous, clock, app):
    assert sign_in(next="/settings/security").location == "/sign-in/code"
    assert anonymous.get("/settings").status_code == 302, "the password alone opens nothing"
    code = pyotp.TOTP(secret).at(clock.now())
    assert anonymous.post("/sign-in/code", data={"code": f"{code[:3]} {code[3:]}"}).location == "/settings/security"
    again = app.test_client()
    sign_in(client=again)
    assert again.post("/sign-in/code", data={"code": code}).status_code == 422
    clock.advance(30)
    assert again.post("/sign-in/code", data={"code": pyotp.TOTP(secret).at(clock.now())}).status_code == 303


def test_codes_cannot_be_guessed_by_repeating_the_password(secret, sign_in, anonymous):
    statuses = []
    for _ in range(12):
        sign_in()
        statuses.append(anonymous.post("/sign-in/code", data={"code": "000000"}).status_code)
    assert statuses == [422] * 10 + [429] * 2


def test_a_code_without_a_password_before_it_leads_to_the_start(anonymous, anna):
    assert anonymous.post("/sign-in/code", data={"code": "123456"}).location == "/sign-in"


def test_half_a_sign_in_ends_after_five_minutes(secret, sign_in, anonymous, clock):
    sign_in()
    clock.advance(301)
    code = pyotp.TOTP(secret).at(clock.now())
    assert anonymous.post("/sign-in/code", data={"code": code}).location == "/sign-in"


def test_a_strange_code_is_only_wrong(secret, sign_in, anonymous):
    sign_in()
    assert anonymous.post("/sign-in/code", data={"code": "１２３４５６"}).status_code == 422


def test_who_waits_in_vain_for_their_turn_made_no_attempt(anna, sign_in, db, monkeypatch):
    monkeypatch.setattr(passwords, "_places", threading.BoundedSemaphore(1))
    with passwords._places:
        for password in ["wrong"] * 11 + [PASSWORD]:
            answer = sign_in(password=password)
            assert answer.status_code == 503
            assert "Too many people sign in at this moment." in answer.text
    db.rollback()
    assert [db.scalar(select(func.count()).select_from(table)) for table in (LoginFailure, SignInFailure)] == [0, 0]
    assert sign_in().status_code == 303


def test_only_a_few_hash_at_once(monkeypatch):
    monkeypatch.setattr(passwords, "LONGEST_WAIT_S", 0.01)
    for _ in range(passwords.AT_ONCE):
        passwords._slots.acquire()
    try:
        with pytest.raises(SignInBusy):
            passwords.check_password(None, PASSWORD)
    finally:
        for _ in range(passwords.AT_ONCE):
            passwords._slots.release()
