"""SEARCH over a selected folder (RFC 9051 §6.4.4, RFC 4731, RFC 5182, RFC 5267, RFC 9394)."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Sequence, Set
from contextlib import ExitStack
from functools import cache
from typing import TypeAlias

from app.extension_api import NoSuchMessage
from mailsite_ext.errors import SearchTooLong
from mailsite_ext.imap.account import Account
from mailsite_ext.imap.found_sets import Sets, find_hits
from mailsite_ext.imap.news import tell_news
from mailsite_ext.imap.updates import FOUND, SORTED, UPDATES, Update, find_lasting, named, no_update
from mailsite_ext.imap.view import View, packed
from mailsite_ext.protocol import search_keys as keys
from mailsite_ext.protocol.imap_commands import CancelUpdate, Search, SearchReturn, Sort
from mailsite_ext.protocol.imap_data import esearch_response, search_response, status_line
from mailsite_ext.protocol.imap_limits import BadCommand
from mailsite_ext.protocol.imap_search import Candidate, SearchContext, has_modseq, matcher
from mailsite_ext.protocol.message_text import MessageText
from mailsite_ext.protocol.part_table import unpack
from mailsite_ext.protocol.sections import by_section
from mailsite_ext.protocol.sequence_sets import compact
from mailsite_ext.storage.values import Column, Uids

Found = Sequence[tuple[int, int]]
"""UID and MODSEQ of what was found, by ascending UID; the MODSEQ is 0 where the key asks for none."""

LONGEST_LOOK_S = 60.0
"""At messages that no index knows; a thread of the listener is taken meanwhile."""
COLUMNS = (
    Column.UID,
    Column.FLAGS,
    Column.MODSEQ,
    Column.SIZE,
    Column.LOCAL_DATE,
    Column.SAVED_AT,
    Column.EMAIL_ID,
    Column.THREAD_ID,
    Column.PARTS,
)


def search(account: Account, command: Search) -> Iterator[bytes]:
    view = account.selected()
    returns = command.returns or (SearchReturn(all=True) if account.is_rev2 else None)  # RFC 9051 §7.3.4
    begin = following(view, command, returns)
    if has_modseq(command.key):
        yield account.learn_modseqs()
    found = find(account, view, command.key, returns)
    if begin:
        yield begin(account, packed(uid for uid, _modseq in found), None)
    if returns is None:
        numbers = _shown(view, found, is_uid=command.is_uid)
        yield search_response(numbers, highest_modseq(command.key, found))
    else:
        yield from _tell_extended(view, command, returns, found)
    yield from tell_news(account, expunges=command.is_uid)
    yield status_line(command.tag, "OK", "searched")


InOrder: TypeAlias = Callable[[Sequence[int]], Sequence[int]]
Begin: TypeAlias = Callable[[Account, Uids, InOrder | None], bytes]


def following(view: View, command: Search | Sort, returns: SearchReturn | None) -> Begin | None:
    """What begins to keep the client informed of a result, where it asked for that; to be asked for before the search,
    which may give `$` another meaning.  Raises BadCommand for a tag that is taken (RFC 5267 §4.3).
    """
    if returns is None or not returns.update:
        return None
    if any(update.tag == command.tag for update in view.updates):
        raise BadCommand("This tag stands for another search that is kept up to date")
    lasting = find_lasting(command.key, view)
    return lambda account, uids, in_order: _follow(account, view, command, lasting, uids, in_order)


def _follow(
    account: Account,
    view: View,
    command: Search | Sort,
    key: keys.Key | None,
    uids: Uids,
    in_order: InOrder | None,
) -> bytes:
    """Keep the client informed from now on, or say that it will not be (RFC 5267 §4.3.1)."""
    if key is None or len(view.updates) >= UPDATES or len(uids) > (SORTED if in_order else FOUND):
        return no_update(command.tag)

    def matching(uids: Sequence[int]) -> Iterator[int]:
        narrowed = keys.And((keys.Uids(named(uids)), key))
        return (uid for uid, _modseq in _matches(account, view, narrowed, packed()))

    view.updates = (*view.updates, Update(command.tag, command.is_uid, uids, matching, in_order))
    return b""


def cancel_update(account: Account, command: CancelUpdate) -> Iterator[bytes]:
    """RFC 5267 §4.3.5; a tag that stands for no such search is no fault: its updates have ended."""
    view = account.selected()
    view.updates = tuple(update for update in view.updates if update.tag not in command.tags)
    yield from tell_news(account)
    yield status_line(command.tag, "OK", "no more updates of these")


def find(account: Account, view: View, key: keys.Key, returns: SearchReturn | None = None) -> Found:
    """What matches; kept for `$` where that was asked for, and nothing kept when the search fails (RFC 5182 §2.1)."""
    saves = returns is not None and returns.save
    previous = view.saved
    if saves:
        view.saved = packed()
    found = _matches(account, view, key, previous)
    if saves and returns is not None:
        view.saved = _saved(returns, [uid for uid, _modseq in found])
    return found


def _saved(returns: SearchReturn, uids: Sequence[int]) -> Uids:
    """MIN and MAX alone save only what they name (RFC 5182 §2.4)."""
    if (returns.min or returns.max) and not (returns.all or returns.count):
        ends = {*(uids[:1] if returns.min else ()), *(uids[-1:] if returns.max else ())}
        return packed(sorted(ends))
    return packed(uids)


def _matches(account: Account, view: View, key: keys.Key, saved: Uids) -> Found:
    """The messages for which `key` holds, among those this client knows of and that are there."""
    context = _context(account, view, saved)
    there = _there(account, view)
    hits = find_hits(account.storage, view.folder_id, key)
    known = {uid for uid in there if hits.knows(uid)} if hits and hits.found else there if hits else frozenset()
    holding = set(Sets(account.storage, view, context, hits).holding(key, known)) if hits else set()
    if unknown := there - known:
        holding.update(_looked_at(account, view, key, context, unknown))
    return _with_modseq(account, view, sorted(holding)) if has_modseq(key) else [(uid, 0) for uid in sorted(holding)]


def _there(account: Account, view: View) -> Set[int]:
    """Without messages that others expunged and this client was not told of yet."""
    known = frozenset(view.uids)
    if account.storage.get_folder(view.folder_id).highestmodseq == view.modseq and not view.gone:
        return known
    return known.intersection(account.storage.uids(view.folder_id))


def _with_modseq(account: Account, view: View, uids: Sequence[int]) -> Found:
    rows: Iterable[tuple[int, int]] = account.storage.rows(view.folder_id, (Column.UID, Column.MODSEQ), uids)
    return list(rows)


def _looked_at(account: Account, view: View, key: keys.Key, context: SearchContext, uids: Set[int]) -> Iterator[int]:
    """What no index knows yet is read, message by message."""
    test = matcher(key, context)
    ends_s = account.clock.monotonic_s() + LONGEST_LOOK_S
    for row in account.storage.rows(view.folder_id, COLUMNS, uids):
        if account.clock.monotonic_s() > ends_s:
            raise SearchTooLong
        if _holds(account, view, view.find_number(row[0]), row, test=test):
            yield row[0]


def _context(account: Account, view: View, saved: Uids) -> SearchContext:
    largest_uid = view.uids[-1] if view.uids else 0
    return SearchContext(int(account.clock.now().timestamp()), len(view.uids), largest_uid, frozenset(saved))


def _holds(  # type: ignore[no-untyped-def]  # a row is as wide as its columns
    account: Account, view: View, number: int, row, *, test: Callable[[Candidate], bool]
) -> bool:
    """A message that vanishes while it is read matches nothing."""
    with ExitStack() as opened:

        @cache
        def opened_text() -> MessageText:
            message = opened.enter_context(account.storage.open_message(view.folder_id, row[0]))
            return MessageText(by_section(unpack(row[-1])), message.read)

        def text() -> MessageText:
            account.require_wanted()
            return opened_text()

        uid, flags, modseq, size, received, saved, email_id, thread_id, _parts = row
        words = frozenset(view.shown_flags(row[0], flags).lower().split())
        received_s, zone = map(int, received.split())
        try:
            return test(Candidate(number, uid, words, modseq, size, received_s, saved, email_id, thread_id, text, zone))
        except NoSuchMessage:
            return False


def _shown(view: View, found: Found, *, is_uid: bool) -> list[int]:
    uids = [uid for uid, _modseq in found]
    return uids if is_uid else view.numbers_of(uids)


def highest_modseq(key: keys.Key, found: Found) -> int | None:
    """RFC 7162 §3.1.5."""
    return max(modseq for _uid, modseq in found) if has_modseq(key) and found else None


def _tell_extended(view: View, command: Search, returns: SearchReturn, found: Found) -> Iterator[bytes]:
    numbers = _shown(view, found, is_uid=command.is_uid)
    yield extended(command, returns, numbers, _shown_modseq(command.key, returns, found))


def extended(command: Search | Sort, returns: SearchReturn, numbers: Sequence[int], modseq: int | None) -> bytes:
    """ESEARCH with what was asked for, of `numbers` in the order in which they are shown (RFC 4731, RFC 5267 §3)."""
    data: dict[str, int | bytes] = {}
    asked = (returns.min, returns.max, returns.count, returns.save, returns.update, returns.partial)
    asks_nothing = not any(asked)
    if numbers and returns.min:
        data["MIN"] = numbers[0]
    if numbers and returns.max:
        data["MAX"] = numbers[-1]
    if numbers and (returns.all or asks_nothing):
        data["ALL"] = compact(numbers)
    if returns.count:
        data["COUNT"] = len(numbers)
    if returns.partial:
        data["PARTIAL"] = _partial(numbers, returns.partial)
    if data and modseq is not None:
        data["MODSEQ"] = modseq
    if data or asks_nothing or not returns.save:
        return esearch_response(command.tag, data, is_uid=command.is_uid)
    return b""


def _shown_modseq(key: keys.Key, returns: SearchReturn, found: Found) -> int | None:
    """That of the messages named, where only MIN or MAX are asked for, else of all found (RFC 7162 §3.1.10)."""
    if (returns.min or returns.max) and not (returns.all or returns.count or returns.partial):
        found = [*(found[:1] if returns.min else ()), *(found[-1:] if returns.max else ())]
    return highest_modseq(key, found)


def _partial(numbers: Sequence[int], partial: tuple[int, int]) -> bytes:
    """`(1:500 2,4:7)`, NIL for a page behind the end (RFC 9394 §3.1)."""
    low, high = sorted(map(abs, partial))
    page = numbers[low - 1 : high] if partial[0] > 0 else numbers[max(0, len(numbers) - high) : len(numbers) - low + 1]
    return b"(%d:%d " % partial + (compact(page) or b"NIL") + b")"
