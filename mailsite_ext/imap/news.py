"""Telling a client what others did to its selected folder (RFC 9051 §7.4.1, §7.5.1; RFC 7162 §3.2.10)."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from typing import Any

from app.extension_api import NoSuchFolder
from mailsite_ext.errors import StorageFull
from mailsite_ext.imap.account import Account
from mailsite_ext.imap.updates import tell_changed, tell_leaving
from mailsite_ext.imap.view import View
from mailsite_ext.protocol.imap_data import fetch_rows, flag_list, untagged, vanished_response
from mailsite_ext.protocol.imap_limits import BadCommand
from mailsite_ext.storage.values import StoredFolder


def tell_news(account: Account, *, expunges: bool = True, own_modseq: int = 0) -> Iterator[bytes]:
    """Everything that happened since the client was last told.

    `expunges` False: messages keep their numbers for now.  Changes made at `own_modseq` were told already, flags and
    all, by the command that made them.  Raises BadCommand (BYE) if the folder itself is gone.
    """
    view = account.view
    if view is None:
        return
    folder = _folder_of(account, view)
    if folder.highestmodseq == own_modseq == view.modseq + 1 and not view.updates:  # nobody else did anything
        view.modseq = own_modseq
        account.share_map(folder)
    if folder.highestmodseq == view.modseq and not (expunges and view.gone):
        return
    changes = account.storage.changes(view.folder_id, view.modseq)
    known = [change for change in changes.changed if change[0] < view.uidnext]
    new = [change for change in changes.changed if change[0] >= view.uidnext]
    gone = view.gone | set(changes.vanished)
    recent = view.recent_uids()
    view.modseq, view.uidnext = changes.folder.highestmodseq, max(view.uidnext, changes.folder.uidnext)
    if expunges:
        yield from tell_leaving(view, gone)
        yield from _tell_gone(account, view, gone)
    view.gone = frozenset() if expunges else frozenset(gone)
    if new:
        view.with_new(uid for uid, _modseq, _flags in new)
        claim_recent(account, view, changes.folder)
        yield from exists_lines(account, view)
    elif len(view.recent_uids()) < len(recent):
        yield _recent_line(account, view)  # with EXPUNGE the size changes too (RFC 3501 §7.3.2)
    account.share_map(changes.folder)
    yield from tell_keywords(view, changes.folder)
    yield flag_lines(account, view, [change for change in known if change[1] != own_modseq])
    if new and account.watch:
        yield from account.watch.tell_new([uid for uid, _modseq, _flags in new])
    yield from tell_changed(view, [uid for uid, _modseq, _flags in changes.changed])


def _folder_of(account: Account, view: View) -> StoredFolder:
    """Raises BadCommand (BYE): RFC 2180 §3.3 leaves no better way to end a selection that was not asked for."""
    try:
        folder = account.storage.get_folder(view.folder_id)
        if folder.selectable:
            return folder
    except NoSuchFolder:
        pass
    account.view = None
    raise BadCommand("The selected folder was removed", code="UNAVAILABLE", is_fatal=True)


def _tell_gone(account: Account, view: View, gone: frozenset[int] | set[int]) -> Iterator[bytes]:
    vanished = sorted(uid for uid in gone if view.find_number(uid))
    numbers = view.forget(vanished)
    if account.has_qresync and vanished:
        yield vanished_response(vanished, is_earlier=False)
    elif numbers:
        yield b"".join([b"* %d EXPUNGE\r\n" % number for number in numbers])


def exists_lines(account: Account, view: View) -> Iterator[bytes]:
    yield b"* %d EXISTS\r\n" % len(view.uids)
    yield _recent_line(account, view)


def _recent_line(account: Account, view: View) -> bytes:
    """Nothing in IMAP4rev2, which knows no such messages."""
    return b"" if account.is_rev2 else b"* %d RECENT\r\n" % len(view.recent_uids())


def claim_recent(account: Account, view: View, folder: StoredFolder) -> None:
    """What nobody was told of before is recent to this session; one that only reads leaves it so to the next one."""
    if not account.is_rev2:
        view.add_recent(_first_recent(account, view, folder), view.uidnext)


def _first_recent(account: Account, view: View, folder: StoredFolder) -> int:
    if view.is_read_only or folder.recent_from >= view.uidnext:
        return folder.recent_from
    try:
        return account.storage.claim_recent(folder.id, view.uidnext)
    except StorageFull:  # it can still be read
        return view.uidnext


def flag_lines(
    account: Account, view: View, changed: Sequence[tuple[int, int, str]], *, with_uid: bool = False
) -> bytes:
    """Untagged FETCH with the flags of messages, and MODSEQ once the client knows of such (RFC 7162 §3.1.4).

    `changed`: UID, MODSEQ and flags, ascending; messages the client does not know of are left out.
    """
    if not changed:
        return b""
    uids, modseqs, flags = zip(*changed, strict=True)
    shown = [view.shown_flags(uid, text).encode() for uid, text in zip(uids, flags, strict=True)]
    table: list[tuple[bytes, Sequence[Any]]] = [(b"FLAGS (%b)", shown)]
    if with_uid or account.has_qresync:
        table.insert(0, (b"UID %d", uids))
    if account.has_condstore:
        table.append((b"MODSEQ (%d)", modseqs))
    return fetch_rows([form for form, _column in table], view.numbers(uids), [column for _form, column in table])


SYSTEM_FLAGS = ("\\Answered", "\\Flagged", "\\Deleted", "\\Seen", "\\Draft")


def tell_keywords(view: View, folder: StoredFolder) -> Iterator[bytes]:
    """Where a keyword is new: before it is seen on a message (RFC 9051 §7.3.5)."""
    if view.keywords != folder.keywords:
        view.keywords = folder.keywords
        yield flags_responses(folder, is_read_only=view.is_read_only)


def flags_responses(folder: StoredFolder, *, is_read_only: bool) -> bytes:
    """FLAGS and PERMANENTFLAGS (RFC 9051 §7.1); `\\*`: keywords may be made."""
    flags = (*SYSTEM_FLAGS, *folder.keywords)
    kept = () if is_read_only else (*flags, "\\*")
    permanent = untagged(b"OK [PERMANENTFLAGS " + flag_list(kept) + b"] flags that are kept")
    return untagged(b"FLAGS", flag_list(flags)) + permanent
