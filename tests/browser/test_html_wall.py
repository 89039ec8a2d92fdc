"""Hostile HTML in a real browser: each of the two walls holds alone.

A third page without any wall shows that the payloads would do harm: a test of walls must be able to fail.
"""

from __future__ import annotations

import json
from collections.abc import Callable, Iterator, Sequence
from pathlib import Path

import pytest
from flask import Flask, Response
from playwright.sync_api import BrowserContext, Dialog

from app.messages.html_scan import TooComplex
from app.messages.sanitise import References, sanitise
from app.messages.views import BODY_POLICY

pytestmark = [pytest.mark.browser, pytest.mark.corpora, pytest.mark.timeout(300)]

PAYLOAD_NAMES = ("payload", "input")
AT_ONCE = 60
SETTLE_MS = 50
OPEN_POLICY = "script-src 'unsafe-inline' 'unsafe-eval' *; default-src * data: blob: 'unsafe-inline'"


def payloads(folder: Path) -> Iterator[str]:
    for file in sorted(folder.glob("*.json")):
        for entry in json.loads(file.read_text()):
            found = entry if isinstance(entry, str) else next(entry[name] for name in PAYLOAD_NAMES if name in entry)
            yield found


def walled(html: str) -> str:
    """What the first wall makes of `html`; nothing where it goes to the text view."""
    try:
        safe = sanitise(html, References(part_url=lambda _cid: None))
    except TooComplex:
        return ""
    return f"<style>{safe.sheet}</style>{safe.html}"


class Watched:
    """Opens pages in a browser and remembers what they tried: dialogs, scripts that ran, requests, new pages."""

    def __init__(self, context: BrowserContext, address: str) -> None:
        self.harm: list[str] = []
        self._address = address
        self._context = context
        context.add_init_script("for (const f of ['alert', 'prompt', 'confirm', 'print']) window[f] = () => harm(f);")
        context.expose_function("harm", self._on_call)

    def visit(self, number: int) -> None:
        page = self._context.new_page()
        page.on("dialog", self._on_dialog)
        page.on("request", lambda request: self._on_request(request.url, number))
        page.goto(f"{self._address}/{number}", wait_until="load")
        page.wait_for_timeout(SETTLE_MS)
        page.close()

    def _on_call(self, function: str) -> None:
        self.harm.append(function)

    def _on_dialog(self, dialog: Dialog) -> None:
        self.harm.append(f"dialog: {dialog.message}")
        dialog.dismiss()

    def _on_request(self, url: str, number: int) -> None:
        if url != f"{self._address}/{number}" and not url.startswith(("data:", "blob:", "about:")):
            self.harm.append(f"request: {url} from {number}")


def documents(pieces: Sequence[str], policy: str) -> Flask:
    """An application that serves the pieces, AT_ONCE to a document, under a policy."""
    app = Flask("payloads")

    @app.get("/<int:number>")
    def document(number: int) -> Response:
        inside = "\n".join(f"<section>{piece}</section>" for piece in pieces[number * AT_ONCE : (number + 1) * AT_ONCE])
        page = f"<!doctype html><html><head><meta charset=utf-8><title>x</title></head><body>{inside}</body></html>"
        return Response(page, headers={"Content-Security-Policy": policy})

    return app


MakeContext = Callable[..., BrowserContext]
Serve = Callable[[Flask], str]


def visit_all(make_context: MakeContext, serve: Serve, pieces: Sequence[str], policy: str) -> list[str]:
    watched = Watched(make_context(), serve(documents(pieces, policy)))
    for number in range(-(-len(pieces) // AT_ONCE)):
        watched.visit(number)
    return watched.harm


def test_the_first_wall_holds_where_scripts_may_run(make_context: MakeContext, serve: Serve, corpora: Path) -> None:
    pieces = [walled(payload) for payload in payloads(corpora / "html-xss")]
    assert len(pieces) > 1_000
    assert visit_all(make_context, serve, pieces, OPEN_POLICY) == []


def test_the_second_wall_holds_before_raw_html(
    make_context: MakeContext, serve: Serve, corpora: Path, strangers: list[str]
) -> None:
    pieces = [payload for payload in payloads(corpora / "html-xss") if "<plaintext" not in payload.lower()]
    harm = visit_all(make_context, serve, pieces, BODY_POLICY)
    assert [found for found in harm if not found.startswith("request:")] == []
    assert strangers == []  # what was asked for was blocked before it left the page


def test_the_payloads_do_harm_without_walls(make_context: MakeContext, serve: Serve) -> None:
    pieces = ["<script>alert(1)</script>", "<img src=x onerror=prompt(1)>", '<img src="/elsewhere.png">']
    harm = visit_all(make_context, serve, pieces, OPEN_POLICY)
    assert {"alert", "prompt"} <= set(harm)
    assert any("elsewhere" in found for found in harm)
