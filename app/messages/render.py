"""From parts and octets to what a page shows.  Pure.

A body is one of two kinds.  Plain text may stand in the page itself: it holds links and folds, nothing else.  HTML
stands in a document of its own (`views.body`), behind both walls.
"""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from enum import StrEnum

from app.messages import decode, plain_text, sanitise
from app.messages.html_scan import TooComplex
from app.messages.parts import Part, attachments, inline_images, shown_text_sections, walk
from app.messages.text_view import html_to_text

MAX_TEXT_OCTETS = 2_000_000
"""A longer text part is not shown but can be saved."""
MAX_SHOWN_TEXTS = 30
MAX_PLAIN_CHARS = 500_000
MOST_OF_NOTHING = 2_000
VISIBLE = re.compile(r"<(?:img|hr|table)\b|&(?!nbsp;)", re.IGNORECASE)
TAG = re.compile(r"<[^<>]*>|&nbsp;")
META_CHARSET = re.compile(rb"<meta\b[^>]{0,200}\bcharset\s*=\s*[\"']?([\w.:-]{1,40})", re.IGNORECASE)


class Notice(StrEnum):
    """What a reader should know about how a message is shown."""

    SHOWN_AS_TEXT = "shown-as-text"  # its HTML is beyond our bounds
    TOO_LONG = "too-long"  # a text part is left out, or cut
    ENCRYPTED = "encrypted"
    DAMAGED = "damaged"  # its structure could not be followed everywhere


@dataclass(frozen=True, slots=True)
class Body:
    """What is shown of a message.

    `html` is safe to serve: in the page if `is_plain`, else only in the isolated document, with `sheet` as its CSS.
    """

    html: str
    is_plain: bool
    sheet: str = ""
    held_images: int = 0
    has_html: bool = False  # there is a layout, whether it is shown or not
    attachments: tuple[Part, ...] = ()
    notices: tuple[Notice, ...] = ()

    @property
    def is_blank(self) -> bool:
        """There is a layout, and nothing to see in it."""
        return self.has_html and not self.html


def wanted_sections(root: Part, *, as_text: bool = False) -> tuple[str, ...]:
    """The sections to fetch before `render` can show the message."""
    return tuple(part.section for part in _shown(root, as_text) if part.octets <= MAX_TEXT_OCTETS)


def _shown(root: Part, as_text: bool) -> Sequence[Part]:
    return shown_text_sections(root, prefer="plain" if as_text else "html")[:MAX_SHOWN_TEXTS]


def render(
    root: Part,
    sections: Mapping[str, bytes],
    references: sanitise.References,
    words: sanitise.Words,
    *,
    as_text: bool = False,
    damaged: bool = False,
) -> Body:
    """The body of a message; `sections` are the wanted ones as they stand, still transfer-encoded."""
    shown = [part for part in _shown(root, as_text) if part.section in sections]
    notices = {Notice.DAMAGED} if damaged else set()
    notices |= {Notice.ENCRYPTED} if any(part.subtype == "encrypted" for part in walk(root)) else set()
    notices |= {Notice.TOO_LONG} if len(shown) < len(_shown(root, as_text)) else set()
    texts = [(part, text_of(part, sections[part.section])) for part in shown]
    has_html = any(part.subtype == "html" for part in shown_text_sections(root))
    if as_text or not any(part.subtype == "html" for part in shown):
        return _plain_body(root, texts, words, notices, has_html)
    try:
        body = _html_body(root, texts, references, words, notices)
    except TooComplex:
        return _plain_body(root, texts, words, notices | {Notice.SHOWN_AS_TEXT}, has_html)
    return replace(body, html="", sheet="", is_plain=True) if _is_blank(body.html) else body


def _is_blank(safe: str) -> bool:
    """Sanitised HTML without words or anything else to see: an empty frame would say nothing."""
    return len(safe) <= MOST_OF_NOTHING and not VISIBLE.search(safe) and not TAG.sub("", safe).strip("\xa0 \t\r\n")


def text_of(part: Part, octets: bytes) -> str:
    """A text part's words: transfer encoding and charset undone."""
    decoded = decode.transfer(octets, part.encoding)
    charset = part.params.get("charset", "")
    if part.subtype == "html" and not decode.codec_of(charset):
        named = META_CHARSET.search(decoded[:4096])
        charset = named[1].decode("ascii") if named else ""
    return decode.text(decoded, charset)


def _plain_body(
    root: Part, texts: Sequence[tuple[Part, str]], words: sanitise.Words, notices: set[Notice], has_html: bool
) -> Body:
    if any(len(text) > MAX_PLAIN_CHARS for _, text in texts):
        notices = notices | {Notice.TOO_LONG}
    html = "\n\n".join(_plain_html(part, text, words) for part, text in texts)
    return Body(
        html, is_plain=True, has_html=has_html, attachments=_attached(root, frozenset()), notices=_ordered(notices)
    )


def _plain_html(part: Part, text: str, words: sanitise.Words) -> str:
    """One text part as HTML for the page."""
    if part.subtype == "html":
        text = html_to_text(text)
    elif part.subtype == "enriched":
        text = plain_text.without_commands(text)
    flowed = part.params.get("format", "").lower() == "flowed"
    delsp = part.params.get("delsp", "").lower() == "yes"
    return plain_text.as_html(text[:MAX_PLAIN_CHARS], words.show_quoted, flowed=flowed, delsp=delsp)


def _html_body(
    root: Part,
    texts: Sequence[tuple[Part, str]],
    references: sanitise.References,
    words: sanitise.Words,
    notices: set[Notice],
) -> Body:
    """Raises TooComplex."""
    pieces = [
        sanitise.sanitise(text, references, words)
        if part.subtype == "html"
        else sanitise.SafeHtml(f'<div class="{sanitise.OWN}plain">{_plain_html(part, text, words)}</div>')
        for part, text in texts
    ]
    return Body(
        html="\n".join(piece.html for piece in pieces),
        is_plain=False,
        sheet="\n".join(filter(None, (piece.sheet for piece in pieces))),
        held_images=sum(piece.held_images for piece in pieces),
        has_html=True,
        attachments=_attached(root, frozenset().union(*(piece.used_cids for piece in pieces))),
        notices=_ordered(notices),
    )


def _attached(root: Part, used_cids: frozenset[str]) -> tuple[Part, ...]:
    """The attachments, and those inline images that the shown text does not use, so that nothing is lost from sight."""
    in_body = {part.section for cid, part in inline_images(root).items() if cid in used_cids}
    listed = {part.section for part in attachments(root)} | {part.section for part in inline_images(root).values()}
    return tuple(part for part in walk(root) if part.section in listed - in_body)


def _ordered(notices: set[Notice]) -> tuple[Notice, ...]:
    return tuple(notice for notice in Notice if notice in notices)
