"""Registering, inviting, resetting and setting up, by links that work once."""

import re
import sys

import pytest
from sqlalchemy import select

from app import create_app, runtime
from app.mail_services.models import NoticeTransport, RegistrationPolicy
from app.mail_services.modes import Mode
from app.mail_services.service import current_mode
from app.users import admin_service, service
from app.users.models import LinkPurpose, OneTimeLink, User, UserRole, UserState
from tests.conftest import START

from .conftest import PASSWORD

TOKEN = re.compile(r'csrf.token" (?:value|content)="[^"]+')  # carries the second it was made in
NEW = {"name": "Nora", "email": "nora@example.org", "password": PASSWORD}


def find(db, email):
    db.rollback()
    return db.scalar(select(User).where(User.email == email))


@pytest.fixture
def set_up_link(db, clock):
    return f"/setup/{service.make_setup_link(db, clock.now())}"


def test_the_set_up_link_makes_the_first_admin_and_signs_in(anonymous, db, set_up_link):
    assert "Set up this installation" in anonymous.get(set_up_link).text
    answer = anonymous.post(set_up_link, data={**NEW, "mode": "external"})
    assert answer.status_code == 303
    assert (find(db, NEW["email"]).role, current_mode(db)) == (UserRole.ADMIN, Mode.EXTERNAL)
    assert anonymous.get("/settings").status_code == 200


def test_the_set_up_link_works_once_and_no_second_is_made(anonymous, app, db, set_up_link, clock):
    anonymous.post(set_up_link, data={**NEW, "mode": "disabled"})
    stranger = app.test_client()
    assert stranger.get(set_up_link).status_code == 404
    assert stranger.post(set_up_link, data={**NEW, "mode": "disabled"}).status_code == 404
    assert service.make_setup_link(db, clock.now()) is None


def test_an_older_set_up_link_ends_with_a_newer_one_and_with_an_admin(anonymous, db, set_up_link, clock, admin):
    newer = service.make_setup_link(db, clock.now())
    assert anonymous.get(set_up_link).status_code == 404
    service.set_password(db, admin, PASSWORD)
    assert anonymous.post(f"/setup/{newer}", data={**NEW, "mode": "disabled"}).status_code == 404
    assert find(db, NEW["email"]) is None


@pytest.mark.parametrize("wrong", [{"password": "short"}, {"email": "not an address"}, {"mode": "x"}, {"email": ""}])
def test_set_up_refuses_what_cannot_be(anonymous, db, set_up_link, wrong):
    assert anonymous.post(set_up_link, data={**NEW, "mode": "external", **wrong}).status_code == 422
    assert db.scalar(select(User)) is None


@pytest.mark.parametrize(("absent", "status"), [(True, 422), (False, 303)])
def test_set_up_takes_modes_that_host_with_the_extension_alone(config, clock, monkeypatch, absent, status):
    if absent:
        monkeypatch.setitem(sys.modules, "mailsite_ext", None)
    parts = runtime.build(config, clock=clock)
    app = create_app(parts=parts)
    app.config["WTF_CSRF_ENABLED"] = False
    with parts.public.session() as db:
        link = f"/setup/{service.make_setup_link(db, clock.now())}"
    assert app.test_client().post(link, data={**NEW, "mode": "both"}).status_code == status
    parts.dispose()


def test_the_sign_in_page_points_to_the_terminal_while_there_is_no_admin(anonymous, db, admin, with_password):
    assert "set-up link" in anonymous.get("/sign-in").text
    with_password(admin)
    assert "set-up link" not in anonymous.get("/sign-in").text


def test_registration_is_closed_at_first(anonymous):
    assert anonymous.get("/register").status_code == 404
    assert "Create an account" not in anonymous.get("/sign-in").text


@pytest.mark.parametrize(
    "policy", [RegistrationPolicy.OPEN, RegistrationPolicy.APPROVAL, RegistrationPolicy.ACTIVATION]
)
def test_the_answer_is_the_same_for_an_address_that_has_an_account(anonymous, registration, anna, policy, postbox, db):
    registration(policy)
    hashed = anna.password_hash
    new = anonymous.post("/register", data=NEW)
    known = anonymous.post("/register", data={**NEW, "email": anna.email})
    assert new.status_code == known.status_code == 200
    assert TOKEN.sub("", new.text).replace(NEW["email"], "…") == TOKEN.sub("", known.text).replace(anna.email, "…")
    assert [notice.subject for notice in postbox.arrived() if notice.to == anna.email] == [
        "You already have a Satchel account"
    ]
    db.refresh(anna)
    assert (anna.password_hash, anna.state) == (hashed, UserState.ACTIVE)


def test_open_registration_lets_in_at_once(anonymous, registration, sign_in, postbox):
    registration(RegistrationPolicy.OPEN, NoticeTransport.NONE)
    anonymous.post("/register", data=NEW)
    assert postbox.arrived() == []
    assert sign_in(NEW["email"]).status_code == 303


