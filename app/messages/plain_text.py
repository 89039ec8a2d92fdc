"""Plain text as HTML: links made clickable, flowed lines joined (RFC 3676), quoted text folded.  Pure."""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator
from html import escape
from itertools import groupby

from bleach.linkifier import Linker, build_email_re

from app.messages.quoted import details
from app.messages.sanitise import clean_fragment

MAX_LINKED_LINES = 400
MAX_LINKED_CHARS = 2_000  # of a line; a longer one is no sentence with an address in it
LINK_WORK = 100_000_000
"""What looking for links may cost in one message: each word is looked at from each of its characters on."""
MAX_ESCAPED = 50_000  # `&`, `<` and `>`: a parser looks long at each; a text with more is shown without links
LINKABLE = re.compile(r"://|www\.|\w@\w", re.IGNORECASE)
# bleach knows the top-level domains of 2019 only: any will do where a scheme or www. says that a link is meant.
WEB_ADDRESS = re.compile(
    r"""\({0,9}\b(?<![@.])(?:https?://|(?=www\.[\w-]{1,63}\.))[^\s<>"`{}|\\^]{4,2000}""", re.IGNORECASE
)
MAIL_ADDRESS = build_email_re(tlds=["[a-z]{2,24}"])
QUOTE_MARKS = re.compile(r"(?:> ?){1,40}")
ENRICHED_COMMAND = re.compile(r"<(<)|</?[a-z][a-z0-9-]{0,60}>", re.IGNORECASE)  # RFC 1896


def as_html(text: str, label: str, *, flowed: bool = False, delsp: bool = False) -> str:
    """`text` as HTML for an element that keeps white space; `label` names the fold of what is quoted at its end.

    `flowed` and `delsp` are the parameters of RFC 3676 §4.
    """
    if sum(map(text.count, "&<>")) > MAX_ESCAPED:
        return escape(text, quote=False)
    lines = text.replace("\r\n", "\n").replace("\r", "\n").rstrip().split("\n")
    if flowed:
        lines = list(_unflowed(lines, delsp=delsp))
    blocks = [(quoted, list(block)) for quoted, block in groupby(lines, key=lambda line: line.startswith(">"))]
    linked = _link([escape(line, quote=False) for _, block in blocks for line in block])
    cut = _last_quote(blocks)
    if cut is None:
        return clean_fragment("\n".join(linked))
    return clean_fragment("\n".join(linked[:cut])) + details(clean_fragment("\n".join(linked[cut:])), label)


def without_commands(text: str) -> str:
    """The words of text/enriched."""
    return ENRICHED_COMMAND.sub(lambda command: command[1] or "", text)


def _last_quote(blocks: list[tuple[bool, list[str]]]) -> int | None:
    """The line where the quotation at the end begins, None without one, or if nothing but quotation is there."""
    while blocks and not blocks[-1][0] and not any(line.strip() for line in blocks[-1][1]):
        blocks = blocks[:-1]
    if len(blocks) < 2 or not blocks[-1][0]:
        return None
    return sum(len(block) for _, block in blocks[:-1])


def _link(lines: list[str]) -> list[str]:
    """The lines (escaped), with links in those that may hold one.  A Linker of its own: a shared one mixes threads."""
    linker = Linker(callbacks=[], parse_email=True, url_re=WEB_ADDRESS, email_re=MAIL_ADDRESS)
    linked, left, work = [], MAX_LINKED_LINES, LINK_WORK
    for line in lines:
        is_worth_it = left > 0 and len(line) <= MAX_LINKED_CHARS and bool(LINKABLE.search(line))
        work -= sum(len(word) ** 2 for word in line.split()) if is_worth_it else 0
        may_link = is_worth_it and work > 0
        left -= may_link
        linked.append(linker.linkify(line) if may_link else line)
    return linked


def _unflowed(lines: Iterable[str], *, delsp: bool) -> Iterator[str]:
    """Lines as they were before they were wrapped: one that ends in a space goes on in the next (RFC 3676 §4.2)."""
    pending, depth = "", 0
    for line in lines:
        marks = QUOTE_MARKS.match(line)
        this_depth = marks[0].count(">") if marks else 0
        content = line[this_depth:] if re.match(r">+(?!>)", line) else line[len(marks[0]) if marks else 0 :]
        content = content.removeprefix(" ")  # stuffed, §4.4
        if pending and this_depth != depth:
            yield _quoted(depth, pending)
            pending = ""
        depth = this_depth
        flows = content.endswith(" ") and content != "-- "  # §4.3: the signature's separator stands alone
        pending += content[:-1] if flows and delsp else content
        if not flows:
            yield _quoted(depth, pending)
            pending = ""
    if pending:
        yield _quoted(depth, pending)


def _quoted(depth: int, content: str) -> str:
    return f"{'>' * depth} {content}" if depth else content
