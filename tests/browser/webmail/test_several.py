"""Lists over several folders: searching by keys, what a server finds later, all inboxes."""

from __future__ import annotations

import pytest
from playwright.sync_api import expect

from app.bus import Bell, Topic
from app.search.models import SearchState, ServerSearch
from tests.browser.webmail.pages import SOON_MS, is_same_page, opened, row
from tests.factories import make_account, make_folder, make_message

pytestmark = [pytest.mark.browser, pytest.mark.timeout(120)]


def test_search_by_keys_open_and_come_back(inbox):
    inbox.keyboard.press("/")
    expect(inbox.locator("#search")).to_be_focused()
    inbox.keyboard.type("from:tobias rehearsal")
    inbox.keyboard.press("Enter")
    expect(inbox.locator(".row")).to_have_count(1)
    inbox.wait_for_load_state()
    inbox.evaluate("window.stays = true")
    row(inbox, "Rehearsal moves").click()
    expect(opened(inbox)).to_have_text("Rehearsal moves to Thursday")
    inbox.keyboard.press("u")
    expect(inbox.locator(".row")).to_have_count(1)
    assert is_same_page(inbox)


def test_what_the_server_finds_joins_in_by_itself(inbox, home, db, parts, alice):
    inbox.goto("/mail/search?q=body:nowhere+in+the+envelope")
    expect(inbox.locator("#waits")).to_be_visible()
    search = db.query(ServerSearch).one()
    search.found, search.state = [home.letters[1].id], SearchState.DONE
    db.commit()
    parts.bus.ring(Bell(Topic.FOUND, alice.id))
    expect(row(inbox, "Rehearsal moves")).to_be_visible(timeout=SOON_MS)
    expect(inbox.locator("#waits")).to_have_count(0)


def test_a_found_message_is_archived(inbox, home, db):
    inbox.goto("/mail/search?q=rehearsal")
    row(inbox, "Rehearsal moves").hover()
    row(inbox, "Rehearsal moves").get_by_role("button", name="Archive").click()
    expect(inbox.locator(".toast")).to_contain_text("Archived")
    db.refresh(home.letters[1])
    assert home.letters[1].folder_id == home.archive.id


def test_all_inboxes_are_one_list_and_live(inbox, home, db, parts, alice):
    other = make_folder(db, make_account(db, alice, label="Choir", source=home.account.source))
    inbox.reload()
    inbox.get_by_role("link", name="All inboxes").click()
    expect(inbox.locator(".row")).to_have_count(50)
    inbox.wait_for_load_state()
    expect(inbox.locator("#unread-note")).to_have_text("6 unread")
    make_message(db, other, subject="From the choir")
    parts.bus.ring(Bell(Topic.FOLDER, other.id), Bell(Topic.TREE, alice.id))
    expect(inbox.locator(".row").first).to_contain_text("From the choir", timeout=SOON_MS)
    expect(inbox.locator("#unread-note")).to_have_text("7 unread")
