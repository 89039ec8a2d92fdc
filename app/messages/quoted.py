"""Quoted text folded away: a `<details>` that needs no script.  Pure."""

from __future__ import annotations

import re
from html import escape

# Where mail programs begin the text they quote.
QUOTE_START = re.compile(
    r"<(blockquote)(?=[\s>])(?:[^\">]|\"[^\"]*\")*?\s(?:type=\"cite\"|class=\"[^\"]*(?:gmail_quote|cite)[^\"]*\")"
    r"(?:[^\">]|\"[^\"]*\")*>"
    r"|<(div)(?=[\s>])(?:[^\">]|\"[^\"]*\")*?\s(?:class=\"[^\"]*(?:gmail_quote|yahoo_quoted|moz-cite-prefix)[^\"]*\""
    r"|id=\"(?:divRplyFwdMsg|appendonsend)\")(?:[^\">]|\"[^\"]*\")*>"
)


VISIBLE = re.compile(r"<img\b|<hr\b|(?:^|>)[^<]*?[^\s<&]", re.IGNORECASE)


def fold_quoted(html: str, label: str) -> str:
    """`html` (a sanitiser's well-formed output) with its last quotation folded.

    Earlier ones stay open: they are what an answer between the lines answers.  So does one with nothing before it: a
    message that was only forwarded.
    """
    last, position = None, 0
    while start := QUOTE_START.search(html, position):
        position = _end_of_element(html, start)
        last = (start.start(), position)
    if last is None or not VISIBLE.search(html[: last[0]]):
        return html
    return html[: last[0]] + details(html[last[0] : last[1]], label) + html[last[1] :]


def _end_of_element(html: str, start: re.Match[str]) -> int:
    """The position after the end tag that belongs to the element opened at `start`."""
    depth = 0
    same_tag = re.compile(rf"<(/?){start[1] or start[2]}(?=[\s>])(?:[^\">]|\"[^\"]*\")*>")
    for tag in same_tag.finditer(html, start.start()):
        depth += -1 if tag[1] else 1
        if depth == 0:
            return tag.end()
    return len(html)


def details(quoted: str, label: str) -> str:
    """The fold of the designer's mock: three dots that say what they show."""
    summary = f'<summary aria-label="{escape(label)}" title="{escape(label)}">•••</summary>'
    return f'<details class="quoted">{summary}{quoted}</details>'
