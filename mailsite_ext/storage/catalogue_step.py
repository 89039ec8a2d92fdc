"""One step of the catalogue: a transaction, the rows it holds, what it did, and its counters."""

from __future__ import annotations

from array import array
from collections import defaultdict
from collections.abc import Iterable, Sequence

from app.extension_api import NoSuchFolder, Role
from mailsite_ext.errors import MailboxFull
from mailsite_ext.protocol.sequence_sets import compact
from mailsite_ext.storage.catalogue_sql import Link, Row
from mailsite_ext.storage.catalogue_values import Event, LockedFolder, LockedMailbox
from mailsite_ext.storage.values import Uids

MAILBOX_COLUMNS = "id, name, last_uidvalidity, octets, messages, limit_octets"
IS_SUBSCRIBED = "EXISTS (SELECT 1 FROM mailsite_subscription s WHERE s.mailbox_id = f.mailbox_id AND s.name = f.name)"
FOLDER_COLUMNS = (
    f"f.id, f.object_id, f.mailbox_id, b.name, f.name, f.role, {IS_SUBSCRIBED}, f.selectable, f.uidvalidity, "
    "f.uidnext, f.highestmodseq, f.known_since, f.messages, f.unseen, f.deleted, f.octets, f.keywords, "
    "f.recent_from"
)
FOLDERS = f"SELECT {FOLDER_COLUMNS} FROM mailsite_folder f JOIN mailsite_mailbox b ON b.id = f.mailbox_id"


def folder_of(row: Row) -> LockedFolder:
    folder = LockedFolder(*row)
    folder.role = Role(folder.role) if folder.role else None
    folder.subscribed, folder.selectable = bool(folder.subscribed), bool(folder.selectable)
    return folder


