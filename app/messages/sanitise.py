"""The first wall around HTML mail: nothing that runs, nothing that loads from elsewhere, no style that escapes.

Pure.  nh3 parses, judges and serialises; what is decided here is which elements, attributes, addresses and styles may
stay.  The second wall is the isolated document the result is shown in (`views.body`).  Raise POLICY_VERSION whenever
the result for the same mail changes: results are cached under it.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from html import escape, unescape
from urllib.parse import unquote, urlsplit

import nh3

from app.messages import css, html_scan
from app.messages.quoted import fold_quoted

POLICY_VERSION = 1
SCOPE_ID = "mail"
MAX_URL_CHARS = 8_000
MAX_DATA_URL_CHARS = 1_000_000

_TAGS = """
    a abbr acronym address article aside b bdi bdo big blockquote br caption center cite code col colgroup dd del dfn
    dir div dl dt em figcaption figure font footer h1 h2 h3 h4 h5 h6 header hr i img ins kbd li main mark nav ol p pre
    q s samp section small span strike strong sub sup table tbody td tfoot th thead time tr tt u ul var wbr
"""
TAGS = frozenset(_TAGS.split())
# Elements that go with everything inside them; the others that are not allowed leave their content behind.
_DROPPED_WHOLE = """
    script style title svg math iframe object embed applet template noscript noembed noframes xmp textarea select audio
    video canvas frameset
"""
DROPPED_WHOLE = frozenset(_DROPPED_WHOLE.split())
_CELL = {"bgcolor", "width", "height", "colspan", "rowspan", "nowrap"}
ATTRIBUTES: Mapping[str, set[str]] = {
    "*": {"class", "id", "dir", "lang", "title", "style", "align", "valign"},
    "a": {"href", "name"},
    "img": {"src", "alt", "width", "height", "border", "hspace", "vspace"},
    "table": {"width", "height", "border", "cellpadding", "cellspacing", "bgcolor", "rules", "frame", "role"},
    "tr": {"bgcolor", "height"},
    "td": _CELL,
    "th": _CELL | {"scope"},
    "col": {"span", "width"},
    "colgroup": {"span", "width"},
    "font": {"color", "face", "size"},
    "hr": {"size", "width", "color", "noshade"},
    "br": {"clear"},
    "ol": {"start", "type", "reversed"},
    "ul": {"type"},
    "li": {"type", "value"},
    "blockquote": {"type"},
    "time": {"datetime"},
}
SCHEMES = frozenset({"http", "https", "mailto", "tel", "cid", "data"})  # which of them where: see _Judge
WEB = re.compile(r"(?:https?:)?//[^/?#]", re.IGNORECASE)
LINK = re.compile(r"(?:https?://[^/?#]|mailto:|tel:|#.)", re.IGNORECASE)
DATA_IMAGE = re.compile(r"data:image/(?:png|jpe?g|gif|webp|avif|bmp);base64,[A-Za-z0-9+/=%]+", re.IGNORECASE)
IGNORED_IN_URLS = re.compile(r"[\x00-\x20\x7f-\x9f]+")  # browsers skip them too: "java\nscript:"
COLOUR = re.compile(r"#?[\w ]{1,30}")
OWN = "satchel-"
"""Classes and ids that begin so are ours; a mail cannot use them."""

ANCHOR = re.compile(r'<a\b((?:[^">]|"[^"]*")*)>(.*?)</a>', re.DOTALL)
HREF_HOST = re.compile(r'\bhref="https?://(?:[^/?#"@]*@)?([^/?#":]+)', re.IGNORECASE)
MARKUP = re.compile(r'<(?:[^">]|"[^"]*")*>')
NAMED_HOST = re.compile(r"(?:^|://|\bwww\.)((?:[\w-]{1,63}\.){1,8}[a-z]{2,24})(?=[/:?#\s]|$)", re.IGNORECASE)


@dataclass(frozen=True, slots=True)
class Words:
    """What the reader is told inside the mail, in their language."""

    goes_to: str = "goes to {host}"
    show_quoted: str = "Show earlier text"


@dataclass(frozen=True, slots=True)
class References:
    """Where a mail's references lead: `part_url` for a Content-ID it carries, `image_url` for a remote image.

    `image_url` None: remote images are held back.
    """

    part_url: Callable[[str], str | None]
    image_url: Callable[[str], str] | None = None


@dataclass(frozen=True, slots=True)
class SafeHtml:
    """A mail's HTML, safe to serve: `html` is one element with the id SCOPE_ID, `sheet` the CSS inside that element."""

    html: str
    sheet: str = ""
    held_images: int = 0
    used_cids: frozenset[str] = field(default_factory=frozenset)


