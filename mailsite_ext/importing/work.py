"""The engine's side of an import: a few messages of one folder at a time, each exactly once.

Before messages are stored it is written down up to which UID they go and where they will lie; afterwards that they are
there.  Whoever goes on after a crash looks in those places before it stores them.
"""

from __future__ import annotations

import logging
from array import array
from bisect import bisect_right
from collections import defaultdict
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from pathlib import Path

from app.extension_api import (
    ActionRefused,
    Desk,
    MailError,
    MailSource,
    NoSuchFolder,
    NoSuchMessage,
    NotFound,
    ProtocolError,
    RemoteMessage,
    ServerUnreachable,
)
from mailsite_ext.delivery.spool import sweep
from mailsite_ext.errors import (
    BadFolderName,
    MailboxFull,
    MessageTooLarge,
    NoSuchMailbox,
    StorageDamaged,
    StorageElsewhere,
    StorageFull,
    TooManyFolders,
)
from mailsite_ext.importing.bodies import Bodies
from mailsite_ext.importing.copies import has_copy
from mailsite_ext.importing.models import ImportFolder
from mailsite_ext.importing.places import Places
from mailsite_ext.importing.plan import BATCH_MESSAGES, first_batch, kept_flags, target_of, with_room
from mailsite_ext.importing.queries import allows_import
from mailsite_ext.importing.records import Records, Task, find_task
from mailsite_ext.storage.open import StorageInUse, mail_folder
from mailsite_ext.storage.values import Content, StoredFolder

log = logging.getLogger(__name__)

NOT_NOW = (MailboxFull, NoSuchMailbox, StorageFull, StorageInUse, StorageElsewhere, StorageDamaged)
WAIT_S = 60.0
LONG_WAIT_S = 900.0
"""When message after message is refused the server may mean all of them, for a while (Gmail's daily limit)."""
MOST_TRIES = 4
MANY_IN_ROW = 5

Arrival = tuple[Content, frozenset[str], datetime | None]


def step(desk: Desk, source: MailSource) -> bool:
    """Import the next few messages of an account, if there is something to import; True: there may be more."""
    with desk.parts.public.session() as db:
        if not allows_import(db):
            return False
    task = find_task(desk)
    if task is None or task.folder is None:
        _listings.pop(desk.account_id, None)
    if task is None:
        return False
    records = Records(desk, task.imported, task.folder)
    if task.folder is None:
        records.finish()
        return False
    try:
        _FolderImport(desk, source, task, task.folder, records).step()
    except NOT_NOW as error:
        records.wait(error, WAIT_S)
        return False
    except (BadFolderName, TooManyFolders) as error:
        records.complete(error)
    except _Refused as refused:
        records.wait(refused.error, LONG_WAIT_S)
        return False
    return True


class _Refused(Exception):
    """The server refuses message after message."""

    def __init__(self, error: MailError) -> None:
        self.error = error


@dataclass(frozen=True, slots=True)
class _Listing:
    """The UIDs of a folder, asked for once while an account is leased: a number for each message is all it costs."""

    folder_id: int
    epoch: int
    uidvalidity: int
    uids: array[int]


_listings: dict[int, _Listing] = {}
"""By account: the folder it is at."""