class Step:
    """Rows are locked in one order, mailboxes by id and then folders by id, so that no two steps wait for each other.

    A folder's MODSEQ rises by one in a step that changes it, however much it changes.
    """

    def __init__(self, link: Link, now: int, remembered_steps: int) -> None:
        self.link = link
        self.now = now  # Unix seconds
        self.events: list[Event] = []
        self.mailboxes: dict[int, LockedMailbox] = {}
        self.folders: dict[int, LockedFolder] = {}
        self._remembered_steps = remembered_steps
        self._changed: set[int] = set()
        self._touched: set[int] = set()
        self._notes: defaultdict[tuple[int, bool], Uids] = defaultdict(lambda: array("Q"))

    # Locks
    def lock(self, *folder_ids: int, with_mailbox: bool = True) -> None:
        """Hold folders, and the mailboxes they are in unless octets and names stay.  Raises NoSuchFolder."""
        if with_mailbox:
            self.lock_mailboxes(self.mailbox_ids(folder_ids))
        self.lock_there(folder_ids)
        if missing := set(folder_ids) - self.folders.keys():
            raise NoSuchFolder(str(missing.pop()))

    def lock_there(self, folder_ids: Iterable[int]) -> None:
        """Hold those of the folders that are there."""
        wanted = set(folder_ids)
        if wanted:
            self._hold_where(f"f.id {self.link.in_list}", [self.link.listed(wanted)])

    def _hold_where(self, condition: str, values: Sequence[object]) -> None:
        end = f"{self.link.for_update} OF f" if self.link.for_update else ""
        rows = self.link.rows(f"{FOLDERS} WHERE {condition} ORDER BY f.id{end}", values)
        self.hold(folder_of(row) for row in rows)

    def mailbox_ids(self, folder_ids: Iterable[int]) -> set[int]:
        query = f"SELECT DISTINCT mailbox_id FROM mailsite_folder WHERE id {self.link.in_list}"
        wanted = set(folder_ids)
        return {mailbox_id for (mailbox_id,) in self.link.rows(query, [self.link.listed(wanted)])} if wanted else set()

    def lock_mailboxes(self, ids: Iterable[int] = (), names: Iterable[str] = ()) -> list[LockedMailbox]:
        """Hold mailboxes, those that are there."""
        rows = self.link.rows(
            f"SELECT {MAILBOX_COLUMNS} FROM mailsite_mailbox "
            f"WHERE id {self.link.in_list} OR name {self.link.in_list} ORDER BY id{self.link.for_update}",
            [self.link.listed(set(ids)), self.link.listed(set(names))],
        )
        found = [LockedMailbox(*row) for row in rows]
        self.mailboxes.update((mailbox.id, self.mailboxes.get(mailbox.id, mailbox)) for mailbox in found)
        return [self.mailboxes[mailbox.id] for mailbox in found]

    def lock_named(self, mailboxes: Sequence[LockedMailbox], names: Iterable[str]) -> None:
        """Hold the folders of these names in mailboxes that are held."""
        self._hold_where(
            f"f.mailbox_id {self.link.in_list} AND f.name {self.link.in_list}",
            [self.link.listed([mailbox.id for mailbox in mailboxes]), self.link.listed(set(names))],
        )

    def lock_all(self, mailbox: LockedMailbox) -> list[LockedFolder]:
        """Hold every folder of a mailbox that is held."""
        self._hold_where("f.mailbox_id = ?", [mailbox.id])
        return [folder for folder in self.folders.values() if folder.mailbox_id == mailbox.id]

    def hold(self, folders: Iterable[LockedFolder]) -> None:
        for folder in folders:
            self.folders.setdefault(folder.id, folder)

    # What is held
    def folder(self, folder_id: int) -> LockedFolder:
        """A folder that is held.  Raises NoSuchFolder for one that is only a name."""
        folder = self.folders.get(folder_id)
        if folder is None or not folder.selectable:
            raise NoSuchFolder(str(folder_id))
        return folder

    def mailbox_of(self, folder: LockedFolder) -> LockedMailbox:
        return self.mailboxes[folder.mailbox_id]

    def forget(self, folder: LockedFolder) -> None:
        """A folder that is removed in this step: nothing of it is written any more."""
        self.folders.pop(folder.id, None)
        self._touched.discard(folder.id)
        self._drop_notes(folder)

    def _drop_notes(self, folder: LockedFolder) -> None:
        self._changed.discard(folder.id)
        for is_expunge in (False, True):
            self._notes.pop((folder.id, is_expunge), None)

    # What changes
    def charge(self, mailbox: LockedMailbox, octets: int) -> None:
        """Raises MailboxFull where `octets` more are too many."""
        if mailbox.limit_octets is not None and mailbox.octets + octets > mailbox.limit_octets:
            raise MailboxFull(mailbox.name)

    def note(self, folder: LockedFolder, uids: Uids, *, is_expunge: bool = False) -> int:
        """Remember which messages the step changed or expunged; the MODSEQ of the step."""
        if folder.id not in self._changed:
            self._changed.add(folder.id)
            self._touched.add(folder.id)
            folder.highestmodseq += 1
        self._notes[folder.id, is_expunge].extend(uids)
        return folder.highestmodseq

    def touch(self, folder: LockedFolder) -> None:
        """The folder's counters are to be written, though no message of it can be told apart any more."""
        self._touched.add(folder.id)
        self._drop_notes(folder)

    def finish(self) -> None:
        """Write what is remembered and the counters; the last thing before the engine's own durable step."""
        self.link.run_many(
            "INSERT INTO mailsite_change (folder_id, modseq, is_expunge, uids) VALUES (?, ?, ?, ?)",
            [
                (folder_id, self.folders[folder_id].highestmodseq, is_expunge, _set_text(sorted(set(uids))))
                for (folder_id, is_expunge), uids in self._notes.items()
            ],
        )
        for folder_id in self._changed:
            self._forget_old_steps(self.folders[folder_id])
        self._write_counters()

    def _forget_old_steps(self, folder: LockedFolder) -> None:
        if folder.highestmodseq - folder.known_since > 2 * self._remembered_steps:
            folder.known_since = folder.highestmodseq - self._remembered_steps
            self.link.run(
                "DELETE FROM mailsite_change WHERE folder_id = ? AND modseq <= ?", [folder.id, folder.known_since]
            )

    def _write_counters(self) -> None:
        self.link.run_many(
            "UPDATE mailsite_folder SET uidnext = ?, highestmodseq = ?, known_since = ?, messages = ?, unseen = ?, "
            "deleted = ?, octets = ?, keywords = ? WHERE id = ?",
            [_counters(self.folders[folder_id]) for folder_id in sorted(self._touched)],
        )
        self.link.run_many(
            "UPDATE mailsite_mailbox SET last_uidvalidity = ?, octets = ?, messages = ? WHERE id = ?",
            [
                (mailbox.last_uidvalidity, mailbox.octets, mailbox.messages, mailbox.id)
                for _id, mailbox in sorted(self.mailboxes.items())
            ],
        )


def _set_text(uids: Sequence[int]) -> str:
    """As IMAP writes it; the whole folder, which is common, without a look at each."""
    if len(uids) > 1 and uids[-1] - uids[0] + 1 == len(uids):
        return f"{uids[0]}:{uids[-1]}"
    return compact(uids).decode()


def _counters(folder: LockedFolder) -> tuple[object, ...]:
    return (
        folder.uidnext,
        folder.highestmodseq,
        folder.known_since,
        folder.messages,
        folder.unseen,
        folder.deleted,
        folder.octets,
        folder.keywords,
        folder.id,
    )
