"""POST /mail/actions: from forms and from script, each on their own mail."""

import pytest
from sqlalchemy import select

from app.accounts.models import MailAccount
from app.actions import carry_out
from app.actions.models import Action
from app.mail_services.modes import Mode
from app.mirror.models import Message
from app.sources import Role
from tests.factories import make_account, make_folder, make_message

JSON = {"Accept": "application/json"}


@pytest.fixture
def config(sqlite_config):
    """The pages are the same on both databases; what they call is tested on both in test_service."""
    return sqlite_config


@pytest.fixture(autouse=True)
def _mail_is_on(set_mode):
    set_mode(Mode.EXTERNAL)


@pytest.fixture
def inbox(db, alice):
    account = make_account(db, alice)
    make_folder(db, account, "Archive", Role.ARCHIVE)
    return make_folder(db, account)


@pytest.fixture
def message(db, inbox):
    return make_message(db, inbox)


def stored(db, message):
    return db.get(Message, message.id, populate_existing=True)


def test_script_gets_words_and_the_way_back(db, alice, browser_of, inbox, message):
    browser = browser_of(alice)
    told = browser.post("/mail/actions", data={"do": "archive", "message": message.id}, headers=JSON)
    assert told.status_code == 200
    assert told.json["words"] == "Archived."
    assert stored(db, message).folder_id != inbox.id
    undone = browser.post(told.json["undo"], headers=JSON)
    assert undone.json["words"] == "Undone."
    assert stored(db, message).folder_id == inbox.id


def test_a_form_is_led_back_with_a_notice_and_undo(db, alice, browser_of, inbox, message):
    browser = browser_of(alice)
    there = f"/mail/folder/{inbox.id}?view=messages"
    told = browser.post("/mail/actions", data={"do": "read", "message": message.id, "next": there})
    assert (told.status_code, told.location) == (303, there)
    assert stored(db, message).seen
    with browser.session_transaction() as session:
        ((kind, notice),) = session["_flashes"]
    assert kind == "ok"
    assert "Marked as read." in notice
    action_id = db.scalar(select(Action.id))
    assert f'formaction="/mail/actions/{action_id}/undo"' in notice


@pytest.mark.parametrize("next", ["https://evil.example/", "//evil.example", "/\\evil.example", "javascript:x"])
def test_nobody_is_led_off_the_site(alice, browser_of, message, next):
    told = browser_of(alice).post("/mail/actions", data={"do": "read", "message": message.id, "next": next})
    assert told.location == "/"


@pytest.mark.parametrize(
    ("do", "column", "value"), [("read", "seen", True), ("star", "flagged", True), ("unstar", "flagged", False)]
)
def test_marks(db, alice, browser_of, message, do, column, value):
    browser_of(alice).post("/mail/actions", data={"do": do, "message": message.id})
    assert getattr(stored(db, message), column) is value


def test_a_conversation_is_moved_whole_and_starred_by_its_newest(db, alice, browser_of, inbox):
    first = make_message(db, inbox)
    last = make_message(db, inbox, answers=first)
    browser = browser_of(alice)
    asked = {"message": last.id, "view": "conversations"}
    browser.post("/mail/actions", data={"do": "star", **asked}, headers=JSON)
    assert (stored(db, first).flagged, stored(db, last).flagged) == (False, True)
    told = browser.post("/mail/actions", data={"do": "archive", **asked}, headers=JSON)
    assert told.json["words"] == "2 messages archived."
    assert inbox.id not in (stored(db, first).folder_id, stored(db, last).folder_id)


def test_moving_to_a_folder(db, alice, browser_of, inbox, message):
    work = make_folder(db, db.get(MailAccount, inbox.account_id), "Work")
    asked = {"do": f"move:{work.id}", "message": message.id}
    told = browser_of(alice).post("/mail/actions", data=asked, headers=JSON)
    assert told.json["words"] == "Moved to Work."
    assert stored(db, message).folder_id == work.id


@pytest.mark.parametrize(
    ("data", "status"),
    [
        ({"do": "archive"}, 422),
        ({"do": "archive", "message": "x"}, 422),
        ({"do": "archive", "message": "99999999999999999999"}, 422),
        ({"do": "archive", "message": "999"}, 404),
        ({"do": "explode", "message": "1"}, 422),
        ({"do": "move:x", "message": "1"}, 422),
        ({"do": "move:999", "message": "1"}, 404),
        ({"do": "label:", "message": "1"}, 422),
    ],
)
def test_what_cannot_be_done_is_said(alice, browser_of, message, data, status):
    data = {**data, "message": message.id} if data.get("message") == "1" else data
    told = browser_of(alice).post("/mail/actions", data=data, headers=JSON)
    assert told.status_code == status
    assert told.json["error"]


