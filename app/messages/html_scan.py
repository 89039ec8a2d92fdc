"""A quick look over the HTML of a mail before it is parsed: is it within bounds, what style does it bring?

Pure.  This is no wall, only a guard of time: deep nesting costs a parser quadratic time.
"""

from __future__ import annotations

import re
from collections import Counter
from dataclasses import dataclass

from app.errors import MailError

MAX_HTML_CHARS = 2_000_000
MAX_OPEN_TAGS = 20_000
MAX_NESTING = 256
MAX_REFERENCES = 50_000
"""Most `&`: the parser looks long at each that begins no character reference."""
MAX_ATTRIBUTE_CHARS = 4_000
"""Most characters of one tag outside quoted values: many attributes cost quadratic time."""

START = re.compile(r"<(?=[a-zA-Z/!?])")
TAG = re.compile(
    r"<(/?)([a-zA-Z][^\s/>]*+)"
    r"(?:[\s/]++|[^\s/>][^\s/>=]*+(?:\s*+=\s*+(?:\"[^\"]*+\"|'[^']*+'|[^\s>\"'][^\s>]*+)?+)?+)*+>"
)
QUOTED = re.compile(r"\"[^\"]*+\"|'[^']*+'")
COMMENT_END = re.compile(r"--!?>")
RAW_TEXT = frozenset({"style", "script", "title", "textarea", "xmp", "iframe", "noembed", "noframes", "noscript"})
# Elements that hold nothing, or that the next one of their kind closes: they do not nest by themselves.
_FLAT = """
    area base br col embed hr img input link meta param source track wbr
    p li dd dt td th tr tbody thead tfoot option optgroup colgroup html head body
"""
FLAT = frozenset(_FLAT.split())


class TooComplex(MailError):
    """HTML beyond our bounds of size, nesting or attributes: it is shown as text."""


@dataclass(frozen=True, slots=True)
class Scan:
    """What a mail's HTML brings beside its content: its style sheets, and its body tag as written."""

    sheets: tuple[str, ...] = ()
    body_tag: str = ""


class _Nesting:
    """How many elements are open, by name; an end tag that fits nothing closes nothing."""

    def __init__(self) -> None:
        self._open = Counter[str]()
        self._depth = self._tags = 0

    def start(self, name: str) -> None:
        """Raises TooComplex."""
        self._tags += 1
        if name not in FLAT:
            self._open[name] += 1
            self._depth += 1
        if self._depth > MAX_NESTING or self._tags > MAX_OPEN_TAGS:
            raise TooComplex("nesting")

    def end(self, name: str) -> None:
        if self._open[name] > 0:
            self._open[name] -= 1
            self._depth -= 1


def scan(html: str) -> Scan:
    """Look over `html` once.  Raises TooComplex."""
    if len(html) > MAX_HTML_CHARS or html.count("&") > MAX_REFERENCES:
        raise TooComplex("size")
    sheets: list[str] = []
    body_tag, nesting, position = "", _Nesting(), 0
    while start := START.search(html, position):
        tag = TAG.match(html, start.start())
        if tag is None:
            position = _after_other(html, start.start())
            continue
        position, name = tag.end(), tag[2].lower()
        _check_length(tag[0])
        if tag[1]:
            nesting.end(name)
        elif name in RAW_TEXT:
            position = _end_of_raw_text(html, tag.end(), name)
            sheets += [html[tag.end() : position]] if name == "style" else []
        else:
            nesting.start(name)
            body_tag = body_tag or (tag[0] if name == "body" else "")
    return Scan(tuple(sheets), body_tag)


def _check_length(tag: str) -> None:
    if len(tag) > MAX_ATTRIBUTE_CHARS and len(QUOTED.sub("", tag)) > MAX_ATTRIBUTE_CHARS:
        raise TooComplex("attributes")


def _after_other(html: str, start: int) -> int:
    """The position after a comment, a declaration, or a tag that never ends (which swallows the rest)."""
    if html.startswith("<!--", start):
        end = COMMENT_END.search(html, start + 2)
        return end.end() if end else len(html)
    end_of_bogus = html.find(">", start)
    return end_of_bogus + 1 if end_of_bogus >= 0 else len(html)


def _end_of_raw_text(html: str, start: int, name: str) -> int:
    end = re.compile(f"</{name}", re.IGNORECASE).search(html, start)
    return end.start() if end else len(html)
