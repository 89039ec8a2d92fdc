"""Every page: nothing for axe to find (WCAG 2.2 AA), wide and narrow, light and dark; no fault in the console, no
violation of the policy, nothing wider than the screen."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest
from playwright.sync_api import Browser, ConsoleMessage, Page

from tests.browser.screens import SHOTS, SIZES, THEMES, Shot, Stage, open_shot, stage

pytestmark = [pytest.mark.browser, pytest.mark.timeout(120)]

AXE = Path(__file__).parent.parent.parent / "node_modules" / "axe-core" / "axe.min.js"
RUN = """() => axe.run(document, {
  runOnly: ["wcag2a", "wcag2aa", "wcag21a", "wcag21aa", "wcag22aa", "best-practice"], iframes: false
}).then(found => found.violations.map(v => v.id + ": " + v.nodes.map(n => n.target.join(" ")).join(", ")))"""


@pytest.fixture(scope="module")
def served() -> Iterator[Stage]:
    with stage() as served:
        yield served


@pytest.fixture(scope="module")
def axe() -> str:
    if not AXE.exists():
        pytest.skip("axe-core is not installed: no page was checked for accessibility (run tools/vendor.py)")
    return AXE.read_text("utf-8")


@pytest.mark.parametrize("shot", SHOTS, ids=lambda shot: shot.name)
def test_page(chromium: Browser, served: Stage, axe: str, shot: Shot):
    context = chromium.new_context(viewport={"width": 1280, "height": 800}, bypass_csp=False)
    faults: list[str] = []
    context.on("console", lambda message: faults.append(message.text) if _is_fault(message) else None)
    context.on("weberror", lambda error: faults.append(str(error.error)))
    page = open_shot(context, served, shot)
    assert faults == []
    found = {name: told for name, told in _look(page, axe) if told}
    context.close()
    assert found == {}


def _is_fault(message: ConsoleMessage) -> bool:
    """Whether a page complains; that a form was refused is what the page is about."""
    return message.type in ("error", "warning") and "status of 422" not in message.text


def _look(page: Page, axe: str) -> Iterator[tuple[str, list[str]]]:
    """What is wrong with a page in each size and theme."""
    page.evaluate(axe)
    for width, height in SIZES:
        page.set_viewport_size({"width": width, "height": height})
        wide = page.evaluate("document.documentElement.scrollWidth")
        yield f"{width} px", [f"is {wide} px wide"] if wide > width else []
        for theme in THEMES:
            page.emulate_media(color_scheme=theme, reduced_motion="reduce")  # type: ignore[arg-type]
            yield f"{width} px, {theme}", page.evaluate(RUN)
