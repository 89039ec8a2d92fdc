"""The catalogue: everything of a storage but the bytes.  Both engines are one, and add where the bytes lie.

An engine overrides four hooks, and writes `deliver`, `append`, `open_message`, `verify` and `collect_garbage`:

* `relocation`     says where copies of messages lie; None: where the originals do
* `before_commit`  its own durable step, with what the catalogue is about to commit (`step.events`)
* `after_commit`   what may wait until then
* `undo`           the transaction came to nothing, and so must `relocation` and `before_commit`

One step is one transaction: rows, counters, UIDNEXT, MODSEQ and tombstones change together (see `Step` for the order
of locks).  MODSEQ is a folder's own, not a mailbox's: RFC 7162 §3.1 asks for no more, a STORE then waits for nobody in
another folder, and a folder that is restored jumps alone.
"""

from __future__ import annotations

import contextlib
import logging
from collections.abc import Iterable, Iterator, Sequence
from pathlib import Path

import sqlalchemy as sa

from app.extension_api import Bell, Bus, Clock, Role, Topic
from mailsite_ext.protocol.indexed_text import find_term
from mailsite_ext.protocol.search_keys import Known
from mailsite_ext.storage import (
    catalogue_folders,
    catalogue_messages,
    catalogue_reads,
    catalogue_refiled,
    catalogue_subscriptions,
)
from mailsite_ext.storage.catalogue_messages import Relocate
from mailsite_ext.storage.catalogue_search import uids_where
from mailsite_ext.storage.catalogue_sql import Link, Row, linked, turn
from mailsite_ext.storage.catalogue_step import Step
from mailsite_ext.storage.catalogue_values import (
    Event,
    FolderMade,
    FolderMarked,
    FolderRemoved,
    FolderRenamed,
    MailboxMade,
    MailboxRemoved,
    QuotaSet,
    SubscriptionsChanged,
)
from mailsite_ext.storage.text_indexes import TextIndexes
from mailsite_ext.storage.values import (
    Column,
    Copied,
    Expunged,
    FlagMode,
    FlagResult,
    FolderChanges,
    Heading,
    Quota,
    Refiled,
    StoredFolder,
    TextHits,
    Uids,
)

log = logging.getLogger(__name__)

REMEMBERED_STEPS = 10_000
"""How many steps of a folder QRESYNC can name at least; older ones cost a look at the whole folder."""


