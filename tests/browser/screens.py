"""Pictures of the pages for docs/images: `make screenshots`, or `python -m tests.browser.screens FOLDER [NAME…]`.

One installation in a temporary folder, at a fixed time, with the mail of seed.py, and beside it one that nobody has set
up and the demo; each page wide and narrow, light and dark, named <page>-<width>-<theme>.png.
"""

from __future__ import annotations

import re
import socket
import sys
import tempfile
import threading
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path
from urllib.parse import urljoin

from flask import Flask
from playwright.sync_api import Browser, BrowserContext, Page, expect, sync_playwright
from werkzeug.serving import make_server

from app import create_app, migrate, runtime
from app.config import Config
from app.db import Database
from app.mail_services.modes import Mode
from app.mail_services.service import save_settings
from app.resolver import ZoneResolver
from app.runtime import Runtime
from app.users import sessions
from app.users.links import make_link
from app.users.models import LinkPurpose, User, UserRole
from app.vault.keyring import ensure_keys
from demo.imap import ImapServer
from demo.letters import ME
from demo.store import Store
from tests.browser import seed
from tests.browser.conftest import CHROMIUM, FLAGS
from tests.conftest import FakeClock
from tests.servers.certificates import Authority
from tests.servers.engine import answers, run_process, wait_for
from tests.servers.scripted_imap import scripted

NOW = datetime(2026, 11, 24, 10, 58, tzinfo=UTC)
SIZES = ((1280, 800), (360, 740))
THEMES = ("light", "dark")
IMAGES = Path(__file__).parent.parent.parent / "docs" / "images"
SHOWN = ("setup", "modes", "add-account", "list", "message", "compose")
"""What docs/images holds: names, or what they begin with; and the mailbox of the demo."""
HOST = "mail.home.example"


@dataclass(frozen=True)
class Stage:
    """A served installation: its address, a cookie of its admin, and the mail laid down in it.

    Besides: the set-up link of an installation that has no admin, and the ports of two servers on HOST that can be
    added: one that takes no password, one whose certificate has expired.
    """

    address: str
    cookie: str
    home: seed.Home
    setup_link: str
    refusing_port: int
    expired_port: int


@dataclass(frozen=True)
class Shot:
    """A picture: the address, and what is done there before it is taken."""

    name: str
    path: Callable[[Stage], str]
    prepare: Callable[[Page], object] = lambda _page: None
    signed_in: bool = True


def _open_message(page: Page) -> None:
    page.frame_locator("iframe.message-frame").get_by_role("heading").wait_for()
    tall = re.compile(r"height: (?:[3-9][0-9]{2}|[0-9]{4,})px")
    expect(page.locator("iframe.message-frame")).to_have_attribute("style", tall)


def _select(page: Page) -> None:
    for place in (1, 3):
        page.locator(".row .pick").nth(place).check(force=True)


def _find_settings(page: Page) -> None:
    page.locator("#address").fill("alice@fastmail.com")
    page.get_by_role("button", name="Find the settings").click()
    page.get_by_role("button", name="Sign in and add").wait_for()


def _add_by_hand(page: Page, host: str, port: str, tls: str) -> None:
    page.locator("#address").fill("alice@home.example")
    page.locator("#password").fill("not the password")
    for kind in ("imap", "smtp"):
        page.locator(f"#{kind}_host").fill(host)
        page.locator(f"#{kind}_port").fill(port)
        page.locator(f"#{kind}_tls").select_option(label=tls)
    page.get_by_role("button", name="Sign in and add").click()
    page.get_by_role("alert").first.wait_for()


def _port(page: Page) -> str:
    """The port that the address of a picture names."""
    return page.url.rpartition("#")[2]


def _folders_page(stage: Stage) -> str:
    return f"/mail/accounts/{stage.home.account.id}/folders"


def _follow(page: Page, link: str) -> None:
    page.get_by_role("link", name=link, exact=True).click()
    page.wait_for_load_state()


def _wait_for_rows(page: Page) -> None:
    page.locator(".row").first.wait_for()