def sanitise(html: str, references: References, words: Words | None = None) -> SafeHtml:
    """`html` behind the first wall.  Raises html_scan.TooComplex for what should be shown as text instead."""
    words = words or Words()
    found = html_scan.scan(html.replace("\0", ""))
    judge = _Judge(references)
    body = _clean(html.replace("\0", ""), judge)
    body = fold_quoted(_with_tell_tales(body, words.goes_to), words.show_quoted)
    opening = _clean(_body_as_div(found.body_tag), judge).removesuffix("</div>")
    sheet = "\n".join(filter(None, (css.safe_sheet(text, f"#{SCOPE_ID}") for text in found.sheets[:20])))
    return SafeHtml(
        html=f'<div id="{SCOPE_ID}">{opening}{body}</div></div>',
        sheet=sheet,
        held_images=len(judge.held),
        used_cids=frozenset(judge.used_cids),
    )


def clean_fragment(html: str) -> str:
    """`html` of our own making (linkified plain text) through the same wall; it refers to no images."""
    return _clean(html, _Judge(References(part_url=lambda _cid: None), own=True))


def _clean(html: str, judge: _Judge) -> str:
    return nh3.clean(
        html,
        tags=set(TAGS),
        clean_content_tags=set(DROPPED_WHOLE),
        attributes={tag: set(names) for tag, names in ATTRIBUTES.items()},
        attribute_filter=judge,
        url_schemes=set(SCHEMES),
        link_rel="noopener noreferrer",
        set_tag_attribute_values={"a": {"target": "_blank"}},
        strip_comments=True,
    )


def _body_as_div(body_tag: str) -> str:
    """The body tag's colours and style, on a div: a fragment has no body element."""
    attributes = re.search(r"(?i)\bbgcolor\s*=\s*[\"']?\s*(#?\w{1,30})", body_tag)
    style = re.search(r"(?i)\sstyle\s*=\s*(?:\"([^\"]*)\"|'([^']*)')", body_tag)
    colour = f"background-color:{attributes[1]};" if attributes else ""
    written = unescape(style[1] or style[2] or "") if style else ""
    return f'<div style="{escape(colour + written)}"></div>'


class _Judge:
    """nh3's attribute filter: sees each allowed attribute decoded, returns what may stay of it, and keeps count.

    nh3 drops an attribute whose judging raises.
    """

    def __init__(self, references: References, *, own: bool = False) -> None:
        self._references = references
        self._own = own
        self.held: list[str] = []
        self.used_cids: set[str] = set()

    def __call__(self, tag: str, attribute: str, value: str) -> str | None:
        match attribute:
            case "style":
                return css.safe_style(value) or None
            case "href":
                return link_address(value)
            case "src":
                return self._image_address(IGNORED_IN_URLS.sub("", value))
            case "class" | "id" | "name":
                return self._name(value)
            case "bgcolor" | "color":
                return value if COLOUR.fullmatch(value) else None
            case "role":
                return value if value in ("presentation", "none") else None
            case _:
                return value[:500]

    def _name(self, value: str) -> str | None:
        if self._own:
            return value
        names = [name for name in value.split() if not name.startswith(OWN) and name != SCOPE_ID]
        return " ".join(names) or None

    def _image_address(self, address: str) -> str | None:
        if address[:4].lower() == "cid:":
            return self._part_address(unquote(address[4:]).strip("<>"))
        if address[:5].lower() == "data:":
            fits = len(address) <= MAX_DATA_URL_CHARS and DATA_IMAGE.fullmatch(address)
            return address if fits else None
        if len(address) > MAX_URL_CHARS or not WEB.match(address):
            return None
        if self._references.image_url is None:
            self.held.append(address)
            return None
        return self._references.image_url("https:" + address if address.startswith("//") else address)

    def _part_address(self, content_id: str) -> str | None:
        address = self._references.part_url(content_id)
        if address is not None:
            self.used_cids.add(content_id)
        return address


def link_address(value: str) -> str | None:
    """The address a link may have: web, mail, telephone, or a place in the same mail; None for all others."""
    address = IGNORED_IN_URLS.sub("", value)
    if address.startswith("//"):
        address = "https:" + address
    if len(address) > MAX_URL_CHARS or not LINK.match(address) or not _is_well_formed(address):
        return None
    return address


def _is_well_formed(address: str) -> bool:
    try:
        urlsplit(address)
    except ValueError:
        return False
    return "\\" not in address.partition("?")[0]  # browsers read it as a slash: the host would not be what it seems


def _with_tell_tales(html: str, words: str) -> str:
    """Behind each link whose text names another host than it leads to: where it really goes.

    `html` is nh3's output, so a tag's end is where this looks for it.
    """
    return ANCHOR.sub(lambda link: link[0] + _tell_tale(link[1], link[2], words), html)


def _tell_tale(attributes: str, content: str, words: str) -> str:
    href = HREF_HOST.search(attributes)
    named = NAMED_HOST.search(unescape(MARKUP.sub("", content)).strip())
    if not href or not named or _are_related(href[1].lower(), named[1].lower()):
        return ""
    return f' <span class="{OWN}tell-tale">({escape(words.format(host=unescape(href[1])))})</span>'


def _are_related(one: str, other: str) -> bool:
    """The same host, or one below the other: news.example.org and example.org."""
    one, other = one.removeprefix("www."), other.removeprefix("www.")
    return one == other or one.endswith("." + other) or other.endswith("." + one)
