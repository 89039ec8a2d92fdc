"""Hosting in the browser: the MailSite options and the pages of mailboxes, with nothing for axe to find."""

from __future__ import annotations

from dataclasses import replace
from urllib.parse import urljoin

import pytest

from app.mail_services.models import MailServices
from app.mail_services.modes import Mode
from app.users.failures import Way
from app.users.failures import record as record_failure
from app.users.models import LoginFailure
from app.users.throttle import Limit
from mailsite_ext.domains import service
from mailsite_ext.importing import service as importing
from mailsite_ext.settings.service import load_settings, store_settings
from mailsite_ext.settings.values import Settings
from tests.browser.screens import SIZES, THEMES
from tests.browser.test_pages import AXE, RUN
from tests.conftest import START
from tests.factories import make_account, make_folder

pytestmark = [pytest.mark.browser, pytest.mark.timeout(180)]

PORTS = ("smtp", "smtps", "imap", "imaps")


@pytest.fixture
def config(sqlite_config, authority):
    """With a certificate."""
    issued = authority.issue("mail.example.org")
    return replace(sqlite_config, tls_certificate_file=str(issued.chain), tls_key_file=str(issued.key))


@pytest.fixture
def address(app, serve):
    return serve(app)


@pytest.fixture
def open_as_admin(address, admin, make_context, sign_in):
    """A page of the admin's browser, with script or without."""

    def open_as_admin(path, *, script=True):
        context = make_context(java_script_enabled=script, viewport={"width": 1280, "height": 900})
        sign_in(context, admin, address)
        page = context.new_page()
        page.goto(urljoin(address, path))
        return page

    return open_as_admin


@pytest.mark.parametrize("script", [True, False])
def test_options_show_in_modes_that_host_and_default_ports_fill_in(open_as_admin, db, script):
    page = open_as_admin("/admin/mail-services", script=script)
    domains = page.locator("#mailsite-domains")
    assert not domains.is_visible()
    page.locator("#mode-both").check()
    domains.fill("example.org")
    page.locator("#mailsite-starttls").check()
    page.locator("#mailsite-smtp_port").fill("2626")
    page.get_by_role("button", name="Use default ports").click()
    page.wait_for_load_state()
    assert [page.locator(f"#mailsite-{name}_port").input_value() for name in PORTS] == ["25", "25", "143", "993"]
    assert domains.input_value() == "example.org", "nothing typed is lost"
    page.locator("#mode-external").check()
    assert not domains.is_visible()
    page.locator("#mode-mailsite").check()
    domains.press("Enter")  # saves, though other buttons come first
    page.get_by_text("Saved. The mode is MailSite.").wait_for()
    db.rollback()
    saved = load_settings(db)
    assert (saved.domains, saved.starttls, saved.smtps_port) == (("example.org",), True, 25)


def test_the_field_in_error_has_the_focus(open_as_admin):
    page = open_as_admin("/admin/mail-services")
    page.locator("#mode-both").check()
    page.locator("#mailsite-imap_port").fill("imap")
    page.get_by_role("button", name="Save changes").last.click()
    page.locator("#mailsite-imap_port[aria-invalid=true]").wait_for()
    page.locator("#mailsite-imap_port:focus").wait_for()


def test_nothing_for_axe_to_find(open_as_admin, parts, db, admin, alice, bob):
    if not AXE.exists():
        pytest.skip("axe-core is not installed: no page was checked for accessibility (run tools/vendor.py)")
    db.add(MailServices(id=1, mode=Mode.BOTH))
    store_settings(db, Settings(domains=("example.org",)))
    box = service.ensure_mailbox(parts, db, admin)
    service.add_app_password(parts, db, box, "Laptop")
    service.add_address(db, box.id, "*", "")
    elsewhere = make_account(db, admin)
    for name in ("INBOX", "Trash"):
        make_folder(db, elsewhere, name)
    started = make_account(db, admin)
    make_folder(db, started)
    importing.start(parts, db, started, ["INBOX"], is_apart=True)
    retired = service.ensure_mailbox(parts, db, bob)
    db.delete(bob)
    db.commit()
    found = {}
    paths = ["/admin/mail-services", "/admin/mailboxes", f"/admin/mailboxes/{box.id}", f"/admin/mailboxes/{retired.id}"]
    imports = ["/settings/import", *(f"/settings/import/{account.id}" for account in (elsewhere, started))]
    db.add(LoginFailure(key="a", failed_at=START))
    limits = Limit("a", 1), Limit("network:192.0.2.0/24", 50)
    record_failure(db, Way.IMAP, "ada", limits, START)
    people = ["/admin/failed-sign-ins", f"/admin/users/{alice.id}/delete", "/settings/identities", "/settings/junk"]
    people.append("/settings/trusted-senders")
    for path in [*paths, *imports, *people, "/settings/mail-clients"]:
        page = open_as_admin(path)
        page.evaluate(AXE.read_text("utf-8"))
        for width, height in SIZES:
            page.set_viewport_size({"width": width, "height": height})
            for theme in THEMES:
                page.emulate_media(color_scheme=theme, reduced_motion="reduce")
                wide = page.evaluate("document.documentElement.scrollWidth")
                told = page.evaluate(RUN) + ([f"{wide} px wide"] if wide > width else [])
                found |= {(path, width, theme): told} if told else {}
    assert found == {}