BY_HAND = "/mail/accounts/add?by-hand=1#"
SHOTS = (
    Shot("setup", lambda stage: stage.setup_link, signed_in=False),
    Shot("sign-in", lambda _stage: "/sign-in", signed_in=False),
    Shot("list", lambda stage: f"/mail/folder/{stage.home.inbox.id}"),
    Shot("selection", lambda stage: f"/mail/folder/{stage.home.inbox.id}", _select),
    Shot(
        "message",
        lambda stage: f"/mail/folder/{stage.home.inbox.id}/message/{stage.home.letters[3].id}",
        _open_message,
    ),
    Shot("letter", lambda stage: f"/mail/folder/{stage.home.inbox.id}/message/{stage.home.letters[0].id}"),
    Shot("conversation", lambda stage: f"/mail/folder/{stage.home.inbox.id}/message/{stage.home.letters[4].id}"),
    Shot("folders", lambda stage: f"/mail/folder/{stage.home.inbox.id}#folders"),
    Shot("empty", lambda stage: f"/mail/folder/{stage.home.archive.id}"),
    Shot("search", lambda stage: f"/mail/search?q=the&folder={stage.home.inbox.id}", _wait_for_rows),
    Shot("inboxes", lambda _stage: "/mail/inboxes", _wait_for_rows),
    Shot("search-help", lambda _stage: "/mail/search"),
    Shot("compose", lambda _stage: "/mail/compose"),
    Shot("send-later", lambda _stage: "/mail/compose", lambda page: page.locator(".send-later > summary").click()),
    Shot("outbox", lambda _stage: "/mail/outbox"),
    Shot("account-doctor", lambda stage: f"/mail/accounts/{stage.home.account.id}/doctor"),
    Shot("security", lambda _stage: "/settings/security"),
    Shot("settings", lambda _stage: "/settings"),
    Shot("modes", lambda _stage: "/admin/mail-services"),
    Shot("registration", lambda _stage: "/admin/registration"),
    Shot("users", lambda _stage: "/admin/users"),
    Shot("credentials", lambda _stage: "/admin/credentials"),
    Shot("accounts", lambda _stage: "/mail/accounts"),
    Shot("account-folders", _folders_page),
    Shot("folder-edit", _folders_page, lambda page: _follow(page, "Rename or move Travel")),
    Shot("folder-delete", _folders_page, lambda page: _follow(page, "Delete Travel")),
    Shot("add-account", lambda _stage: "/mail/accounts/add"),
    Shot("add-account-found", lambda _stage: "/mail/accounts/add", _find_settings),
    Shot(
        "add-account-wrong-password",
        lambda stage: f"{BY_HAND}{stage.refusing_port}",
        lambda page: _add_by_hand(page, HOST, _port(page), "None"),
    ),
    Shot(
        "add-account-expired-certificate",
        lambda stage: f"{BY_HAND}{stage.expired_port}",
        lambda page: _add_by_hand(page, HOST, _port(page), "TLS"),
    ),
    Shot(
        "add-account-private-address",
        lambda _stage: f"{BY_HAND}993",
        lambda page: _add_by_hand(page, "nas.home.example", _port(page), "TLS"),
    ),
)
ZONE = {(HOST, "A"): ["127.0.0.1"], ("nas.home.example", "A"): ["192.168.1.20"]}


@contextmanager
def stage() -> Iterator[Stage]:
    """An installation with mail in it, served on loopback for the time of the block."""
    with tempfile.TemporaryDirectory() as folder, _bare(Path(folder) / "bare") as setup_link:
        authority = Authority(Path(folder))
        config = _migrated(Path(folder) / "home", tls_ca_file=str(authority.ca))
        parts = runtime.build(config, clock=FakeClock(NOW), resolver=ZoneResolver(ZONE))
        app = create_app(parts=parts)
        home, token = _furnish(parts)
        expired = authority.issue(HOST, expired=True)
        with _served(app) as address, _refusing() as port, scripted("", expired, implicit_tls=True) as tls:
            yield Stage(address, _cookie(app, token), home, setup_link, port, tls.port)
            tls.faults.clear()
        parts.dispose()


def _furnish(parts: Runtime) -> tuple[seed.Home, str]:
    """The mail, and a session of its owner."""
    with parts.public.session() as db:
        alice = User(email="alice@home.example", name="Alice Holt", role=UserRole.ADMIN, created_at=NOW)
        db.add(alice)
        db.commit()
        home = seed.lay_down(parts, db, alice, NOW)
        seed.make_troubled_accounts(db, alice, NOW)
        save_settings(db, Mode.EXTERNAL, HOST, HOST)
        token = sessions.start_session(db, alice, NOW)
        db.commit()
    return home, token


@contextmanager
def _bare(folder: Path) -> Iterator[str]:
    """The set-up link of an installation that has no admin yet."""
    parts = runtime.build(_migrated(folder), clock=FakeClock(NOW), resolver=ZoneResolver({}))
    with parts.public.session() as db:
        token = make_link(db, LinkPurpose.SETUP, None, NOW)
        db.commit()
    with _served(create_app(parts=parts)) as address:
        yield f"{address}/setup/{token}"
    parts.dispose()


