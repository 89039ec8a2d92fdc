"""What a turn of SELECT, FETCH and SEARCH says about a folder, and what of it is news.  Pure."""

from __future__ import annotations

import re
from collections.abc import Collection, Iterable, Sequence
from dataclasses import dataclass, field

from app.errors import ProtocolError
from app.imap import fetch
from app.imap.dialog import Turn
from app.imap.uids import MAX_UID, Range, expand, parse_ranges, within
from app.sources import FlagState, FolderState, RemoteMessage

MAX_MESSAGES = 5_000_000
EXISTS = re.compile(rb"\* (\d{1,10}) EXISTS", re.IGNORECASE)
VANISHED = re.compile(rb"\* VANISHED (?:\(EARLIER\) )?([\d:,]+)", re.IGNORECASE)
CLOSED = re.compile(rb"\* OK \[CLOSED\]", re.IGNORECASE)
ESEARCH = re.compile(rb'\* ESEARCH(?: \(TAG "[^"]*"\))?(?: UID)?(.*)', re.IGNORECASE | re.DOTALL)
ESEARCH_ITEM = re.compile(rb" (ALL|COUNT) ([\d:,]+)", re.IGNORECASE)
SEARCH = re.compile(rb"\* SEARCH((?: \d{1,10})*)(?: \(MODSEQ \d+\))? ?", re.IGNORECASE)


@dataclass(frozen=True, slots=True)
class Selected:
    """What SELECT told."""

    uidvalidity: int
    uidnext: int
    messages: int
    highestmodseq: int | None

    @property
    def state(self) -> FolderState:
        return FolderState(self.uidvalidity, self.uidnext, self.highestmodseq)


@dataclass
class News:
    """What a turn said of messages: flags of known ones, known ones that are gone, whole new ones."""

    flags: dict[int, FlagState] = field(default_factory=dict)
    vanished: set[int] = field(default_factory=set)
    messages: dict[int, RemoteMessage] = field(default_factory=dict)


def about_selected(turn: Turn) -> list[bytes]:
    """The turn's responses without those that still spoke of the folder selected before (RFC 7162 §3.2.11)."""
    closed = [place for place, line in enumerate(turn.untagged) if CLOSED.match(line)]
    return turn.untagged[closed[-1] + 1 :] if closed else turn.untagged


def selected_in(turn: Turn) -> Selected:
    """Raises ProtocolError where the server tells no UIDVALIDITY or EXISTS: nothing could be kept of such a folder."""
    counts = [match for line in about_selected(turn) if (match := EXISTS.fullmatch(line))]
    if not counts:
        raise ProtocolError("the server does not say how many messages the folder has")
    return Selected(
        uidvalidity=_code(turn, "UIDVALIDITY", MAX_UID),
        uidnext=_code(turn, "UIDNEXT", MAX_UID + 1) if turn.code("UIDNEXT") else 1,
        messages=min(int(counts[-1][1]), MAX_MESSAGES),
        highestmodseq=_code(turn, "HIGHESTMODSEQ", fetch.LARGEST_NUMBER) if turn.code("HIGHESTMODSEQ") else None,
    )


def _code(turn: Turn, name: str, largest: int) -> int:
    return fetch.number((turn.code(name) or "").encode(), largest)


def news_in(turn: Turn, known: Sequence[int], wanted: Iterable[Range] = ()) -> News:
    """Flags and disappearances of `known` UIDs, and messages in the `wanted` ranges; anything else is not believed.

    `known` is only searched, never gone through: it may be long, and news are few.
    """
    news, asked = News(), list(wanted)
    for line in about_selected(turn):
        if fetch.is_fetch(line):
            _take_fetch(fetch.items_of(line), news, known, asked)
        elif gone := VANISHED.fullmatch(line):
            news.vanished |= within(parse_ranges(gone[1]), known)
    return news


def _take_fetch(items: fetch.Items, news: News, known: Sequence[int], asked: Sequence[Range]) -> None:
    uid = fetch.uid_of(items)
    if uid is None:
        return
    if within([(uid, uid)], known):
        if b"FLAGS" in items:
            news.flags[uid] = fetch.flag_state(items)
    elif b"RFC822.SIZE" in items and any(first <= uid <= last for first, last in asked):
        news.messages[uid] = fetch.remote_message(items)


def messages_in(turn: Turn, wanted: Iterable[int]) -> list[RemoteMessage]:
    """The messages asked for, newest first; responses about others are left in the turn."""
    asked = set(wanted)
    found: dict[int, RemoteMessage] = {}
    others: list[bytes] = []
    for line in turn.untagged:
        message = fetch.usual_message(line) or _any_message(line, asked)
        if message is not None and message.uid in asked:
            found[message.uid] = message
        else:
            others.append(line)
    turn.untagged = others
    return [found[uid] for uid in sorted(found, reverse=True)]


def _any_message(line: bytes, asked: Collection[int]) -> RemoteMessage | None:
    items = fetch.items_of(line) if fetch.is_fetch(line) else {}
    return fetch.remote_message(items) if b"RFC822.SIZE" in items and fetch.uid_of(items) in asked else None


def search_result(turn: Turn, most: int = MAX_MESSAGES) -> list[int]:
    """The UIDs a search found, from ESEARCH ALL (RFC 4731) or SEARCH, ascending."""
    found: set[int] = set()
    for line in turn.untagged:
        if ranges := _esearch(line).get(b"ALL"):
            found.update(expand(parse_ranges(ranges), most))
        elif match := SEARCH.fullmatch(line):
            found.update(uid for uid in map(int, match[1].split()) if 0 < uid <= MAX_UID)
    return sorted(found)


def search_count(turn: Turn) -> int | None:
    """What ESEARCH COUNT told; None if it was not asked."""
    for line in turn.untagged:
        count = _esearch(line).get(b"COUNT")
        if count is not None and count.isdigit() and len(count) < 11:
            return min(int(count), MAX_MESSAGES)
    return None


def _esearch(line: bytes) -> dict[bytes, bytes]:
    match = ESEARCH.fullmatch(line)
    return {name.upper(): value for name, value in ESEARCH_ITEM.findall(match[1])} if match else {}
