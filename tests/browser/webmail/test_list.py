"""Reading in the list and beside it, on wide and narrow screens, in each layout."""

from __future__ import annotations

import re

import pytest
from playwright.sync_api import expect

from tests.browser.webmail.pages import is_same_page, opened, row

pytestmark = [pytest.mark.browser, pytest.mark.timeout(120)]


def test_a_click_opens_the_message_beside_the_list_without_a_new_page_and_back_works(inbox, home):
    inbox.evaluate("window.stays = true")
    row(inbox, "Proofs for the spring").click()
    expect(opened(inbox)).to_have_text("Proofs for the spring catalogue")
    expect(inbox.locator("#message")).to_contain_text("Page 14 still has the old caption")
    expect(inbox).to_have_url(re.compile(rf"/mail/folder/{home.inbox.id}/message/{home.letters[0].id}"))
    row(inbox, "Rehearsal moves").click()
    expect(opened(inbox)).to_have_text("Rehearsal moves to Thursday")
    inbox.go_back()
    expect(opened(inbox)).to_have_text("Proofs for the spring catalogue")
    inbox.go_back()
    expect(inbox.locator("#message")).to_contain_text("No message is open")
    expect(inbox).to_have_url(re.compile(rf"/mail/folder/{home.inbox.id}"))
    assert is_same_page(inbox)


def test_what_was_shown_is_read_on_screen_and_in_the_mirror(inbox, home, db):
    expect(row(inbox, "Rehearsal moves")).to_have_class(re.compile("is-unread"))
    row(inbox, "Rehearsal moves").click()
    expect(row(inbox, "Rehearsal moves")).not_to_have_class(re.compile("is-unread"))
    expect(inbox.locator("#unread-note")).to_have_text("5 unread")
    expect(inbox).to_have_title("(5) Inbox, Home: Satchel")
    db.refresh(home.letters[1])
    assert home.letters[1].seen


def test_an_html_message_stands_in_a_frame_as_high_as_it_is_and_loads_nothing_from_elsewhere(inbox, strangers):
    row(inbox, "Walking the old post road").click()
    frame = inbox.frame_locator("iframe.message-frame")
    expect(frame.get_by_role("heading")).to_have_text("Walking the old post road")
    expect(inbox.locator("#message .notice")).to_contain_text("images held back")
    tall = re.compile(r"height: (?:[3-9][0-9]{2}|[0-9]{4,})px")
    expect(inbox.locator("iframe.message-frame")).to_have_attribute("style", tall)
    frame_height, content_height = inbox.evaluate(
        "(f => [f.offsetHeight, f.contentDocument.documentElement.getBoundingClientRect().height])"
        "(document.querySelector('iframe.message-frame'))"
    )
    assert abs(frame_height - content_height) <= 20
    assert strangers == []


def test_keys_pressed_inside_a_message_count_as_well(inbox):
    row(inbox, "Walking the old post road").click()
    inbox.frame_locator("iframe.message-frame").get_by_role("heading").click()
    inbox.keyboard.press("k")
    expect(opened(inbox)).to_have_text("Your tickets to Aarhus, 4 December")


def scroll_to_the_end(page):
    page.locator("#list").evaluate("list => list.scrollTo(0, list.scrollHeight)")


def test_older_mail_comes_as_one_scrolls(inbox):
    assert inbox.locator(".row").count() == 50
    scroll_to_the_end(inbox)
    expect(inbox.locator(".row")).to_have_count(75)
    expect(inbox.locator("#older")).to_have_count(0)
    headings = inbox.locator(".day").all_inner_texts()
    assert len(headings) == len(set(headings))


def test_the_end_of_the_list_is_its_end_after_a_refresh_too(inbox):
    scroll_to_the_end(inbox)
    expect(inbox.locator(".row")).to_have_count(75)
    inbox.locator("#rows").evaluate("rows => rows.append(document.createElement('hr'))")
    inbox.keyboard.press("Home")
    inbox.locator("[data-do=refresh]").click()
    expect(inbox.locator("#rows hr")).to_have_count(0)  # the list is as the server has it
    assert inbox.locator(".row").count() == 75
    assert inbox.locator("#older").count() == 0


def test_a_letter_that_comes_while_older_mail_is_on_its_way_leaves_no_gap(inbox, post):
    """What was asked for begins after a row that is not the last one shown any more."""
    held = []
    inbox.route("**/*before=*", lambda route: held.append(route), times=1)
    with inbox.expect_request("**/*before=*"):
        scroll_to_the_end(inbox)
    post.arrive("A letter in between")
    expect(row(inbox, "A letter in between")).to_have_count(1)
    held[0].continue_()
    expect(inbox.locator(".row")).to_have_count(76)
    expect(inbox.locator("#older")).to_have_count(0)


def test_a_message_that_is_slow_shows_its_shape_after_a_moment_only(visit):
    page = visit()
    waiting = []
    page.route("**/*fragment=message*", lambda route: waiting.append(route))
    row(page, "Harbour Bank").locator(".row-link").click()
    expect(page.locator("#message")).to_contain_text("No message is open")
    expect(page.locator("#message .skeleton").first).to_be_visible()
    for route in waiting:
        route.continue_()
    page.unroute("**/*fragment=message*")
    expect(opened(page)).to_have_text("Your November statement is ready")


def test_on_a_narrow_screen_list_and_message_are_a_stack(visit):
    page = visit(context=None)
    page.set_viewport_size({"width": 360, "height": 740})
    expect(page.locator(".pane-message")).to_be_hidden()
    row(page, "Proofs for the spring").click()
    expect(page.locator(".pane-list")).to_be_hidden()
    expect(opened(page)).to_be_focused()
    page.get_by_role("link", name="Back to Inbox").click()
    expect(row(page, "Proofs for the spring").locator(".row-link")).to_be_focused()
    assert page.evaluate("document.documentElement.scrollWidth") <= 360
    page.get_by_role("link", name="Folders").click()
    page.locator("#folders").get_by_role("link", name="Archive").click()
    expect(page.get_by_role("heading", name="Archive", exact=True)).to_be_visible()


@pytest.mark.parametrize("layout", ["list", "bottom"])
def test_other_layouts(visit, alice, db, layout):
    alice.layout = layout
    db.commit()
    page = visit()
    row(page, "Proofs for the spring").click()
    expect(opened(page)).to_be_visible()
    expect(page.locator(".pane-list")).to_be_visible(visible=layout == "bottom")


def test_the_splitter_by_keys_and_remembered(inbox):
    splitter = inbox.get_by_role("separator")
    before = inbox.locator(".pane-list").bounding_box()["width"]
    splitter.press("ArrowRight")
    assert inbox.locator(".pane-list").bounding_box()["width"] == before + 16
    inbox.reload()
    assert inbox.locator(".pane-list").bounding_box()["width"] == before + 16
    splitter.press("Home")
    expect(splitter).to_have_attribute("aria-valuenow", "280")
