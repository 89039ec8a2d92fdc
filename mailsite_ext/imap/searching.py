"""SEARCH, SORT and THREAD over a selected folder (RFC 9051 §6.4.4, RFC 4731, RFC 5182, RFC 5256, RFC 9394)."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from contextlib import ExitStack
from functools import cache

from app.extension_api import NoSuchMessage
from mailsite_ext.imap.account import Account
from mailsite_ext.imap.news import tell_news
from mailsite_ext.imap.view import View, packed
from mailsite_ext.protocol import search_keys as keys
from mailsite_ext.protocol.imap_commands import Search, SearchReturn, Sort, Thread
from mailsite_ext.protocol.imap_data import esearch_response, search_response, sort_response, status_line
from mailsite_ext.protocol.imap_limits import BadCommand
from mailsite_ext.protocol.imap_search import (
    Candidate,
    SearchContext,
    has_modseq,
    matcher,
    needs,
    required_texts,
)
from mailsite_ext.protocol.imap_search import Needs as Reads
from mailsite_ext.protocol.imap_sort import Sortable, read_envelope, sent_s, sort_messages, subject_of
from mailsite_ext.protocol.imap_thread import (
    Node,
    Threadable,
    references_of,
    thread_by_references,
    thread_by_subject,
    thread_response,
)
from mailsite_ext.protocol.message_text import MessageText
from mailsite_ext.protocol.part_table import unpack
from mailsite_ext.protocol.sections import by_section, header_fields
from mailsite_ext.protocol.sequence_sets import compact
from mailsite_ext.storage.values import Column, Uids

Found = Sequence[tuple[int, int]]
"""UID and MODSEQ of what was found, by ascending UID."""

FLAG_COLUMNS = (Column.UID, Column.FLAGS, Column.MODSEQ)
COLUMNS = (*FLAG_COLUMNS, Column.SIZE, Column.INTERNAL_DATE, Column.SAVED_AT, Column.EMAIL_ID, Column.THREAD_ID)
IN_FLAGS = (keys.All, keys.HasFlag, keys.Numbers, keys.Uids, keys.ModSeq, keys.SaveDateSupported)
NOTHING = ((0, 0, 0, "", ""), b"")
INDEXED = frozenset({"subject", "from", "to", "cc"})


def search(account: Account, command: Search) -> Iterator[bytes]:
    view = account.selected()
    returns = command.returns or (SearchReturn(all=True) if account.is_rev2 else None)  # RFC 9051 §7.3.4
    found = _find(account, view, command.key, returns)
    if returns is None:
        numbers = _shown(view, found, is_uid=command.is_uid)
        yield search_response(numbers, _highest(command.key, found))
    else:
        yield from _tell_extended(view, command, returns, found)
    yield from tell_news(account, expunges=command.is_uid)
    yield status_line(command.tag, "OK", "searched")


def _find(account: Account, view: View, key: keys.Key, returns: SearchReturn | None = None) -> Found:
    """What matches; kept for `$` where that was asked for, and nothing kept when the search fails (RFC 5182 §2.1)."""
    if has_modseq(key):
        account.enabled.add("CONDSTORE")
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
    """The messages for which `key` holds, among those this client knows of."""
    test = matcher(key, _context(account, view, saved))
    reads = needs(key) > Reads.METADATA
    columns = [*(FLAG_COLUMNS if _is_in_flags(key) else COLUMNS), *([Column.PARTS] if reads else [])]
    found = []
    for row in account.storage.rows(view.folder_id, columns, _narrowed(account, view, key)):
        number = view.find_number(row[0])
        if number and _holds(account, view, number, row, test=test):
            found.append((row[0], row[2]))
    return found


def _context(account: Account, view: View, saved: Uids) -> SearchContext:
    largest_uid = view.uids[-1] if view.uids else 0
    return SearchContext(int(account.clock.now().timestamp()), len(view.uids), largest_uid, frozenset(saved))


def _is_in_flags(key: keys.Key) -> bool:
    """Do UID, flags and MODSEQ decide it?  They are in a table of their own."""
    match key:
        case keys.And(keys=several):
            return all(map(_is_in_flags, several))
        case keys.Or(first=first, second=second):
            return _is_in_flags(first) and _is_in_flags(second)
        case keys.Not(key=negated):
            return _is_in_flags(negated)
    return isinstance(key, IN_FLAGS)


def _narrowed(account: Account, view: View, key: keys.Key) -> Iterable[int] | None:
    """The messages worth looking at, as far as the storage's indexes know; None: all."""
    narrowed: set[int] | None = None
    for text in required_texts(key):
        hits = account.storage.search_text(view.folder_id, _field_of(text), text.text)
        if hits is not None:
            narrowed = set(hits) if narrowed is None else narrowed & set(hits)
    return None if narrowed is None else sorted(narrowed)


