"""Recipients completed in a real browser: by the keyboard, by the mouse, and never against what was typed."""

from __future__ import annotations

import pytest
from playwright.sync_api import expect

from app.compose.addresses import Address
from app.people import store
from app.people.meeting import Met

pytestmark = [pytest.mark.browser, pytest.mark.parametrize("source", ["external"], indirect=True)]


@pytest.fixture
def to(make_context, sign_in, alice, address, db):
    """The field To of a new message of Alice's, who knows two people."""
    people = [("Ines Vidal", "ines@example.org", 5.0), ("Ingo, Holt", "ingo@example.org", 4.0)]
    store.add(db, alice.id, [Met(name, Address(name, mail), weight) for name, mail, weight in people])
    db.commit()
    context = make_context()
    sign_in(context, alice, address)
    page = context.new_page()
    page.goto(f"{address}/mail/compose")
    field = page.get_by_role("combobox", name="To", exact=True)
    field.press_sequentially("in")
    expect(page.locator(".completion > li")).to_have_count(2)
    return field


INES, INGO = "Ines Vidal <ines@example.org>, ", '"Ingo, Holt" <ingo@example.org>, '


@pytest.mark.parametrize(("keys", "value"), [
    (["Enter"], INES), (["Tab"], INES), ([","], INES), (["ArrowDown", "Enter"], INGO), (["ArrowUp", "Enter"], INGO),
    (["ArrowDown", "ArrowDown", "Enter"], INES), (["Escape"], "in"),
])  # fmt: skip
def test_keys_choose(to, keys, value):
    for key in keys:
        to.press(key)
    expect(to).to_have_value(value)
    expect(to.page.locator(".completion > li")).to_have_count(0)
    expect(to).to_have_attribute("aria-expanded", "false")
    assert to.page.url.endswith("/mail/compose")  # neither sent nor closed


def test_the_mouse_chooses_and_a_second_one_follows(to):
    to.page.get_by_role("option", name="Ingo").click()
    expect(to).to_have_value(INGO)
    expect(to).to_be_focused()
    to.press_sequentially("ine")
    expect(to.page.locator(".completion > li")).to_have_count(1)
    to.press("Enter")
    expect(to).to_have_value(INGO + INES)


def test_an_address_typed_as_a_whole_stays(to):
    to.fill("")
    to.press_sequentially("ines@example.or")
    expect(to.page.locator(".completion > li")).to_have_count(1)
    to.press("Tab")
    expect(to).to_have_value("ines@example.or")
