"""Manage Machines in a browser: accessible in each size and theme, live, and whole without script.

`SATCHEL_PICTURES=FOLDER` keeps a picture of each page.
"""

from __future__ import annotations

import os
import re
from datetime import UTC, datetime, timedelta
from pathlib import Path
from types import SimpleNamespace

import pytest
from playwright.sync_api import expect

from app.bus import Bell, Topic
from app.engine.models import Engine
from app.extensions import KEY
from app.machines.identity import this_machine
from app.machines.logs import log_file
from app.machines.models import Desired, Machine, MachineService, MailHome, ServiceState
from app.mail_services.modes import Mode
from tests.browser.test_pages import AXE, RUN
from tests.conftest import START
from tests.webmail.machines.dummies import kind

pytestmark = [pytest.mark.browser, pytest.mark.timeout(120)]

PICTURES = os.environ.get("SATCHEL_PICTURES")
LINES = """\
2026-11-24 10:58:02.114 smtp 203.0.113.9 C: EHLO relay4.northwind.example
2026-11-24 10:58:02.115 smtp 203.0.113.9 S: 250-mail.holt.example STARTTLS SIZE 52428800
2026-11-24 10:58:03.002 smtp 203.0.113.9 --: TLS 1.3, relay4.northwind.example
2026-11-24 10:58:03.410 smtp 203.0.113.9 C: MAIL FROM:<tickets@northwind.example> SIZE=88214
2026-11-24 10:58:41.001 smtp 198.51.100.77 S: 538 5.7.11 Encryption is required before a login
"""


@pytest.fixture
def config(sqlite_config):
    """The database does not matter here."""
    return sqlite_config


@pytest.fixture
def site(app, parts, db, admin, serve, set_mode):
    """Three machines: one with everything, one with a listener that failed, one that is silent."""
    set_mode(Mode.BOTH)
    services = app.extensions[KEY].services
    ports = {"smtp": "25", "smtps": "465", "imap": "993"}
    for name, port in ports.items():
        services[name] = kind(name, title=name.upper, settings_fingerprint=lambda _db, port=port: {"Port": port})
    here = this_machine(parts.config)
    one = machine(db, "mx-1", here.work_uuid, days=41, addresses="192.0.2.10, 2001:db8::10", version="0.1.0")
    two = machine(db, "mx-2", here.work_uuid, hours=3)
    machine(db, "web-old", "elsewhere", silent=True)
    db.add(MailHome(id=1, work_uuid=here.work_uuid, machine_name="mx-1", work_directory="/srv/satchel", since=START))
    db.add(Engine(machine="mx-1", pid=812, started_at=START - timedelta(days=41), heartbeat_at=START))
    service(db, one, "engine")
    smtp = service(db, one, "smtp", pids="815", addresses="0.0.0.0:25, [::]:25", settings={"Port": "25"})
    service(db, one, "smtps", pids="819", addresses="0.0.0.0:587", settings={"Port": "587"})
    service(db, one, "imap", desired=Desired.STOPPED, state=ServiceState.STOPPED)
    service(db, two, "smtp", state=ServiceState.FAILED, error="Port 25 is taken by another program (process 640).",
            exit_status=1, error_at=START, restarts=3, retry_at=START + timedelta(minutes=4))  # fmt: skip
    path = log_file(parts.config, "smtp", "mx-1")
    path.parent.mkdir(parents=True)
    path.write_text(LINES)
    return SimpleNamespace(url=serve(app), one=one, smtp=smtp, log=path)


def machine(db, name, work, *, silent=False, addresses="", version="", **up):
    heard = START - (timedelta(days=2) if silent else timedelta(seconds=4))
    found = Machine(uuid=name, name=name, work_uuid=work, agent="a", started_at=START - timedelta(**up),
                    heartbeat_at=heard, addresses=addresses, version=version)  # fmt: skip
    db.add(found)
    db.commit()
    return found


def service(db, at, name, **values):
    row = {"desired": Desired.RUNNING, "state": ServiceState.RUNNING, "since": START - timedelta(hours=2), **values}
    found = MachineService(machine_id=at.id, kind=name, **row)
    db.add(found)
    db.commit()
    return found


@pytest.fixture
def open_page(make_context, sign_in, admin, site):
    def open_page(address="/admin/machines", **options):
        context = make_context(**options)
        sign_in(context, admin, site.url)
        page = context.new_page()
        page.goto(site.url + address)
        return page

    return open_page


@pytest.mark.parametrize("address", ["/admin/machines", "/admin/machines/log/smtp?machine={one}"])
@pytest.mark.parametrize("theme", ["light", "dark"])
@pytest.mark.parametrize(("width", "height"), [(1280, 800), (360, 740)])
def test_nothing_for_axe_to_find(open_page, site, address, theme, width, height):
    if not AXE.exists():
        pytest.skip("axe-core is not installed: no page was checked for accessibility (run tools/vendor.py)")
    page = open_page(
        address.format(one=site.one.id), viewport={"width": width, "height": height}, color_scheme=theme,
        bypass_csp=False,
    )  # fmt: skip
    if PICTURES:
        name = "machine-log" if "log" in address else "machines"
        page.screenshot(path=Path(PICTURES) / f"{name}-{width}-{theme}.png")
    assert page.evaluate("document.documentElement.scrollWidth") <= width
    page.evaluate(AXE.read_text("utf-8"))
    assert page.evaluate(RUN) == []


def test_what_an_agent_says_appears_by_itself_and_focus_stays(open_page, site, db, parts):
    page = open_page()
    stop = page.get_by_role("button", name="Stop SMTP", exact=True).first
    stop.focus()
    site.smtp.pids = "4242"
    db.commit()
    parts.bus.ring(Bell(Topic.MACHINES))
    expect(page.get_by_text("4242")).to_be_visible()
    expect(page.get_by_role("button", name="Stop SMTP", exact=True).first).to_be_focused()


@pytest.mark.parametrize("with_script", [True, False])
def test_a_button_stores_what_is_wanted(open_page, site, db, with_script):
    page = open_page(java_script_enabled=with_script)
    row = page.get_by_role("table", name="Services on mx-1").get_by_role("row", name=re.compile("^SMTP "))
    row.get_by_role("button", name="Stop SMTP", exact=True).click()
    expect(row.get_by_text("stopped")).to_be_visible()
    db.rollback()
    db.refresh(site.smtp)
    assert site.smtp.desired == "stopped"


def test_a_log_follows_what_is_written_until_it_is_paused(open_page, site):
    page = open_page(f"/admin/machines/log/smtp?machine={site.one.id}")
    write(site.log, "a line that is new")
    expect(page.get_by_text("a line that is new")).to_be_visible()
    page.get_by_role("button", name="Pause").click()
    write(site.log, "a line nobody waits for")
    page.wait_for_timeout(3_000)
    expect(page.get_by_text("a line nobody waits for")).not_to_be_attached()
    page.get_by_role("button", name="Pause").click()
    expect(page.get_by_text("a line nobody waits for")).to_be_visible()


def write(path, text):
    with path.open("a") as log:
        log.write(f"{datetime.now(UTC):%Y-%m-%d %H:%M:%S} {text}\n")


@pytest.mark.parametrize("with_script", [True, False])
def test_a_log_is_searched(open_page, site, with_script):
    page = open_page(f"/admin/machines/log/smtp?machine={site.one.id}", java_script_enabled=with_script)
    page.get_by_label("Search this log").fill("ehlo")
    page.get_by_label("Search this log").press("Enter")
    expect(page.locator(".log")).to_contain_text("relay4.northwind.example")
    expect(page.locator(".log")).not_to_contain_text("538")