def _field_of(text: keys.Header | keys.Body | keys.Text) -> str:
    match text:
        case keys.Header(name=name):
            return name if name in INDEXED else "text"
        case keys.Body():
            return "body"
    return "text"


def _holds(  # type: ignore[no-untyped-def]  # a row is as wide as its columns
    account: Account, view: View, number: int, row, *, test: Callable[[Candidate], bool]
) -> bool:
    """A message that vanishes while it is read matches nothing."""
    with ExitStack() as opened:

        @cache
        def text() -> MessageText:
            message = opened.enter_context(account.storage.open_message(view.folder_id, row[0]))
            return MessageText(by_section(unpack(row[-1])), message.read)

        size, received, saved, email_id, thread_id = row[3:8] if len(row) >= len(COLUMNS) else NOTHING[0]
        flags = frozenset(row[1].lower().split())
        try:
            return test(
                Candidate(number, row[0], flags, row[2], size, received, saved, email_id, thread_id or "", text)
            )
        except NoSuchMessage:
            return False


def _shown(view: View, found: Found, *, is_uid: bool) -> list[int]:
    uids = [uid for uid, _modseq in found]
    return uids if is_uid else view.numbers_of(uids)


def _highest(key: keys.Key, found: Found) -> int | None:
    """RFC 7162 §3.1.5."""
    return max(modseq for _uid, modseq in found) if has_modseq(key) and found else None


def _tell_extended(view: View, command: Search, returns: SearchReturn, found: Found) -> Iterator[bytes]:
    numbers = _shown(view, found, is_uid=command.is_uid)
    data: dict[str, int | bytes] = {}
    asks_nothing = not (returns.min or returns.max or returns.count or returns.save or returns.partial)
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
    highest = _highest(command.key, found)
    if data and highest is not None:
        data["MODSEQ"] = highest
    if data or asks_nothing or not returns.save:
        yield esearch_response(command.tag, data, is_uid=command.is_uid)


def _partial(numbers: Sequence[int], partial: tuple[int, int]) -> bytes:
    """`(1:500 2,4:7)`, NIL for a page behind the end (RFC 9394 §3.1)."""
    low, high = sorted(map(abs, partial))
    page = numbers[low - 1 : high] if partial[0] > 0 else numbers[max(0, len(numbers) - high) : len(numbers) - low + 1]
    return b"(%d:%d " % partial + (compact(page) or b"NIL") + b")"


def sort(account: Account, command: Sort) -> Iterator[bytes]:
    if command.returns is not None:
        raise BadCommand("SORT has no RETURN here")
    view = account.selected()
    found = _find(account, view, command.key)
    columns = (Column.UID, Column.INTERNAL_DATE, Column.SIZE, Column.ENVELOPE)
    rows = account.storage.rows(view.folder_id, columns, [uid for uid, _modseq in found]) if found else ()
    messages = [Sortable(number, *row) for row in rows if (number := view.find_number(row[0]))]
    ordered = sort_messages(command.criteria, messages)
    numbers = [each.uid if command.is_uid else each.number for each in ordered]
    yield sort_response(numbers, _highest(command.key, found))
    yield from tell_news(account, expunges=command.is_uid)
    yield status_line(command.tag, "OK", "sorted")


THREADED_BY: Mapping[str, Callable[[Iterable[Threadable]], list[Node]]] = {
    "REFERENCES": thread_by_references,
    "ORDEREDSUBJECT": thread_by_subject,
}


def thread(account: Account, command: Thread) -> Iterator[bytes]:
    view = account.selected()
    found = _find(account, view, command.key)
    messages = list(_threadable(account, view, [uid for uid, _modseq in found], is_uid=command.is_uid))
    yield thread_response(THREADED_BY[command.algorithm](messages))
    yield from tell_news(account, expunges=command.is_uid)
    yield status_line(command.tag, "OK", "threaded")


REFERENCES = b"References"
HEADER_OCTETS = 65_536  # of a message: its references stand there


def _threadable(account: Account, view: View, uids: Sequence[int], *, is_uid: bool) -> Iterator[Threadable]:
    if not uids:
        return
    columns = (Column.UID, Column.INTERNAL_DATE, Column.ENVELOPE)
    for uid, received_s, stored in account.storage.rows(view.folder_id, columns, uids):
        envelope = read_envelope(stored)
        in_reply_to, message_id = (value if isinstance(value, bytes) else b"" for value in envelope[8:10])
        yield Threadable(
            uid if is_uid else view.find_number(uid),
            sent_s(envelope, received_s),
            subject_of(envelope),
            message_id,
            references_of(_references(account, view, uid), in_reply_to),
        )


def _references(account: Account, view: View, uid: int) -> bytes:
    """The field is in no stored column; a message that vanished refers to nothing."""
    try:
        with account.storage.open_message(view.folder_id, uid) as message:
            return header_fields(message.read(0, HEADER_OCTETS).partition(b"\r\n\r\n")[0], [REFERENCES])
    except NoSuchMessage:
        return b""
