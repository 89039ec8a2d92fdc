"""Hosted mail for the engine: a MailSource that reads the storage itself, without a socket (RFC 9051 in values)."""

from __future__ import annotations

import os
from bisect import bisect_left
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from contextlib import suppress
from datetime import UTC, datetime

from app.extension_api import (
    HEADER_FIELDS,
    ActionRefused,
    Applied,
    Clock,
    Copy,
    Delta,
    Expunge,
    FlagState,
    FolderFull,
    FolderMissing,
    FolderState,
    FolderStatus,
    Move,
    NoSuchFolder,
    NoSuchMessage,
    RemoteFolder,
    RemoteMessage,
    SourceAction,
    StoreFlags,
)
from mailsite_ext.errors import MailboxFull
from mailsite_ext.storage.bells import FolderBells
from mailsite_ext.storage.engine import StorageEngine
from mailsite_ext.storage.values import DELIMITER, Column, Content, FlagMode, StoredFolder
from mailsite_ext.webmail.reading import header_of, section_pieces

NEW_AT_ONCE = 200
CHUNK_MESSAGES = 500
COLUMNS = (Column.UID, Column.FLAGS, Column.INTERNAL_DATE, Column.SIZE, Column.MODSEQ, Column.BODYSTRUCTURE)


class StorageSource:
    """One mailbox of the storage as MailSource promises it; see there for what each method does and raises."""

    caches_bodies = False  # they are on this machine already
    is_gmail = False
    can_idle = True

    def __init__(self, storage: StorageEngine, mailbox: str, bells: FolderBells, clock: Clock) -> None:
        self._storage = storage
        self._mailbox = mailbox
        self._bells = bells
        self._clock = clock
        self._unlisten: Callable[[], None] | None = None
        self._rung = -1

    # Folders

    def folders(self) -> Sequence[RemoteFolder]:
        return [_remote_folder(folder) for folder in self._storage.folders(self._mailbox)]

    def create_folder(self, name: str) -> None:
        self._storage.create_folder(self._mailbox, name)

    def rename_folder(self, name: str, new_name: str) -> None:
        self._storage.rename_folder(self._folder(name).id, new_name)

    def delete_folder(self, name: str) -> None:
        self._storage.delete_folder(self._folder(name).id)

    def subscribe(self, name: str, *, subscribed: bool) -> None:
        self._storage.subscribe(self._folder(name).id, subscribed=subscribed)

    def _folder(self, name: str, uidvalidity: int | None = None) -> StoredFolder:
        found = self._storage.find_folder(self._mailbox, name)
        if found is None or not found.selectable:
            raise NoSuchFolder(name)
        if uidvalidity not in (None, found.uidvalidity):
            raise NoSuchMessage("the folder was made anew meanwhile")
        return found

    # Messages

    def changes(self, folder: str, since: FolderState | None, known: Sequence[int]) -> Delta:
        stored = self._folder(folder)
        is_reset = since is not None and since.uidvalidity != stored.uidvalidity
        if since is None or is_reset or since.highestmodseq is None:
            return self._everything(stored, [] if is_reset else known, is_reset=is_reset)
        return self._since(stored, since.highestmodseq, known)

    def _everything(self, stored: StoredFolder, known: Sequence[int], *, is_reset: bool) -> Delta:
        """All flags of known messages, the newest unknown ones, and the UIDs of the others."""
        flags = {uid: FlagState(_flags(words), modseq) for uid, words, modseq in self._flag_rows(stored)}
        known_uids = set(known)
        unknown = sorted((uid for uid in flags if uid not in known_uids), reverse=True)
        return Delta(
            _state(stored),
            messages=stored.messages,
            unseen=stored.unseen,
            reset=is_reset,
            flags={uid: state for uid, state in flags.items() if uid in known_uids},
            vanished=frozenset(known_uids - flags.keys()),
            new=self._messages(stored.id, unknown[:NEW_AT_ONCE]),
            unfetched=sorted(unknown[NEW_AT_ONCE:]),
        )

    def _flag_rows(self, stored: StoredFolder) -> Iterator[tuple[int, str, int]]:
        return self._storage.rows(stored.id, (Column.UID, Column.FLAGS, Column.MODSEQ))

    def _since(self, stored: StoredFolder, modseq: int, known: Sequence[int]) -> Delta:
        changes = self._storage.changes(stored.id, modseq)
        changed = {uid: FlagState(_flags(words), at) for uid, at, words in changes.changed}
        known_uids = _Known(known)
        unknown = sorted((uid for uid in changed if uid not in known_uids), reverse=True)
        return Delta(
            _state(changes.folder),
            messages=changes.folder.messages,
            unseen=changes.folder.unseen,
            flags={uid: state for uid, state in changed.items() if uid in known_uids},
            vanished=frozenset(uid for uid in changes.vanished if uid in known_uids),
            new=self._messages(stored.id, unknown[:NEW_AT_ONCE]),
            unfetched=sorted(unknown[NEW_AT_ONCE:]),
        )

    def headers(
        self, folder: str, uids: Sequence[int], uidvalidity: int | None = None
    ) -> Iterator[Sequence[RemoteMessage]]:
        stored = self._folder(folder, uidvalidity)
        for start in range(0, len(uids), CHUNK_MESSAGES):
            yield self._messages(stored.id, uids[start : start + CHUNK_MESSAGES])

    def _messages(self, folder_id: int, uids: Sequence[int]) -> Sequence[RemoteMessage]:
        """Newest first; those that vanished meanwhile are left out."""
        if not uids:
            return []
        found = {row[0]: row for row in self._storage.rows(folder_id, COLUMNS, sorted(uids))}
        read = (self._read(folder_id, found[uid]) for uid in sorted(found, reverse=True))
        return [message for message in read if message is not None]

    def _read(self, folder_id: int, row: tuple[int, str, int, int, int, bytes]) -> RemoteMessage | None:
        uid, words, received_at, size_octets, modseq, bodystructure = row
        try:
            with self._storage.open_message(folder_id, uid) as message:
                header = header_of(message, HEADER_FIELDS)
        except NoSuchMessage:
            return None
        moment = datetime.fromtimestamp(received_at, UTC)
        return RemoteMessage(uid, _flags(words), moment, size_octets, header, bodystructure, modseq)

    def fetch(
        self, folder: str, uid: int, sections: Sequence[str], uidvalidity: int | None = None
    ) -> Mapping[str, bytes]:
        return {section: b"".join(self.stream(folder, uid, section, 65_536, uidvalidity)) for section in sections}

    def stream(
        self, folder: str, uid: int, section: str, chunk_octets: int, uidvalidity: int | None = None
    ) -> Iterator[bytes]:
        stored = self._folder(folder, uidvalidity)
        for (parts,) in self._storage.rows(stored.id, (Column.PARTS,), [uid]):
            with self._storage.open_message(stored.id, uid) as message:
                yield from section_pieces(message, parts, section, chunk_octets)
            return
        raise NoSuchMessage

    def previews(
        self, folder: str, wanted: Mapping[int, str], octets: int, uidvalidity: int | None = None
    ) -> Mapping[int, bytes]:
        found = {}
        for uid, section in wanted.items():
            with suppress(NoSuchMessage):
                found[uid] = next(iter(self.stream(folder, uid, section, octets, uidvalidity)), b"")
        return found

    # Changes

    def apply(self, action: SourceAction) -> Applied:
        try:
            stored = self._folder(action.folder, action.uidvalidity)
        except NoSuchMessage as error:
            raise ActionRefused(error.detail) from error
        match action:
            case StoreFlags():
                return self._store(stored, action)
            case Expunge():
                self._storage.expunge(stored.id, action.uids, only_deleted=False)
                return Applied()
            case Move() | Copy():
                return self._carry(stored, action)
        raise ActionRefused("there are no labels here")

    def _store(self, stored: StoredFolder, action: StoreFlags) -> Applied:
        for mode, flags in ((FlagMode.ADD, action.add), (FlagMode.REMOVE, action.remove)):
            if flags:
                self._storage.store_flags(stored.id, action.uids, mode, flags)
        return Applied()

    def _carry(self, stored: StoredFolder, action: Move | Copy) -> Applied:
        target = self._storage.find_folder(self._mailbox, action.target)
        if target is None:
            raise FolderMissing(action.target)
        carry = self._storage.move if isinstance(action, Move) else self._storage.copy
        try:
            copied = carry(stored.id, action.uids, target.id)
        except MailboxFull as error:
            raise FolderFull(error.detail) from error
        return Applied(dict(zip(copied.source, copied.target, strict=True)), copied.uidvalidity)

    def append(
        self, folder: str, message: bytes, flags: Iterable[str], received_at: datetime | None = None
    ) -> int | None:
        content = Content(message, len(message))
        try:
            (stored,) = self._storage.append(
                self._target(folder).id, [(content, frozenset(flags), received_at)]
            ).result()
        except MailboxFull as error:
            raise FolderFull(error.detail) from error
        return stored.uid

    def _target(self, name: str) -> StoredFolder:
        try:
            return self._folder(name)
        except NoSuchFolder as error:
            raise FolderMissing(name) from error

    def find_by_message_id(self, folder: str, message_id: str) -> Sequence[int]:
        return self._storage.find_by_message_id(self._folder(folder).id, message_id.strip("<> "))

    def labelled(self, folder: str, label: str) -> Sequence[int]:
        return ()

    # Waiting for news

    def start_watching(self, folder: str) -> int:
        self.stop_watching()
        self._rung = os.eventfd(0, os.EFD_NONBLOCK | os.EFD_CLOEXEC)
        self._unlisten = self._bells.listen(self._folder(folder).id, _ringer(self._rung))
        return self._rung

    def has_news(self) -> bool:
        try:
            return os.eventfd_read(self._rung) > 0
        except BlockingIOError:
            return False

    def stop_watching(self) -> None:
        if self._unlisten is not None:
            self._unlisten()
            self._unlisten = None
            os.close(self._rung)

    def noop(self) -> None:
        """There is no connection to keep."""

    def close(self) -> None:
        self.stop_watching()


def _ringer(descriptor: int) -> Callable[[], None]:
    def ring() -> None:
        with suppress(OSError):  # nobody watches any more
            os.eventfd_write(descriptor, 1)

    return ring


class _Known:
    """Is a UID among many that are sorted?  They may be a view on SQL: only searched, never gone through."""

    def __init__(self, uids: Sequence[int]) -> None:
        self._uids = uids

    def __contains__(self, uid: int) -> bool:
        at = bisect_left(self._uids, uid)
        return at < len(self._uids) and self._uids[at] == uid


def _state(stored: StoredFolder) -> FolderState:
    return FolderState(stored.uidvalidity, stored.uidnext, stored.highestmodseq)


def _flags(words: str) -> frozenset[str]:
    return frozenset(words.split())


def _remote_folder(folder: StoredFolder) -> RemoteFolder:
    status = FolderStatus(folder.uidvalidity, folder.uidnext, folder.messages, folder.unseen, folder.highestmodseq)
    return RemoteFolder(
        folder.name,
        DELIMITER,
        folder.role,
        selectable=folder.selectable,
        subscribed=folder.subscribed,
        status=status if folder.selectable else None,
    )
