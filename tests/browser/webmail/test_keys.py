"""The list by keys."""

from __future__ import annotations

import re

import pytest
from playwright.sync_api import expect

from tests.browser.webmail.pages import opened, row

pytestmark = [pytest.mark.browser, pytest.mark.timeout(120)]


def test_a_walk_by_keys(inbox, home, db):
    inbox.keyboard.press("j")
    expect(row(inbox, "Rehearsal moves").locator(".row-link")).to_be_focused()
    inbox.keyboard.press("k")
    inbox.keyboard.press("o")
    expect(opened(inbox)).to_have_text("Proofs for the spring catalogue")
    expect(row(inbox, "Proofs for the spring").locator(".row-link")).to_be_focused()
    inbox.keyboard.press("j")
    expect(opened(inbox)).to_have_text("Rehearsal moves to Thursday")
    inbox.keyboard.press("s")
    expect(row(inbox, "Rehearsal moves").locator(".star")).to_have_attribute("aria-pressed", "true")
    inbox.keyboard.press("e")
    expect(row(inbox, "Rehearsal moves")).to_have_count(0)
    expect(inbox.locator(".toast")).to_contain_text("Archived")
    expect(opened(inbox)).to_have_text("Your tickets to Aarhus, 4 December")
    inbox.keyboard.press("z")
    expect(row(inbox, "Rehearsal moves")).to_have_count(1)
    inbox.keyboard.press("u")
    expect(inbox.locator("#message")).to_contain_text("No message is open")
    expect(row(inbox, "Your tickets to Aarhus").locator(".row-link")).to_be_focused()
    db.refresh(home.letters[1])
    assert (home.letters[1].folder_id, home.letters[1].flagged) == (home.inbox.id, True)


def test_the_selection_by_keys(inbox):
    for key in ("x", "j", "x"):
        inbox.keyboard.press(key)
    expect(inbox.locator("#selected")).to_have_text("2 selected")
    expect(inbox.get_by_role("toolbar", name="Selected conversations")).to_be_visible()
    inbox.keyboard.press("Shift+U")
    inbox.keyboard.press("#")
    expect(row(inbox, "Proofs for the spring")).to_have_count(0)
    expect(row(inbox, "Rehearsal moves")).to_have_count(0)
    expect(inbox.locator(".toast")).to_contain_text("2 messages moved to Trash")
    inbox.locator(".toast").get_by_role("button", name="Undo").click()
    expect(row(inbox, "Proofs for the spring")).to_have_count(1)
    inbox.keyboard.press("*")
    inbox.keyboard.press("a")
    expect(inbox.locator("#selected")).to_have_text("50 selected")
    inbox.keyboard.press("Escape")
    expect(inbox.get_by_role("toolbar", name="Selected conversations")).to_be_hidden()


def test_the_list_is_one_tab_stop_and_arrows_walk_in_it(inbox):
    assert inbox.locator("#rows [tabindex='0']").count() == 1
    inbox.locator("#rows [tabindex='0']").focus()
    inbox.keyboard.press("ArrowDown")
    expect(row(inbox, "Rehearsal moves").locator(".row-link")).to_be_focused()
    inbox.keyboard.press("ArrowRight")
    expect(row(inbox, "Rehearsal moves").locator(".pick")).to_be_focused()
    inbox.keyboard.press("ArrowLeft")
    expect(row(inbox, "Rehearsal moves").locator(".row-link")).to_be_focused()


def test_move_by_keys(inbox, home, db):
    inbox.keyboard.press("x")
    inbox.keyboard.press("v")
    inbox.keyboard.press("Tab")
    inbox.get_by_role("button", name="Receipts").first.press("Enter")
    expect(inbox.locator(".toast")).to_contain_text("Moved to Receipts")
    expect(row(inbox, "Proofs for the spring")).to_have_count(0)


def test_the_move_key_takes_the_row_the_focus_is_on(inbox):
    inbox.keyboard.press("j")
    inbox.keyboard.press("v")
    expect(inbox.locator("#selected")).to_have_text("1 selected")
    expect(inbox.locator(".bar.is-selection .move-menu .menu-panel")).to_be_visible()


def test_light_or_dark_is_kept_from_page_to_page(inbox):
    with inbox.expect_response("**/settings/theme"):
        inbox.get_by_role("button", name="Switch between light and dark").click()
    inbox.reload()
    expect(inbox.locator("html")).to_have_attribute("data-theme", "dark")


def test_going_places_and_the_sheet_of_keys(inbox, home):
    inbox.keyboard.press("?")
    expect(inbox.get_by_role("dialog", name="Keyboard")).to_be_visible()
    inbox.keyboard.press("e")  # does nothing behind the sheet
    inbox.keyboard.press("Escape")
    expect(inbox.get_by_role("dialog", name="Keyboard")).to_be_hidden()
    expect(inbox.locator(".row").first).to_contain_text("Proofs")
    inbox.keyboard.press("g")
    inbox.keyboard.press("a")
    expect(inbox).to_have_url(re.compile(rf"/mail/folder/{home.archive.id}"))
    expect(inbox.get_by_role("heading", name="Archive is empty")).to_be_visible()


def test_single_keys_can_be_switched_off(visit, alice, db):
    alice.single_keys = False
    db.commit()
    page = visit()
    page.keyboard.press("e")
    page.keyboard.press("x")
    expect(page.locator("#selected")).to_be_hidden()
    expect(page.locator(".row").first).to_contain_text("Proofs")
