"""Bringing the index to what the tree says: after a crash, a restore from a copy, or with no index at all.

The tree is the truth.  A journal that is longer than its mark is read on; one that was put back from a copy, or that
the index never saw, is read from its start, and its folder jumps: UIDNEXT and MODSEQ skip 2^20, every message counts
as changed, and so no client keeps what it knew of the time in between (RFC 9051 §2.3.1.1, RFC 7162 §3.1).
"""

from __future__ import annotations

import logging
import secrets
from collections.abc import Iterable

from mailsite_ext.storage import catalogue_subscriptions
from mailsite_ext.storage.catalogue_folders import parents
from mailsite_ext.storage.catalogue_messages import span
from mailsite_ext.storage.catalogue_step import FOLDERS, Step, folder_of
from mailsite_ext.storage.catalogue_values import LockedFolder
from mailsite_ext.storage.file_history import History, read_history
from mailsite_ext.storage.file_places import Place, places
from mailsite_ext.storage.file_rows import enter_history
from mailsite_ext.storage.file_tree import MailTree
from mailsite_ext.storage.journal import JUMP, FolderHistory, MailboxLine, history_of
from mailsite_ext.storage.journal_log import find_stat
from mailsite_ext.storage.journal_marks import LOG, Mark, find_unread, forget_mark, mark_of, read_marks, write_marks
from mailsite_ext.storage.recount import recount

log = logging.getLogger(__name__)


class Unmatched:
    """Folders of the index whose directory is still looked for."""

    def __init__(self, folders: Iterable[LockedFolder], marks: dict[int, Mark]) -> None:
        self.by_id = {folder.id: folder for folder in folders}
        self._marks = marks
        self._inodes = {marks[folder_id].inode: folder_id for folder_id in self.by_id if folder_id in marks}
        self._names = {_where(folder): folder_id for folder_id, folder in self.by_id.items()}

    def take_renamed(self, place: Place) -> tuple[LockedFolder | None, bool]:
        """The folder whose journal this is, wherever it lies now; it needs no jump."""
        stat = find_stat(place.journal)
        folder_id = self._inodes.get(stat.st_ino) if stat else None
        if folder_id not in self.by_id or find_unread(place.journal, self._marks[folder_id]) is None:
            return None, True
        return self.by_id.pop(folder_id), False

    def take_named(self, place: Place) -> tuple[LockedFolder | None, bool]:
        """The folder of this name, its journal another one: it was put back from a copy."""
        return self.by_id.pop(self._names.get((place.mailbox, place.name), 0), None), True


