"""FETCH (RFC 9051 §6.4.5; CHANGEDSINCE and VANISHED: RFC 7162; PARTIAL: RFC 9394; PREVIEW: RFC 8970)."""

from __future__ import annotations

from collections.abc import Callable, Generator, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta, timezone
from itertools import islice
from typing import Any

from app.extension_api import ConnectionLost, MailError, NoSuchMessage
from mailsite_ext.errors import StorageDamaged
from mailsite_ext.imap.account import Account
from mailsite_ext.imap.news import tell_keywords, tell_news
from mailsite_ext.imap.reading import values
from mailsite_ext.imap.selecting import missing, within
from mailsite_ext.imap.view import View, packed
from mailsite_ext.protocol.imap_commands import Attribute, Fetch, FetchItem, Preview, SectionItem
from mailsite_ext.protocol.imap_data import date_time, fetch_rows, status_line, string, vanished_response
from mailsite_ext.protocol.imap_limits import BadCommand
from mailsite_ext.protocol.message_structure import body_without_extensions
from mailsite_ext.storage.values import SEEN, Column, FlagMode, Uids

ROWS_AT_ONCE = 1_000
Row = tuple[Any, ...]


@dataclass(frozen=True, slots=True)
class Shown:
    """How a stored column goes over the wire: `octets`, if any, makes what stands in the place of `form`."""

    column: Column
    form: bytes
    octets: Callable[[Any], bytes] | None = None

    def of(self, column: Iterable[Any]) -> Iterable[int | bytes]:
        return column if self.octets is None else map(self.octets, column)


def _date(seconds: int | None) -> bytes:
    return b"NIL" if seconds is None else date_time(datetime.fromtimestamp(seconds, UTC))


def _local_date(text: str) -> bytes:
    """In the zone it was given in: so the day is the one SEARCH goes by (RFC 9051 §6.4.4)."""
    seconds, zone = map(int, text.split())
    return date_time(datetime.fromtimestamp(seconds, timezone(timedelta(minutes=zone))))


def _bracketed(text: str | None) -> bytes:
    return b"NIL" if not text else b"(" + text.encode() + b")"


SHOWN: Mapping[Attribute, Shown] = {
    Attribute.UID: Shown(Column.UID, b"UID %d"),
    Attribute.FLAGS: Shown(Column.FLAGS, b"FLAGS (%b)", str.encode),
    Attribute.INTERNALDATE: Shown(Column.LOCAL_DATE, b"INTERNALDATE %b", _local_date),
    Attribute.RFC822_SIZE: Shown(Column.SIZE, b"RFC822.SIZE %d"),
    Attribute.ENVELOPE: Shown(Column.ENVELOPE, b"ENVELOPE %b"),
    Attribute.BODYSTRUCTURE: Shown(Column.BODYSTRUCTURE, b"BODYSTRUCTURE %b"),
    Attribute.BODY: Shown(Column.BODYSTRUCTURE, b"BODY %b", body_without_extensions),
    Attribute.MODSEQ: Shown(Column.MODSEQ, b"MODSEQ (%d)"),
    Attribute.EMAILID: Shown(Column.EMAIL_ID, b"EMAILID %b", _bracketed),
    Attribute.THREADID: Shown(Column.THREAD_ID, b"THREADID %b", _bracketed),
    Attribute.SAVEDATE: Shown(Column.SAVED_AT, b"SAVEDATE %b", _date),
}
PREVIEW = Shown(Column.PREVIEW, b"PREVIEW %b", lambda text: b"NIL" if text is None else string(text.encode()))


def fetch(account: Account, command: Fetch) -> Iterator[bytes]:
    view = account.selected()
    if command.changed_since is not None or Attribute.MODSEQ in command.items:
        yield account.learn_modseqs()
    if command.vanished and not (command.is_uid and account.has_qresync and command.changed_since is not None):
        raise BadCommand("VANISHED is for UID FETCH with CHANGEDSINCE, after ENABLE QRESYNC")  # RFC 7162 §3.2.6
    uids = _partial(view.chosen(command.numbers, is_uid=command.is_uid), command.partial)
    own_modseq, marked = _mark_seen(account, view, uids, command.items)
    if command.changed_since is not None:
        yield from _vanished(account, view, command)
        uids = _changed(account, view, uids, command.changed_since)
    fault = yield from answers(account, view, uids, _items(account, command, marked=marked))
    yield from tell_news(account, expunges=command.is_uid, own_modseq=own_modseq)
    if fault is not None:
        raise fault
    yield status_line(command.tag, "OK", "done", "EXPUNGEISSUED" if view.gone else "")


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
    return marked.step, bool(marked.changed)


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
    yield vanished_response(within(missing(view, gone), spans), is_earlier=True)


