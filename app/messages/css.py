"""CSS of mail: an allow-list of properties, nothing that loads, and rules that reach only the mail itself.

Pure.  Values are parsed once; what is left of an escape, an entity or a reference afterwards is dropped with its
declaration, because the next parser might read it differently.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator
from functools import lru_cache

import tinycss2
from tinycss2.ast import AtRule, Declaration, Node, QualifiedRule

MAX_STYLE_CHARS = 4_000
MAX_SHEET_CHARS = 100_000
MAX_VALUE_CHARS = 300

_WORDS = """
    background background-color border border-collapse border-color border-radius border-spacing border-style
    border-width box-sizing caption-side clear color direction display empty-cells float font font-family font-size
    font-style font-variant font-weight height letter-spacing line-height list-style list-style-position
    list-style-type margin max-height max-width min-height min-width opacity overflow overflow-wrap padding
    page-break-after page-break-before page-break-inside table-layout text-align text-decoration
    text-decoration-color text-decoration-line text-decoration-style text-indent text-overflow text-transform
    unicode-bidi vertical-align visibility white-space width word-break word-spacing word-wrap
    border-top-left-radius border-top-right-radius border-bottom-left-radius border-bottom-right-radius
"""
_OF_SIDES = "margin-{} padding-{} border-{} border-{}-color border-{}-style border-{}-width"
PROPERTIES = frozenset(
    _WORDS.split() + [name.format(side) for name in _OF_SIDES.split() for side in ("top", "right", "bottom", "left")]
)

SUSPICIOUS = re.compile(r"[&\\<>@{};:]|url|image|expression|script|attr\(|var\(|env\(", re.IGNORECASE)
FUNCTIONS = frozenset({"rgb", "rgba", "hsl", "hsla", "calc", "min", "max", "clamp"})
FUNCTION = re.compile(r"([\w-]+)\(")
# name: words, colours, quoted names; no bracket but those of rgb().
SIMPLE = re.compile(
    r"\s*+([a-zA-Z-]++)\s*+:((?:[-\w#%., !\t\r\n]|rgba?\([\d., %]*+\)|'[\w -]*+'|\"[\w -]*+\")*+)(?:;\s*+|\Z)", re.ASCII
)
SELECTOR = re.compile(r"[\w\s.#>+~*:\-\[\]=\"'()]{1,400}")  # no comma: selectors are checked one by one
ROOT = re.compile(r"^(?:\*?\s*(?:html|:root)\b\s*)?(?:>?\s*body\b)?", re.IGNORECASE)
MEDIA = re.compile(r"[\w\s:,()\-]{1,200}")


@lru_cache(maxsize=4096)
def safe_style(style: str) -> str:
    """The declarations of a `style` attribute that may stay; styles repeat a lot in newsletters, hence the cache."""
    if len(style) > MAX_STYLE_CHARS:
        return ""
    try:
        return _kept(_simple_declarations(style) or _parsed_declarations(tinycss2.parse_blocks_contents(style)))
    except RecursionError:  # "(((((…": tinycss2 descends into brackets
        return ""


def _simple_declarations(style: str) -> list[tuple[str, str]]:
    """The names and values of `style` if all are so simple that no parser could read them otherwise, else nothing.

    Nine in ten are, and this is ten times faster than tinycss2.
    """
    found, position = [], 0
    while position < len(style):
        match = SIMPLE.match(style, position)
        if match is None:
            return []
        found.append((match[1].lower(), match[2].strip()))
        position = match.end()
    return found


def _parsed_declarations(nodes: Iterable[Node]) -> Iterator[tuple[str, str]]:
    for node in nodes:
        if isinstance(node, Declaration):
            value = tinycss2.serialize(node.value).strip()
            yield node.lower_name, value + ("!important" if node.important else "")


def _kept(declarations: Iterable[tuple[str, str]]) -> str:
    return ";".join(f"{name}:{value}" for name, value in declarations if _may_stay(name, value))


def _may_stay(name: str, value: str) -> bool:
    if name not in PROPERTIES or not value or len(value) > MAX_VALUE_CHARS or SUSPICIOUS.search(value):
        return False
    return all(function.lower() in FUNCTIONS for function in FUNCTION.findall(value))


@lru_cache(maxsize=64)
def safe_sheet(css: str, scope: str) -> str:
    """The rules of a `<style>` block that may stay, each reaching only inside the element `scope` selects."""
    if len(css) > MAX_SHEET_CHARS:
        return ""
    try:
        rules = tinycss2.parse_stylesheet(css, skip_comments=True, skip_whitespace=True)
        kept = "\n".join(_safe_rules(rules, scope, in_media=False))
    except RecursionError:
        return ""
    return "" if "<" in kept else kept


def _safe_rules(rules: Iterable[Node], scope: str, *, in_media: bool) -> Iterator[str]:
    for rule in rules:
        if isinstance(rule, QualifiedRule):
            yield from _safe_rule(rule, scope)
        elif isinstance(rule, AtRule) and rule.lower_at_keyword == "media" and not in_media:
            yield from _safe_media(rule, scope)


def _safe_rule(rule: QualifiedRule, scope: str) -> Iterator[str]:
    selectors = [_scoped(selector, scope) for selector in tinycss2.serialize(rule.prelude).split(",")]
    declarations = _kept(_parsed_declarations(tinycss2.parse_blocks_contents(rule.content)))
    if declarations and any(selectors):
        yield f"{','.join(filter(None, selectors))}{{{declarations}}}"


def _scoped(selector: str, scope: str) -> str:
    """`body .lead` → `#mail .lead`; empty for what cannot be scoped with certainty."""
    stripped = selector.strip()
    if not SELECTOR.fullmatch(stripped) or stripped.count("(") != stripped.count(")"):
        return ""
    return f"{scope} {ROOT.sub('', stripped).strip()}".strip()


def _safe_media(rule: AtRule, scope: str) -> Iterator[str]:
    """Mail is shown on white paper, so what it has for dark screens is left out."""
    query = tinycss2.serialize(rule.prelude).strip()
    if rule.content is None or not MEDIA.fullmatch(query) or "prefers-color-scheme" in query.lower():
        return
    inside = "".join(_safe_rules(tinycss2.parse_rule_list(rule.content), scope, in_media=True))
    if inside:
        yield f"@media {query}{{{inside}}}"