class Settling:
    """One look at the whole tree, in a step of its own or at the beginning of one."""

    def __init__(self, step: Step, tree: MailTree) -> None:
        self._step = step
        self._link = step.link
        self._tree = tree
        self.settled: list[int] = []  # ids of the folders that changed
        self._silent: list[str] = []  # mailboxes whose subscriptions nobody wrote down

    def run(self) -> None:
        self._tree.log.replay()
        known = self._folders()
        found = self._finished(places(self._tree.root))
        self._settle_mailboxes([place for place in found if not place.name])
        self._settle_folders([place for place in found if place.name], known)
        if not known and self.settled:
            self._jump_ids()
        recount(self._link, self.settled)
        self._subscribe_all()
        write_marks(self._link, {LOG: Mark(0, self._tree.log.size_octets(), b"")})

    def _finished(self, found: Iterable[Place]) -> list[Place]:
        """Without mailboxes that a step that died had begun to make: their own journal would have come last."""
        everything = list(found)
        implied = {(place.mailbox, name) for place in everything if place.is_begun for name in parents(place.name)}
        begun = [
            place for place in everything if place.is_begun or not place.name or (place.mailbox, place.name) in implied
        ]
        whole = {place.mailbox for place in begun if not place.name and place.journal.exists()}
        whole |= {place.mailbox for place in begun if place.mailbox not in whole and place.has_messages}
        return [place for place in begun if place.mailbox in whole]

    def _folders(self) -> list[LockedFolder]:
        return [folder_of(row) for row in self._link.rows(f"{FOLDERS} ORDER BY f.id")]

    # Mailboxes
    def _settle_mailboxes(self, found: list[Place]) -> None:
        known: dict[str, int] = dict(self._link.rows("SELECT name, id FROM mailsite_mailbox"))
        for name in known.keys() - {place.mailbox for place in found}:
            self._forget_mailbox(known[name], name)
        for place in found:
            mailbox_id = known.get(place.mailbox) or self._insert_mailbox(place)
            marks = read_marks(self._link, [-mailbox_id])
            if -mailbox_id not in marks or find_unread(place.journal, marks[-mailbox_id]) != b"":
                self._read_mailbox(mailbox_id, place)

    def _insert_mailbox(self, place: Place) -> int:
        statement = "INSERT INTO mailsite_mailbox (name, last_uidvalidity, octets, messages) VALUES (?, ?, 0, 0)"
        self._link.run(statement, [place.mailbox, self._step.now])
        row = self._link.row("SELECT id FROM mailsite_mailbox WHERE name = ?", [place.mailbox])
        assert row
        return int(row[0])

    def _read_mailbox(self, mailbox_id: int, place: Place) -> None:
        history = history_of(place.journal.read_bytes() if place.journal.exists() else b"")
        line = history.mailbox or MailboxLine(None, self._step.now)
        if history.mailbox is None:
            history.mailbox = line
            self._tree.begin_journal(self._link, -mailbox_id, place.journal, *history.lines())
        self._link.run(
            "UPDATE mailsite_mailbox SET limit_octets = ?, last_uidvalidity = max(last_uidvalidity, ?) WHERE id = ?",
            [line.limit_octets, line.last_uidvalidity, mailbox_id],
        )
        write_marks(self._link, {-mailbox_id: mark_of(place.journal)})
        self._read_subscriptions(mailbox_id, place.mailbox, history)

    def _read_subscriptions(self, mailbox_id: int, mailbox: str, history: FolderHistory) -> None:
        catalogue_subscriptions.forget_all(self._link, mailbox_id)
        if history.subscriptions is None:
            self._silent.append(mailbox)
        else:
            catalogue_subscriptions.enter(self._link, mailbox_id, sorted(history.subscriptions))

    def _subscribe_all(self) -> None:
        """Where a journal says nothing of subscriptions, or is lost, rather all folders are shown than none."""
        for mailbox in self._step.lock_mailboxes(names=self._silent):
            names = [folder.name for folder in self._folders() if folder.mailbox_id == mailbox.id]
            catalogue_subscriptions.add(self._step, mailbox, names)

    def _forget_mailbox(self, mailbox_id: int, name: str) -> None:
        for folder in self._folders():
            if folder.mailbox_id == mailbox_id:
                self._forget_folder(folder)
        self._link.run(
            "INSERT INTO mailsite_removed_mailbox (name, last_uidvalidity) VALUES (?, ?) "
            "ON CONFLICT (name) DO UPDATE SET last_uidvalidity = excluded.last_uidvalidity",
            [name, self._step.now],
        )
        catalogue_subscriptions.forget_all(self._link, mailbox_id)
        self._link.run("DELETE FROM mailsite_mailbox WHERE id = ?", [mailbox_id])
        forget_mark(self._link, -mailbox_id)

    # Folders
    def _settle_folders(self, found: list[Place], known: list[LockedFolder]) -> None:
        marks = read_marks(self._link, [folder.id for folder in known])
        by_name = {(folder.mailbox, folder.name): folder for folder in known}
        unread = [place for place in found if not self._is_read(place, by_name, marks)]
        read = {(place.mailbox, place.name) for place in found} - {(place.mailbox, place.name) for place in unread}
        left = Unmatched([folder for folder in known if _where(folder) not in read], marks)
        matched = [(place, left.take_renamed(place)) for place in unread]
        matched = [(place, found if found[0] else left.take_named(place)) for place, found in matched]
        for gone in left.by_id.values():
            self._forget_folder(gone)
        self._rename([(place, folder) for place, (folder, _jumps) in matched if folder])
        for place, (folder, jumps) in matched:
            self.settle(place, folder, jumps=jumps)

    def _is_read(self, place: Place, by_name: dict[tuple[str, str], LockedFolder], marks: dict[int, Mark]) -> bool:
        folder = by_name.get((place.mailbox, place.name))
        return folder is not None and folder.id in marks and find_unread(place.journal, marks[folder.id]) == b""

    def _rename(self, matched: list[tuple[Place, LockedFolder]]) -> None:
        """First out of each other's way, then to their names."""
        moved = [(place, folder) for place, folder in matched if (place.mailbox, place.name) != _where(folder)]
        for _place, folder in moved:
            self._link.run("UPDATE mailsite_folder SET name = ? WHERE id = ?", [f"/{folder.id}", folder.id])
        for place, folder in moved:
            self._link.run(
                "UPDATE mailsite_folder SET name = ?, mailbox_id = (SELECT id FROM mailsite_mailbox WHERE name = ?) "
                "WHERE id = ?",
                [place.name, place.mailbox, folder.id],
            )
            folder.mailbox, folder.name = place.mailbox, place.name

    def settle(self, place: Place, folder: LockedFolder | None, *, jumps: bool, adopts: bool = True) -> None:
        """Read one folder's journal and files into the index; `jumps`, `adopts`: see read_history."""
        history = read_history(place, folder, self._step.now, jumps=jumps, adopts=adopts)
        if folder is None:
            folder = self._insert_folder(place, history)
        for file in history.strays:
            if not self._is_unused(folder.id, file):
                self._tree.put_aside(place.directory / file, self._tree.quarantine)
        try:
            enter_history(self._link, place, folder, history)
        except FileNotFoundError:  # a message without its file
            self.settle(place, folder, jumps=True, adopts=adopts)
            return
        self.settled.append(folder.id)
        if history.is_mended:
            log.log(history.level, "%s: read anew, %s", place.directory, history.summary())
            folder = self._reread(folder.id)
            self._tree.compact(self._link, folder)
        else:
            write_marks(self._link, {folder.id: mark_of(place.journal)})

    def _reread(self, folder_id: int) -> LockedFolder:
        row = self._link.row(f"{FOLDERS} WHERE f.id = ?", [folder_id])
        assert row
        return folder_of(row)

    def _insert_folder(self, place: Place, history: History) -> LockedFolder:
        """Ids its journal tells, unless it is a copy of another folder that is there."""
        line = history.folder
        taken = "SELECT 1 FROM mailsite_folder WHERE id = ? OR object_id = ?"
        is_copy = self._link.row(taken, [line.id, line.object_id]) is not None
        object_id = "F" + secrets.token_hex(12) if is_copy else line.object_id
        self._link.run(
            "INSERT INTO mailsite_folder (id, object_id, mailbox_id, name, selectable, uidvalidity, "
            "uidnext, highestmodseq, known_since, messages, unseen, deleted, octets, keywords, recent_from) "
            "VALUES (?, ?, (SELECT id FROM mailsite_mailbox WHERE name = ?), ?, 1, ?, 1, 1, 1, 0, 0, 0, 0, '', ?)",
            [
                None if is_copy or not line.id else line.id,
                object_id,
                place.mailbox,
                place.name,
                line.uidvalidity,
                line.uidnext,  # no journal says what was recent: nothing is
            ],
        )
        row = self._link.row(f"{FOLDERS} WHERE f.object_id = ?", [object_id])
        assert row
        return folder_of(row)

    def _is_unused(self, folder_id: int, file: str) -> bool:
        """Waiting for the garbage collector."""
        query = "SELECT 1 FROM mailsite_unused WHERE location = ?"
        return self._link.row(query, [f"{folder_id}/{file}"]) is not None

    def _forget_folder(self, folder: LockedFolder) -> None:
        for table in ("mailsite_message", "mailsite_flag"):
            self._link.run(f"DELETE FROM {table} WHERE id BETWEEN ? AND ?", span(folder.id))
        self._link.run("DELETE FROM mailsite_folder WHERE id = ?", [folder.id])
        forget_mark(self._link, folder.id)

    def _jump_ids(self) -> None:
        """Folders that were removed before had ids too, and nobody knows which."""
        self._link.run("UPDATE sqlite_sequence SET seq = seq + ? WHERE name = 'mailsite_folder'", [JUMP])


def _where(folder: LockedFolder) -> tuple[str, str]:
    return folder.mailbox, folder.name