class Catalogue:
    """See the module.

    `text_folder`: where text indexes lie; `lock_file`: where writers of an SQLite catalogue queue up, None on
    PostgreSQL.
    """

    def __init__(
        self,
        engine: sa.Engine,
        clock: Clock,
        bus: Bus | None = None,
        *,
        text_folder: Path,
        lock_file: Path | None = None,
        remembered_steps: int = REMEMBERED_STEPS,
    ) -> None:
        self.engine = engine
        self.text = TextIndexes(text_folder)
        self.clock = clock
        self._bus = bus
        self._lock_file = lock_file
        self._remembered_steps = remembered_steps

    # What an engine adds
    def relocation(self) -> Relocate | None:
        return None

    def before_commit(self, step: Step) -> None: ...

    def after_commit(self, step: Step) -> None: ...

    def undo(self, step: Step) -> None: ...

    # Steps
    @contextlib.contextmanager
    def write(self) -> Iterator[Step]:
        """One step; everything in it happens, durably, or nothing."""
        with turn(self._lock_file), linked(self.engine) as link:
            link.begin()
            step = Step(link, int(self.clock.now().timestamp()), self._remembered_steps)
            try:
                yield step
                step.finish()
                self.before_commit(step)
                link.commit()
            except BaseException:
                link.rollback()
                self.undo(step)
                raise
        self._tell(step)

    def _tell(self, step: Step) -> None:
        """The step happened: whoever heard of a fault now would do it a second time.  A lost bell costs a poll."""
        try:
            self.after_commit(step)
            self._ring(step)
        except Exception:
            log.exception("a step was stored, and not everybody was told")

    def _ring(self, step: Step) -> None:
        bells = {bell for event in step.events for bell in _bells_of(event)}
        if self._bus and bells:
            self._bus.ring(*bells)

    def read(self) -> contextlib.AbstractContextManager[Link]:
        return linked(self.engine)

    # Mailboxes
    def create_mailbox(self, mailbox: str) -> None:
        with self.write() as step:
            catalogue_folders.create_mailbox(step, mailbox)

    def remove_mailbox(self, mailbox: str) -> None:
        with self.write() as step:
            catalogue_folders.remove_mailbox(step, mailbox)
        self.text.remove(mailbox)

    def mailboxes(self) -> Sequence[str]:
        with self.read() as link:
            return catalogue_reads.mailboxes(link)

    def quota(self, mailbox: str) -> Quota:
        with self.read() as link:
            return catalogue_reads.quota(link, mailbox)

    def set_quota(self, mailbox: str, limit_octets: int | None) -> None:
        with self.write() as step:
            catalogue_folders.set_quota(step, mailbox, limit_octets)

    # Folders
    def folders(self, mailbox: str) -> Sequence[StoredFolder]:
        with self.read() as link:
            return catalogue_reads.folders(link, mailbox)

    def get_folder(self, folder_id: int) -> StoredFolder:
        with self.read() as link:
            return catalogue_reads.get_folder(link, folder_id).value()

    def find_folder(self, mailbox: str, name: str) -> StoredFolder | None:
        with self.read() as link:
            return catalogue_reads.find_folder(link, mailbox, name)

    def create_folder(self, mailbox: str, name: str, role: Role | None = None) -> StoredFolder:
        with self.write() as step:
            held = catalogue_folders.get_mailbox(step, mailbox)
            return catalogue_folders.create_folder(step, held, name, role).value()

    def rename_folder(self, folder_id: int, name: str) -> None:
        with self.write() as step:
            catalogue_folders.rename_folder(step, folder_id, name, self.relocation())

    def delete_folder(self, folder_id: int) -> None:
        with self.write() as step:
            catalogue_folders.delete_folder(step, folder_id)

    def claim_recent(self, folder_id: int, uidnext: int) -> int:
        with self.write() as step:
            return catalogue_folders.claim_recent(step, folder_id, uidnext)

    def subscribe(self, mailbox: str, name: str, *, subscribed: bool) -> None:
        change = catalogue_subscriptions.subscribe if subscribed else catalogue_subscriptions.unsubscribe
        with self.write() as step:
            change(step, catalogue_folders.get_mailbox(step, mailbox), name)

    def subscriptions(self, mailbox: str) -> Sequence[str]:
        with self.read() as link:
            return catalogue_reads.subscriptions(link, mailbox)

    # Messages: changes
    def copy(self, folder_id: int, uids: Iterable[int], target_id: int) -> Copied:
        with self.write() as step:
            step.lock(folder_id, target_id)
            source, target = step.folder(folder_id), step.folder(target_id)
            return catalogue_messages.copy(step, source, uids, target, self.relocation())

    def move(self, folder_id: int, uids: Iterable[int], target_id: int) -> Copied:
        with self.write() as step:
            step.lock(folder_id, target_id)
            source, target = step.folder(folder_id), step.folder(target_id)
            return catalogue_messages.move(step, source, uids, target, self.relocation())

    def store_flags(
        self,
        folder_id: int,
        uids: Iterable[int],
        mode: FlagMode,
        flags: frozenset[str],
        *,
        unchanged_since: int | None = None,
    ) -> FlagResult:
        with self.write() as step:
            step.lock(folder_id, with_mailbox=False)
            folder = step.folder(folder_id)
            return catalogue_messages.store_flags(step, folder, uids, mode, flags, unchanged_since)

    def expunge(self, folder_id: int, uids: Iterable[int] | None = None, *, only_deleted: bool = True) -> Expunged:
        with self.write() as step:
            step.lock(folder_id)
            return catalogue_messages.expunge(step, step.folder(folder_id), uids, only_deleted=only_deleted)

    def refiled_mailboxes(self) -> Sequence[str]:
        with self.read() as link:
            return catalogue_refiled.refiled_mailboxes(link)

    def refiled(self, mailbox: str, most: int) -> Sequence[Refiled]:
        with self.read() as link:
            return catalogue_refiled.refiled(link, mailbox, most)

    def forget_refiled(self, ids: Iterable[int]) -> None:
        with self.write() as step:
            catalogue_refiled.forget_refiled(step.link, ids)

    # Messages: reading
    def uids(self, folder_id: int) -> Uids:
        with self.read() as link:
            return catalogue_reads.uids(link, folder_id)

    def rows(self, folder_id: int, columns: Sequence[Column], uids: Iterable[int] | None = None) -> Iterator[Row]:
        return catalogue_reads.rows(self.engine, folder_id, columns, uids)

    def find_first_unseen(self, folder_id: int) -> int | None:
        with self.read() as link:
            return catalogue_reads.find_first_unseen(link, folder_id)

    def find_by_message_id(self, folder_id: int, message_id: str) -> Sequence[int]:
        with self.read() as link:
            return catalogue_reads.find_by_message_id(link, folder_id, message_id)

    def changes(self, folder_id: int, since_modseq: int, uids: Iterable[int] | None = None) -> FolderChanges:
        with self.read() as link:
            return catalogue_reads.changes(link, folder_id, since_modseq, uids)

    def uids_where(self, folder_id: int, key: Known, now_s: int) -> Uids:
        with self.read() as link:
            return uids_where(link, folder_id, key, now_s)

    # Text
    def search_text(self, folder_id: int, field: str, text: str) -> TextHits | None:
        term, folder = find_term(text), self.get_folder(folder_id)
        return None if term is None else self.text.ask(folder.mailbox, lambda index: index.find(folder, field, term))

    def search_sent(self, folder_id: int, first_day: int, last_day: int) -> TextHits | None:
        folder = self.get_folder(folder_id)
        return self.text.ask(folder.mailbox, lambda index: index.find_sent(folder, first_day, last_day))

    def headings(self, folder_id: int, columns: Sequence[Heading]) -> Sequence[Row]:
        folder = self.get_folder(folder_id)
        return self.text.ask(folder.mailbox, lambda index: index.headings(folder, columns)) or ()


def _bells_of(event: Event) -> Iterator[Bell]:
    if isinstance(event, SubscriptionsChanged):
        yield Bell(Topic.STORAGE_TREE, event.mailbox.id)
        return
    if isinstance(event, MailboxMade | MailboxRemoved | QuotaSet):
        return
    yield Bell(Topic.STORAGE, event.folder.id)
    if isinstance(event, FolderMade | FolderMarked | FolderRemoved | FolderRenamed):
        yield Bell(Topic.STORAGE_TREE, event.folder.mailbox_id)
