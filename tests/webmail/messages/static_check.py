"""Reads what the first wall lets through as a second pair of eyes: another parser, the rules written anew."""

from __future__ import annotations

import re
from html.parser import HTMLParser

from app.messages.render import Body
from app.messages.sanitise import SafeHtml

HARMLESS_TAGS = frozenset(
    """a abbr acronym address article aside b bdi bdo big blockquote br caption center cite code col colgroup dd del
    details dfn dir div dl dt em figcaption figure font footer h1 h2 h3 h4 h5 h6 header hr i img ins kbd li main mark
    nav ol p pre q s samp section small span strike strong sub summary sup table tbody td tfoot th thead time tr tt u
    ul var wbr""".split()  # noqa: SIM905
)
LOADING = frozenset(
    {"background", "srcset", "poster", "action", "formaction", "srcdoc", "data", "code", "codebase", "ping"}
)
OURS = re.compile(r"/mail/(?:message/\d+/part/[\w.%]+|image\?[\w.&=%-]+)\Z")
IMAGE_DATA = re.compile(r"data:image/(?:png|jpe?g|gif|webp|avif|bmp);base64,[\w+/=%]+\Z", re.IGNORECASE)
LINK = re.compile(r"(?:https?://|mailto:|tel:|#)", re.IGNORECASE)
HARMFUL_CSS = re.compile(
    r"url\s*\(|image-set|expression|@import|@font-face|javascript|behavior|(?:\A|[{;])\s*position\s*:|[\\<&]",
    re.IGNORECASE,
)


class _Reader(HTMLParser):
    def __init__(self) -> None:
        super().__init__(convert_charrefs=True)
        self.faults: list[str] = []

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        if tag not in HARMLESS_TAGS:
            self.faults.append(f"<{tag}>")
        for name, value in attrs:
            if not self._is_harmless(tag, name, value or ""):
                self.faults.append(f"<{tag} {name}={value}>")

    def _is_harmless(self, tag: str, name: str, value: str) -> bool:
        if name.startswith("on") or name in LOADING or ":" in name:
            return False
        if name == "style":
            return not HARMFUL_CSS.search(value)
        if name == "src":
            return tag == "img" and bool(OURS.match(value) or IMAGE_DATA.match(value))
        if name == "href":
            return tag == "a" and bool(LINK.match(value))
        return True

    def handle_comment(self, data: str) -> None:
        self.faults.append(f"<!--{data}-->")

    def handle_decl(self, decl: str) -> None:
        self.faults.append(f"<!{decl}>")


def faults_of(safe: SafeHtml | Body) -> list[str]:
    """Everything in the result that could run, load from elsewhere or leave its place; empty if it is harmless."""
    reader = _Reader()
    reader.feed(safe.html)
    reader.close()
    return reader.faults + HARMFUL_CSS.findall(safe.sheet)
