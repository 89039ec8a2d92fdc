"""Somebody is deleted: their mail stays until an admin deletes it, their name is nobody's until it is released."""

import pytest

from app.users import service as users
from app.users.models import User
from mailsite_ext.domains import service
from mailsite_ext.settings.service import load_settings
from mailsite_ext.settings.values import StorageKind
from mailsite_ext.storage.first_use import ensure_mailbox
from mailsite_ext.storage.open import close_storage, open_storage
from mailsite_ext.storage.values import Content
from tests.conftest import START

LETTER = b"Subject: Hello\r\n\r\n" + b"x" * 5_000


@pytest.fixture(params=list(StorageKind))
def storage(request, parts, db, hosting):
    hosting(storage_engine=request.param)
    yield open_storage(parts, load_settings(db))
    close_storage(parts)


@pytest.fixture
def box(db, alice, mailbox_of, storage):
    """Alice's, with a letter in it."""
    made = mailbox_of(alice)
    ensure_mailbox(storage, made.name)
    folder = storage.find_folder(made.name, "INBOX")
    storage.append(folder.id, [(Content(LETTER, len(LETTER)), frozenset(), START)]).result()
    return made


def test_mail_stays_until_it_is_deleted_and_the_name_until_it_is_released(db, admin, alice, box, storage, browser_of):
    ada, alice_id, page = browser_of(admin), alice.id, f"/admin/mailboxes/{box.id}"
    asked = ada.get(f"/admin/users/{alice_id}/delete").text
    assert "nobody else gets the name alice" in asked
    assert "Their mail here (5" in asked
    assert ada.post(f"{page}/delete-mail").status_code == 403, "somebody has it"
    assert ada.post(f"/admin/users/{alice_id}/delete").status_code == 303
    assert "of mail kept" in ada.get("/admin/mailboxes").text
    assert "Delete the mail of alice for good" in ada.get(page).text
    assert storage.quota("alice").used_octets > 5_000
    assert ada.post(f"{page}/delete-mail").location == page
    assert list(storage.mailboxes()) == []
    assert "None is kept on this machine" in ada.get(page).text
    users.create_user(db, "alice@other.example", "", "a short sentence works", START)
    again = users.find_user(db, "alice@other.example")
    assert service.find_mailbox(db, again.id) is None, "the name is retired still"
    ada.post(f"{page}/release")
    db.expire_all()
    assert service.is_taken(db, "alice") is False


def test_who_has_no_mail_here_leaves_none(db, admin, bob, hosting, browser_of):
    assert "nobody else gets the name" not in browser_of(admin).get(f"/admin/users/{bob.id}/delete").text
    assert db.get(User, bob.id) is not None
