"""SORT and THREAD over a selected folder (RFC 5256, RFC 5957)."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from operator import itemgetter
from typing import Any, TypeAlias

from app.extension_api import NoSuchMessage
from mailsite_ext.imap.account import Account
from mailsite_ext.imap.news import tell_news
from mailsite_ext.imap.searching import extended, find, following, highest_modseq
from mailsite_ext.imap.view import View, packed
from mailsite_ext.protocol.imap_commands import Criterion, Sort, Thread
from mailsite_ext.protocol.imap_data import sort_response, status_line
from mailsite_ext.protocol.imap_search import has_modseq
from mailsite_ext.protocol.imap_sort import (
    PLACES,
    SortKeys,
    read_envelope,
    sort_keys,
    sorted_uids,
)
from mailsite_ext.protocol.imap_thread import (
    HEADER_OCTETS,
    REFERENCES,
    Links,
    Node,
    Threadable,
    links_of,
    thread_by_references,
    thread_by_subject,
    thread_response,
)
from mailsite_ext.protocol.sections import header_fields
from mailsite_ext.storage.values import Column, Heading

Keyed: TypeAlias = tuple[Any, ...]


def sort(account: Account, command: Sort) -> Iterator[bytes]:
    view = account.selected()
    begin = following(view, command, command.returns)
    if has_modseq(command.key):
        yield account.learn_modseqs()

    def in_order(uids: Sequence[int]) -> Sequence[int]:
        return sorted_uids(command.criteria, _sortable(account, view, command.criteria, uids))

    found = find(account, view, command.key, command.returns)
    uids = in_order([uid for uid, _modseq in found])
    if begin:
        yield begin(account, packed(uids), in_order)
    numbers = uids if command.is_uid else view.numbers_of(uids)
    modseq = highest_modseq(command.key, found)
    if command.returns is None:
        yield sort_response(numbers, modseq)
    else:
        yield extended(command, command.returns, numbers, modseq)
    yield from tell_news(account, expunges=command.is_uid)
    yield status_line(command.tag, "OK", "sorted")


HEADINGS = tuple(Heading(name) for name in SortKeys._fields)


def _sortable(account: Account, view: View, criteria: Sequence[Criterion], uids: Sequence[int]) -> list[Keyed]:
    """UID and a key for each criterion, ascending: out of the index, or of the message's row where it has none."""
    places = [PLACES[criterion.key] for criterion in criteria]
    rows = account.storage.headings(view.folder_id, [HEADINGS[place] for place in places])
    wanted = frozenset(uids)
    keyed: list[Keyed] = [row for row in rows if row[0] in wanted]
    if len(keyed) < len(uids):
        keyed += _read_keys(account, view, places, wanted.difference(row[0] for row in keyed))
        keyed.sort(key=itemgetter(0))
    return keyed


def _read_keys(account: Account, view: View, places: Sequence[int], uids: Iterable[int]) -> Iterator[Keyed]:
    columns = (Column.UID, Column.ENVELOPE, Column.INTERNAL_DATE, Column.SIZE)
    for uid, *stored in account.storage.rows(view.folder_id, columns, uids):
        every = sort_keys(*stored)
        yield uid, *[every[place] for place in places]


THREADED_BY: Mapping[str, Callable[[Iterable[Threadable]], list[Node]]] = {
    "REFERENCES": thread_by_references,
    "ORDEREDSUBJECT": thread_by_subject,
}


def thread(account: Account, command: Thread) -> Iterator[bytes]:
    view = account.selected()
    if has_modseq(command.key):
        yield account.learn_modseqs()
    found = find(account, view, command.key)
    messages = _threadable(account, view, [uid for uid, _modseq in found], is_uid=command.is_uid)
    yield thread_response(THREADED_BY[command.algorithm](messages))
    yield from tell_news(account, expunges=command.is_uid)
    yield status_line(command.tag, "OK", "threaded")


THREAD_HEADINGS = (Heading.SENT, Heading.SUBJECT, Heading.LINKS)


def _threadable(account: Account, view: View, uids: Sequence[int], *, is_uid: bool) -> list[Threadable]:
    """By ascending UID: out of the index, or of the message where it has it not."""
    wanted = frozenset(uids)
    known = [row for row in account.storage.headings(view.folder_id, THREAD_HEADINGS) if row[0] in wanted]
    keyed: list[Keyed] = [(uid, sent, subject, Links.unpack(links)) for uid, sent, subject, links in known]
    if len(keyed) < len(uids):
        keyed += _read_threadable(account, view, wanted.difference(row[0] for row in keyed))
        keyed.sort(key=itemgetter(0))
    there = [row[0] for row in keyed]
    return [
        Threadable(shown, *row[1:]) for shown, row in zip(there if is_uid else view.numbers(there), keyed, strict=True)
    ]


def _read_threadable(account: Account, view: View, uids: Iterable[int]) -> Iterator[Keyed]:
    columns = (Column.UID, Column.ENVELOPE, Column.INTERNAL_DATE, Column.SIZE)
    for uid, envelope, received_s, octets in account.storage.rows(view.folder_id, columns, uids):
        keys = sort_keys(envelope, received_s, octets)
        links = links_of(read_envelope(envelope), _read_references(account, view, uid))
        yield uid, keys.sent_s, keys.base_subject, links


def _read_references(account: Account, view: View, uid: int) -> bytes:
    """The field is in no stored column; a message that vanished refers to nothing."""
    try:
        with account.storage.open_message(view.folder_id, uid) as message:
            return header_fields(message.read(0, HEADER_OCTETS).partition(b"\r\n\r\n")[0], [REFERENCES])
    except NoSuchMessage:
        return b""
