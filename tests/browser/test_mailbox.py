"""The Mail activity in a real browser: reading, keys, deeds and undoing them, live mail; and without script."""

from __future__ import annotations

import re
from collections.abc import Callable, Iterator

import pytest
from flask import Flask
from playwright.sync_api import BrowserContext, Page, expect

from app import create_app
from app.actions.carry_out import refuse
from app.actions.pending import pending_actions
from app.bus import Bell, Topic
from app.mirror.models import Message
from tests.browser import seed
from tests.factories import make_message

pytestmark = [pytest.mark.browser, pytest.mark.timeout(120)]


@pytest.fixture
def config(sqlite_config):
    return sqlite_config


@pytest.fixture
def app(parts) -> Flask:
    """With CSRF protection, as people have it."""
    return create_app(parts=parts)


@pytest.fixture
def home(parts, db, alice, clock) -> seed.Home:
    return seed.lay_down(parts, db, alice, clock.now())


@pytest.fixture
def faults() -> Iterator[list[str]]:
    """What the console complained of, violations of the policy among it; a test fails if there is anything."""
    found: list[str] = []
    yield found
    assert found == []


@pytest.fixture
def visit(app, serve, home, alice, make_context, sign_in, faults) -> Callable[..., Page]:
    """Opens the inbox as Alice; options as new_context takes them, or a context that is open already."""
    address = serve(app)

    def visit(path: str = "", context: BrowserContext | None = None, **options: object) -> Page:
        if context is None:
            context = make_context(base_url=address, viewport={"width": 1280, "height": 800}, **options)
            sign_in(context, alice, address)
        page = context.new_page()
        page.on(
            "console", lambda message: faults.append(message.text) if message.type in ("error", "warning") else None
        )
        page.on("pageerror", lambda error: faults.append(str(error)))
        page.goto(path or f"/mail/folder/{home.inbox.id}")
        return page

    return visit


@pytest.fixture
def inbox(visit: Callable[..., Page]) -> Page:
    return visit()


def row(page: Page, subject: str):
    return page.locator(".row", has_text=subject)


def opened(page: Page):
    return page.locator("#message .subject h2")


def is_same_page(page: Page) -> bool:
    return bool(page.evaluate("window.stays === true"))


# ------------------------------------------------------------------------------------------- reading


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
    inbox.wait_for_function("document.querySelector('iframe.message-frame').offsetHeight > 300")
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


def test_older_mail_comes_as_one_scrolls(inbox):
    assert inbox.locator(".row").count() == 50
    inbox.locator("#list").evaluate("list => list.scrollTo(0, list.scrollHeight)")
    expect(inbox.locator(".row")).to_have_count(75)
    expect(inbox.locator("#older")).to_have_count(0)
    headings = inbox.locator(".day").all_inner_texts()
    assert len(headings) == len(set(headings))


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


# ------------------------------------------------------------------------------------------- keys


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


# ------------------------------------------------------------------------------------------- deeds


def test_a_refusal_brings_the_row_back_and_says_why(inbox, faults):
    inbox.route("**/mail/actions", lambda route: route.fulfill(status=409, json={"error": "The folder is full."}))
    row(inbox, "Proofs for the spring").hover()
    row(inbox, "Proofs for the spring").get_by_role("button", name="Archive").click()
    expect(inbox.locator(".toast")).to_contain_text("The folder is full.")
    expect(inbox.locator(".row").first).to_contain_text("Proofs")
    assert "status of 409" in faults.pop()  # Chromium notes every answer of 400 and more


def test_what_the_server_refuses_later_is_told_and_stays_told(inbox, db, parts, home):
    row(inbox, "Proofs for the spring").hover()
    row(inbox, "Proofs for the spring").get_by_role("button", name="Archive").click()
    expect(inbox.locator(".toast")).to_contain_text("Archived")
    (action,) = pending_actions(db, home.account.id)
    refuse(db, action, "Quota exceeded", parts.bus)
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


# ------------------------------------------------------------------------------------------- live


def arrive(db, parts, home, subject: str) -> Message:
    message = make_message(db, home.inbox, subject=subject, from_name="Nora Lind")
    parts.bus.ring(Bell(Topic.FOLDER, home.inbox.id), Bell(Topic.TREE, home.account.owner_id))
    return message


