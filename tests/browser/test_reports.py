"""The page of reports in the browser: wide and narrow, light and dark, without script, with nothing for axe to find."""

from __future__ import annotations

from datetime import timedelta
from urllib.parse import urljoin

import pytest

from app.mail_services.models import MailServices
from app.mail_services.modes import Mode
from mailsite_ext.reports.aggregate import Disposition
from mailsite_ext.reports.attached import Kind
from mailsite_ext.reports.faults import Fault
from mailsite_ext.reports.models import ReportMail
from mailsite_ext.settings.service import store_settings
from mailsite_ext.settings.values import Settings
from tests.browser.screens import SIZES, THEMES
from tests.browser.test_pages import AXE, RUN
from tests.mailsite.reports.test_page import report, session, source

pytestmark = [pytest.mark.browser, pytest.mark.timeout(180)]

STICKS_OUT = """() => [...document.querySelectorAll("main .panel :is(td, td *, .chart *)")].filter((one) =>
    one.getBoundingClientRect().right > one.closest(".panel").getBoundingClientRect().right + 1
    && !one.closest("svg defs")).map((one) => one.outerHTML.slice(0, 80))"""


@pytest.fixture
def config(sqlite_config):
    return sqlite_config


@pytest.fixture
def open_reports(app, serve, admin, db, clock, make_context, sign_in):
    """A month of mail of four sources and of sessions, and one mail that was no report."""
    db.add(MailServices(id=1, mode=Mode.BOTH))
    store_settings(db, Settings(domains=("example.org", "example.net")))
    for ago in range(1, 28):
        report(
            db,
            source("192.0.2.1", 300 + ago * 7 % 90, vouched_by="example.org"),
            source("198.51.100.20", 40, dkim=True, spf=False, vouched_by="example.org"),
            source("2001:db8:aaaa:bbbb:cccc:dddd:eeee:ffff", ago % 5 * 9, False, False, "service.example"),
            source("203.0.113.77", ago % 7 * 11, False, False, "", Disposition.REJECT),
            days_ago=ago,
        )
        report(db, session(80 + ago), session(ago % 4, "certificate-expired", "mail.example.org"), kind=Kind.TLS,
               days_ago=ago)  # fmt: skip
    now = clock.now() - timedelta(hours=1)
    db.add(ReportMail(address="dmarc-reports@example.org", peer="203.0.113.5", hello="x", sender="a@there.example",
                      size_octets=0, octets=b"", received_at=now, next_at=now, fault=Fault.UNPROVEN,
                      detail="there.example"))  # fmt: skip
    db.commit()
    address = serve(app)

    def open_reports(*, script=True):
        context = make_context(java_script_enabled=script, viewport={"width": 1280, "height": 900})
        sign_in(context, admin, address)
        page = context.new_page()
        page.goto(urljoin(address, "/admin/reports"))
        return page

    return open_reports


@pytest.mark.parametrize("script", [True, False])
def test_days_and_numbers_are_chosen_without_script_too(open_reports, script):
    page = open_reports(script=script)
    page.get_by_role("link", name="7 days").click()
    page.locator('nav a[aria-current="page"]', has_text="7 days").wait_for()
    page.locator("summary", has_text="Numbers by day").first.click()
    assert page.locator(".chart-numbers").first.locator("tbody tr").count() == 6
    page.get_by_role("link", name="example.net").click()
    page.get_by_text("No report yet").first.wait_for()


def test_what_failed_is_told_apart_without_colour(open_reports):
    page = open_reports()
    filled = page.locator(".chart-days .chart-failed").evaluate_all(
        "all => all.map((one) => getComputedStyle(one).fill)"
    )
    assert filled
    assert all("url(" in fill for fill in filled)


def test_nothing_for_axe_to_find_and_nothing_wider_than_the_screen(open_reports, tmp_path):
    if not AXE.exists():
        pytest.skip("axe-core is not installed: no page was checked for accessibility (run tools/vendor.py)")
    page = open_reports()
    page.evaluate(AXE.read_text("utf-8"))
    found = {}
    for width, height in SIZES:
        page.set_viewport_size({"width": width, "height": height})
        assert page.evaluate(STICKS_OUT) == []
        for theme in THEMES:
            page.emulate_media(color_scheme=theme, reduced_motion="reduce")
            page.screenshot(path=tmp_path / f"{width}-{theme}.png", full_page=True)
            found[width, theme] = page.evaluate(RUN)
    assert not any(found.values()), found
