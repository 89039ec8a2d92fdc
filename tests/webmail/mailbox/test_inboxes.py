"""The inboxes of all accounts as one list (E14)."""

import re
from datetime import UTC, datetime, timedelta

import pytest

from app.accounts.models import MailAccount
from app.mail_services.modes import Mode
from app.mailbox.listing import Asked
from app.mailbox.several import find_inboxes, load_several
from app.mirror.queries import folder_tree
from app.sources import Role
from tests.factories import make_account, make_folder, make_message

NOON = datetime(2026, 11, 23, 12, tzinfo=UTC)
PAGE = "/mail/inboxes"


@pytest.fixture
def inboxes(db, alice, set_mode):
    set_mode(Mode.EXTERNAL)
    return [make_folder(db, make_account(db, alice, label=label)) for label in ("Home", "Work")]


def subjects(page):
    return re.findall(r'class="row-subject">([^<]*)<', page)


def listed(db, alice, **asked):
    found = load_several(db, find_inboxes(folder_tree(db, alice.id)), Asked(**{"conversations": False, **asked}))
    return [row.subject for row in found.rows], found.older


def test_newest_first_over_all_accounts_and_from_nowhere_else(db, alice, inboxes):
    home, work = inboxes
    make_message(db, home, subject="First", received_at=NOON)
    make_message(db, work, subject="Second", received_at=NOON + timedelta(minutes=1))
    make_message(db, home, subject="Third", received_at=NOON + timedelta(minutes=2))
    archive = make_folder(db, db.get_one(MailAccount, home.account_id), "Archive", Role.ARCHIVE)
    make_message(db, archive, subject="Elsewhere")
    assert listed(db, alice)[0] == ["Third", "Second", "First"]


def test_pages_follow_without_a_gap_where_moments_are_the_same(db, alice, inboxes):
    for inbox in inboxes:
        for number in range(4):
            make_message(db, inbox, subject=f"{inbox.id} {number}", uid=number + 1, received_at=NOON)
    found, before = [], None
    for _page in range(9):
        page, before = listed(db, alice, limit=3, before=before)
        found += page
        if before is None:
            break
    assert sorted(found) == sorted(f"{inbox.id} {number}" for inbox in inboxes for number in range(4))


def test_what_came_to_both_is_listed_once(db, alice, inboxes):
    for inbox in inboxes:
        make_message(db, inbox, subject="To both", message_id="same@example.org")
        make_message(db, inbox, subject="To one")
    assert sorted(listed(db, alice)[0]) == ["To both", "To one", "To one"]


def test_the_page_names_accounts_and_leads_to_folders(browser_of, db, alice, inboxes):
    message = make_message(db, inboxes[1], subject="Second")
    browser = browser_of(alice)
    page = browser.get(PAGE).text
    assert f'href="/mail/folder/{inboxes[1].id}/message/{message.id}"' in page
    assert ">Work</span>" in page
    assert "1 unread" in page
    assert f'href="{PAGE}"' in browser.get(f"/mail/folder/{inboxes[0].id}").text
    assert "<html" not in browser.get(f"{PAGE}?fragment=rows").text


def test_filters(browser_of, db, alice, inboxes):
    make_message(db, inboxes[0], subject="Starred", flags=["\\Flagged", "\\Seen"])
    make_message(db, inboxes[1], subject="Unread")
    browser = browser_of(alice)
    assert subjects(browser.get(f"{PAGE}?filter=flagged").text) == ["Starred"]
    assert subjects(browser.get(f"{PAGE}?filter=unread").text) == ["Unread"]


def test_a_single_account_needs_no_such_list(browser_of, db, alice, set_mode):
    set_mode(Mode.EXTERNAL)
    inbox = make_folder(db, make_account(db, alice))
    assert PAGE not in browser_of(alice).get(f"/mail/folder/{inbox.id}").text


def test_nobody_elses(browser_of, db, alice, bob, inboxes):
    make_message(db, make_folder(db, make_account(db, bob)), subject="His")
    assert "His" not in browser_of(alice).get(PAGE).text
