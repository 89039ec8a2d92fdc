"""The page of a search."""

import pytest
from sqlalchemy import select

from app.mail_services.modes import Mode
from app.mirror.models import Message
from app.search.models import SavedSearch
from app.sources import Role
from tests.factories import make_account, make_folder, make_message

JSON = {"Accept": "application/json"}


@pytest.fixture
def config(sqlite_config):
    """The pages are the same on both databases; what they call is tested on both in test_service."""
    return sqlite_config


@pytest.fixture
def account(db, alice, set_mode):
    set_mode(Mode.EXTERNAL)
    return make_account(db, alice, label="Home")


@pytest.fixture
def inbox(db, account):
    return make_folder(db, account)


@pytest.fixture
def archive(db, account):
    return make_folder(db, account, "Archive", Role.ARCHIVE)


def test_found_messages_lead_to_their_folder_and_name_it(browser_of, alice, db, inbox, archive):
    near, far = make_message(db, inbox, subject="Kitchen"), make_message(db, archive, subject="Kitchen too")
    shown = browser_of(alice).get("/mail/search?q=kitchen").text
    assert f'href="/mail/folder/{inbox.id}/message/{near.id}"' in shown
    assert f'href="/mail/folder/{archive.id}/message/{far.id}"' in shown
    assert ">Archive</span>" in shown
    assert "Searching on the server of Home" in shown


def test_rows_alone_for_script(browser_of, alice, db, inbox):
    make_message(db, inbox, subject="Kitchen")
    shown = browser_of(alice).get("/mail/search?q=kitchen&fragment=rows").text
    assert "Kitchen" in shown
    assert "<html" not in shown


def test_without_words_the_page_says_what_can_be_typed(browser_of, alice, inbox):
    assert "from:ines" in browser_of(alice).get("/mail/search").text


def test_what_is_typed_is_escaped(browser_of, alice, inbox):
    shown = browser_of(alice).get("/mail/search", query_string={"q": '"><script>alert(1)</script> before:<b>'}).text
    assert "<script>alert" not in shown
    assert "before:&lt;b&gt;" in shown


def test_scopes_are_offered(browser_of, alice, db, account, inbox):
    make_folder(db, make_account(db, alice, label="Work"))
    shown = browser_of(alice).get(f"/mail/search?q=x&folder={inbox.id}").text
    assert f"scope=account-{account.id}" in shown
    assert f"scope=folder-{inbox.id}" in shown
    assert browser_of(alice).get("/mail/search?q=x&scope=folder-999999").status_code == 404


def test_older_results_by_a_link(browser_of, alice, db, inbox):
    for _ in range(51):
        make_message(db, inbox, subject="Same")
    browser = browser_of(alice)
    shown = browser.get("/mail/search?q=same").text
    assert 'id="older"' in shown
    older = shown.partition('id="older"')[2].partition('href="')[2].partition('"')[0].replace("&amp;", "&")
    assert browser.get(older).text.count('class="row ') == 1


def test_a_deed_on_found_messages_of_several_folders_and_its_undo(browser_of, alice, db, inbox, archive, account):
    trash = make_folder(db, account, "Trash", Role.TRASH)
    messages = [make_message(db, inbox), make_message(db, archive)]
    homes = [message.folder_id for message in messages]
    browser = browser_of(alice)
    form = {"do": "delete", "message": [message.id for message in messages], "view": "messages"}
    told = browser.post("/mail/actions", data=form, headers=JSON)
    assert told.json["words"] == "2 messages moved to Trash."
    of = select(Message.folder_id).order_by(Message.id)
    assert db.scalars(of).all() == [trash.id, trash.id]
    browser.post(told.json["undo"], headers=JSON)
    db.rollback()
    assert db.scalars(of).all() == homes


def test_searches_are_kept_and_removed(browser_of, alice, db, inbox):
    browser = browser_of(alice)
    browser.post("/mail/search/saved", data={"q": "kitchen is:unread"})
    assert "kitchen is:unread</a>" in browser.get("/mail/search").text
    browser.post(f"/mail/search/saved/{db.scalars(select(SavedSearch.id)).one()}/remove")
    assert "kitchen is:unread</a>" not in browser.get("/mail/search").text


def test_strangers_sign_in_first(app, account):
    assert app.test_client().get("/mail/search?q=x").status_code in (302, 303)
