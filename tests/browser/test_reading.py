"""Reading in a real browser: the frame, its images, and what is held back."""

from __future__ import annotations

import base64
import re
from collections.abc import Callable

import pytest
from flask import Flask
from playwright.sync_api import BrowserContext, Page, expect

from app.config import Config
from app.messages import remote_images
from app.mirror.models import Message
from app.users.models import User
from tests.webmail.messages.conftest import deliver  # noqa: F401  a fixture
from tests.webmail.messages.test_views import MIXED, PIXEL

pytestmark = pytest.mark.browser

Deliver = Callable[..., Message]


@pytest.fixture
def config(sqlite_config: Config) -> Config:
    return sqlite_config


@pytest.fixture
def open_page(
    app: Flask,
    alice: User,
    serve: Callable[[Flask], str],
    make_context: Callable[..., BrowserContext],
    sign_in: Callable[[BrowserContext, User, str], None],
) -> Callable[..., Page]:
    """A page of Alice's at a path; options as Playwright's new_context takes them."""
    address = serve(app)

    def open_page(path: str, **options: object) -> Page:
        context = make_context(**options)
        sign_in(context, alice, address)
        page = context.new_page()
        page.goto(address + path)
        return page

    return open_page


@pytest.mark.parametrize("script", [True, False], ids=["with script", "without"])
def test_a_message_with_an_image_of_its_own_and_one_from_elsewhere(
    deliver: Deliver,  # noqa: F811
    open_page: Callable[..., Page],
    monkeypatch: pytest.MonkeyPatch,
    script: bool,
) -> None:
    monkeypatch.setattr(remote_images, "load_image", lambda *_given: remote_images.Image("image/png", PIXEL))
    html = b'<p id=hi>Hello</p><img id=own src="cid:dot@x"><img id=far src="http://tracker.example/a.png" alt=Logo>'
    message = deliver({"1": html, "2": base64.encodebytes(PIXEL)}, bodystructure=MIXED, subject="Pictures")
    page = open_page(f"/mail/message/{message.id}", java_script_enabled=script)
    frame = page.frame_locator("iframe.message-frame")
    expect(frame.locator("#hi")).to_have_text("Hello")
    expect(frame.locator("#own")).to_have_js_property("naturalWidth", 1)
    assert frame.locator("#far").get_attribute("src") is None
    page.get_by_role("link", name="Show once").click()
    expect(page.get_by_text("held back")).to_have_count(0)
    expect(frame.locator("#far")).to_have_attribute("src", re.compile(r"/mail/image\?url=http"))
    expect(frame.locator("#far")).to_have_js_property("naturalWidth", 1)
