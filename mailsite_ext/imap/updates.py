"""Searches whose results a client is kept informed of: CONTEXT=SEARCH and CONTEXT=SORT (RFC 5267 §4.3).  Pure."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Sequence, Set
from dataclasses import dataclass
from typing import TypeAlias

from mailsite_ext.errors import SearchTooLong
from mailsite_ext.imap.view import View, packed
from mailsite_ext.protocol import search_keys as keys
from mailsite_ext.protocol.imap_data import esearch_response, string
from mailsite_ext.protocol.sequence_sets import LARGEST, STAR, SequenceSet, compact, merged
from mailsite_ext.storage.values import Uids

UPDATES = 8  # of one session
FOUND = 100_000  # messages in the result of one
SORTED = 10_000  # the same where each that comes is sorted in


@dataclass(slots=True)
class Update:
    """One such search; `found` is its result as the client knows it, in the order in which it was told.

    `matching` says which of some ascending UIDs the search finds now.  `in_order` sorts ascending UIDs as a SORT asked
    for; it may leave out messages that are gone.  None: the folder's order.
    """

    tag: bytes
    is_uid: bool
    found: Uids
    matching: Callable[[Sequence[int]], Iterable[int]]
    in_order: Callable[[Sequence[int]], Sequence[int]] | None = None


def tell_leaving(view: View, gone: Set[int]) -> Iterator[bytes]:
    """Expunged messages leave while their numbers still mean them (RFC 5267 §4.3.4)."""
    for update in view.updates:
        yield from _tell(view, update, [uid for uid in update.found if uid in gone], [])


def tell_changed(view: View, changed: Iterable[int]) -> Iterator[bytes]:
    """Messages that are new or have other flags come and go; after EXISTS, so that they have numbers (§4.3.3)."""
    known = [uid for uid in changed if view.find_number(uid)] if view.updates else []
    for update in view.updates if known else ():
        try:
            matching = frozenset(update.matching(known))
        except SearchTooLong:
            view.updates = tuple(other for other in view.updates if other is not update)
            yield no_update(update.tag)
            continue
        found = frozenset(known).intersection(update.found)
        yield from _tell(view, update, sorted(found - matching), sorted(matching - found))


def no_update(tag: bytes) -> bytes:
    """RFC 5267 §4.3.1: this search's changes are not told, or no longer."""
    return b"* NO [NOUPDATE " + string(tag) + b"] this search is not kept up to date\r\n"


Run: TypeAlias = tuple[int, list[int]]
"""UIDs that stand together, and the place of the first, from 1; place 0: they stand in the folder's order."""


def _tell(view: View, update: Update, removed: Sequence[int], added: Sequence[int]) -> Iterator[bytes]:
    """What leaves and what comes, in the order in which the client is to follow (RFC 5267 §4.3.2)."""
    left = _leave(update, frozenset(removed)) if removed else []
    came = _come(update, frozenset(added)) if added else []
    data: dict[str, int | bytes] = {}
    for item, runs in (("REMOVEFROM", left), ("ADDTO", came)):
        if runs:
            data[item] = b"(" + b" ".join(_shown(view, run, is_uid=update.is_uid) for run in runs) + b")"
    if data:
        yield esearch_response(update.tag, data, is_uid=update.is_uid)


def _shown(view: View, run: Run, *, is_uid: bool) -> bytes:
    place, uids = run
    return b"%d %b" % (place, compact(uids if is_uid else view.numbers_of(uids)))


def _leave(update: Update, removed: Set[int]) -> list[Run]:
    """The last first, so that the others keep their places until it is their turn (RFC 5267 §4.3.4)."""
    runs: list[Run] = []
    for place, uid in enumerate(update.found, 1):
        if uid in removed:
            _add(runs, place, uid)
    update.found = packed(uid for uid in update.found if uid not in removed)
    return runs[::-1] if update.in_order else [(0, sorted(removed))]


def _come(update: Update, added: frozenset[int]) -> list[Run]:
    """Each at the place it has when those before it are there (RFC 5267 §4.3.3)."""
    everything = sorted(added.union(update.found))
    if update.in_order is None:
        update.found = packed(everything)
        return [(0, sorted(added))]
    runs: list[Run] = []
    result, before = packed(), iter(update.found)
    for uid in update.in_order(everything):
        if uid in added:
            result.append(uid)
            _add(runs, len(result), uid)
        else:  # with what is gone, and still stands before it
            result.extend(_up_to(before, uid))
    result.extend(before)
    update.found = result
    return runs


def _up_to(uids: Iterator[int], last: int) -> Iterator[int]:
    for uid in uids:
        yield uid
        if uid == last:
            return


def _add(runs: list[Run], place: int, uid: int) -> None:
    if runs and runs[-1][0] + len(runs[-1][1]) == place:
        runs[-1][1].append(uid)
    else:
        runs.append((place, [uid]))


def find_lasting(key: keys.Key, view: View) -> keys.Key | None:
    """`key` with the message numbers, `*` and `$` in it read as they are now; None where time alone changes it."""
    match key:
        case keys.Older() | keys.Younger():
            return None
        case keys.Numbers(numbers=numbers):
            return keys.Uids(named(view.saved if numbers.is_saved else _numbered(numbers, view)))
        case keys.Uids(uids=uids):
            return keys.Uids(named(view.saved) if uids.is_saved else _open_ended(uids, view))
        case keys.Not(key=negated):
            lasting = find_lasting(negated, view)
            return None if lasting is None else keys.Not(lasting)
        case keys.Or(first=first, second=second):
            pair = _all_lasting((first, second), view)
            return None if pair is None else keys.Or(*pair)
        case keys.And(keys=several):
            every = _all_lasting(several, view)
            return None if every is None else keys.And(every)
    return key


def _all_lasting(several: Iterable[keys.Key], view: View) -> tuple[keys.Key, ...] | None:
    lasting = [find_lasting(key, view) for key in several]
    return None if None in lasting else tuple(key for key in lasting if key is not None)


def _numbered(numbers: SequenceSet, view: View) -> list[int]:
    """A number above the last one means nothing, as in any search."""
    return [uid for low, high in numbers.spans(len(view.uids)) for uid in view.uids[low - 1 : high]]


def named(uids: Iterable[int]) -> SequenceSet:
    """These UIDs as a set."""
    return SequenceSet(tuple(merged((uid, uid) for uid in uids)))


def _open_ended(uids: SequenceSet, view: View) -> SequenceSet:
    """`7:*` goes on with what comes; `*` alone is the last message now."""
    last = view.uids[-1] if view.uids else LARGEST
    return SequenceSet(tuple(_ended(low, high, last) for low, high in uids.ranges))


def _ended(low: int, high: int, last: int) -> tuple[int, int]:
    if low == high == STAR:
        return last, last
    if STAR in (low, high):
        return min(low or high, last), LARGEST
    return low, high
