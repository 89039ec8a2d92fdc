"""Suggested DNS records in the browser: checked again in place, copied, readable; and by links alone without script."""

from __future__ import annotations

from dataclasses import replace
from urllib.parse import urljoin

import pytest

from app import runtime
from app.errors import ServerUnreachable
from app.mail_services.models import MailServices
from app.mail_services.modes import Mode
from app.resolver import DnsResolver
from mailsite_ext.settings.service import store_settings
from mailsite_ext.settings.values import Posture, Settings
from tests.browser.screens import SIZES, THEMES
from tests.browser.test_pages import AXE, RUN
from tests.servers import name_server

pytestmark = [pytest.mark.browser, pytest.mark.timeout(180)]


@pytest.fixture
def config(sqlite_config, authority):
    issued = authority.issue("mail.example.org")
    return replace(sqlite_config, tls_certificate_file=str(issued.chain), tls_key_file=str(issued.key))


@pytest.fixture
def zone():
    return name_server.Zone(
        {
            ("example.org", "TXT"): ['"v=spf1 include:_spf.oldhost.example -all"'],
            ("example.org", "MX"): ["10 mail.example.org."],
            ("mail.example.org", "A"): ["8.8.4.4"],
        },
        failing=["_smtp._tls.example.org"],
    )


@pytest.fixture
def parts(config, clock, zone):
    with name_server.serve(zone) as address:
        built = runtime.build(config, clock=clock, resolver=DnsResolver(address))
        yield built
        built.dispose()


@pytest.fixture
def open_panel(app, serve, db, admin, make_context, sign_in, monkeypatch):
    """The panel in the admin's browser, with script or without."""

    def nobody(_domain):
        raise ServerUnreachable("nobody answers")

    monkeypatch.setattr("mailsite_ext.dns_advice.look.PolicyFetcher", lambda *_, **__: nobody)
    db.add(MailServices(id=1, mode=Mode.BOTH))
    store_settings(db, Settings(domains=("example.org", "example.net"), posture=Posture.REQUIRE))
    db.commit()
    address = serve(app)

    def open_panel(*, script=True):
        context = make_context(java_script_enabled=script, viewport={"width": 1280, "height": 900})
        sign_in(context, admin, address)
        page = context.new_page()
        page.goto(urljoin(address, "/admin/dns"))
        return page

    return open_panel


def row(page, title):
    return page.locator("details.record", has=page.locator("summary strong", has_text=title)).first


def test_a_record_that_was_set_right_is_seen_without_a_reload(open_panel, zone):
    page = open_panel()
    assert "Wrong" in row(page, "SPF").locator("summary").inner_text()
    row(page, "MX").locator("summary").click()
    page.evaluate("window.stays = true")
    zone.records["example.org", "TXT"] = ['"v=spf1 mx ~all"']
    page.get_by_role("link", name="Check again").click()
    row(page, "SPF").locator("summary", has_text="Right").wait_for(timeout=30_000)
    assert page.evaluate("window.stays"), "the page was not loaded anew"
    assert row(page, "MX").get_attribute("open") is not None, "what was opened stays open"


def test_without_script_the_link_checks_again_and_keys_are_made(open_panel, zone):
    page = open_panel(script=False)
    page.get_by_role("button", name="Generate a key").click()
    page.get_by_text("The key is made. Publish its record now.").wait_for(timeout=30_000)
    zone.records["example.org", "TXT"] = ['"v=spf1 mx ~all"']
    page.get_by_role("link", name="Check again").click()
    row(page, "SPF").locator("summary", has_text="Right").wait_for(timeout=30_000)
    assert not page.get_by_role("button", name="Copy").first.is_visible()


def test_a_record_is_copied(open_panel):
    page = open_panel()
    page.context.grant_permissions(["clipboard-read", "clipboard-write"])
    button = row(page, "DMARC").get_by_role("button", name="Copy the DMARC record", exact=True)
    button.click()
    button.get_by_text("Copied").wait_for()
    assert page.evaluate("navigator.clipboard.readText()") == "v=DMARC1; p=none; rua=mailto:dmarc-reports@example.org"


def test_nothing_for_axe_to_find(open_panel):
    if not AXE.exists():
        pytest.skip("axe-core is not installed: no page was checked for accessibility (run tools/vendor.py)")
    page = open_panel()
    page.get_by_role("button", name="Generate a key").click()
    page.get_by_text("The key is made.").wait_for()
    page.evaluate("document.querySelectorAll('details.record').forEach((one) => (one.open = true))")
    page.evaluate(AXE.read_text("utf-8"))
    found = {}
    for width, height in SIZES:
        page.set_viewport_size({"width": width, "height": height})
        for theme in THEMES:
            page.emulate_media(color_scheme=theme, reduced_motion="reduce")
            wide = page.evaluate("document.documentElement.scrollWidth")
            told = page.evaluate(RUN) + ([f"{wide} px wide"] if wide > width else [])
            found |= {(width, theme): told} if told else {}
    assert found == {}
