"""The delivery queue in the browser: live, without script, wide and narrow, with nothing for axe to find."""

from __future__ import annotations

from urllib.parse import urljoin

import pytest
from sqlalchemy import update

from app.mail_services.models import MailServices
from app.mail_services.modes import Mode
from mailsite_ext.delivery.models import DeliveryAttempt, QueuedRecipient
from mailsite_ext.delivery.retry import Fate
from tests.browser.screens import SIZES, THEMES
from tests.browser.test_pages import AXE, RUN
from tests.mailsite.delivery.test_queue import LATER, claim, settle, take

RIGHTMOST = """() => Math.max(...[...document.querySelectorAll("main button, main .btn")].map(
    (one) => one.getBoundingClientRect().right))"""

pytestmark = [pytest.mark.browser, pytest.mark.timeout(180)]


@pytest.fixture
def config(sqlite_config):
    return sqlite_config


@pytest.fixture
def message_id(db, clock):
    """Tried once for two recipients, and blocked three times; one recipient is held."""
    db.add(MailServices(id=1, mode=Mode.BOTH))
    db.commit()
    now = clock.now()
    message_id = take(db, "bob@there.example", "eve@there.example", "joe@else.example", now=now)
    settle(db, claim(db, now=now), LATER, now)
    db.execute(update(QueuedRecipient).where(QueuedRecipient.domain == "else.example").values(fate=Fate.HELD))
    for _ in range(3):
        db.add(
            DeliveryAttempt(
                message_id=message_id, domain="there.example", begun_at=now, port_25_blocked=True,
                transcript="- 192.0.2.1:25 connecting\n< 451 4.3.0 later",
            )
        )  # fmt: skip
    db.commit()
    return message_id


@pytest.fixture
def open_queue(app, serve, admin, message_id, make_context, sign_in):
    address = serve(app)

    def open_queue(path="/admin/queue", *, script=True):
        context = make_context(java_script_enabled=script, viewport={"width": 1280, "height": 900})
        sign_in(context, admin, address)
        page = context.new_page()
        page.goto(urljoin(address, path))
        return page

    return open_queue


def test_what_is_queued_meanwhile_is_seen_without_a_reload(open_queue, db, clock):
    page = open_queue()
    page.evaluate("window.stays = true")
    take(db, "ann@third.example", token="t2", now=clock.now())
    page.get_by_role("link", name="third.example", exact=True).wait_for(timeout=30_000)
    assert page.evaluate("window.stays")


@pytest.mark.parametrize("script", [True, False])
def test_a_recipient_is_held_released_and_dropped(open_queue, script):
    page = open_queue(script=script)
    page.get_by_role("link", name="Open bob@there.example").click()
    row = page.locator("tr", has=page.locator("strong", has_text="bob@there.example"))
    for button, fate in [("Hold", "Held"), ("Release", "Waiting"), ("Drop and tell the sender", "Dropped")]:
        row.get_by_role("button", name=button).click()
        if fate == "Dropped":
            page.locator("#drop").click()
        row.locator(".status", has_text=fate).wait_for(timeout=30_000)
    page.get_by_text("1 recipient is dropped; the sender is told.").wait_for()


@pytest.mark.parametrize("path", ["/admin/queue?domain=there.example", "/admin/queue/messages/{id}"])
def test_nothing_for_axe_to_find_and_nothing_wider_than_the_screen(open_queue, message_id, path, tmp_path):
    if not AXE.exists():
        pytest.skip("axe-core is not installed: no page was checked for accessibility (run tools/vendor.py)")
    page = open_queue(path.format(id=message_id))
    page.evaluate(AXE.read_text("utf-8"))
    found = {}
    for width, height in SIZES:
        page.set_viewport_size({"width": width, "height": height})
        for theme in THEMES:
            page.emulate_media(color_scheme=theme, reduced_motion="reduce")
            page.screenshot(path=tmp_path / f"{width}-{theme}.png", full_page=True)
            found[width, theme] = page.evaluate(RUN)
            assert page.evaluate(RIGHTMOST) <= width, (path, width)
    assert not any(found.values()), found