def test_new_mail_appears_by_itself_and_nothing_jumps(inbox, db, parts, home):
    inbox.evaluate("window.stays = true")
    row(inbox, "Rehearsal moves").locator(".row-link").focus()
    inbox.keyboard.press("x")
    arrive(db, parts, home, "Fresh from the press")
    expect(inbox.locator(".row").first).to_contain_text("Fresh from the press", timeout=2_000)
    expect(inbox).to_have_title("(7) Inbox, Home: Satchel")
    expect(row(inbox, "Rehearsal moves").locator(".row-link")).to_be_focused()
    expect(row(inbox, "Rehearsal moves").locator(".pick")).to_be_checked()
    assert is_same_page(inbox)


def test_new_mail_above_what_is_read_does_not_move_it_and_offers_the_way_up(inbox, db, parts, home):
    inbox.locator("#list").evaluate("list => list.scrollTo(0, 600)")
    seen = inbox.evaluate("() => document.elementFromPoint(400, 400).closest('.row').dataset.id")
    arrive(db, parts, home, "Fresh from the press")
    expect(inbox.locator("#jump")).to_have_text("1 new", timeout=2_000)
    assert inbox.evaluate("() => document.elementFromPoint(400, 400).closest('.row').dataset.id") == seen
    inbox.locator("#jump").click()
    expect(row(inbox, "Fresh from the press")).to_be_in_viewport()
    expect(inbox.locator("#jump")).to_be_hidden()


def test_tabs_share_one_stream_and_both_hear(visit, db, parts, home):
    asked: list[str] = []
    first = visit()
    first.context.on("request", lambda request: asked.append(request.url) if "/events" in request.url else None)
    second = visit(context=first.context)
    arrive(db, parts, home, "Fresh from the press")
    for page in (first, second):
        expect(page.locator(".row").first).to_contain_text("Fresh from the press", timeout=2_000)
    assert len(asked) <= 1  # the first page's own


# ------------------------------------------------------------------------------------------- narrow, layouts


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


# ------------------------------------------------------------------------------------------- without script


@pytest.fixture
def plain(visit: Callable[..., Page]) -> Page:
    return visit(java_script_enabled=False)


def test_reading_without_script(plain, home, db):
    row(plain, "Proofs for the spring").get_by_role("link").click()
    expect(opened(plain)).to_have_text("Proofs for the spring catalogue")
    expect(plain.locator("#message")).to_contain_text("Page 14 still has the old caption")
    plain.get_by_role("link", name="Older", exact=True).click()
    expect(opened(plain)).to_have_text("Rehearsal moves to Thursday")
    plain.get_by_role("link", name="Older conversations").click()
    expect(plain.locator(".row")).to_have_count(25)
    db.refresh(home.letters[0])
    assert home.letters[0].seen


def test_deeds_without_script(plain, home, db):
    for subject in ("Proofs for the spring", "Rehearsal moves"):
        row(plain, subject).get_by_role("checkbox").check()
    plain.get_by_role("toolbar", name="Selected").get_by_role("button", name="Archive").click()
    expect(row(plain, "Rehearsal moves")).to_have_count(0)
    expect(plain.locator(".callout")).to_contain_text("2 messages archived")
    plain.locator(".callout").get_by_role("button", name="Undo").click()
    expect(row(plain, "Rehearsal moves")).to_have_count(1)

    row(plain, "Rehearsal moves").get_by_role("checkbox").check()
    plain.get_by_role("toolbar", name="Selected").locator("summary").click()
    plain.get_by_role("toolbar", name="Selected").get_by_role("button", name="Receipts").click()
    expect(row(plain, "Rehearsal moves")).to_have_count(0)
    row(plain, "Proofs for the spring").hover()
    row(plain, "Proofs for the spring").get_by_role("button", name="Delete").click()
    expect(row(plain, "Proofs for the spring")).to_have_count(0)
    db.refresh(home.letters[0])
    assert home.letters[0].folder_id == home.trash.id


def test_no_control_is_shown_that_does_nothing_without_script(plain):
    for control in plain.locator(".needs-script").all():
        expect(control).to_be_hidden()
