"""HTML that people write, or quote: what may stay of it, and how text becomes HTML; pure.

It is shown in our own page while it is edited, so it goes through the same allow-list as received mail does
(`messages/sanitise.py`), without classes, ids and style sheets.
"""

from __future__ import annotations

import re
from html import escape

import nh3

from app.messages import css
from app.messages.html_scan import MAX_HTML_CHARS, TooComplex, scan
from app.messages.sanitise import ATTRIBUTES, DROPPED_WHOLE, IGNORED_IN_URLS, TAGS, link_address
from app.messages.text_view import html_to_text

CID = re.compile(r"cid:[A-Za-z0-9.!#$%&'*+/=?^_`{|}~@-]{1,200}")
REMOTE = re.compile(r"https?://[^/?#]", re.IGNORECASE)
NOT_KEPT = frozenset({"class", "id", "name"})
KEPT_ATTRIBUTES = {tag: set(names) - NOT_KEPT for tag, names in ATTRIBUTES.items()}


def clean(html: str, *, remote_images: bool = True) -> str:
    """`html` without anything that runs; images only from the message's own parts, and remote ones where allowed.

    What is nested too deeply to be parsed in good time keeps its words alone.
    """
    html = html[:MAX_HTML_CHARS].replace("\0", "")
    try:
        scan(html)
    except TooComplex:
        return from_text(html_to_text(html))

    def judge(tag: str, attribute: str, value: str) -> str | None:
        if attribute == "style":
            return css.safe_style(value) or None
        if attribute == "href":
            return link_address(value)
        if attribute == "src":
            return _image_address(value, remote=remote_images)
        if tag == "blockquote" and attribute == "type":
            return "cite"
        return value[:500]

    return nh3.clean(
        html,
        tags=set(TAGS),
        clean_content_tags=set(DROPPED_WHOLE),
        attributes=KEPT_ATTRIBUTES,
        attribute_filter=judge,
        url_schemes={"http", "https", "mailto", "tel", "cid"},
        link_rel=None,
        strip_comments=True,
    )


def _image_address(value: str, *, remote: bool) -> str | None:
    address = IGNORED_IN_URLS.sub("", value)
    return address if CID.fullmatch(address) or (remote and REMOTE.match(address)) else None


def content_ids(html: str) -> frozenset[str]:
    """The Content-IDs that cleaned `html` shows as images."""
    return frozenset(found.removeprefix("cid:") for found in CID.findall(html))


def from_text(text: str) -> str:
    """Plain text as paragraphs of HTML."""
    paragraphs = text.replace("\r\n", "\n").strip("\n").split("\n\n")
    return "".join(f"<p>{escape(paragraph).replace(chr(10), '<br>')}</p>" for paragraph in paragraphs)


def to_text(html: str) -> str:
    """The text that goes beside `html` (RFC 2046 §5.1.4)."""
    return html_to_text(html)
