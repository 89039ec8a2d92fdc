"""Certificate, test mail and the set-up of mail programs in the browser: live, readable, nothing for axe to find."""

from __future__ import annotations

from dataclasses import replace
from urllib.parse import urljoin

import pytest

from app.machines.models import Machine, MachineService, ServiceState
from app.mail_services.models import MailServices
from app.mail_services.modes import Mode
from mailsite_ext.certificates.models import CertificateOrder
from mailsite_ext.certificates.service import PRODUCTION
from mailsite_ext.delivery.models import DeliveryAttempt, QueuedMessage
from mailsite_ext.domains import service
from mailsite_ext.settings.fingerprint import imap_fingerprint, smtp_fingerprint
from mailsite_ext.settings.service import store_settings
from mailsite_ext.settings.values import Posture, Settings
from tests.browser.screens import SIZES, THEMES
from tests.browser.test_pages import AXE, RUN
from tests.browser.test_queue import RIGHTMOST

pytestmark = [pytest.mark.browser, pytest.mark.timeout(180)]
WORDS = "mta-sts.example.org: 203.0.113.9: Fetching http://mta-sts.example.org/.well-known/acme-challenge/x: refused"


@pytest.fixture
def config(sqlite_config, authority):
    issued = authority.issue("mail.example.org")
    return replace(sqlite_config, tls_certificate_file=str(issued.chain), tls_key_file=str(issued.key))


@pytest.fixture
def hosting(db, parts, admin):
    db.add(MailServices(id=1, mode=Mode.BOTH))
    store_settings(db, Settings(domains=("example.org",), posture=Posture.SPAM, expose=True))
    db.add(Machine(id=1, uuid="1" * 36, name="mx", work_uuid="w" * 36))
    db.flush()
    found = {"smtp": (smtp_fingerprint(db), "0.0.0.0:465"), "imap": (imap_fingerprint(db), "0.0.0.0:993")}
    for kind, (settings, bound) in {**found, "delivery": ({}, "")}.items():
        service_row = MachineService(machine_id=1, kind=kind, state=ServiceState.RUNNING, settings=settings)
        service_row.addresses = bound
        db.add(service_row)
    db.commit()
    service.ensure_mailbox(parts, db, admin)


@pytest.fixture
def open_page(app, serve, admin, hosting, make_context, sign_in):
    address = serve(app)

    def open_page(path, *, script=True):
        context = make_context(java_script_enabled=script, viewport={"width": 1280, "height": 900})
        sign_in(context, admin, address)
        page = context.new_page()
        page.goto(urljoin(address, path))
        return page

    return open_page


def order(db, clock, **changes):
    values = {"enabled": True, "directory": PRODUCTION, "contact": "", "next_at": clock.now()} | changes
    db.merge(CertificateOrder(id=1, **values))
    db.commit()


@pytest.mark.parametrize("script", [True, False])
def test_a_certificate_is_wanted_and_asked_for(open_page, script):
    page = open_page("/admin/certificate", script=script)
    page.locator("#save").click()
    page.get_by_text("Saved.").wait_for()
    page.locator("#enabled").check()
    page.locator("#save").click()
    page.get_by_text("No authority gives certificates").wait_for()
    page.locator("#agreed").check()
    page.locator("#save").click()
    page.get_by_text("Not ordered yet").wait_for()
    page.locator("#now").click()
    page.get_by_text("Begins in a few seconds").wait_for()


def test_what_comes_of_it_is_seen_without_a_reload(open_page, db, clock):
    order(db, clock, asked_at=clock.now())
    page = open_page("/admin/certificate")
    page.get_by_text("Begins in a few seconds").wait_for()
    page.evaluate("window.stays = true")
    order(db, clock, words=WORDS, failures=1, tried_at=clock.now(), asked_at=None)
    page.get_by_text("The last try failed").wait_for(timeout=30_000)
    assert page.evaluate("window.stays")


def test_a_test_mail_is_followed(open_page, db, clock):
    page = open_page("/admin/test-mail")
    page.locator("#recipient").fill("echo@there.example")
    page.locator("#send").click()
    page.get_by_text("It was not tried yet").wait_for()
    message = db.query(QueuedMessage).one()
    db.add(
        DeliveryAttempt(
            message_id=message.id, domain="there.example", begun_at=clock.now(), port_25_blocked=False,
            transcript="- TLSv1.3\n< 250 2.0.0 taken",
        )
    )  # fmt: skip
    db.commit()
    page.get_by_text("250 2.0.0 taken").wait_for(timeout=30_000)


@pytest.mark.parametrize(
    "path", ["/admin/certificate", "/admin/test-mail", "/admin/test-mail/sent", "/settings/mail-clients"]
)
def test_nothing_for_axe_to_find_and_nothing_wider_than_the_screen(open_page, db, clock, path, tmp_path):
    if not AXE.exists():
        pytest.skip("axe-core is not installed: no page was checked for accessibility (run tools/vendor.py)")
    order(db, clock, words=WORDS, failures=1, tried_at=clock.now(), left_out="autoconfig.example.org")
    page = open_page(path.removesuffix("/sent"))
    if path.endswith("/sent"):
        page.locator("#recipient").fill("echo@there.example")
        page.locator("#send").click()
        page.get_by_text("It was not tried yet").wait_for()
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
