"""A search key as sets of UIDs: what indexes and rows decide, with no message opened (RFC 9051 §6.4.4)."""

from __future__ import annotations

from array import array
from bisect import bisect_left, bisect_right
from collections.abc import Iterator, Mapping, Set
from dataclasses import dataclass
from datetime import date

from mailsite_ext.imap.view import View
from mailsite_ext.protocol import search_keys as keys
from mailsite_ext.protocol.imap_search import Needs, SearchContext, needs
from mailsite_ext.protocol.message_text import folded
from mailsite_ext.protocol.sequence_sets import LARGEST, SequenceSet
from mailsite_ext.storage.engine import StorageEngine
from mailsite_ext.storage.values import TextHits

Worded = keys.Header | keys.Body | keys.Text | keys.Dated
"""What only a message's text decides: of dates the one it was sent."""
RECENT = "\\recent"
EVERYWHERE = TextHits(array("Q"), LARGEST)


@dataclass(frozen=True, slots=True)
class Hits:
    """What the index said of each worded key; `known_to`, `unsure` as in TextHits, for all of them."""

    found: Mapping[Worded, frozenset[int]]
    known_to: int
    unsure: frozenset[int]

    def knows(self, uid: int) -> bool:
        return uid <= self.known_to and uid not in self.unsure


def find_hits(storage: StorageEngine, folder_id: int, key: keys.Key) -> Hits | None:
    """None: there is no index that knows of any message, or it cannot tell."""
    found: dict[Worded, frozenset[int]] = {}
    known_to, unsure = LARGEST, frozenset[int]()
    for each in worded(key):
        hits = _ask(storage, folder_id, each)
        if hits is None:
            return None
        found[each] = frozenset(hits.uids)
        known_to, unsure = min(known_to, hits.known_to), unsure | hits.unsure
    return Hits(found, known_to, unsure)


def worded(key: keys.Key) -> Iterator[Worded]:
    match key:
        case keys.And(keys=several):
            for each in several:
                yield from worded(each)
        case keys.Or(first=first, second=second):
            yield from worded(first)
            yield from worded(second)
        case keys.Not(key=negated):
            yield from worded(negated)
        case keys.Header() | keys.Dated(day=keys.Day.SENT):
            yield key
        case keys.Body(text=text) | keys.Text(text=text) if folded(text):
            yield key


def _ask(storage: StorageEngine, folder_id: int, key: Worded) -> TextHits | None:
    match key:
        case keys.Header(name=name, text=text):
            return storage.search_text(folder_id, name, text)
        case keys.Body(text=text):
            return storage.search_text(folder_id, "body", text)
        case keys.Text(text=text):
            return storage.search_text(folder_id, "text", text)
    return storage.search_sent(folder_id, *_days(key))


def _days(key: keys.Dated) -> tuple[int, int]:
    day = key.date.toordinal()
    match key.relation:
        case keys.Relation.BEFORE:
            return 0, day - 1
        case keys.Relation.ON:
            return day, day
    return day, date.max.toordinal()


@dataclass(frozen=True, slots=True)
class Sets:
    """Whom of `among` a key holds for; all of them are known to `hits`."""

    storage: StorageEngine
    view: View
    context: SearchContext
    hits: Hits

    def holding(self, key: keys.Key, among: Set[int]) -> Set[int]:
        match key:
            case keys.And(keys=several):
                for each in sorted(several, key=_dearness):
                    among = self.holding(each, among) if among else among
                return among
            case keys.Or(first=first, second=second):
                found = self.holding(first, among)
                return found | self.holding(second, among - found)
            case keys.Not(key=negated):
                return among - self.holding(negated, among)
            case keys.HasFlag(flag=flag) if flag.lower() == RECENT:
                return among & frozenset(self.view.recent_uids())
            case keys.Numbers(numbers=numbers):
                return among & self._numbered(numbers)
            case keys.Uids(uids=uids):
                return among & self._named(uids)
            case keys.All() | keys.SaveDateSupported():
                return among
        return among & self._leaf(key) if among else among

    def _leaf(self, key: keys.Key) -> Set[int]:
        if isinstance(key, keys.Body | keys.Text) and not folded(key.text):
            return frozenset(self.view.uids)  # an empty text is in every message
        if isinstance(key, keys.Header | keys.Body | keys.Text) or key in self.hits.found:
            return self.hits.found[key]  # type: ignore[index]  # a worded one
        assert isinstance(key, keys.Known)
        return frozenset(self.storage.uids_where(self.view.folder_id, key, self.context.now_s))

    def _numbered(self, numbers: SequenceSet) -> Set[int]:
        if numbers.is_saved:
            return frozenset(self.context.saved)
        uids = self.view.uids
        return {uid for low, high in numbers.spans(len(uids)) for uid in uids[low - 1 : high]}

    def _named(self, named: SequenceSet) -> Set[int]:
        if named.is_saved:
            return frozenset(self.context.saved)
        uids, spans = self.view.uids, named.spans(self.context.largest_uid)
        return {uid for low, high in spans for uid in uids[bisect_left(uids, low) : bisect_right(uids, high)]}


def _dearness(key: keys.Key) -> tuple[Needs, bool]:
    """Numbers narrow at no cost; what was asked of the index is there already."""
    return needs(key), not isinstance(key, keys.Numbers | keys.Uids)
