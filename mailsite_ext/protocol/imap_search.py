"""SEARCH: a tree of keys → a test of one message (RFC 9051 §6.4.4, RFC 5032, RFC 5182, RFC 7162, RFC 8474, RFC 8514).

Pure.  What costs least is looked at first.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from datetime import UTC, date, datetime
from enum import IntEnum
from typing import TypeAlias

from mailsite_ext.protocol.message_text import MessageText, folded, sent_day
from mailsite_ext.protocol.search_keys import (
    All,
    And,
    Body,
    Dated,
    Day,
    EmailId,
    HasFlag,
    Header,
    Key,
    Larger,
    ModSeq,
    Not,
    Numbers,
    Older,
    Or,
    Relation,
    SaveDateSupported,
    Smaller,
    Text,
    ThreadId,
    Uids,
    Younger,
)
from mailsite_ext.protocol.sequence_sets import SequenceSet


class Needs(IntEnum):
    """What has to be read of a message to decide a key; dearer ones are greater."""

    METADATA = 0  # flags, dates, sizes, numbers, ids
    HEADER = 1
    BODY = 2


@dataclass(slots=True)
class Candidate:
    """A message to be tested; `text` is called only by keys that need it.  `flags` are in lower case."""

    number: int
    uid: int
    flags: frozenset[str]
    modseq: int
    size_octets: int
    received_s: int  # Unix time
    saved_s: int | None
    email_id: str
    thread_id: str
    text: Callable[[], MessageText]
    received_zone: int = 0  # minutes east of UTC


@dataclass(frozen=True, slots=True)
class SearchContext:
    """What a search is made against; `saved` holds the UIDs of the last one with SAVE, for `$`."""

    now_s: int
    largest_number: int
    largest_uid: int
    saved: frozenset[int] = frozenset()


Test: TypeAlias = Callable[[Candidate], bool]


def needs(key: Key) -> Needs:
    match key:
        case Header():
            return Needs.HEADER
        case Body() | Text():
            return Needs.BODY
        case Dated(day=Day.SENT):
            return Needs.HEADER
        case And(keys=keys):
            return max(map(needs, keys))
        case Or(first=first, second=second):
            return max(needs(first), needs(second))
        case Not(key=negated):
            return needs(negated)
    return Needs.METADATA


def has_modseq(key: Key) -> bool:
    """Whether MODSEQ is in it: the answer then tells the highest (RFC 7162 §3.1.5)."""
    match key:
        case ModSeq():
            return True
        case And(keys=keys):
            return any(map(has_modseq, keys))
        case Or(first=first, second=second):
            return has_modseq(first) or has_modseq(second)
        case Not(key=negated):
            return has_modseq(negated)
    return False


def matcher(key: Key, context: SearchContext) -> Test:
    """The test that decides `key`, made once for many messages."""
    match key:
        case And(keys=keys):
            return _all([matcher(each, context) for each in sorted(keys, key=needs)])
        case Or(first=first, second=second):
            cheap, dear = (matcher(each, context) for each in sorted((first, second), key=needs))
            return lambda message: cheap(message) or dear(message)
        case Not(key=negated):
            test = matcher(negated, context)
            return lambda message: not test(message)
        case Numbers(numbers=numbers):
            return _in_set(numbers, context.largest_number, context.saved, lambda message: message.number)
        case Uids(uids=uids):
            return _in_set(uids, context.largest_uid, context.saved, lambda message: message.uid)
        case Older(seconds=seconds):
            limit = context.now_s - seconds
            return lambda message: message.received_s <= limit
        case Younger(seconds=seconds):
            limit = context.now_s - seconds
            return lambda message: message.received_s >= limit
        case Dated():
            return _dated(key)
        case Header() | Body() | Text():
            return _worded(key)
    return _plain(key)


def _all(tests: list[Test]) -> Test:
    return lambda message: all(test(message) for test in tests)


def _in_set(wanted: SequenceSet, largest: int, saved: frozenset[int], number: Callable[[Candidate], int]) -> Test:
    """`$` are UIDs, whatever the command counts by (RFC 5182 §2.1)."""
    if wanted.is_saved:
        return lambda message: message.uid in saved
    spans = wanted.spans(largest)
    if len(spans) == 1:
        ((low, high),) = spans
        return lambda message: low <= number(message) <= high
    return lambda message: _within(spans, number(message))


def _within(spans: list[tuple[int, int]], number: int) -> bool:
    """By halves: a set may have thousands of members."""
    low, high = 0, len(spans)
    while low < high:
        middle = (low + high) // 2
        if spans[middle][1] < number:
            low = middle + 1
        else:
            high = middle
    return low < len(spans) and spans[low][0] <= number


def _plain(key: Key) -> Test:
    """What one column decides."""
    match key:
        case HasFlag(flag=flag):
            lowered = flag.lower()
            return lambda message: lowered in message.flags
        case Larger(octets=octets):
            return lambda message: message.size_octets > octets
        case Smaller(octets=octets):
            return lambda message: message.size_octets < octets
        case ModSeq(modseq=modseq):
            return lambda message: message.modseq >= modseq
        case EmailId(id=wanted):
            return lambda message: message.email_id == wanted
        case ThreadId(id=wanted):
            return lambda message: message.thread_id == wanted
    assert isinstance(key, All | SaveDateSupported)
    return lambda _: True


def _dated(key: Dated) -> Test:
    compares = COMPARES[key.relation]

    def test(message: Candidate) -> bool:
        day = _day(key.day, message)
        return day is not None and compares(day, key.date)

    return test


COMPARES: dict[Relation, Callable[[date, date], bool]] = {
    Relation.BEFORE: lambda day, wanted: day < wanted,
    Relation.ON: lambda day, wanted: day == wanted,
    Relation.SINCE: lambda day, wanted: day >= wanted,
}


def _day(day: Day, message: Candidate) -> date | None:
    """The day as the time is shown: INTERNALDATE in the zone it was given in, SAVEDATE in UTC."""
    match day:
        case Day.RECEIVED:
            return datetime.fromtimestamp(message.received_s + message.received_zone * 60, UTC).date()
        case Day.SAVED:
            return None if message.saved_s is None else datetime.fromtimestamp(message.saved_s, UTC).date()
        case Day.SENT:
            dates = message.text().fields("date")
            return sent_day(dates[0]) if dates else None


def _worded(key: Header | Body | Text) -> Test:
    """An empty text is in every message, in every body, and in a field that is there."""
    text = folded(key.text)
    match key:
        case Header(name=name):
            return lambda message: any(text in value for value in message.text().fields(name))
        case Body():
            return lambda message: not text or message.text().has_in_body(text)
    return lambda message: not text or message.text().has_in_header(text) or message.text().has_in_body(text)
