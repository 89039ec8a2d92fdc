"""SELECT, EXAMINE, CLOSE, UNSELECT (RFC 9051 §6.3.2, §6.4.1; QRESYNC: RFC 7162 §3.2.5)."""

from __future__ import annotations

from collections.abc import Iterator, Sequence

from mailsite_ext.imap.account import Account
from mailsite_ext.imap.news import SYSTEM_FLAGS, exists_lines, flags_line, flags_response
from mailsite_ext.imap.view import View
from mailsite_ext.protocol.imap_commands import Close, QResync, Select, Unselect
from mailsite_ext.protocol.imap_data import flag_list, list_response, status_line, untagged, vanished_response
from mailsite_ext.storage.values import DELETED, StoredFolder


def select(account: Account, command: Select) -> Iterator[bytes]:
    """Raises NoSuchFolder; then no folder is selected (RFC 9051 §6.3.2)."""
    was_selected, account.view = account.view is not None, None
    if command.condstore or command.qresync:
        account.enabled.add("CONDSTORE")
    folder = account.get_folder(command.folder)
    uids = account.storage.uids(folder.id)
    view = View(folder.id, command.is_read_only, uids, folder.uidnext, folder.highestmodseq, folder.keywords)
    if was_selected and account.enabled & {"QRESYNC", "IMAP4REV2"}:
        yield untagged(b"OK [CLOSED] the folder before is closed")
    yield from _tell_folder(account, folder, view)
    if command.qresync:
        yield from _resync(account, folder, view, command.qresync)
    account.view = view
    code, words = ("READ-ONLY", "to be read only") if command.is_read_only else ("READ-WRITE", "selected")
    yield status_line(command.tag, "OK", words, code)


def _tell_folder(account: Account, folder: StoredFolder, view: View) -> Iterator[bytes]:
    kept = () if view.is_read_only else (*SYSTEM_FLAGS, *folder.keywords, "\\*")
    yield flags_response(folder)
    yield untagged(b"OK [PERMANENTFLAGS " + flag_list(kept) + b"] flags that are kept")
    yield from exists_lines(account, view)
    if account.is_rev2:
        yield list_response(folder.name, (), utf8=account.is_utf8)
    else:
        yield from _tell_first_unseen(account, folder, view)
    for code in (
        f"UIDVALIDITY {folder.uidvalidity}",
        f"UIDNEXT {folder.uidnext}",
        f"HIGHESTMODSEQ {folder.highestmodseq}",
        f"MAILBOXID ({folder.object_id})",
    ):
        yield status_line(b"", "OK", "-", code)


def _tell_first_unseen(account: Account, folder: StoredFolder, view: View) -> Iterator[bytes]:
    first = account.storage.find_first_unseen(folder.id)
    if first is not None:
        yield status_line(b"", "OK", "the first unseen", f"UNSEEN {view.find_number(first)}")


def _resync(account: Account, folder: StoredFolder, view: View, known: QResync) -> Iterator[bytes]:
    """What changed since the client last looked; nothing where the UIDs mean other messages by now."""
    if known.uid_validity != folder.uidvalidity:
        return
    changes = account.storage.changes(folder.id, known.modseq)
    vanished: Sequence[int] = changes.vanished
    if known.known_uids is not None:
        spans = known.known_uids.spans(folder.uidnext)
        vanished = [uid for uid in vanished if any(low <= uid <= high for low, high in spans)]
    yield vanished_response(vanished, is_earlier=True)
    lines = [
        flags_line(account, number, uid, modseq, flags, with_uid=True)
        for uid, modseq, flags in changes.changed
        if (number := view.find_number(uid))
    ]
    yield b"".join(lines)


def close(account: Account, command: Close) -> Iterator[bytes]:
    """Removes what is marked as deleted, and says nothing of it (RFC 9051 §6.4.1)."""
    view = account.selected()
    if not view.is_read_only:
        account.storage.expunge(view.folder_id)
    account.view = None
    yield status_line(command.tag, "OK", "closed")


def unselect(account: Account, command: Unselect) -> Iterator[bytes]:
    account.selected()
    account.view = None
    yield status_line(command.tag, "OK", f"closed, nothing {DELETED[1:].lower()}")
