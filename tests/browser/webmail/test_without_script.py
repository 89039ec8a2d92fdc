"""The webmail without script."""

from __future__ import annotations

from collections.abc import Callable

import pytest
from playwright.sync_api import Page, expect

from tests.browser.webmail.pages import opened, row

pytestmark = [pytest.mark.browser, pytest.mark.timeout(120)]


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