def test_approval_waits_for_an_admin_who_is_told(anonymous, registration, sign_in, postbox, admin, db):
    registration(RegistrationPolicy.APPROVAL)
    anonymous.post("/register", data=NEW)
    assert [notice.to for notice in postbox.arrived()] == [admin.email]
    assert "not approved" in sign_in(NEW["email"]).text
    admin_service.enable(db, find(db, NEW["email"]).id, START)
    assert sign_in(NEW["email"]).status_code == 303


def test_activation_lets_the_mailbox_choose_the_password(anonymous, registration, sign_in, postbox):
    registration(RegistrationPolicy.ACTIVATION)
    anonymous.post("/register", data={**NEW, "password": "planted by a stranger"})
    link = postbox.link()
    assert sign_in(NEW["email"], "planted by a stranger").status_code == 422
    assert anonymous.post(link, data={"password": PASSWORD}).location == "/sign-in"
    assert sign_in(NEW["email"]).status_code == 303
    assert anonymous.get(link).status_code == 404


def test_asking_again_replaces_the_activation_link(anonymous, registration, postbox):
    registration(RegistrationPolicy.ACTIVATION)
    anonymous.post("/register", data=NEW)
    first = postbox.link()
    postbox.clear()
    anonymous.post("/register", data=NEW)
    assert anonymous.get(postbox.link()).status_code == 200
    assert anonymous.get(first).status_code == 404


def test_reset_answers_alike_and_mails_only_who_exists(anonymous, registration, anna, postbox):
    registration()
    pages = [
        TOKEN.sub("…", anonymous.post("/reset", data={"email": email}).text.replace(email, "…"))
        for email in (anna.email, "nobody@example.org")
    ]
    assert pages[0] == pages[1]
    assert [notice.to for notice in postbox.arrived()] == [anna.email]


def test_a_reset_sets_the_password_once_and_signs_out_everywhere(
    anonymous, registration, anna, postbox, browser_of, sign_in
):
    registration()
    elsewhere = browser_of(anna)
    anonymous.post("/reset", data={"email": anna.email})
    link = postbox.link()
    assert anonymous.get(link).status_code == anonymous.get(link).status_code == 200, "looking uses nothing up"
    assert anonymous.post(link, data={"password": "short"}).status_code == 422
    assert anonymous.post(link, data={"password": "a wholly new sentence"}).status_code == 303
    assert anonymous.post(link, data={"password": "a wholly new sentence"}).status_code == 404
    assert elsewhere.get("/settings").status_code == 302
    assert sign_in().status_code == 422
    assert sign_in(password="a wholly new sentence").status_code == 303


def test_a_reset_link_grows_old(anonymous, registration, anna, postbox, clock):
    registration()
    anonymous.post("/reset", data={"email": anna.email})
    link = postbox.link()
    clock.advance(24 * 3600)
    assert anonymous.get(link).status_code == 404


def test_a_token_is_good_for_its_purpose_only(anonymous, registration, anna, postbox):
    registration()
    anonymous.post("/reset", data={"email": anna.email})
    token = postbox.link().rsplit("/", 1)[1]
    for purpose in ("setup", "invite", "activate"):
        assert anonymous.get(f"/{purpose}/{token}").status_code == 404


def test_the_database_holds_no_token(anonymous, registration, anna, postbox, db):
    registration()
    anonymous.post("/reset", data={"email": anna.email})
    token = postbox.link().rsplit("/", 1)[1]
    assert token not in db.scalars(select(OneTimeLink.token_hash)).one()


def test_nobody_is_bombed_with_mail(anonymous, registration, anna, postbox):
    registration()
    statuses = [anonymous.post("/reset", data={"email": anna.email}).status_code for _ in range(5)]
    assert statuses == [200] * 3 + [429] * 2
    assert len(postbox.arrived()) == 3


def test_without_a_way_to_send_mail_reset_points_to_the_admin(anonymous, anna):
    assert "Ask an admin" in anonymous.get("/reset").text


def test_a_disabled_person_gets_no_way_back_by_mail(anonymous, registration, anna, postbox, db):
    registration()
    anonymous.post("/reset", data={"email": anna.email})
    link = postbox.link()
    anna.state = UserState.DISABLED
    db.commit()
    assert anonymous.post(link, data={"password": PASSWORD}).status_code == 404
    anonymous.post("/reset", data={"email": anna.email})
    assert len(postbox.arrived()) == 1


def test_an_invitation_opens_the_account(anonymous, db, clock, sign_in):
    _, token = admin_service.invite(db, NEW["email"], "Nora", UserRole.USER, clock.now())
    assert anonymous.post(f"/{LinkPurpose.INVITE}/{token}", data={"password": PASSWORD}).status_code == 303
    assert sign_in(NEW["email"]).status_code == 303
