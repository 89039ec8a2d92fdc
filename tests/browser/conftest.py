"""A headless Chromium that reaches this machine only, and the application served for it."""

from __future__ import annotations

import os
import shutil
from collections.abc import Callable, Iterable, Iterator
from threading import Thread
from typing import TYPE_CHECKING
from urllib.parse import urlsplit

import pytest
from flask import Flask
from playwright.sync_api import Browser, BrowserContext, Page, Request, expect, sync_playwright
from sqlalchemy.orm import Session
from werkzeug.serving import make_server

from app.users import sessions
from app.users.models import User
from tests.conftest import FakeClock

if TYPE_CHECKING:
    from wsgiref.types import StartResponse, WSGIApplication, WSGIEnvironment

CHROMIUM = shutil.which("chromium") or shutil.which("chromium-browser") or shutil.which("google-chrome")
# Off: a second web page for Chromium's own address bar in each tab, and a spare process; the others are those that
# Playwright turns off, whose list this one takes the place of.
FEATURES = (
    "WebUIOmniboxPopup", "WebUIOmniboxFullPopup", "WebUIOmniboxAimPopup", "PreloadTopChromeWebUI",
    "SpareRendererForSitePerProcess",
    "AvoidUnnecessaryBeforeUnloadCheckSync", "DestroyProfileOnBrowserClose", "HttpsUpgrades",
    "HttpsFirstBalancedModeAutoEnable", "LensOverlay", "MediaRouter", "PaintHolding", "ThirdPartyStoragePartitioning",
    "AvoidCorsURLLoaderRestartOnRedirect", "OptimizationHints", "NetworkTimeServiceQuerying", "PreconnectToSearch",
)  # fmt: skip
FLAGS = (
    f"--disable-features={','.join(FEATURES)}",
    "--disable-background-networking",
    "--disable-component-update",
    "--disable-default-apps",
    "--disable-domain-reliability",
    "--disable-sync",
    "--no-first-run",
    "--no-pings",
    "--host-resolver-rules=MAP * ~NOTFOUND, EXCLUDE 127.0.0.1, EXCLUDE localhost",
)
PATIENCE_MS = 20_000  # on a machine with much else to do; what is there at once costs no more for it
LOOPBACK = ("127.0.0.1", "localhost", "::1")


@pytest.fixture(scope="session")
def chromium() -> Iterator[Browser]:
    """One browser for the run; each test takes a context of its own from it."""
    if CHROMIUM is None:
        pytest.skip("Chromium is not installed: nothing was tried in a browser")
    sandbox = ("--no-sandbox",) if os.geteuid() == 0 else ()
    expect.set_options(timeout=PATIENCE_MS)
    with sync_playwright() as playwright:
        browser = playwright.chromium.launch(executable_path=CHROMIUM, args=[*FLAGS, *sandbox])
        yield browser
        browser.close()


@pytest.fixture
def strangers() -> list[str]:
    """Addresses outside this machine that a page asked for; a test fails if there are any at its end."""
    return []


def _is_elsewhere(url: str) -> bool:
    parts = urlsplit(url)
    return parts.scheme not in ("data", "blob", "about") and parts.hostname not in LOOPBACK


@pytest.fixture
def make_context(chromium: Browser, strangers: list[str]) -> Iterator[Callable[..., BrowserContext]]:
    """Fresh browser contexts (cookies, storage, size); options as Playwright's new_context takes them.

    Requests are watched, not intercepted: names outside this machine lead nowhere anyhow (FLAGS).
    """
    opened: list[BrowserContext] = []

    def note(request: Request) -> None:
        if _is_elsewhere(request.url):
            strangers.append(request.url)

    def forget(request: Request) -> None:
        if request.failure == "csp" and _is_elsewhere(request.url):
            strangers.remove(request.url)  # it did not leave the page

    def make_context(**options: object) -> BrowserContext:
        context = chromium.new_context(**options)  # type: ignore[arg-type]
        context.set_default_timeout(PATIENCE_MS)
        context.on("request", note)
        context.on("requestfailed", forget)
        opened.append(context)
        return context

    yield make_context
    for context in opened:
        context.close()
    assert strangers == []


@pytest.fixture
def page(make_context: Callable[..., BrowserContext]) -> Page:
    return make_context().new_page()


@pytest.fixture
def raised() -> Iterator[list[str]]:
    """What a script raised or the page's policy forbade; a test fails if there is anything."""
    found: list[str] = []
    yield found
    assert found == []


@pytest.fixture
def new_page(make_context: Callable[..., BrowserContext], raised: list[str]) -> Iterator[Callable[..., Page]]:
    """A browser of somebody's own, at 1280 pixels; options as Playwright's new_context takes them.

    What it shows in the end is printed, so that a test that failed says where it was.
    """
    pages: list[Page] = []

    def new_page(**options: object) -> Page:
        page = make_context(viewport={"width": 1280, "height": 800}, **options).new_page()
        page.on("pageerror", lambda error: raised.append(str(error)))
        page.on("console", lambda said: raised.append(said.text) if "Content Security Policy" in said.text else None)
        pages.append(page)
        return page

    yield new_page
    for page in pages:
        print(f"{page.url}\n{page.locator('body').inner_text()}")


def _closing(app: WSGIApplication) -> WSGIApplication:
    """Werkzeug's server forgets to close what it was sending where the browser hung up: a file, for one."""

    def served(environ: WSGIEnvironment, start_response: StartResponse) -> Iterator[bytes]:
        return _closed_at_the_end(app(environ, start_response))

    return served


def _closed_at_the_end(body: Iterable[bytes]) -> Iterator[bytes]:
    try:
        yield from body
    finally:
        close = getattr(body, "close", None)
        if close is not None:
            close()


@pytest.fixture
def serve() -> Iterator[Callable[[Flask], str]]:
    """Serve an application on a free port of loopback; its address, without a slash at the end."""
    running = []

    def serve(app: Flask) -> str:
        server = make_server("127.0.0.1", 0, _closing(app), threaded=True)
        thread = Thread(target=server.serve_forever, daemon=True)
        thread.start()
        running.append((server, thread))
        return f"http://127.0.0.1:{server.server_port}"

    yield serve
    for server, thread in running:
        server.shutdown()
        thread.join(10)
        server.server_close()


@pytest.fixture
def sign_in(app: Flask, db: Session, clock: FakeClock) -> Callable[[BrowserContext, User, str], None]:
    """Give a context the session cookie of somebody, for the application served at an address."""

    def sign_in(context: BrowserContext, user: User, address: str) -> None:
        token = sessions.start_session(db, user, clock.now())
        db.commit()
        with app.test_client() as client:
            with client.session_transaction() as session:
                session["_user_id"] = token
                session["_fresh"] = True
            cookie = client.get_cookie(app.config["SESSION_COOKIE_NAME"])
        assert cookie is not None
        context.add_cookies([{"name": cookie.key, "value": cookie.value, "url": address}])

    return sign_in