@contextmanager
def _refusing() -> Iterator[int]:
    """The port of an IMAP server that knows another password."""
    server = ImapServer(Store(uidvalidity=1), ME[1], "another password", 0)
    threading.Thread(target=server.serve_forever, daemon=True).start()
    yield server.port
    server.shutdown()
    server.server_close()


def _migrated(folder: Path, tls_ca_file: str = "") -> Config:
    folder.mkdir()
    config = Config(work_directory=folder, tls_ca_file=tls_ca_file)
    public, private = Database(config.public_database), Database(config.private_database)
    migrate.upgrade(public, private, branches=("mailsite",))
    ensure_keys(private, FakeClock(NOW))
    public.dispose()
    private.dispose()
    return config


@contextmanager
def _served(app: Flask) -> Iterator[str]:
    server = make_server("127.0.0.1", 0, app, threaded=True)
    threading.Thread(target=server.serve_forever, daemon=True).start()
    yield f"http://127.0.0.1:{server.server_port}"
    server.shutdown()


def _cookie(app: Flask, token: str) -> str:
    with app.test_client() as client:
        with client.session_transaction() as session:
            session["_user_id"] = token
            session["_fresh"] = True
        cookie = client.get_cookie(app.config["SESSION_COOKIE_NAME"])
    assert cookie is not None
    return cookie.value


def open_shot(context: BrowserContext, stage: Stage, shot: Shot) -> Page:
    """The page of a picture, ready to be taken."""
    if shot.signed_in:
        context.add_cookies([{"name": "satchel", "value": stage.cookie, "url": stage.address}])
    page = context.new_page()
    page.goto(urljoin(stage.address, shot.path(stage)), wait_until="load")
    shot.prepare(page)
    page.wait_for_timeout(150)
    return page


def take(browser: Browser, stage: Stage, shots: Sequence[Shot], folder: Path) -> None:
    for shot in shots:
        for context, ending in _contexts(browser):
            open_shot(context, stage, shot).screenshot(path=folder / f"{shot.name}-{ending}.png")


def _contexts(browser: Browser) -> Iterator[tuple[BrowserContext, str]]:
    """A fresh context for each size and theme, and how its picture's name ends."""
    for width, height in SIZES:
        for theme in THEMES:
            context = browser.new_context(
                viewport={"width": width, "height": height},
                color_scheme=theme,  # type: ignore[arg-type]
                has_touch=width < 500,
            )
            yield context, f"{width}-{theme}"
            context.close()


def take_demo(browser: Browser, folder: Path) -> None:
    """The mailbox as `make demo` shows it, with a real engine; beside the list a conversation, where there is room."""
    with socket.create_server(("127.0.0.1", 0)) as probe:
        port = probe.getsockname()[1]
    with tempfile.TemporaryDirectory() as work:
        config = Config(work_directory=Path(work))
        command, log = [sys.executable, "-m", "demo"], Path(work) / "demo.log"
        with run_process(command, config, log, BIND=f"127.0.0.1:{port}"):
            wait_for(lambda: answers(port), "the demo", log)
            for context, ending in _contexts(browser):
                _open_demo(context, f"http://127.0.0.1:{port}").screenshot(path=folder / f"mailbox-{ending}.png")


def _open_demo(context: BrowserContext, address: str) -> Page:
    page = context.new_page()
    page.goto(f"{address}/sign-in")
    page.get_by_label("Mail address").fill(ME[1])
    page.get_by_label("Password").fill("satchel-demo")
    page.get_by_role("button", name="Sign in").click()
    row = page.locator(".row-link", has_text="Proofs for the spring catalogue").first
    row.wait_for()
    page.wait_for_timeout(2_000)  # the first folders are still filling
    if page.locator(".splitter").is_visible():
        row.click()
        page.locator(".message-head").wait_for()
        page.mouse.move(700, 20)
        page.evaluate("document.activeElement.blur()")
    page.wait_for_timeout(400)
    return page


def main(folder: Path, names: Sequence[str]) -> None:
    """With names, these pictures; without, all of docs/images."""
    folder.mkdir(parents=True, exist_ok=True)
    wanted = [shot for shot in SHOTS if (shot.name in names if names else shot.name.startswith(SHOWN))]
    with stage() as served, sync_playwright() as playwright:
        browser = playwright.chromium.launch(executable_path=CHROMIUM, args=[*FLAGS, "--no-sandbox"])
        take(browser, served, wanted, folder)
        if not names or "mailbox" in names:
            take_demo(browser, folder)
        browser.close()


if __name__ == "__main__":
    main(Path(sys.argv[1]) if sys.argv[1:] else IMAGES, sys.argv[2:])
