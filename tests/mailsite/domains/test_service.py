"""Mailboxes are made, named, closed, retired and released; addresses lead to them."""

import pytest
from sqlalchemy import delete, func, select

from app.accounts.models import MailAccount
from app.bus import Topic
from app.errors import BadInput, NotAllowed, NotFound
from app.users.models import User
from mailsite_ext.domains import app_passwords, service
from mailsite_ext.domains.models import EVERY_DOMAIN, Address, Mailbox, MailboxState
from mailsite_ext.domains.queries import list_mailboxes, list_newcomers
from tests.factories import make_account


class FakeStorage:
    """Remembers what it was asked for."""

    def __init__(self):
        self.asked = []

    def __getattr__(self, method):
        return lambda *arguments: self.asked.append((method, *arguments))


@pytest.fixture
def storage():
    return FakeStorage()


def count(db, model):
    db.rollback()
    return db.scalar(select(func.count()).select_from(model))


def remove_person(db, person):
    db.execute(delete(User).where(User.id == person.id))
    db.commit()
    db.expunge_all()


def test_a_mailbox_is_made_once_with_its_account_first_in_order(parts, db, alice, hosting):
    make_account(db, alice)
    with parts.bus.subscribe() as ear:
        made = service.ensure_mailbox(parts, db, alice)
        assert {bell.topic for bell in ear.wait(2)} <= {Topic.ACCOUNT, Topic.TREE}
    assert service.ensure_mailbox(parts, db, alice).id == made.id
    db.expire_all()
    accounts = db.scalars(select(MailAccount).order_by(MailAccount.position)).all()
    assert (accounts[0].source, accounts[0].address, len(accounts)) == ("mailsite", "alice@example.org", 2)
    written_from = [(row.name, row.address) for row in accounts[0].identities]
    assert written_from == [("Alice", "alice@example.org"), ("Alice", "alice@example.net")]
    assert (made.name, made.user_id, made.state) == ("alice", alice.id, MailboxState.OPEN)


def test_an_account_that_was_removed_comes_back(db, parts, alice, mailbox_of):
    mailbox_of(alice)
    db.execute(delete(MailAccount))
    db.commit()
    db.expunge_all()
    mailbox_of(alice)
    assert (count(db, MailAccount), count(db, Mailbox)) == (1, 1)


@pytest.mark.parametrize("name", ["postmaster", "ROOT", "-ssl", "", "a b", "Bob", "team"])
def test_names_that_cannot_be_had(db, alice, bob, mailbox_of, name):
    service.add_address(db, mailbox_of(bob).id, "team", EVERY_DOMAIN)
    with pytest.raises(BadInput) as error:
        mailbox_of(alice, name)
    assert error.value.field == "name"
    assert count(db, Mailbox) == 1


def test_admins_may_be_postmaster(admin, mailbox_of):
    assert mailbox_of(admin, "Postmaster").name == "postmaster"


def test_two_at_the_same_instant(parts, db, alice, hosting):
    """Both see no mailbox; one of them makes it."""
    with parts.public.session() as other:
        other.add(service._new_mailbox(other, parts, alice, "first"))
        assert service.find_mailbox(db, alice.id) is None
        other.commit()
    assert service.ensure_mailbox(parts, db, alice).name == "first"


def test_a_removed_persons_name_and_aliases_are_retired(db, alice, bob, mailbox_of):
    box = mailbox_of(alice)
    service.add_address(db, box.id, "al", "example.org")
    remove_person(db, alice)
    for name in ("alice", "al"):
        with pytest.raises(BadInput):
            mailbox_of(bob, name)
    bobs = mailbox_of(bob)
    for local in ("alice", "al"):
        with pytest.raises(BadInput):
            service.add_address(db, bobs.id, local, "example.org")
    assert [row.person for row in list_mailboxes(db)][-1] is None


def test_releasing_removes_the_mail_first(db, alice, bob, mailbox_of, storage):
    box = mailbox_of(alice)
    service.add_address(db, box.id, "al", "example.org")
    remove_person(db, alice)
    assert service.release(db, storage, box.id) == "alice"
    assert storage.asked == [("remove_mailbox", "alice")]
    assert count(db, Address) == 0
    assert mailbox_of(bob, "alice").name == "alice"


def test_nothing_is_released_that_somebody_has(db, alice, mailbox_of, storage):
    with pytest.raises(NotAllowed):
        service.release(db, storage, mailbox_of(alice).id)
    with pytest.raises(NotFound):
        service.release(db, storage, 999)
    assert storage.asked == []


def test_limits_reach_the_storage(db, alice, mailbox_of, storage):
    box = mailbox_of(alice)
    service.save_limits(db, storage, box.id, 1_048_576, "NOTIFY")
    assert storage.asked == [("create_mailbox", "alice"), ("set_quota", "alice", 1_048_576)]
    db.refresh(box)
    assert (box.quota_octets, box.hidden_capabilities) == (1_048_576, "NOTIFY")


@pytest.mark.parametrize(
    ("local", "domain"),
    [("alice", "example.org"), ("hostmaster", "example.org"), ("a b", EVERY_DOMAIN), ("x", "elsewhere.example")],
)
def test_addresses_that_cannot_be(db, alice, bob, mailbox_of, local, domain):
    mailbox_of(alice)
    with pytest.raises(BadInput):
        service.add_address(db, mailbox_of(bob).id, local, domain)


def test_the_same_address_is_added_once(db, alice, mailbox_of):
    box = mailbox_of(alice)
    service.add_address(db, box.id, "al", "example.org")
    with pytest.raises(BadInput):
        service.add_address(db, box.id, "AL", "example.org")
    assert count(db, Address) == 1


def test_a_catch_all_of_who_is_gone_does_not_stand_in_the_way(db, alice, bob, mailbox_of):
    service.add_address(db, mailbox_of(alice).id, "*", "example.org")
    remove_person(db, alice)
    service.add_address(db, mailbox_of(bob).id, "*", "example.org")


def test_app_passwords_are_bounded_and_all_different(parts, db, alice, mailbox_of):
    box = mailbox_of(alice)
    made = {service.add_app_password(parts, db, box, f"program {n}").password for n in range(50)}
    assert len(made) == 50
    assert all(app_passwords.is_app_password(password) for password in made)
    with pytest.raises(BadInput):
        service.add_app_password(parts, db, box, "one more")


def test_another_mailboxs_password_is_as_good_as_none(parts, db, alice, bob, mailbox_of):
    service.add_app_password(parts, db, mailbox_of(alice), "Laptop")
    with pytest.raises(NotFound):
        service.revoke_app_password(db, mailbox_of(bob).id, 1)


def test_who_has_no_mailbox_yet(db, alice, bob, mailbox_of):
    mailbox_of(alice)
    assert [(newcomer.person.id, newcomer.name) for newcomer in list_newcomers(db)] == [(bob.id, "bob")]