def _changed(account: Account, view: View, uids: Uids, since: int) -> Uids:
    changed = account.storage.changes(view.folder_id, since).changed
    later = {uid for uid, _modseq, _flags in changed}
    return packed(uid for uid in uids if uid in later)


def answers(
    account: Account, view: View, uids: Uids, items: Sequence[FetchItem]
) -> Generator[bytes, None, MailError | None]:
    """FETCH responses; what they could not tell of, if anything."""
    if not uids:
        return None
    yield from tell_keywords(view, account.storage.get_folder(view.folder_id))
    shown = [_shown(item) for item in items if not isinstance(item, SectionItem)]
    sections = [item for item in items if isinstance(item, SectionItem)]
    columns = [Column.UID, *(each.column for each in shown), *([Column.SIZE, Column.PARTS] if sections else [])]
    rows: Iterator[Row]
    if columns == [Column.UID, Column.UID]:  # the session knows: also of a message that is gone meanwhile
        rows = zip(uids, uids, strict=True)
    else:
        rows = account.storage.rows(view.folder_id, columns, None if len(uids) == len(view.uids) else uids)
    if view.recent and Attribute.FLAGS in items:
        rows = _with_recent(view, rows, columns.index(Column.FLAGS))
    if sections:
        return (yield from _with_sections(account, view, rows, shown, sections))
    while piece := list(islice(rows, ROWS_AT_ONCE)):
        yield _table(view, piece, shown)
    return None


def _with_recent(view: View, rows: Iterable[Row], place: int) -> Iterator[Row]:
    r"""Rows whose flags, at `place`, hold `\Recent` where it is so to this session."""
    for row in rows:
        yield (*row[:place], view.shown_flags(row[0], row[place]), *row[place + 1 :]) if view.is_recent(row[0]) else row


def _table(view: View, rows: Sequence[Row], shown: Sequence[Shown]) -> bytes:
    """Responses of columns alone, joined many at once: no line of Python runs for each."""
    uids, *columns = zip(*rows, strict=True)
    told = [each.of(column) for each, column in zip(shown, columns, strict=True)]
    return fetch_rows([each.form for each in shown], view.numbers(uids), told)


def _shown(item: FetchItem) -> Shown:
    if isinstance(item, Preview):
        return PREVIEW
    assert isinstance(item, Attribute)
    return SHOWN[item]


def _with_sections(
    account: Account, view: View, rows: Iterable[Row], shown: Sequence[Shown], sections: Sequence[SectionItem]
) -> Generator[bytes, None, MailError | None]:
    """Read message by message: what cannot be read is left out and told at the end, what is gone is news."""
    fault: MailError | None = None
    for uid, *columns, size, table in rows:
        if not view.find_number(uid):
            continue
        head = _head(view.find_number(uid), columns, shown)
        try:
            with account.storage.open_message(view.folder_id, uid) as message:
                if message.size_octets != size:
                    raise StorageDamaged(f"message {uid} is not as long as it was")
                found = list(values(message, table, sections))
                yield from _response(head, found)
        except NoSuchMessage:
            continue
        except StorageDamaged as error:
            fault = error
    return fault


def _head(number: int, columns: Iterable[Any], shown: Sequence[Shown]) -> bytes:
    told = [each.form % next(iter(each.of([value]))) for each, value in zip(shown, columns, strict=True)]
    return b"* %d FETCH (" % number + b"".join(each + b" " for each in told)


def _response(head: bytes, found: Iterable[Iterator[bytes]]) -> Iterator[bytes]:
    """Raises ConnectionLost where a message ends in the middle of a literal: nothing can be said after that."""
    try:
        for value in found:
            yield head
            yield from value
            head = b" "
    except MailError as error:
        raise ConnectionLost from error
    yield b")\r\n"
