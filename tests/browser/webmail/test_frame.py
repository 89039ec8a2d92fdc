"""The frame of an HTML message: its images, and what is held back."""

from __future__ import annotations

import re

import pytest
from playwright.sync_api import expect

from app.messages import remote_images
from tests.browser import letters

pytestmark = pytest.mark.browser

HTML = '<p id=hi>Hello</p><img id=own src="cid:dot@x"><img id=far src="http://tracker.example/a.png" alt=Logo>'


@pytest.mark.parametrize("script", [True, False], ids=["with script", "without"])
def test_a_message_with_an_image_of_its_own_and_one_from_elsewhere(post, visit, monkeypatch, script) -> None:
    monkeypatch.setattr(remote_images, "load_image", lambda *_given: remote_images.Image("image/png", letters.PIXEL))
    message = post.bring_picture("Pictures", HTML)
    page = visit(f"/mail/message/{message.id}", java_script_enabled=script)
    frame = page.frame_locator("iframe.message-frame")
    expect(frame.locator("#hi")).to_have_text("Hello")
    expect(frame.locator("#own")).to_have_js_property("naturalWidth", 1)
    assert frame.locator("#far").get_attribute("src") is None
    page.get_by_role("link", name="Show once").click()
    expect(page.get_by_text("held back")).to_have_count(0)
    expect(frame.locator("#far")).to_have_attribute("src", re.compile(r"/mail/image\?url=http"))
    expect(frame.locator("#far")).to_have_js_property("naturalWidth", 1)
