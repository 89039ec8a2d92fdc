"""HTML mail as plain text, for reading without its layout and for what is beyond the sanitiser's bounds.  Pure."""

from __future__ import annotations

import re
from html import unescape

from app.messages.html_scan import TooComplex, scan

MAX_LAID_OUT_CHARS = 300_000
INVISIBLE = re.compile(r"<(style|script|title)\b.*?(?:</\1|\Z)", re.IGNORECASE | re.DOTALL)
LINE_END = re.compile(r"</?(?:p|div|br|tr|li|h[1-6]|table|blockquote)\b[^>]*>", re.IGNORECASE)
ANY_TAG = re.compile(r"<[a-zA-Z/!?][^>]*(?:>|\Z)")
BLANK_LINES = re.compile(r"\n[ \t]*(?:\n[ \t]*)+\n")


def html_to_text(html: str) -> str:
    """The words of `html` in lines; laid out where it is small and simple enough."""
    try:
        scan(html)
        text = _laid_out(html) if len(html) <= MAX_LAID_OUT_CHARS else _words(html)
    except (TooComplex, RecursionError, ValueError, AttributeError, IndexError):
        text = _words(html)  # inscriptis is not written for hostile input
    return BLANK_LINES.sub("\n\n", text).strip()


def _laid_out(html: str) -> str:
    from inscriptis import get_text  # 5 MiB, for those who read HTML as text

    return str(get_text(html))


def _words(html: str) -> str:
    visible = INVISIBLE.sub("", html)
    return unescape(ANY_TAG.sub("", LINE_END.sub("\n", visible)))
