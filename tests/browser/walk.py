"""A whole installation as a deployer starts it, and the steps people take in it.

with serve_site(folder, authority) as site:     # fresh databases, gunicorn with its engine
    person = site.sign_up("ida@example.org")
    page.goto(site.url + "/sign-in")
    sign_in(page, person)
    add_account(page, mailbox)
"""

from __future__ import annotations

import re
import socket
import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

from playwright.sync_api import Locator, Page, expect

from app.config import Config
from app.mail_services.modes import Mode
from app.mail_services.service import save_settings
from app.runtime import Runtime, build
from tests.servers import dns
from tests.servers.certificates import Authority
from tests.servers.dovecot import Dovecot, MailUser
from tests.servers.engine import ROOT, answers, environment, run_process, wait_for
from tests.servers.smtp_sink import SmtpSink

PASSWORD = "a short sentence works"
FIRST_MAIL_MS = 30_000  # on a machine with much else to do


@dataclass(frozen=True)
class Person:
    """Somebody who can sign in."""

    email: str
    password: str = PASSWORD


@dataclass(frozen=True)
class Mailbox:
    """A mailbox elsewhere: where it is read and where its mail is sent."""

    user: MailUser
    dovecot: Dovecot
    sink: SmtpSink


@dataclass(frozen=True)
class Site:
    """An installation; what its processes say is in `log`."""

    config: Config
    port: int
    extensions: str = ""  # EXTENSIONS, as a deployer sets it

    @property
    def environment(self) -> dict[str, str]:
        return {"BIND": self.bind, "EXTENSIONS": self.extensions}

    @property
    def url(self) -> str:
        return f"http://127.0.0.1:{self.port}"

    @property
    def log(self) -> Path:
        return self.config.work_directory / "gunicorn.log"

    @property
    def bind(self) -> str:
        return f"127.0.0.1:{self.port}"

    def flask(self, *words: str, typed: str = "") -> str:
        """Run a command of `flask --app wsgi` to its end; what it printed."""
        command = [sys.executable, "-m", "flask", "--app", "wsgi", *words]
        done = subprocess.run(
            command,
            cwd=ROOT,
            env=environment(self.config, **self.environment),
            input=typed,
            text=True,
            capture_output=True,
        )
        assert done.returncode == 0, done.stdout + done.stderr
        return done.stdout

    def sign_up(self, email: str, *more: str) -> Person:
        """Somebody new, made on the command line."""
        self.flask("users", "create", email, "--password-file", "-", *more, typed=PASSWORD + "\n")
        return Person(email)

    @contextmanager
    def parts(self) -> Iterator[Runtime]:
        """The databases and the bus, beside the processes that run."""
        parts = build(self.config)
        try:
            yield parts
        finally:
            parts.dispose()


@contextmanager
def prepare_site(folder: Path, authority: Authority, extensions: str = "") -> Iterator[Site]:
    """Fresh, migrated databases in `folder`; nothing runs yet."""
    with socket.create_server(("127.0.0.1", 0)) as probe:
        port = probe.getsockname()[1]
    with dns.serve() as name_server:
        site = Site(
            Config(work_directory=folder, tls_ca_file=str(authority.ca), name_server=name_server), port, extensions
        )
        site.flask("db", "upgrade")
        yield site


@contextmanager
def run(site: Site) -> Iterator[subprocess.Popen[bytes]]:
    """`gunicorn wsgi:app` with nothing but the environment, until the block is left."""
    gunicorn = [sys.executable, "-m", "gunicorn", "wsgi:app"]
    with run_process(gunicorn, site.config, site.log, **site.environment) as process:
        wait_for(lambda: answers(site.port), "gunicorn", site.log)
        yield process


@contextmanager
def serve_site(folder: Path, authority: Authority) -> Iterator[Site]:
    """A site whose admin has chosen External Mail Accounts and let servers on this machine be used."""
    with prepare_site(folder, authority) as site:
        with site.parts() as parts, parts.public.session() as db:
            save_settings(db, Mode.EXTERNAL, "localhost", "")
        with run(site):
            yield site


# What people do


def sign_in(page: Page, url: str, person: Person) -> None:
    page.goto(url + "/sign-in")
    page.get_by_label("Mail address").fill(person.email)
    page.get_by_label("Password").fill(person.password)
    page.get_by_role("button", name="Sign in").click()
    expect(page.get_by_text("Signed in as")).to_be_attached()


def sign_out(page: Page) -> None:
    page.locator(".top summary").last.click()
    page.get_by_role("button", name="Sign out").click()
    expect(page).to_have_url(re.compile("/sign-in"))


def fill_in_servers(page: Page, imap: tuple[str, int, str], smtp: tuple[str, int, str]) -> None:
    """Host, port and security of both servers, as they are typed by hand."""
    for kind, (host, port, tls) in (("imap", imap), ("smtp", smtp)):
        page.locator(f"#{kind}_host").fill(host)
        page.locator(f"#{kind}_port").fill(str(port))
        page.locator(f"#{kind}_tls").select_option(label=tls)


def add_account(page: Page, site: Site, mailbox: Mailbox) -> None:
    """By hand: the address, the password, both servers; ends where the newest mail is about to come, or came."""
    user, dovecot, sink = mailbox.user, mailbox.dovecot, mailbox.sink
    page.goto(site.url + "/mail/accounts/add?by-hand=1")
    page.locator("#address").fill(user.name)
    page.locator("#password").fill(user.password)
    fill_in_servers(page, (dovecot.host, dovecot.imaps_port, "TLS"), (sink.host, sink.port, "STARTTLS"))
    page.get_by_role("button", name="Sign in and add").click()
    expect_added(page)


def expect_added(page: Page) -> None:
    """Not what the next page says: it gives way to the mail as soon as there is some."""
    expect(page).to_have_url(re.compile(r"/mail(/folder/\d+)?$"))


def open_inbox(page: Page, site: Site, *, with_script: bool = True) -> None:
    """The inbox with its first mail, which comes by itself; without script the page must be loaded again."""
    if with_script:
        expect(page.locator(".row").first).to_be_visible(timeout=FIRST_MAIL_MS)
    else:
        wait_for(lambda: page.reload() and page.locator(".row").count(), "the inbox", site.log)


def row(page: Page, subject: str) -> Locator:
    return page.locator(".row", has_text=subject)


def folder(page: Page, name: str) -> Locator:
    """A folder in the tree."""
    return page.locator("#tree").get_by_role("link", name=re.compile(f"^{name}"))


# What the server holds


def flags_of(mailbox: Mailbox, subject: str, name: str = "INBOX") -> list[str]:
    """The flags of each message with this subject in a folder, sorted and joined; empty when there is none."""
    words = ("fetch", "-u", mailbox.user.name, "flags", "mailbox", name, "header", "subject", subject)
    lines = mailbox.dovecot.doveadm(*words).splitlines()
    return [" ".join(sorted(line.removeprefix("flags:").split())) for line in lines if line.startswith("flags:")]


def text_in(mailbox: Mailbox, name: str, subject: str) -> str:
    """The whole text of the messages with this subject in a folder."""
    return mailbox.dovecot.doveadm(
        "fetch", "-u", mailbox.user.name, "text", "mailbox", name, "header", "subject", subject
    )
