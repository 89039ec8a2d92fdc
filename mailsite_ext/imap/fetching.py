"""FETCH (RFC 9051 §6.4.5; CHANGEDSINCE and VANISHED: RFC 7162; PARTIAL: RFC 9394; PREVIEW: RFC 8970)."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from itertools import islice
from typing import Any

from mailsite_ext.imap.account import Account
from mailsite_ext.imap.news import tell_keywords, tell_news
from mailsite_ext.imap.reading import values
from mailsite_ext.imap.view import View, packed
from mailsite_ext.protocol.imap_commands import Attribute, Fetch, FetchItem, Preview, SectionItem
from mailsite_ext.protocol.imap_data import date_time, fetch_rows, status_line, string, vanished_response
from mailsite_ext.protocol.imap_limits import BadCommand
from mailsite_ext.protocol.message_structure import body_without_extensions
from mailsite_ext.storage.values import SEEN, Column, FlagMode, Uids

ROWS_AT_ONCE = 1_000


@dataclass(frozen=True, slots=True)
class Shown:
    """How a stored column goes over the wire."""

    column: Column
    label: bytes
    octets: Callable[[Any], bytes]


def _date(seconds: int | None) -> bytes:
    return b"NIL" if seconds is None else date_time(datetime.fromtimestamp(seconds, UTC))


def _bracketed(text: str | None) -> bytes:
    return b"NIL" if not text else b"(" + text.encode() + b")"


SHOWN: Mapping[Attribute, Shown] = {
    Attribute.UID: Shown(Column.UID, b"UID", lambda uid: b"%d" % uid),
    Attribute.FLAGS: Shown(Column.FLAGS, b"FLAGS", lambda flags: b"(" + flags.encode() + b")"),
    Attribute.INTERNALDATE: Shown(Column.INTERNAL_DATE, b"INTERNALDATE", _date),
    Attribute.RFC822_SIZE: Shown(Column.SIZE, b"RFC822.SIZE", lambda octets: b"%d" % octets),
    Attribute.ENVELOPE: Shown(Column.ENVELOPE, b"ENVELOPE", bytes),
    Attribute.BODYSTRUCTURE: Shown(Column.BODYSTRUCTURE, b"BODYSTRUCTURE", bytes),
    Attribute.BODY: Shown(Column.BODYSTRUCTURE, b"BODY", body_without_extensions),
    Attribute.MODSEQ: Shown(Column.MODSEQ, b"MODSEQ", lambda modseq: b"(%d)" % modseq),
    Attribute.EMAILID: Shown(Column.EMAIL_ID, b"EMAILID", _bracketed),
    Attribute.THREADID: Shown(Column.THREAD_ID, b"THREADID", _bracketed),
    Attribute.SAVEDATE: Shown(Column.SAVED_AT, b"SAVEDATE", _date),
}
PREVIEW = Shown(Column.PREVIEW, b"PREVIEW", lambda text: b"NIL" if text is None else string(text.encode()))


def fetch(account: Account, command: Fetch) -> Iterator[bytes]:
    view = account.selected()
    if command.changed_since is not None or Attribute.MODSEQ in command.items:
        account.enabled.add("CONDSTORE")  # RFC 7162 §3.1
    if command.vanished and not (command.is_uid and account.has_qresync and command.changed_since is not None):
        raise BadCommand("VANISHED is for UID FETCH with CHANGEDSINCE, after ENABLE QRESYNC")  # RFC 7162 §3.2.6
    uids = _partial(view.chosen(command.numbers, is_uid=command.is_uid), command.partial)
    own_modseq, marked = _mark_seen(account, view, uids, command.items)
    if command.changed_since is not None:
        yield from _vanished(account, view, command)
        uids = _changed(account, view, uids, command.changed_since)
    yield from _answers(account, view, uids, _items(account, command, marked=marked))
    yield from tell_news(account, expunges=command.is_uid, own_modseq=own_modseq)
    yield status_line(command.tag, "OK", "done")


def _partial(uids: Uids, partial: tuple[int, int] | None) -> Uids:
    """Those from one place to another, the first being 1, or counted from the end (RFC 9394 §3.1)."""
    if partial is None:
        return uids
    low, high = sorted(map(abs, partial))
    if partial[0] > 0:
        return uids[low - 1 : high]
    return uids[max(0, len(uids) - high) : len(uids) - low + 1]


def _mark_seen(account: Account, view: View, uids: Uids, items: Iterable[FetchItem]) -> tuple[int, bool]:
    r"""Reading a body sets \Seen, except by PEEK; the MODSEQ of that, and whether any flag changed."""
    reads = any(isinstance(item, SectionItem) and not item.is_peek for item in items)
    if not reads or view.is_read_only or not uids:
        return 0, False
    marked = account.storage.store_flags(view.folder_id, uids, FlagMode.ADD, frozenset({SEEN}))
    return marked.modseq, bool(marked.changed)


def _items(account: Account, command: Fetch, *, marked: bool) -> Sequence[FetchItem]:
    """What was asked for, with what has to go along: UID, the flags that changed by reading, MODSEQ beside them."""
    items = list(dict.fromkeys(command.items))
    if command.is_uid and Attribute.UID not in items:
        items.insert(0, Attribute.UID)
    if marked and Attribute.FLAGS not in items:
        items.append(Attribute.FLAGS)
    wants_modseq = command.changed_since is not None or (marked and account.has_condstore)
    if wants_modseq and Attribute.MODSEQ not in items:
        items.append(Attribute.MODSEQ)
    return items


def _vanished(account: Account, view: View, command: Fetch) -> Iterator[bytes]:
    if not command.vanished:
        return
    spans = command.numbers.spans(max(view.uidnext - 1, 1))
    gone = account.storage.changes(view.folder_id, command.changed_since or 0).vanished
    yield vanished_response([uid for uid in gone if any(low <= uid <= high for low, high in spans)], is_earlier=True)


def _changed(account: Account, view: View, uids: Uids, since: int) -> Uids:
    changed = account.storage.changes(view.folder_id, since).changed
    later = {uid for uid, _modseq, _flags in changed}
    return packed(uid for uid in uids if uid in later)


def _answers(account: Account, view: View, uids: Uids, items: Sequence[FetchItem]) -> Iterator[bytes]:
    """FETCH responses; those of columns alone are joined many at once, sections are read message by message."""
    if not uids:
        return
    yield from tell_keywords(view, account.storage.get_folder(view.folder_id))
    shown = [_shown(item) for item in items if not isinstance(item, SectionItem)]
    sections = [item for item in items if isinstance(item, SectionItem)]
    columns = [Column.UID, *(each.column for each in shown), *([Column.PARTS] if sections else [])]
    rows = account.storage.rows(view.folder_id, columns, None if len(uids) == len(view.uids) else uids)
    numbered = ((number, row) for row in rows if (number := view.find_number(row[0])))
    if sections:
        yield from _with_sections(account, view, numbered, shown, sections)
        return
    labels, octets = [each.label for each in shown], [each.octets for each in shown]
    while some := list(islice(numbered, ROWS_AT_ONCE)):
        lines = [
            (number, tuple([show(value) for show, value in zip(octets, row[1:], strict=True)])) for number, row in some
        ]
        yield fetch_rows(labels, lines)


def _shown(item: FetchItem) -> Shown:
    if isinstance(item, Preview):
        return PREVIEW
    assert isinstance(item, Attribute)
    return SHOWN[item]


def _with_sections(
    account: Account,
    view: View,
    numbered: Iterable[tuple[int, tuple[Any, ...]]],
    shown: Sequence[Shown],
    sections: Sequence[SectionItem],
) -> Iterator[bytes]:
    for number, row in numbered:
        head = [each.label + b" " + each.octets(value) for each, value in zip(shown, row[1:-1], strict=True)]
        yield b"* %d FETCH (" % number + b" ".join(head)
        is_first = not head
        with account.storage.open_message(view.folder_id, row[0]) as message:
            for value in values(message, row[-1], sections):
                yield b"" if is_first else b" "
                is_first = False
                yield from value
        yield b")\r\n"
