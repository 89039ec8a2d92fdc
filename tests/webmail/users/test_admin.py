"""Administration of people (N6): only by admins, on others, with what is needed to come back."""

import re

import pytest
import sqlalchemy as sa
from sqlalchemy import select

from app.accounts.models import MailAccount
from app.bus import Bell, Topic
from app.users.models import User, UserRole, UserState
from tests.factories import make_account
from tests.webmail.mail_services.test_mode import dummy_arguments

from .conftest import PASSWORD


@pytest.fixture
def ada(admin, browser_of):
    return browser_of(admin)


def fresh(db, user):
    db.rollback()
    query = select(User).where(User.id == sa.inspect(user).identity[0]).execution_options(populate_existing=True)
    return db.scalars(query).one_or_none()


def link_on(page):
    (path,) = re.findall(r"<code>http://127.0.0.1:8000(/[^<]+)</code>", page.text)
    return path


def test_only_admins_enter(app, alice, browser_of, anonymous):
    user = browser_of(alice)
    rules = [rule for rule in app.url_map.iter_rules() if rule.rule.startswith("/admin")]
    assert len(rules) > 10
    for rule in rules:
        path = app.url_map.bind("localhost").build(rule.endpoint, dummy_arguments(rule), append_unknown=False)
        for method in rule.methods & {"GET", "POST"}:
            assert user.open(path, method=method).status_code == 403, (method, path)
            assert anonymous.open(path, method=method).status_code == (302 if method == "GET" else 401), (method, path)


def test_everybody_is_listed_with_state_and_accounts(ada, db, alice, bob):
    make_account(db, alice)
    bob.state = UserState.WAITING
    db.commit()
    page = ada.get("/admin/users").text
    assert "Waits for approval" in page
    assert page.index("bob@example.org") < page.index("alice@example.org"), "who waits stands first"


def test_an_invitation_is_shown_once_and_works(ada, db, anonymous, sign_in, postbox):
    page = ada.post("/admin/users/invite", data={"name": "Nora", "email": "Nora@Example.org", "role": "admin"})
    assert anonymous.post(link_on(page), data={"password": PASSWORD}).status_code == 303
    assert sign_in("nora@example.org").status_code == 303
    assert anonymous.get("/admin/users").status_code == 200
    assert postbox.arrived() == [], "no way to send mail is set"


def test_an_invitation_is_mailed_where_mail_goes_out(ada, registration, postbox):
    registration()
    ada.post("/admin/users/invite", data={"name": "", "email": "nora@example.org", "role": "user"})
    assert [notice.to for notice in postbox.arrived()] == ["nora@example.org"]


@pytest.mark.parametrize(
    "wrong", [{"email": "alice@example.org"}, {"email": "x"}, {"role": "root"}, {"name": "x" * 201}]
)
def test_what_cannot_be_invited(ada, alice, db, wrong):
    form = {"name": "N", "email": "nora@example.org", "role": "user", **wrong}
    assert ada.post("/admin/users/invite", data=form).status_code == 422
    db.rollback()
    assert len(db.scalars(select(User)).all()) == 2


def test_disabling_and_enabling(ada, anna, browser_of, sign_in, db):
    browser = browser_of(anna)
    ada.post(f"/admin/users/{anna.id}/disable")
    assert browser.get("/settings").status_code == 302
    assert sign_in().status_code == 422
    ada.post(f"/admin/users/{anna.id}/enable")
    assert sign_in().status_code == 303
    assert browser.get("/settings").status_code == 302, "the old session does not come back"


def test_approval_is_mailed(ada, anna, db, registration, postbox):
    registration()
    anna.state = UserState.WAITING
    db.commit()
    ada.post(f"/admin/users/{anna.id}/enable")
    assert [notice.subject for notice in postbox.arrived()] == ["Your Satchel account is open"]
    assert fresh(db, anna).state is UserState.ACTIVE


def test_roles(ada, alice, browser_of):
    browser = browser_of(alice)
    ada.post(f"/admin/users/{alice.id}/role/admin")
    assert browser.get("/admin/users").status_code == 200
    ada.post(f"/admin/users/{alice.id}/role/user")
    assert browser.get("/admin/users").status_code == 403
    assert ada.post(f"/admin/users/{alice.id}/role/root").status_code == 404


def test_a_password_link(ada, anna, anonymous, sign_in):
    link = link_on(ada.post(f"/admin/users/{anna.id}/password-link"))
    assert anonymous.post(link, data={"password": "a wholly new sentence"}).status_code == 303
    assert sign_in(password="a wholly new sentence").status_code == 303


def test_no_password_link_for_who_may_not_sign_in(ada, anna, db):
    anna.state = UserState.DISABLED
    db.commit()
    assert ada.post(f"/admin/users/{anna.id}/password-link").status_code == 403


def test_a_lost_second_step_is_removed(ada, anna, db, sign_in):
    anna.sealed_totp = b"sealed"
    db.commit()
    ada.post(f"/admin/users/{anna.id}/second-step/reset")
    assert sign_in().location == "/"


def test_deleting_is_asked_first_and_takes_everything(ada, alice, db, bells):
    account = make_account(db, alice).id
    assert "1 mail account with its stored credential" in ada.get(f"/admin/users/{alice.id}/delete").text
    assert fresh(db, alice) is not None
    assert ada.post(f"/admin/users/{alice.id}/delete").status_code == 303
    assert fresh(db, alice) is None
    assert db.scalars(select(MailAccount)).all() == []
    assert Bell(Topic.ACCOUNT, account) in bells()


@pytest.fixture
def bells(parts):
    with parts.bus.subscribe() as ear:
        yield lambda: set(ear.wait(2))


@pytest.mark.parametrize("deed", ["disable", "role/user", "delete"])
def test_no_admin_does_it_to_themselves(ada, admin, db, deed):
    assert ada.post(f"/admin/users/{admin.id}/{deed}").status_code == 403
    assert (fresh(db, admin).role, fresh(db, admin).state) == (UserRole.ADMIN, UserState.ACTIVE)


@pytest.mark.parametrize("deed", ["disable", "enable", "role/user", "password-link", "second-step/reset", "delete"])
def test_nobody_is_a_404(ada, deed):
    assert ada.post(f"/admin/users/987654/{deed}").status_code == 404


def test_the_command_line(app, db, sign_in, tmp_path):
    runner = app.test_cli_runner()
    link = runner.invoke(args=["users", "setup-link"]).output
    assert "http://127.0.0.1:8000/setup/" in link
    secret = tmp_path / "password"
    secret.write_text(PASSWORD + "\n")
    made = runner.invoke(args=["users", "create", "Root@Example.org", "--admin", "--password-file", str(secret)])
    assert made.exit_code == 0, made.output
    assert sign_in("root@example.org").status_code == 303
    assert "There is an admin already" in runner.invoke(args=["users", "setup-link"]).output
    again = runner.invoke(args=["users", "create", "root@example.org", "--password-file", str(secret)])
    assert (again.exit_code, "has an account already" in again.output) == (1, True)
    short = runner.invoke(args=["users", "create", "x@example.org"], input="short\nshort\n")
    assert "between 12 and 200" in short.output
    assert runner.invoke(args=["users", "create", "no address"], input="").exit_code == 2
