"""STORE, COPY, MOVE, EXPUNGE (RFC 9051 §6.4.3, §6.4.6-8; RFC 4315, RFC 6851, RFC 7162 §3.1.3)."""

from __future__ import annotations

from collections.abc import Iterator

from mailsite_ext.imap.account import Account
from mailsite_ext.imap.news import flags_line, tell_keywords, tell_news
from mailsite_ext.imap.view import View
from mailsite_ext.protocol.imap_commands import Change, Copy, Expunge, Move, Store
from mailsite_ext.protocol.imap_data import status_line
from mailsite_ext.protocol.sequence_sets import compact
from mailsite_ext.storage.values import Copied, FlagMode, FlagResult

MODES = {Change.ADD: FlagMode.ADD, Change.REMOVE: FlagMode.REMOVE, Change.REPLACE: FlagMode.REPLACE}


def store(account: Account, command: Store) -> Iterator[bytes]:
    view = account.writable()
    if command.unchanged_since is not None:
        account.enabled.add("CONDSTORE")
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
    yield from _tell_stored(account, view, command, result)
    yield from tell_news(account, expunges=command.is_uid, own_modseq=result.modseq)
    modified = result.modified if command.is_uid else view.numbers_of(result.modified)
    code = f"MODIFIED {compact(modified).decode()}" if modified else ""
    yield status_line(command.tag, "OK", "some were changed by others" if modified else "stored", code)


def _tell_stored(account: Account, view: View, command: Store, result: FlagResult) -> Iterator[bytes]:
    """The new flags; with .SILENT only the MODSEQs of what changed, once the client knows of such (RFC 7162 §3.1.3)."""
    changed = set(result.changed)
    if command.is_silent:
        if account.has_condstore:
            yield b"".join(_modseq_line(view, uid, result.modseq) for uid in result.changed)
        return
    known = () if not account.has_condstore else account.storage.changes(view.folder_id, 0, result.flags).changed
    modseqs = {uid: modseq for uid, modseq, _flags in known}
    yield b"".join(
        flags_line(
            account,
            view.find_number(uid),
            uid,
            result.modseq if uid in changed else modseqs.get(uid, 0),
            flags,
            with_uid=command.is_uid,
        )
        for uid, flags in result.flags.items()
    )


def _modseq_line(view: View, uid: int, modseq: int) -> bytes:
    return b"* %d FETCH (UID %d MODSEQ (%d))\r\n" % (view.find_number(uid), uid, modseq)


def copy(account: Account, command: Copy) -> Iterator[bytes]:
    view = account.selected()
    uids = view.chosen(command.numbers, is_uid=command.is_uid)
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
    uids = view.chosen(command.numbers, is_uid=command.is_uid)
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
