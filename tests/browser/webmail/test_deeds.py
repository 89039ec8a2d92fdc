"""Deeds and what comes of them, and what comes by itself."""

from __future__ import annotations

import pytest
from playwright.sync_api import expect

from tests.browser.webmail.pages import SOON_MS, is_same_page, row

pytestmark = [pytest.mark.browser, pytest.mark.timeout(120)]


def test_a_refusal_brings_the_row_back_and_says_why(inbox, faults):
    inbox.route("**/mail/actions", lambda route: route.fulfill(status=409, json={"error": "The folder is full."}))
    row(inbox, "Proofs for the spring").hover()
    row(inbox, "Proofs for the spring").get_by_role("button", name="Archive").click()
    expect(inbox.locator(".toast")).to_contain_text("The folder is full.")
    expect(inbox.locator(".row").first).to_contain_text("Proofs")
    assert "status of 409" in faults.pop()  # Chromium notes every answer of 400 and more


def test_what_the_server_refuses_later_is_told_and_stays_told(inbox, post):
    row(inbox, "Proofs for the spring").hover()
    with post.refusing("Quota exceeded"):
        row(inbox, "Proofs for the spring").get_by_role("button", name="Archive").click()
    expect(inbox.locator(".toast")).to_contain_text("Quota exceeded")
    expect(inbox.locator(".row").first).to_contain_text("Proofs")


def test_the_star_of_a_row(inbox, home, db):
    star = row(inbox, "Rehearsal moves").locator(".star")
    row(inbox, "Rehearsal moves").hover()
    star.click()
    expect(star).to_have_attribute("aria-pressed", "true")
    expect(inbox.locator(".toast")).to_contain_text("Starred")
    db.refresh(home.letters[1])
    assert home.letters[1].flagged


def test_new_mail_appears_by_itself_and_nothing_jumps(inbox, post):
    inbox.evaluate("window.stays = true")
    row(inbox, "Rehearsal moves").locator(".row-link").focus()
    inbox.keyboard.press("x")
    post.arrive("Fresh from the press")
    expect(inbox.locator(".row").first).to_contain_text("Fresh from the press", timeout=SOON_MS)
    expect(inbox).to_have_title("(7) Inbox, Home: Satchel")
    expect(row(inbox, "Rehearsal moves").locator(".row-link")).to_be_focused()
    expect(row(inbox, "Rehearsal moves").locator(".pick")).to_be_checked()
    assert is_same_page(inbox)


def test_new_mail_above_what_is_read_does_not_move_it_and_offers_the_way_up(inbox, post):
    inbox.locator("#list").evaluate("list => list.scrollTo(0, 600)")
    seen = inbox.evaluate("() => document.elementFromPoint(400, 400).closest('.row').dataset.id")
    post.arrive("Fresh from the press")
    expect(inbox.locator("#jump")).to_have_text("1 new", timeout=SOON_MS)
    assert inbox.evaluate("() => document.elementFromPoint(400, 400).closest('.row').dataset.id") == seen
    inbox.locator("#jump").click()
    expect(row(inbox, "Fresh from the press")).to_be_in_viewport()
    expect(inbox.locator("#jump")).to_be_hidden()


def test_tabs_share_one_stream_and_both_hear(visit, post):
    asked: list[str] = []
    first = visit()
    first.context.on("request", lambda request: asked.append(request.url) if "/events" in request.url else None)
    second = visit(context=first.context)
    post.arrive("Fresh from the press")
    for page in (first, second):
        expect(page.locator(".row").first).to_contain_text("Fresh from the press", timeout=SOON_MS)
    assert len(asked) <= 1  # the first page's own


def test_everything_in_the_folder_not_only_what_is_shown(inbox, home, db):
    rest = inbox.locator(".select-rest")
    expect(rest).to_be_hidden()
    inbox.locator(".list-bar [data-do=select-all]").check()
    rest.get_by_text("All 75 messages in Inbox").click()
    inbox.get_by_role("toolbar", name="Selected").get_by_role("button", name="Mark as read").click()
    expect(inbox.locator(".toast")).to_contain_text("75 messages are marked as read")
    expect(inbox.locator(".row.is-unread")).to_have_count(0)
    db.refresh(home.inbox)
    assert home.inbox.unread == 0
    inbox.locator(".toast").get_by_role("button", name="Undo").click()
    expect(inbox.locator(".row.is-unread")).to_have_count(6)


def test_one_tick_taken_away_means_only_what_is_ticked(inbox, home, db):
    inbox.locator(".list-bar [data-do=select-all]").check()
    inbox.locator(".select-rest").get_by_text("All 75").click()
    row(inbox, "Rehearsal moves").locator(".pick").uncheck(force=True)
    expect(inbox.locator(".select-rest")).to_be_hidden()
    assert not inbox.locator(".select-rest input").is_checked()
