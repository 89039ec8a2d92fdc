"""Pictures of the pages for docs/images: `make screenshots`, or `python -m tests.browser.screens FOLDER [NAME…]`.

One installation in a temporary folder, at a fixed time, with the mail of seed.py; each page wide and narrow, light and
dark, named <page>-<width>-<theme>.png.
"""

from __future__ import annotations

import sys
import tempfile
import threading
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path

from flask import Flask
from playwright.sync_api import Browser, BrowserContext, Page, sync_playwright
from werkzeug.serving import make_server

from app import create_app, migrate, runtime
from app.config import Config
from app.db import Database
from app.resolver import ZoneResolver
from app.users import sessions
from app.users.models import User, UserRole
from app.vault.keyring import ensure_keys
from tests.browser import seed
from tests.browser.conftest import CHROMIUM, FLAGS
from tests.conftest import FakeClock

NOW = datetime(2026, 11, 24, 10, 58, tzinfo=UTC)
SIZES = ((1280, 800), (360, 740))
THEMES = ("light", "dark")
IMAGES = Path(__file__).parent.parent.parent / "docs" / "images"


@dataclass(frozen=True)
class Stage:
    """A served installation: its address, a cookie of its admin, and the mail laid down in it."""

    address: str
    cookie: str
    home: seed.Home


@dataclass(frozen=True)
class Shot:
    """A picture: the address, and what is done there before it is taken."""

    name: str
    path: Callable[[Stage], str]
    prepare: Callable[[Page], object] = lambda _page: None
    signed_in: bool = True


def _open_message(page: Page) -> None:
    page.frame_locator("iframe.message-frame").get_by_role("heading").wait_for()
    page.wait_for_function("document.querySelector('iframe.message-frame').offsetHeight > 300")


def _select(page: Page) -> None:
    for place in (1, 3):
        page.locator(".row .pick").nth(place).check(force=True)


SHOTS = (
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
    Shot("compose", lambda _stage: "/mail/compose"),
    Shot("outbox", lambda _stage: "/mail/outbox"),
    Shot("account-doctor", lambda stage: f"/mail/accounts/{stage.home.account.id}/doctor"),
    Shot("security", lambda _stage: "/settings/security"),
    Shot("settings", lambda _stage: "/settings"),
    Shot("modes", lambda _stage: "/admin/mail-services"),
    Shot("registration", lambda _stage: "/admin/registration"),
    Shot("users", lambda _stage: "/admin/users"),
    Shot("credentials", lambda _stage: "/admin/credentials"),
    Shot("accounts", lambda _stage: "/mail/accounts"),
    Shot("add-account", lambda _stage: "/mail/accounts/add"),
)


@contextmanager
def stage() -> Iterator[Stage]:
    """An installation with mail in it, served on loopback for the time of the block."""
    with tempfile.TemporaryDirectory() as folder:
        parts = runtime.build(_migrated(Path(folder)), clock=FakeClock(NOW), resolver=ZoneResolver({}))
        app = create_app(parts=parts)
        with parts.public.session() as db:
            alice = User(email="alice@home.example", name="Alice Holt", role=UserRole.ADMIN, created_at=NOW)
            db.add(alice)
            db.commit()
            home = seed.lay_down(parts, db, alice, NOW)
            seed.make_troubled_accounts(db, alice, NOW)
            token = sessions.start_session(db, alice, NOW)
            db.commit()
        with _served(app) as address:
            yield Stage(address, _cookie(app, token), home)
        parts.dispose()


def _migrated(folder: Path) -> Config:
    config = Config(work_directory=folder)
    public, private = Database(config.public_database), Database(config.private_database)
    migrate.upgrade(public, private)
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
    page.goto(stage.address + shot.path(stage), wait_until="load")
    shot.prepare(page)
    page.wait_for_timeout(150)
    return page


def take(browser: Browser, stage: Stage, shots: Sequence[Shot], folder: Path) -> None:
    for shot in shots:
        for width, height in SIZES:
            for theme in THEMES:
                context = browser.new_context(
                    viewport={"width": width, "height": height},
                    color_scheme=theme,  # type: ignore[arg-type]
                    has_touch=width < 500,
                )
                open_shot(context, stage, shot).screenshot(path=folder / f"{shot.name}-{width}-{theme}.png")
                context.close()


def main(folder: Path, names: Sequence[str]) -> None:
    folder.mkdir(parents=True, exist_ok=True)
    wanted = [shot for shot in SHOTS if not names or shot.name in names]
    with stage() as served, sync_playwright() as playwright:
        browser = playwright.chromium.launch(executable_path=CHROMIUM, args=[*FLAGS, "--no-sandbox"])
        take(browser, served, wanted, folder)
        browser.close()


if __name__ == "__main__":
    main(Path(sys.argv[1]) if sys.argv[1:] else IMAGES, sys.argv[2:])
