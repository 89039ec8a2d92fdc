"""STORE, COPY, MOVE, EXPUNGE (RFC 9051 §6.4.3, §6.4.6-8; RFC 4315, RFC 6851, RFC 7162 §3.1.3)."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from itertools import repeat

from mailsite_ext.errors import TooManyMessages
from mailsite_ext.imap.account import Account
from mailsite_ext.imap.news import flag_lines, tell_keywords, tell_news
from mailsite_ext.imap.view import View
from mailsite_ext.protocol.imap_commands import Change, Copy, Expunge, Move, Store
from mailsite_ext.protocol.imap_data import fetch_rows, status_line
from mailsite_ext.protocol.sequence_sets import compact
from mailsite_ext.storage.values import Column, Copied, FlagMode, FlagResult

MODES = {Change.ADD: FlagMode.ADD, Change.REMOVE: FlagMode.REMOVE, Change.REPLACE: FlagMode.REPLACE}


def store(account: Account, command: Store) -> Iterator[bytes]:
    view = account.writable()
    if command.unchanged_since is not None:
        yield account.learn_modseqs()
    uids = view.chosen(command.numbers, is_uid=command.is_uid)
    result = account.storage.store_flags(
        view.folder_id,
        uids,
        MODES[command.change],
        frozenset(command.flags),
        unchanged_since=command.unchanged_since,
    )
    if result.changed:
        yield from tell_keywords(view, account.storage.get_folder(view.folder_id))
    is_alone = result.step == view.modseq + 1  # else others changed flags that .SILENT would keep from the client
    yield _stored(account, view, command, result)
    own_modseq = result.step if is_alone or not command.is_silent else 0
    yield from tell_news(account, expunges=command.is_uid, own_modseq=own_modseq)
    modified = result.modified if command.is_uid else view.numbers_of(result.modified)
    code = f"MODIFIED {compact(modified).decode()}" if modified else "EXPUNGEISSUED" if view.gone else ""
    yield status_line(command.tag, "OK", "some were changed by others" if modified else "stored", code)


def _stored(account: Account, view: View, command: Store, result: FlagResult) -> bytes:
    """The new flags; with .SILENT only the MODSEQs of what changed, once the client knows of such (RFC 7162 §3.1.3)."""
    if not command.is_silent:
        modseqs = _modseqs(account, view, result)
        told = [(uid, modseqs.get(uid, result.modseq), flags) for uid, flags in result.flags.items()]
        return flag_lines(account, view, told, with_uid=command.is_uid)
    if not account.has_condstore:
        return b""
    forms, columns = [b"UID %d", b"MODSEQ (%d)"], [result.changed, repeat(result.modseq)]
    return fetch_rows(forms, view.numbers(result.changed), columns)


def _modseqs(account: Account, view: View, result: FlagResult) -> dict[int, int]:
    """Of the messages whose flags stayed as they were."""
    if not account.has_condstore or len(result.changed) == len(result.flags):
        return {}
    unchanged = result.flags.keys() - set(result.changed)
    return dict(account.storage.rows(view.folder_id, (Column.UID, Column.MODSEQ), sorted(unchanged)))


MOST_AT_ONCE = 100_000
"""COPY and MOVE are one step each, in which nothing else is written."""


def _chosen(view: View, command: Copy | Move) -> Sequence[int]:
    """Raises TooManyMessages."""
    uids = view.chosen(command.numbers, is_uid=command.is_uid)
    if len(uids) > MOST_AT_ONCE:
        raise TooManyMessages
    return uids


def copy(account: Account, command: Copy) -> Iterator[bytes]:
    view = account.selected()
    uids = _chosen(view, command)
    target = account.get_folder(command.folder, code="TRYCREATE")
    copied = account.storage.copy(view.folder_id, uids, target.id)
    yield from tell_news(account)
    yield status_line(command.tag, "OK", "copied", _copyuid(copied))


def _copyuid(copied: Copied) -> str:
    """COPYUID (RFC 4315 §3); nothing copied, nothing said."""
    if not copied.source:
        return ""
    return f"COPYUID {copied.uidvalidity} {compact(copied.source).decode()} {compact(copied.target).decode()}"


def move(account: Account, command: Move) -> Iterator[bytes]:
    """COPYUID comes untagged, before the messages go (RFC 6851 §4.3)."""
    view = account.writable()
    uids = _chosen(view, command)
    target = account.get_folder(command.folder, code="TRYCREATE")
    moved = account.storage.move(view.folder_id, uids, target.id)
    if moved.source:
        yield status_line(b"", "OK", "moved", _copyuid(moved))
    yield from tell_news(account)
    yield status_line(command.tag, "OK", "moved", _highest(account, moved.modseq))


def expunge(account: Account, command: Expunge) -> Iterator[bytes]:
    view = account.writable()
    uids = None if command.uids is None else view.chosen(command.uids, is_uid=True)
    gone = account.storage.expunge(view.folder_id, uids)
    yield from tell_news(account)
    yield status_line(command.tag, "OK", "removed", _highest(account, gone.modseq if gone.uids else 0))


def _highest(account: Account, modseq: int) -> str:
    """What a client that resynchronises has to remember (RFC 7162 §3.2.7)."""
    return f"HIGHESTMODSEQ {modseq}" if account.has_qresync and modseq else ""
