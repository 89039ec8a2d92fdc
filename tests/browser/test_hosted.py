"""MailSite mode as people live it: a fresh installation hosts mail, a real Chromium reads and writes it."""

from __future__ import annotations

import imaplib
import re
import smtplib
import socket
import time
from collections.abc import Callable, Iterator
from contextlib import ExitStack

import pytest
from playwright.sync_api import Page, expect
from sqlalchemy import select

from app.users.models import User
from mailsite_ext.cli import listener_command
from mailsite_ext.domains import service as domains
from tests.browser import letters, walk
from tests.browser.walk import Person, Site, row
from tests.servers.certificates import Authority
from tests.servers.engine import run_process, wait_for

pytestmark = [pytest.mark.browser, pytest.mark.servers, pytest.mark.timeout(180)]

LIVE_S = 2.0
"""New mail is on the screen within this (E12), on a machine with nothing else to do."""


@pytest.fixture(scope="module")
def site(tmp_path_factory: pytest.TempPathFactory, authority: Authority) -> Iterator[Site]:
    """A fresh installation, nothing chosen yet."""
    folder = tmp_path_factory.mktemp("hosted")
    with walk.prepare_site(folder, authority, extensions="mailsite_ext") as site, walk.run(site):
        yield site
        print(site.log.read_text()[-4_000:])


@pytest.fixture(scope="module")
def ports() -> dict[str, int]:
    with ExitStack() as stack:
        probes = {name: stack.enter_context(socket.create_server(("127.0.0.1", 0))) for name in ("smtp", "imap")}
        return {name: probe.getsockname()[1] for name, probe in probes.items()}


@pytest.fixture(scope="module")
def people(site: Site) -> dict[str, Person]:
    return {
        "ada": site.sign_up("ada@example.org", "--admin"),
        "alice": site.sign_up("alice@example.org"),
        "bob": site.sign_up("bob@example.org"),
    }


def choose_mailsite(page: Page, ports: dict[str, int]) -> None:
    """Mail for example.org is hosted here from now on."""
    page.get_by_role("link", name="Administration").first.click()
    page.get_by_role("link", name="Mail Services").first.click()
    page.locator("#mode-mailsite").check()
    page.locator("#mailsite-domains").fill("example.org")
    page.locator("#mailsite-smtp_port").fill(str(ports["smtp"]))
    page.locator("#mailsite-imap_port").fill(str(ports["imap"]))
    page.get_by_role("button", name="Save changes").last.click()
    expect(page.get_by_text("Saved. The mode is MailSite.")).to_be_visible()


def inbox_of(page: Page, site: Site, person: Person) -> Page:
    walk.sign_in(page, site.url, person)
    expect(walk.folder(page, "Inbox")).to_be_visible(timeout=walk.FIRST_MAIL_MS)
    return page


def write(page: Page, to: str, subject: str, text: str) -> None:
    page.get_by_role("link", name="Compose").first.click()
    page.get_by_label("To", exact=True).fill(to)
    page.get_by_label("Subject").fill(subject)
    page.get_by_label("Message", exact=True).fill(text)
    page.get_by_role("button", name="Send").click()
    expect(page.get_by_role("button", name="Undo")).to_be_visible()


def app_password(site: Site, email: str) -> str:
    with site.parts() as parts, parts.public.session() as db:
        person = db.scalars(select(User).where(User.email == email)).one()
        return domains.add_app_password(parts, db, domains.ensure_mailbox(parts, db, person), "A client").password


def listener(site: Site, name: str, port: int) -> ExitStack:
    """A listener of the installation, beside the agent's."""
    stack = ExitStack()
    log = site.config.work_directory / f"{name}.log"
    stack.enter_context(run_process(list(listener_command(name)), site.config, log, **site.environment))

    def takes_connections() -> bool:
        with socket.socket() as probe:
            return probe.connect_ex(("127.0.0.1", port)) == 0

    wait_for(takes_connections, f"the {name} listener", log)
    return stack


def test_from_nothing_to_mail_between_people(
    site: Site, ports: dict[str, int], people: dict[str, Person], new_page: Callable[[], Page]
) -> None:
    admin = new_page()
    walk.sign_in(admin, site.url, people["ada"])
    choose_mailsite(admin, ports)
    alice, bob = inbox_of(new_page(), site, people["alice"]), inbox_of(new_page(), site, people["bob"])
    expect(walk.folder(alice, "Junk")).to_be_visible()

    write(alice, "bob@example.org", "Lunch on Friday", "At the harbour, 12:30?")
    expect(row(bob, "Lunch on Friday")).to_be_visible(timeout=20_000)  # the time to undo is 10 s
    expect(row(bob, "Lunch on Friday")).to_contain_text("At the harbour")
    walk.folder(alice, "Sent").click()
    expect(row(alice, "Lunch on Friday")).to_be_visible()
    walk.folder(alice, "Inbox").click()

    row(bob, "Lunch on Friday").locator(".row-link").click()
    expect(bob.locator("#message")).to_contain_text("12:30?")
    bob.get_by_role("link", name="Reply", exact=True).click()
    bob.get_by_label("Message", exact=True).fill("Gladly.")
    bob.get_by_role("button", name="Send").click()
    expect(row(alice, "Re: Lunch on Friday")).to_be_visible(timeout=20_000)
    walk.folder(bob, "Inbox").click()
    expect(row(bob, "Lunch on Friday")).to_contain_text("Answered.")

    row(alice, "Re: Lunch on Friday").locator(".row-link").click()
    expect(alice.locator("#message")).to_contain_text("Gladly.")
    alice.get_by_role("button", name="Archive").first.click()
    expect(row(alice, "Re: Lunch on Friday")).to_have_count(0)
    alice.get_by_role("button", name="Undo").click()
    expect(row(alice, "Re: Lunch on Friday")).to_be_visible()


def test_mail_from_outside_and_a_mail_client_are_followed(
    site: Site, ports: dict[str, int], people: dict[str, Person], new_page: Callable[[], Page]
) -> None:
    page = inbox_of(new_page(), site, people["alice"])
    page.evaluate("window.stays = true")
    with listener(site, "smtp", ports["smtp"]), smtplib.SMTP("127.0.0.1", ports["smtp"], timeout=20) as link:
        letter, began = letters.plain("News from outside").replace(b"\n", b"\r\n"), time.monotonic()
        link.sendmail("sender@example.net", ["alice@example.org"], letter)
        expect(row(page, "News from outside")).to_be_visible()
        took_s = time.monotonic() - began
        print(f"delivered mail was on the screen after {took_s:.2f} s")
        assert took_s < LIVE_S * 2  # this machine has much else to do
    password = app_password(site, "alice@example.org")
    with listener(site, "imap", ports["imap"]), imaplib.IMAP4("127.0.0.1", ports["imap"], timeout=20) as client:
        client.login("alice", password)
        client.select("INBOX")
        _ok, found = client.uid("search", "SUBJECT", '"News from outside"')
        began = time.monotonic()
        client.uid("store", found[0].decode(), "+FLAGS", "(\\Flagged \\Seen)")
        expect(row(page, "News from outside").locator(".star")).to_have_attribute("aria-pressed", "true")
        print(f"a flag of another client was on the screen after {time.monotonic() - began:.2f} s")
        expect(row(page, "News from outside")).not_to_have_class(re.compile("is-unread"))
    assert page.evaluate("window.stays === true")
