"""The page of an account's folders."""

import pytest
from sqlalchemy import select

from app.folders.models import FolderChange, FolderDeed
from app.mail_services.modes import Mode
from app.sources import Role
from tests.conftest import START
from tests.factories import make_account, make_folder


@pytest.fixture
def config(sqlite_config):
    """The pages are the same on both databases; what they call is tested on both in test_service."""
    return sqlite_config


@pytest.fixture
def account(db, alice, set_mode):
    set_mode(Mode.EXTERNAL)
    made = make_account(db, alice)
    make_folder(db, made)
    make_folder(db, made, "Trash", Role.TRASH)
    return made


@pytest.fixture
def work(db, account):
    return make_folder(db, account, "Work", total=3)


@pytest.fixture
def page(account):
    return f"/mail/accounts/{account.id}/folders"


def changes(db):
    db.expire_all()
    return [(row.deed, row.name, row.new_name) for row in db.scalars(select(FolderChange).order_by(FolderChange.id))]


def test_the_page_lists_folders_and_what_may_be_done_to_them(browser_of, alice, page, work):
    shown = browser_of(alice).get(page).text
    assert 'Rename or move<span class="sr-only"> Work</span>' in shown
    assert f"{page}/{work.id}/delete" in shown
    assert 'Rename or move<span class="sr-only"> Trash</span>' not in shown


def test_a_folder_is_asked_for_and_stands_there_as_being_created(browser_of, alice, db, page, work):
    browser = browser_of(alice)
    told = browser.post(page, data={"name": " Receipts ", "parent": work.id})
    assert (told.status_code, told.location) == (303, page)
    assert changes(db) == [(FolderDeed.CREATE, "Work/Receipts", "")]
    shown = browser.get(f"{page}?fragment=1").text
    assert "Being created" in shown
    assert "<html" not in shown


@pytest.mark.parametrize(
    ("name", "words"), [("Work", "already"), ("a/b", "“/”"), ("", "Type a name"), ("%", "1 to 200")]
)
def test_a_bad_name_is_said_at_its_field(browser_of, alice, db, page, work, name, words):
    told = browser_of(alice).post(page, data={"name": name, "parent": "0"})
    assert told.status_code == 422
    assert words in told.text
    assert not changes(db)


@pytest.mark.parametrize("parent", ["x", "-1", "99999999999999999999"])
def test_a_parent_that_is_no_id_is_refused(browser_of, alice, db, page, work, parent):
    assert browser_of(alice).post(page, data={"name": "New", "parent": parent}).status_code == 422
    assert not changes(db)


def test_rename_offers_the_name_it_has(browser_of, alice, db, page, work):
    browser = browser_of(alice)
    assert 'value="Work"' in browser.get(f"{page}/{work.id}").text
    browser.post(f"{page}/{work.id}", data={"name": "Projects", "parent": "0"})
    assert changes(db) == [(FolderDeed.RENAME, "Work", "Projects")]
    assert "Becomes Projects" in browser.get(page).text


def test_delete_says_what_happens_first(browser_of, alice, db, page, work):
    browser = browser_of(alice)
    asked = browser.get(f"{page}/{work.id}/delete").text
    assert "3 messages" in asked
    assert "Move to Trash" in asked
    assert not changes(db)
    browser.post(f"{page}/{work.id}/delete")
    assert changes(db) == [(FolderDeed.RENAME, "Work", "Trash/Work")]


def test_a_folder_with_a_task_is_not_deleted_by_a_forged_form(browser_of, alice, db, account, page):
    inbox = make_folder(db, account, "Archive", Role.ARCHIVE)
    browser = browser_of(alice)
    told = browser.post(f"{page}/{inbox.id}/delete")
    assert told.status_code == 303
    assert "keeps its name and place" in browser.get(page).text
    assert not changes(db)


def test_subscriptions(browser_of, alice, db, page, work):
    browser_of(alice).post(f"{page}/{work.id}/subscribe", data={"subscribed": "0"})
    assert changes(db) == [(FolderDeed.UNSUBSCRIBE, "Work", "")]


def test_a_refusal_stays_with_the_servers_words_until_dismissed(browser_of, alice, db, account, page, work):
    refused = FolderChange(account_id=account.id, deed=FolderDeed.CREATE, name="<b>Bold</b>", refused=True,
                           error="<i>No</i> room", created_at=START)  # fmt: skip
    db.add(refused)
    db.commit()
    browser = browser_of(alice)
    shown = browser.get(page).text
    assert "&lt;b&gt;Bold&lt;/b&gt; was not created. The server says: &lt;i&gt;No&lt;/i&gt; room" in shown
    browser.post(f"{page}/changes/{refused.id}/dismiss")
    assert "was not created" not in browser.get(page).text
