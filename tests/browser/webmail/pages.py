"""Places on the pages of the webmail."""

from __future__ import annotations

from playwright.sync_api import Locator, Page


def row(page: Page, subject: str) -> Locator:
    return page.locator(".row", has_text=subject)


def opened(page: Page) -> Locator:
    return page.locator("#message .subject h2")


def is_same_page(page: Page) -> bool:
    return bool(page.evaluate("window.stays === true"))
