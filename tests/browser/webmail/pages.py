"""Places on the pages of the webmail."""

from __future__ import annotations

from playwright.sync_api import Locator, Page

SOON_MS = 10_000  # a busy machine's "at once": where the events do not come, the page asks every 15 s


def row(page: Page, subject: str) -> Locator:
    return page.locator(".row", has_text=subject)


def opened(page: Page) -> Locator:
    return page.locator("#message .subject h2")


def is_same_page(page: Page) -> bool:
    return bool(page.evaluate("window.stays === true"))
