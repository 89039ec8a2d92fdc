"""SELECT, EXAMINE, CLOSE, UNSELECT (RFC 9051 §6.3.2, §6.4.1; QRESYNC: RFC 7162 §3.2.5)."""

from __future__ import annotations

from bisect import bisect_left
from collections.abc import Iterable, Iterator, Sequence
from itertools import islice

from mailsite_ext.imap.account import Account
from mailsite_ext.imap.news import claim_recent, exists_lines, flag_lines, flags_responses
from mailsite_ext.imap.view import View
from mailsite_ext.protocol.imap_commands import Close, QResync, Select, Unselect
from mailsite_ext.protocol.imap_data import list_response, status_line, untagged, vanished_response
from mailsite_ext.protocol.imap_limits import BadCommand
from mailsite_ext.protocol.sequence_sets import SequenceSet
from mailsite_ext.storage.values import DELETED, StoredFolder

MATCHES_READ = 100_000


def select(account: Account, command: Select) -> Iterator[bytes]:
    """Raises NoSuchFolder; then no folder is selected (RFC 9051 §6.3.2)."""
    if command.qresync and not account.has_qresync:
        raise BadCommand("ENABLE QRESYNC comes first")  # RFC 7162 §3.2.5
    was_selected, account.view = account.view is not None, None
    if command.condstore or command.qresync:
        account.enabled.add("CONDSTORE")
    if was_selected and account.enabled & {"QRESYNC", "IMAP4REV2"}:
        yield untagged(b"OK [CLOSED] the folder before is closed")
    found = account.maps.current(account.get_folder(command.folder))
    folder = found.folder
    view = View(folder.id, command.is_read_only, found.uids, folder.uidnext, folder.highestmodseq, folder.keywords)
    claim_recent(account, view, folder)
    yield from _tell_folder(account, folder, view)
    if command.qresync:
        yield from _resync(account, folder, view, command.qresync)
    account.view = view
    code, words = ("READ-ONLY", "to be read only") if command.is_read_only else ("READ-WRITE", "selected")
    yield status_line(command.tag, "OK", words, code)


def _tell_folder(account: Account, folder: StoredFolder, view: View) -> Iterator[bytes]:
    yield flags_responses(folder, is_read_only=view.is_read_only)
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
    number = 0 if first is None else view.find_number(first)
    if number:
        yield status_line(b"", "OK", "the first unseen", f"UNSEEN {number}")


def _resync(account: Account, folder: StoredFolder, view: View, known: QResync) -> Iterator[bytes]:
    """What changed since the client last looked; nothing where the UIDs mean other messages by now."""
    if known.uid_validity != folder.uidvalidity:
        return
    changes = account.storage.changes(folder.id, known.modseq)
    vanished = missing(view, changes.vanished)
    if known.known_uids is not None:
        vanished = within(vanished, known.known_uids.spans(folder.uidnext))
    if not changes.complete:
        surely_known = last_match(view, known)
        vanished = [uid for uid in vanished if uid > surely_known]
    yield vanished_response(vanished, is_earlier=True)
    yield flag_lines(account, view, changes.changed, with_uid=True)


def missing(view: View, vanished: Iterable[int]) -> list[int]:
    """Those the client does not count: the others it has to be told of as expunged, not as gone before."""
    return [uid for uid in vanished if not view.find_number(uid)]


def within(uids: Sequence[int], spans: Sequence[tuple[int, int]]) -> list[int]:
    """The UIDs that lie in the spans; both ascending."""
    bounds = [(bisect_left(uids, low), bisect_left(uids, high + 1)) for low, high in spans]
    return [uid for begin, end in bounds for uid in uids[begin:end]]


def last_match(view: View, known: QResync) -> int:
    """The highest UID up to which client and server count the same messages (RFC 7162 §3.2.5.2); 0: none.

    A message that has the number it had then has lost no message before it.
    """
    if known.numbers is None or known.uids is None:
        return 0
    pairs = list(zip(_listed(known.numbers), _listed(known.uids), strict=False))
    matching = (uid for number, uid in reversed(pairs) if view.find_number(uid) == number)
    return next(matching, 0)


def _listed(numbers: SequenceSet) -> Iterator[int]:
    """At most MATCHES_READ: a client names a few, growing farther apart."""
    every = (number for low, high in numbers.spans(0) for number in range(low, high + 1))
    return islice(every, MATCHES_READ)


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
