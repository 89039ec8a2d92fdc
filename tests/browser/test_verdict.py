"""The verdict on a message's author in the browser: why it is Junk, whom to trust, with script and without."""

from __future__ import annotations

from urllib.parse import urljoin

import pytest
from playwright.sync_api import expect

from app.mail_services.modes import Mode
from mailsite_ext.settings.values import StorageKind
from mailsite_ext.trusted_senders import service
from tests.browser.screens import SIZES, THEMES
from tests.browser.test_pages import AXE, RUN
from tests.mailsite.reception.letters import letter, signed
from tests.mailsite.webmail.box import FAR, opened

pytestmark = [pytest.mark.browser, pytest.mark.timeout(180)]


@pytest.fixture
def config(sqlite_config):
    return sqlite_config


@pytest.fixture
def box(app, parts, db, alice, set_mode):
    set_mode(Mode.MAILSITE)
    with opened(parts, db, [alice], StorageKind.FILES) as made:
        yield made


@pytest.fixture
def rows(box, alice):
    """What was filed to Junk, what is forged, what is signed."""
    box.deliver(letter())
    found = [box.mirrored(alice, "Junk", subject="Tea")]
    box.deliver(letter("ann@quarantine.example"))
    found.append(box.mirrored(alice, "Junk", "ann@quarantine.example", subject="Your account"))
    box.deliver(signed(letter("ann@none.example"), "none.example"))
    return [*found, box.mirrored(alice, "Junk", "ann@none.example", subject="Letters")]


@pytest.fixture
def open_message(app, serve, alice, make_context, sign_in):
    address = serve(app)

    def open_message(row, **options):
        context = make_context(**options)
        sign_in(context, alice, address)
        page = context.new_page()
        page.goto(urljoin(address, f"/mail/message/{row.id}"))
        return page

    return open_message


@pytest.mark.parametrize("script", [True, False])
def test_a_sender_is_trusted_from_the_notice(open_message, rows, db, alice, script):
    page = open_message(rows[0], java_script_enabled=script)
    notice = page.locator(".notice", has_text="In Junk because it came without encryption (TLS).")
    notice.get_by_text("Trust", exact=True).click()
    notice.get_by_role("button", name=f"Trust {FAR}").click()
    page.get_by_text(f"{FAR} is among your trusted senders.").first.wait_for()
    db.rollback()
    assert [each.sender for each in service.list_trusted(db, alice.id)] == [FAR]


@pytest.mark.parametrize("script", [True, False])
def test_the_verdict_opens_and_explains_itself(open_message, rows, script):
    page = open_message(rows[1], java_script_enabled=script)
    page.locator(".verdict summary", has_text="Forged").click()
    expect(page.get_by_text("Nothing proves that this message comes from quarantine.example")).to_be_visible()
    expect(page.get_by_text("failed, asks to put it into Junk (DMARC)")).to_be_visible()


@pytest.mark.parametrize("theme", THEMES)
@pytest.mark.parametrize(("width", "height"), SIZES)
def test_nothing_for_axe_to_find_and_nothing_wider_than_the_screen(open_message, rows, theme, width, height, tmp_path):
    if not AXE.exists():
        pytest.skip("axe-core is not installed: no page was checked for accessibility (run tools/vendor.py)")
    for number, row in enumerate(rows):
        page = open_message(row, viewport={"width": width, "height": height}, color_scheme=theme, bypass_csp=True)
        page.locator(".verdict summary").click()
        page.screenshot(path=tmp_path / f"{number}-{width}-{theme}.png")
        page.evaluate(AXE.read_text())
        assert page.evaluate(RUN) == []
        assert page.evaluate("document.documentElement.scrollWidth") <= width