def test_refusals_are_told_once(db, parts, clock, alice, bob, browser_of, inbox, message):
    browser = browser_of(alice)
    browser.post("/mail/actions", data={"do": "archive", "message": message.id})
    action = db.scalar(select(Action))
    carry_out.refuse(db, action, "Archive is full.", parts.bus)
    words = "Not moved: the server said “Archive is full”. The mail is back in Inbox."
    assert words not in browser_of(bob).get("/mail/tree").text
    assert words in browser.get("/mail/tree").text
    assert words not in browser.get("/mail/tree").text


@pytest.mark.parametrize("do", ["archive", "delete", "junk", "read", "star", "move:{inbox}", "copy:{inbox}", "label:x"])
@pytest.mark.parametrize("view", ["messages", "conversations"])
def test_somebody_elses_message_is_no_message(db, bob, mallory, browser_of, inbox, message, do, view):
    before = (message.folder_id, message.seen, message.flagged)
    for stranger in (bob, mallory):
        data = {"do": do.format(inbox=inbox.id), "message": message.id, "view": view}
        theirs = browser_of(stranger).post("/mail/actions", data=data, headers=JSON)
        nobodys = browser_of(stranger).post("/mail/actions", data={**data, "message": 9_999}, headers=JSON)
        assert theirs.status_code == 404
        assert (theirs.status_code, theirs.json) == (nobodys.status_code, nobodys.json)
    row = stored(db, message)
    assert (row.folder_id, row.seen, row.flagged) == before
    assert db.scalars(select(Action)).all() == []


def test_somebody_elses_action_cannot_be_undone(db, alice, mallory, browser_of, inbox, message):
    told = browser_of(alice).post("/mail/actions", data={"do": "archive", "message": message.id}, headers=JSON)
    stranger = browser_of(mallory)
    assert stranger.post(told.json["undo"]).status_code == 404
    assert stranger.post("/mail/actions/9999/undo").status_code == 404
    assert stored(db, message).folder_id != inbox.id


def test_who_is_not_signed_in_does_nothing(anonymous, message):
    assert anonymous.post("/mail/actions", data={"do": "archive", "message": message.id}).status_code == 401
    assert anonymous.post("/mail/actions/1/undo").status_code == 401


def test_a_deed_needs_its_token(app, alice, browser_of, message):
    browser = browser_of(alice)
    app.config["WTF_CSRF_ENABLED"] = True
    assert browser.post("/mail/actions", data={"do": "archive", "message": message.id}).status_code == 400


def test_with_mail_off_there_is_no_such_address(alice, browser_of, set_mode, message):
    set_mode(Mode.DISABLED)
    assert browser_of(alice).post("/mail/actions", data={"do": "read", "message": message.id}).status_code == 404


def test_everything_in_a_folder_that_passes_the_filter(db, alice, browser_of, inbox):
    messages = [make_message(db, inbox) for _ in range(3)]
    read = make_message(db, inbox, flags=["\\Seen"])
    browser = browser_of(alice)
    form = {"do": "archive", "all": "1", "folder": inbox.id, "filter": "unread", "view": "messages"}
    told = browser.post("/mail/actions", data=form, headers=JSON)
    assert told.json["words"] == "3 messages go to the archive."
    assert {stored(db, message).folder_id == inbox.id for message in messages} == {False}
    assert stored(db, read).folder_id == inbox.id
    assert "Archiving" in browser.get(f"/mail/tree?folder={inbox.id}").text
    undone = browser.post(told.json["undo"], headers=JSON)
    assert undone.status_code == 200
    assert {stored(db, message).folder_id == inbox.id for message in messages} == {True}


def test_trash_is_emptied_after_it_was_asked(db, alice, browser_of, inbox):
    trash = make_folder(db, db.get(MailAccount, inbox.account_id), "Trash", Role.TRASH)
    message = make_message(db, trash)
    browser = browser_of(alice)
    assert f"/mail/actions/empty/{trash.id}" in browser.get(f"/mail/folder/{trash.id}").text
    assert "1 message" in browser.get(f"/mail/actions/empty/{trash.id}").text
    form = {"do": "delete", "all": "1", "folder": trash.id}
    assert browser.post("/mail/actions", data=form, headers=JSON).status_code == 422
    assert stored(db, message)
    browser.post("/mail/actions", data={**form, "confirmed": "1"})
    assert stored(db, message) is None


def test_no_other_folder_is_emptied(alice, browser_of, inbox):
    assert browser_of(alice).get(f"/mail/actions/empty/{inbox.id}").status_code == 404
