"""The StorageEngine seam: where hosted mail is kept.  FileMailStorage (O1) and SqlMailStorage (O2) are its adapters.

Promises, of every adapter, tested by one contract suite:

* A method that changes something returns after the bytes and the rows are durable; at a crash in any instant each step
  has happened whole or not at all.
* UID, MODSEQ, counters and rows change in one step.  UIDs ascend and are never used again, not after a crash, a restore
  or a rebuild either; MODSEQ rises with every change of a folder (RFC 7162 §3.1).
* Expunged UIDs leave tombstones, so QRESYNC can name them (RFC 7162 §3.2.10).
* Several processes may work on one storage at once; two threads of one process too.
* After each committed step the folders it changed are rung (Topic.STORAGE, folder id), and the mailboxes whose tree it
  changed (Topic.STORAGE_TREE, mailbox id), so that every process learns of changes of every other.
* Names reach the disk only in an encoding of our own: no name can leave the storage's folder.

Every method may raise StorageFull (nothing happened), StorageDamaged, StorageElsewhere, NoSuchFolder, NoSuchMailbox.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from concurrent.futures import Future
from datetime import datetime
from typing import Protocol

from app.extension_api import Role
from mailsite_ext.protocol.search_keys import Known
from mailsite_ext.storage.values import (
    Column,
    Content,
    Copied,
    Delivery,
    Expunged,
    Finding,
    FlagMode,
    FlagResult,
    FolderChanges,
    Heading,
    Quota,
    Refiled,
    Stored,
    StoredFolder,
    TextHits,
    Uids,
)


class MessageReader(Protocol):
    """One stored message, open for reading; a context manager."""

    @property
    def size_octets(self) -> int: ...

    def read(self, offset: int, octets: int) -> bytes:
        """At most `octets` from `offset`; empty at the end.  Raises StorageDamaged."""
        ...

    def close(self) -> None: ...

    def __enter__(self) -> MessageReader: ...

    def __exit__(self, *_error: object) -> None: ...


class StorageEngine(Protocol):
    # Mailboxes
    def create_mailbox(self, mailbox: str) -> None:
        """Make a mailbox with its FIRST_FOLDERS; one that is there stays as it is."""
        ...

    def remove_mailbox(self, mailbox: str) -> None:
        """Remove a mailbox and all of its mail; nothing happens if there is none."""
        ...

    def mailboxes(self) -> Sequence[str]: ...

    def quota(self, mailbox: str) -> Quota: ...

    def set_quota(self, mailbox: str, limit_octets: int | None) -> None: ...

    # Folders
    def folders(self, mailbox: str) -> Sequence[StoredFolder]:
        """All folders of a mailbox with their counters, INBOX first, then by name."""
        ...

    def get_folder(self, folder_id: int) -> StoredFolder: ...

    def find_folder(self, mailbox: str, name: str) -> StoredFolder | None:
        """By name; INBOX in any case (RFC 9051 §5.1)."""
        ...

    def create_folder(self, mailbox: str, name: str, role: Role | None = None) -> StoredFolder:
        """Make a folder and the names above it.  Raises FolderExists or BadFolderName (empty parts, control characters,
        over 240 octets a part or 1,000 in all, over 32 deep; a `role` another folder has)."""
        ...

    def rename_folder(self, folder_id: int, name: str) -> None:
        """Rename with everything below; INBOX is emptied into a new folder instead (RFC 9051 §6.3.6).  Raises
        FolderExists, BadFolderName."""
        ...

    def delete_folder(self, folder_id: int) -> None:
        """Remove a folder and its messages; with folders below it the name stays, not selectable.  Raises
        FolderNotEmptied for INBOX, and for a name that is not selectable already and has folders below."""
        ...

    def claim_recent(self, folder_id: int, uidnext: int) -> int:
        """A session is told of all messages below `uidnext`: the first UID of which it is the first one to be told.

        Each message is so to one session only, of all processes; not a step: no MODSEQ, no bell (RFC 3501 §2.3.2).
        """
        ...

    def subscribe(self, mailbox: str, name: str, *, subscribed: bool) -> None:
        """A subscription is a name's: it stays when the folder is removed or renamed (RFC 9051 §6.3.7).

        Raises NoSuchFolder for a name that has no folder and no subscription yet, TooManyFolders.
        """
        ...

    def subscriptions(self, mailbox: str) -> Sequence[str]:
        """All names subscribed to, whether there are folders or not."""
        ...

    # Messages: in
    def deliver(self, delivery: Delivery) -> Future[Sequence[Stored]]:
        """Store a delivery; the future is done when it is durable, one Stored per placement, in order.

        Deliveries that arrive while others are being committed share the next commit (no timer).  Raises, through the
        future, MailboxFull when any of the mailboxes is (nobody has the message then), NoSuchMailbox, StorageFull.
        """
        ...

    def append(
        self, folder_id: int, contents: Sequence[tuple[Content, frozenset[str], datetime | None]], *, replaces: int = 0
    ) -> Future[Sequence[Stored]]:
        """Store messages in one step, all or none (MULTIAPPEND, RFC 3502), the dates those given or now.

        `replaces` is the UID of a message of this folder that goes in the same step (REPLACE, RFC 8508); gone already:
        NoSuchMessage.  Raises MailboxFull, MessageTooLarge through the future.
        """
        ...

    # Messages: changes
    def copy(self, folder_id: int, uids: Iterable[int], target_id: int) -> Copied:
        """Copy messages with flags and dates; UIDs that are not there are left out.  Raises MailboxFull."""
        ...

    def move(self, folder_id: int, uids: Iterable[int], target_id: int) -> Copied:
        """Copy and expunge in one step (RFC 6851 §3.3).  Within one mailbox no quota is needed."""
        ...

    def store_flags(
        self,
        folder_id: int,
        uids: Iterable[int],
        mode: FlagMode,
        flags: frozenset[str],
        *,
        unchanged_since: int | None = None,
    ) -> FlagResult:
        """Change flags and keywords; messages whose flags stay the same keep their MODSEQ (RFC 7162 §3.1.3)."""
        ...

    def expunge(self, folder_id: int, uids: Iterable[int] | None = None, *, only_deleted: bool = True) -> Expunged:
        """Remove messages: of `uids` (None: of all) those with \\Deleted, or all of them."""
        ...

    # Messages put into Junk or taken out of it, by a move or a copy within their mailbox, not by a delivery
    def refiled_mailboxes(self) -> Sequence[str]:
        """Those with such messages nobody has learned from yet."""
        ...

    def refiled(self, mailbox: str, most: int) -> Sequence[Refiled]:
        """Such messages in the order it happened.  The notes are kept with the step, but a rebuild knows none."""
        ...

    def forget_refiled(self, ids: Iterable[int]) -> None: ...

    # Messages: reading
    def uids(self, folder_id: int) -> Uids:
        """Every UID of the folder, a fresh array."""
        ...

    def rows(self, folder_id: int, columns: Sequence[Column], uids: Iterable[int] | None = None) -> Iterator[tuple]:  # type: ignore[type-arg]  # as wide as `columns`
        """One tuple a message, in the order of `columns`, by ascending UID; `uids` None: of all messages.

        Types: see Column.  A raw cursor: no objects are made, and a whole folder streams.
        """
        ...

    def find_first_unseen(self, folder_id: int) -> int | None:
        """The lowest UID without \\Seen, found by an index, whatever the folder's size (RFC 3501 §7.1, UNSEEN)."""
        ...

    def changes(self, folder_id: int, since_modseq: int, uids: Iterable[int] | None = None) -> FolderChanges:
        """What changed after `since_modseq`, of `uids` only where given."""
        ...

    def open_message(self, folder_id: int, uid: int) -> MessageReader:
        """Raises NoSuchMessage."""
        ...

    def find_by_message_id(self, folder_id: int, message_id: str) -> Sequence[int]:
        """UIDs, ascending, of the messages with exactly this Message-ID (no angle brackets), found by an index."""
        ...

    def uids_where(self, folder_id: int, key: Known, now_s: int) -> Uids:
        """UIDs of the messages for which a search key holds that rows decide alone, ascending."""
        ...

    # Text.  An index behind the deliveries answers; None, or no rows: there is none yet.
    def search_text(self, folder_id: int, field: str, text: str) -> TextHits | None:
        """Who holds `text` in `field`: the name of a header's field in lower case, "body", or "text" for both.

        As a look at each message would find (`MessageText`); an empty text is in every field that is there.
        """
        ...

    def search_sent(self, folder_id: int, first_day: int, last_day: int) -> TextHits | None:
        """Whose Date field names one of these days, as date.toordinal() counts them."""
        ...

    def headings(self, folder_id: int, columns: Sequence[Heading]) -> Sequence[tuple]:  # type: ignore[type-arg]  # as wide as `columns`
        """UID and columns of the messages the index knows, by ascending UID; REFERENCES leaves out some it knows."""
        ...

    # Care
    def verify(self, *, fix: bool = False) -> Iterator[Finding]:
        """Compare rows with files, counters with rows, UIDs with UIDNEXT; what is wrong, mended where `fix`."""
        ...

    def collect_garbage(self) -> int:
        """Remove bytes nobody points to any more that are past their grace time; how many files went."""
        ...

    def close(self) -> None:
        """Finish what is under way; nothing may be called afterwards."""
        ...