class _FolderImport:
    def __init__(self, desk: Desk, source: MailSource, task: Task, row: ImportFolder, records: Records) -> None:
        self._desk = desk
        self._source = source
        self._row = row
        self._records = records
        self._is_apart = task.imported.is_apart
        self._is_recovering = row.pending_uid > row.done_uid
        self._places: Places | None = None

    def step(self) -> None:
        self._places = Places(self._desk)
        try:
            listing = self._listing()
        except (NoSuchFolder, ActionRefused) as error:
            self._records.complete(error)
            return
        if listing.uidvalidity != self._row.uidvalidity:
            self._records.begin(listing.uidvalidity, len(listing.uids))
            return
        failed_uid = self._records.find_failed()
        if failed_uid is not None:
            self._try_again(failed_uid)
        elif window := self._window(listing.uids):
            self._bring(window)
        else:
            _listings.pop(self._desk.account_id, None)
            self._records.complete()

    def _listing(self) -> _Listing:
        """Raises NoSuchFolder, ActionRefused."""
        known = _listings.get(self._desk.account_id)
        key = (self._row.id, self._desk.lease.epoch)
        if known is not None and (known.folder_id, known.epoch) == key:
            return known
        delta = self._source.changes(self._row.name, None, [])
        uids = array("Q", sorted({*delta.unfetched, *(message.uid for message in delta.new)}))
        found = _listings[self._desk.account_id] = _Listing(*key, delta.state.uidvalidity, uids)
        if found.uidvalidity == self._row.uidvalidity:
            self._records.count(len(uids) - bisect_right(uids, self._row.done_uid))
        return found

    def _window(self, uids: array[int]) -> Sequence[int]:
        """The next UIDs; one alone where trying came to nothing, so that it is known which it is.

        What was under way when another engine died comes by itself, if it is still there.
        """
        at = bisect_right(uids, self._row.done_uid)
        window = uids[at : at + (1 if self._row.tries else BATCH_MESSAGES)]
        under_way = window[: bisect_right(window, self._row.pending_uid)]
        return (under_way or window).tolist()

    def _bring(self, window: Sequence[int]) -> None:
        """Fetch and store the first messages of `window`, or count a try that came to nothing."""
        row, messages = self._row, list[RemoteMessage]()
        try:
            for chunk in self._source.headers(row.name, window, row.uidvalidity):
                messages += chunk
            self._bring_first(window, sorted(messages, key=lambda message: message.uid))
        except (ServerUnreachable, ProtocolError) as error:
            self._came_to_nothing(window, messages, error)
            raise
        except (NotFound, ActionRefused) as error:
            if isinstance(error, NoSuchMailbox):
                raise
            _listings.pop(self._desk.account_id, None)  # perhaps its UIDs mean other messages by now
            self._came_to_nothing(window, messages, error)

    def _came_to_nothing(self, window: Sequence[int], messages: Sequence[RemoteMessage], error: MailError) -> None:
        """Raises _Refused where it is better to wait before a message is given up."""
        tries, is_one_of_many = self._row.tries + 1, self._row.failed_in_row >= MANY_IN_ROW
        if len(window) > 1 or tries < MOST_TRIES + is_one_of_many:
            self._records.tried()
            if is_one_of_many and tries == MOST_TRIES:
                raise _Refused(error)
            return
        self._records.fail(window[0], next(iter(messages), None), error)

    def _bring_first(self, window: Sequence[int], messages: Sequence[RemoteMessage]) -> None:
        batch = self._with_room(first_batch(messages))
        if messages and not batch:
            self._records.fail(messages[0].uid, messages[0], MessageTooLarge())
            return
        end = batch[-1].uid if len(batch) < len(messages) else window[-1]
        with Bodies(self._source, self._row.name, self._row.uidvalidity, self._spool_folder()) as bodies:
            self._store(batch, bodies.fetch(batch), end, sum(uid <= end for uid in window))

    def _try_again(self, uid: int) -> None:
        """A message that failed before, alone: it comes now, or fails once more."""
        row = self._row
        try:
            found = [one for chunk in self._source.headers(row.name, [uid], row.uidvalidity) for one in chunk]
            if found and not self._with_room(found):
                raise MessageTooLarge
            self._store_again(uid, found)
        except (ServerUnreachable, ProtocolError) as error:
            if row.tries + 1 < MOST_TRIES:
                self._records.tried()
            else:
                self._records.failed_again(uid, error)
            raise
        except (NotFound, ActionRefused, MessageTooLarge) as error:
            if isinstance(error, NoSuchMailbox):
                raise
            self._records.failed_again(uid, error)
        else:
            self._records.came_at_last(uid)

    def _store_again(self, uid: int, found: Sequence[RemoteMessage]) -> None:
        """It may be there: an engine may have died before it could say so.  Raises NoSuchMessage."""
        with Bodies(self._source, self._row.name, self._row.uidvalidity, self._spool_folder()) as bodies:
            content = bodies.fetch(found).get(uid)
            if content is None:
                raise NoSuchMessage
            message, storage = found[0], self._at.storage
            folder = self._at.folder(self._target(message), self._is_apart)
            if not has_copy(storage, folder.id, content, lambda _uid: True):
                storage.append(folder.id, [(content, kept_flags(message.flags), message.received_at)]).result()

    def _with_room(self, batch: Sequence[RemoteMessage]) -> Sequence[RemoteMessage]:
        """As much as the quota takes; none: the first one is larger than all of it.  Raises MailboxFull."""
        quota = self._at.storage.quota(self._at.mailbox)
        if quota.limit_octets is None or self._is_recovering or not batch:  # what is there already needs no room
            return batch
        fitting = with_room(batch, max(quota.limit_octets - quota.used_octets, 0))
        if not fitting and batch[0].size_octets <= quota.limit_octets:
            raise MailboxFull
        return fitting

    def _spool_folder(self) -> Path:
        folder = mail_folder(self._desk.parts.config) / "spool"
        if not folder.is_dir():
            sweep(folder)
        return folder

    # Storing

    def _store(self, batch: Sequence[RemoteMessage], contents: Mapping[int, Content], end: int, number: int) -> None:
        known = dict(self._row.known)
        arrivals: dict[int, list[Arrival]] = defaultdict(list)
        folders: dict[int, StoredFolder] = {}
        for message in batch:
            content = contents.get(message.uid)
            if content is None:
                continue  # gone meanwhile
            folder = self._at.folder(self._target(message), self._is_apart)
            known.setdefault(folder.name, folder.uidnext)
            if not self._is_there(folder, content, known):
                folders[folder.id] = folder
                arrivals[folder.id].append((content, kept_flags(message.flags), message.received_at))
        if arrivals:
            self._records.announce(end, {one.name: one.uidnext for one in folders.values()}, known)
        try:
            for folder_id, some in arrivals.items():
                self._at.storage.append(folder_id, some).result()
        except NoSuchFolder:
            return  # removed here this moment; the next step makes it again, and looks what is there
        self._records.done(end, number)

    @property
    def _at(self) -> Places:
        assert self._places is not None
        return self._places

    def _target(self, message: RemoteMessage) -> str:
        return target_of(message, self._row.target, self._row.role, is_apart=self._is_apart)

    def _is_there(self, folder: StoredFolder, content: Content, known: Mapping[str, int]) -> bool:
        """Was it there before the import began, or stored by an engine that died before it could say so?"""
        storage, below = self._at.storage, known[folder.name]
        if below > 1 and has_copy(storage, folder.id, content, lambda uid: uid < below):
            return True
        if not self._is_recovering:
            return False
        return any(
            (place := self._at.find(name)) is not None
            and place.uidnext > first
            and has_copy(storage, place.id, content, lambda uid, first=first: uid >= first)  # type: ignore[misc]
            for name, first in self._row.pending.items()
        )
