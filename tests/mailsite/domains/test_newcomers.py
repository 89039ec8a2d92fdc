"""Everybody who may have mail has a mailbox before the first message for them comes."""

from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from threading import Barrier

import pytest
import sqlalchemy as sa
from sqlalchemy import func, select

from app.accounts.models import MailAccount
from app.mail_services.modes import Mode
from app.users import admin_service
from app.users import service as users
from app.users.models import LinkPurpose, User, UserRole, UserState
from mailsite_ext.domains import service
from mailsite_ext.domains.directory import find_mailboxes
from mailsite_ext.domains.models import Mailbox
from mailsite_ext.domains.newcomers import Obstacle, make_mailboxes
from mailsite_ext.domains.queries import list_newcomers
from tests.conftest import START

FORM = {
    "mode": "mailsite", "mailsite-domains": "example.org", "mailsite-storage_engine": "files",
    "mailsite-smtp_port": "25", "mailsite-imap_port": "143", "mailsite-fallback_port": "2525",
}  # fmt: skip


pytestmark = pytest.mark.usefixtures("app")


@pytest.fixture
def statements(parts):
    """What the database is asked meanwhile."""

    @contextmanager
    def statements():
        asked = []
        note = lambda *given: asked.append(given[2])  # noqa: E731
        sa.event.listen(parts.public.engine, "before_cursor_execute", note)
        yield asked
        sa.event.remove(parts.public.engine, "before_cursor_execute", note)

    return statements


def name_of(db, email):
    db.expire_all()
    return db.scalar(select(Mailbox.name).join(User, User.id == Mailbox.user_id).where(User.email == email))


def test_who_is_created_has_a_mailbox_and_gets_mail(db, hosting):
    users.create_user(db, "nora@elsewhere.example", "Nora", "a short sentence works", START)
    assert name_of(db, "nora@elsewhere.example") == "nora"
    assert [hosted.name for hosted in find_mailboxes(db, "nora", "example.org")] == ["nora"]


def test_who_is_invited_has_one_once_they_took_up_the_invitation(db, hosting, admin):
    _user, token = admin_service.invite(db, "nora@example.org", "Nora", UserRole.USER, START)
    assert name_of(db, "nora@example.org") is None
    users.take_link(db, LinkPurpose.INVITE, token, "a short sentence works", START)
    assert name_of(db, "nora@example.org") == "nora"


def test_who_waits_for_an_admin_has_one_when_approved(db, hosting, make_user):
    nora = make_user("Nora")
    nora.state, nora.password_hash = UserState.WAITING, "hash"
    db.commit()
    admin_service.enable(db, nora.id, START)
    assert name_of(db, nora.email) == "nora"


def test_a_reserved_name_comes_with_the_role(db, hosting, admin):
    users.create_user(db, "root@example.org", "Root", "a short sentence works", START)
    assert name_of(db, "root@example.org") is None
    root = users.find_user(db, "root@example.org")
    admin_service.set_role(db, admin, root.id, UserRole.ADMIN, START)
    assert name_of(db, "root@example.org") == "root"


@pytest.mark.parametrize("mode", [Mode.DISABLED, Mode.EXTERNAL])
def test_without_hosting_nobody_gets_one(db, parts, set_mode, mode):
    set_mode(mode)
    users.create_user(db, "nora@example.org", "Nora", "a short sentence works", START)
    make_mailboxes(parts)
    assert name_of(db, "nora@example.org") is None


def test_the_switch_to_hosting_gives_everybody_theirs(db, admin, alice, bob, browser_of, set_mode):
    set_mode(Mode.DISABLED)
    bob.state = UserState.DISABLED
    db.commit()
    assert browser_of(admin).post("/admin/mail-services", data=FORM).status_code == 303
    assert [name_of(db, person.email) for person in (admin, alice, bob)] == ["ada", "alice", None]


def test_ten_thousand_people_in_few_statements(db, parts, hosting, statements):
    people = [User(email=f"u{number}@example.org", name="", created_at=START) for number in range(10_000)]
    db.add_all(people)
    db.commit()
    with statements() as asked:
        make_mailboxes(parts)
    assert db.scalar(select(func.count()).select_from(Mailbox)) == 10_000
    assert len(asked) < 10_000 / 50
    with statements() as asked:
        make_mailboxes(parts)
    assert len(asked) <= 3, "nothing to do is as good as free"


def test_two_processes_at_once_make_each_mailbox_once(db, parts, hosting):
    db.add_all([User(email=f"u{number}@example.org", name="", created_at=START) for number in range(1_200)])
    db.commit()
    gate = Barrier(2)

    def work():
        gate.wait(10)
        make_mailboxes(parts)

    with ThreadPoolExecutor(2) as pool:
        for done in [pool.submit(work) for _turn in range(2)]:
            done.result(60)
    assert db.scalar(select(func.count()).select_from(Mailbox)) == 1_200


def test_two_first_visits_at_once_make_one_account(db, parts, hosting, alice):
    make_mailboxes(parts)
    gate, alice_id = Barrier(4), alice.id

    def visit():
        with parts.public.session() as own:
            person = own.get_one(User, alice_id)
            gate.wait(10)
            service.ensure_mailbox(parts, own, person)

    with ThreadPoolExecutor(4) as pool:
        for done in [pool.submit(visit) for _turn in range(4)]:
            done.result(60)
    assert db.scalar(select(func.count()).select_from(MailAccount)) == 1


def test_who_comes_first_has_the_name_and_the_page_says_why_others_have_none(db, parts, hosting, admin, browser_of):
    for email in ("alice@a.example", "alice@b.example", "sales@example.org", "o&o@example.org"):
        db.add(User(email=email, name="", created_at=START))
    db.add(User(email="later@example.org", name="", created_at=START, state=UserState.WAITING))
    db.commit()
    make_mailboxes(parts)
    assert name_of(db, "alice@a.example") == "alice"
    assert [(each.person.email, each.obstacle) for each in list_newcomers(db)] == [
        ("alice@b.example", Obstacle.TAKEN),
        ("o&o@example.org", Obstacle.NO_NAME),
        ("sales@example.org", Obstacle.RESERVED),
        ("later@example.org", Obstacle.INACTIVE),
    ]
    page = browser_of(admin).get("/admin/mailboxes").text
    assert "“alice” is taken" in page
    assert "“sales” belongs to admins" in page
    assert "gives no name that a mailbox can have" in page


def test_the_name_of_somebody_who_is_gone_is_not_given_again(db, parts, hosting, alice, make_user):
    make_mailboxes(parts)
    db.delete(db.get_one(User, alice.id))
    db.commit()
    users.create_user(db, "alice@other.example", "", "a short sentence works", START)
    assert name_of(db, "alice@other.example") is None
