"""The composer in a real browser: saved after a pause, uploaded, styled, sent, undone, and kept when signed out."""

from __future__ import annotations

import re

import pytest
from playwright.sync_api import expect
from sqlalchemy import delete, select

from app.compose.models import Draft, DraftAttachment
from app.outbox.models import Outgoing
from app.users.models import UserSession

pytestmark = pytest.mark.browser


@pytest.fixture
def composer(make_context, sign_in, alice, address):
    """The composer, just opened, with a recipient and a subject."""

    def composer(**options):
        context = make_context(**options)
        sign_in(context, alice, address)
        page = context.new_page()
        faults = []
        page.on("pageerror", lambda error: faults.append(str(error)))
        page.goto(f"{address}/mail/compose?to=bob@example.org&subject=Proofs")
        page.faults = faults
        return page

    return composer


def stored(db, table=Draft):
    db.commit()
    return db.scalars(select(table).execution_options(populate_existing=True)).all()


def test_what_is_typed_is_saved_by_itself_and_survives_a_reload(composer, db):
    page = composer()
    page.get_by_label("Message").fill("Dear Bob")
    expect(page.locator("#saved")).to_have_text(re.compile("^Saved"))
    assert [draft.text for draft in stored(db)] == ["Dear Bob"]
    page.get_by_label("Message").fill("Dear Bob, more")
    expect(page.locator("#saved")).to_have_text("Not saved yet")
    expect(page.locator("#saved")).to_have_text(re.compile("^Saved"))
    page.reload()
    expect(page.get_by_label("Message")).to_have_value("Dear Bob, more")
    assert len(stored(db)) == 1
    assert page.faults == []


def test_files_go_up_at_once_and_can_be_removed(composer, db):
    page = composer()
    page.locator("#pick").set_input_files(
        [{"name": "Übung.pdf", "mimeType": "application/pdf", "buffer": b"x" * 9_000}]
    )
    expect(page.get_by_role("link", name="Übung.pdf")).to_be_visible()
    assert [row.octets for row in stored(db, DraftAttachment)] == [9_000]
    page.get_by_role("button", name="Remove Übung.pdf").click()
    expect(page.get_by_role("link", name="Übung.pdf")).to_be_hidden()
    assert stored(db, DraftAttachment) == []


def test_what_was_typed_and_chosen_before_the_script_came_counts(db, make_context, sign_in, alice, address):
    context = make_context()
    sign_in(context, alice, address)
    waiting = []
    context.route("**/js/composer.js", lambda route: waiting.append(route))
    page = context.new_page()
    page.goto(f"{address}/mail/compose?to=bob@example.org&subject=Proofs", wait_until="commit")
    page.get_by_label("Message").fill("Dear Bob")
    page.locator("#pick").set_input_files([{"name": "a.pdf", "mimeType": "application/pdf", "buffer": b"x" * 9_000}])
    for route in waiting:
        route.continue_()
    expect(page.get_by_role("link", name="a.pdf")).to_be_visible()
    expect(page.locator("#saved")).to_have_text(re.compile("^Saved"))
    assert [draft.text for draft in stored(db)] == ["Dear Bob"]


def test_styled_text_is_written_and_pasted_html_runs_nothing(composer, db):
    page = composer()
    page.get_by_label("Message").fill("Dear Bob")
    page.get_by_role("button", name="Styled text").click()
    editor = page.locator(".composer-styled")
    expect(editor).to_have_text("Dear Bob")
    editor.click()
    page.keyboard.press("Control+a")
    page.get_by_role("button", name="Bold").click()
    expect(page.locator("#saved")).to_have_text(re.compile("^Saved"))
    (draft,) = stored(db)
    assert "<b>Dear Bob</b>" in draft.html
    assert draft.text == "Dear Bob"
    page.reload()
    expect(page.locator(".composer-styled b")).to_have_text("Dear Bob")
    page.get_by_role("button", name="Plain text").click()
    expect(page.get_by_label("Message")).to_have_value("Dear Bob")
    assert page.faults == []


def test_sent_with_the_keyboard_and_undone(composer, db):
    page = composer()
    page.get_by_label("Message").fill("Dear Bob")
    page.keyboard.press("Control+Enter")
    page.get_by_role("button", name="Undo").click()
    expect(page.get_by_label("Message")).to_have_value("Dear Bob")
    assert [str(row.state) for row in stored(db, Outgoing)] == ["cancelled"]


def test_send_waits_for_the_files_and_a_fault_comes_back_at_its_field(composer, db):
    page = composer()
    page.get_by_label("To", exact=True).fill("oskar@brandt")
    page.locator("#pick").set_input_files(
        [{"name": "a.pdf", "mimeType": "application/pdf", "buffer": b"x" * 2_000_000}]
    )
    page.get_by_role("button", name="Send").click()
    expect(page.locator("#to-error")).to_contain_text("oskar@brandt has no ending such as .com.")
    expect(page.get_by_role("link", name="a.pdf")).to_be_visible()
    page.get_by_label("To", exact=True).fill("oskar@brandt.example")
    page.get_by_role("button", name="Send").click()
    expect(page.get_by_role("button", name="Undo")).to_be_visible()
    assert [len(row.message) > 2_000_000 for row in stored(db, Outgoing)] == [True]


def test_signed_out_while_writing_loses_nothing(composer, db, sign_in, alice, address):
    page = composer()
    page.get_by_label("Message").fill("Dear Bob")
    expect(page.locator("#saved")).to_have_text(re.compile("^Saved"))
    db.execute(delete(UserSession))
    db.commit()
    page.get_by_label("Message").fill("Dear Bob, a long letter")
    expect(page.locator("#composer-note")).to_contain_text("You are signed out. Nothing is lost")
    expect(page.get_by_label("Message")).to_have_value("Dear Bob, a long letter")
    sign_in(page.context, alice, address)
    page.get_by_label("Message").press("End")
    page.keyboard.type(".")
    expect(page.locator("#saved")).to_have_text(re.compile("^Saved"))
    assert [draft.text for draft in stored(db)] == ["Dear Bob, a long letter."]
    expect(page.locator("#composer-note")).to_be_empty()


def test_without_script_every_button_works(composer, db):
    page = composer(java_script_enabled=False)
    page.get_by_label("Message").fill("Dear Bob")
    page.get_by_role("button", name="Save", exact=True).click()
    assert [draft.text for draft in stored(db)] == ["Dear Bob"]
    page.get_by_role("button", name="Send").click()
    page.get_by_role("button", name="Undo").click()
    expect(page.get_by_label("Message")).to_have_value("Dear Bob")
