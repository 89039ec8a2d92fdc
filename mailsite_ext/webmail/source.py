"""Hosted mail for the engine: a MailSource that reads the storage itself, without a socket (RFC 9051 in values)."""

from __future__ import annotations

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
    FolderMissing,
    FolderState,
    FolderStatus,
    Move,
    NoSuchFolder,
    NoSuchMessage,
    RemoteFolder,
    RemoteMessage,
    SearchTerm,
    SourceAction,
    StoreFlags,
)
from mailsite_ext.errors import SearchTooLong
from mailsite_ext.storage.bells import FolderBells
from mailsite_ext.storage.catalogue_folders import folder_name
from mailsite_ext.storage.engine import StorageEngine
from mailsite_ext.storage.values import DELIMITER, INBOX, Column, Content, FlagMode, FolderChanges, StoredFolder
from mailsite_ext.webmail.ear import MailboxEar
from mailsite_ext.webmail.reading import check_section, header_of, section_pieces
from mailsite_ext.webmail.refusals import check_flags, refusals_told
from mailsite_ext.webmail.searching import find_uids

NEW_AT_ONCE = 200
CHUNK_MESSAGES = 500
COLUMNS = (Column.UID, Column.FLAGS, Column.INTERNAL_DATE, Column.SIZE, Column.MODSEQ, Column.BODYSTRUCTURE)


class StorageSource:
    """One mailbox of the storage as MailSource promises it; see there for what each method does and raises."""

    caches_bodies = False  # they are on this machine already
    is_gmail = False
    can_idle = True

    def __init__(self, storage: StorageEngine, mailbox: str, bells: Callable[[], FolderBells], clock: Clock) -> None:
        """`bells` gives the process's ear on the bus, which only watching needs."""
        self._storage = storage
        self._mailbox = mailbox
        self._bells = bells
        self._clock = clock
        self._ear: MailboxEar | None = None
        self._told: dict[int, int] = {}
        """Folder id → its MODSEQ when its changes were asked for last."""

    # Folders

    def folders(self) -> Sequence[RemoteFolder]:
        return [_remote_folder(folder) for folder in self._storage.folders(self._mailbox)]

    def create_folder(self, name: str) -> None:
        with refusals_told():
            folder = self._storage.create_folder(self._mailbox, name)
            self._subscribe(folder.name, subscribed=True)

    def rename_folder(self, name: str, new_name: str) -> None:
        """Subscriptions do not move along by themselves (RFC 9051 §6.3.7)."""
        folder = self._named(name)
        with refusals_told():
            self._storage.rename_folder(folder.id, new_name)
            if folder.subscribed:
                self._subscribe(new_name, subscribed=True)
                self._subscribe(folder.name, subscribed=folder.name == INBOX)

    def delete_folder(self, name: str) -> None:
        folder = self._named(name)
        with refusals_told():
            self._storage.delete_folder(folder.id)
            self._subscribe(folder.name, subscribed=False)

    def subscribe(self, name: str, *, subscribed: bool) -> None:
        with refusals_told():
            self._subscribe(folder_name(name), subscribed=subscribed)

    def _subscribe(self, name: str, *, subscribed: bool) -> None:
        self._storage.subscribe(self._mailbox, name, subscribed=subscribed)

    def _named(self, name: str) -> StoredFolder:
        """A folder, or a name kept for those below it."""
        with refusals_told():
            found = self._storage.find_folder(self._mailbox, folder_name(name))
        if found is None:
            raise NoSuchFolder(name)
        return found

    def _folder(self, name: str, uidvalidity: int | None = None) -> StoredFolder:
        found = self._named(name)
        if not found.selectable:
            raise NoSuchFolder(name)
        if uidvalidity not in (None, found.uidvalidity):
            raise NoSuchMessage("the folder was made anew meanwhile")
        return found

    # Messages

    def changes(self, folder: str, since: FolderState | None, known: Sequence[int]) -> Delta:
        stored = self._folder(folder)
        self._told[stored.id] = stored.highestmodseq
        is_reset = since is not None and since.uidvalidity != stored.uidvalidity
        if since is None or is_reset or since.highestmodseq is None:
            return self._everything(stored, [] if is_reset else known, is_reset=is_reset)
        changes = self._storage.changes(stored.id, since.highestmodseq)
        news = _News(changes, since.uidnext, known)
        if news.are_whole:
            return self._since(changes, news)
        return self._everything(stored, known, is_reset=False)

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
            unfetched=unknown[NEW_AT_ONCE:],
        )

    def _flag_rows(self, stored: StoredFolder) -> Iterator[tuple[int, str, int]]:
        return self._storage.rows(stored.id, (Column.UID, Column.FLAGS, Column.MODSEQ))

    def _since(self, changes: FolderChanges, news: _News) -> Delta:
        return Delta(
            _state(changes.folder),
            messages=changes.folder.messages,
            unseen=changes.folder.unseen,
            flags=news.flags,
            vanished=news.vanished,
            new=self._messages(changes.folder.id, news.unknown[:NEW_AT_ONCE]),
            unfetched=news.unknown[NEW_AT_ONCE:],
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
        check_section(section)
        stored = self._folder(folder, uidvalidity)
        for (parts,) in self._storage.rows(stored.id, (Column.PARTS,), [uid]):
            with self._storage.open_message(stored.id, uid) as message:
                yield from section_pieces(message, parts, section, chunk_octets)
            return
        raise NoSuchMessage

    def previews(
        self, folder: str, wanted: Mapping[int, str], octets: int, uidvalidity: int | None = None
    ) -> Mapping[int, bytes]:
        stored, found = self._folder(folder, uidvalidity), {}
        for uid, parts in self._storage.rows(stored.id, (Column.UID, Column.PARTS), sorted(wanted)):
            with suppress(NoSuchMessage), self._storage.open_message(stored.id, uid) as message:
                found[uid] = next(section_pieces(message, parts, wanted[uid], octets), b"")
        return found

    # Changes

    def apply(self, action: SourceAction) -> Applied:
        try:
            stored = self._folder(action.folder, action.uidvalidity)
        except NoSuchMessage as error:
            raise ActionRefused(error.detail) from error
        with refusals_told():
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
                self._storage.store_flags(stored.id, action.uids, mode, check_flags(flags))
        return Applied()

    def _carry(self, stored: StoredFolder, action: Move | Copy) -> Applied:
        carry = self._storage.move if isinstance(action, Move) else self._storage.copy
        copied = carry(stored.id, action.uids, self._target(action.target).id)
        return Applied(dict(zip(copied.source, copied.target, strict=True)), copied.uidvalidity)

    def append(
        self, folder: str, message: bytes, flags: Iterable[str], received_at: datetime | None = None
    ) -> int | None:
        new = (Content(message, len(message)), check_flags(flags), received_at)
        with refusals_told():
            (stored,) = self._storage.append(self._target(folder).id, [new]).result()
        return stored.uid

    def _target(self, name: str) -> StoredFolder:
        try:
            return self._folder(name)
        except NoSuchFolder as error:
            raise FolderMissing(name) from error

    def find_by_message_id(self, folder: str, message_id: str) -> Sequence[int]:
        return self._storage.find_by_message_id(self._folder(folder).id, message_id.strip("<> "))

    def search(self, folder: str, terms: Sequence[SearchTerm]) -> Sequence[int]:
        """As the IMAP listener finds, by the index of texts where there is one."""
        try:
            return find_uids(self._storage, self._mailbox, self._folder(folder), terms, self._clock)
        except SearchTooLong as error:
            raise ActionRefused("the search takes too long") from error

    def labelled(self, folder: str, label: str) -> Sequence[int]:
        return ()

    # Waiting for news

    def start_watching(self, folder: str) -> int:
        """Rung already where something came since the folder's changes were asked for."""
        stored = self._folder(folder)
        ear = self._ear = self._ear or MailboxEar(self._bells())
        ear.attend(stored.mailbox_id, [each.id for each in self._storage.folders(self._mailbox)])
        descriptor = ear.watch(stored.id)
        if self._storage.get_folder(stored.id).highestmodseq != self._told.get(stored.id, stored.highestmodseq):
            ear.note_news()
        return descriptor

    def has_news(self) -> bool:
        return self._ear is not None and self._ear.has_news()

    def has_other_news(self) -> bool:
        return self._ear is not None and self._ear.has_other_news()

    def stop_watching(self) -> None:
        if self._ear is not None:
            self._ear.stop()

    def noop(self) -> None:
        """There is no connection to keep."""

    def close(self) -> None:
        ear, self._ear = self._ear, None
        if ear is not None:
            ear.close()


class _News:
    """What changed in a folder, told apart by what the mirror knows.

    A message at or above the UIDNEXT of then is new; the UIDs that are known are read only where an older one changed,
    so new mail costs the same in a folder of any size.
    """

    def __init__(self, changes: FolderChanges, uidnext: int, known: Sequence[int]) -> None:
        self._known = known
        self._uidnext = uidnext
        flags = {uid: FlagState(_flags(words), modseq) for uid, modseq, words in changes.changed}
        self.flags = {uid: state for uid, state in flags.items() if self._knows(uid)}
        self.vanished = frozenset(uid for uid in changes.vanished if self._knows(uid))
        self.unknown = sorted(flags.keys() - self.flags.keys(), reverse=True)
        mirrored = len(known) - len(self.vanished) + len(self.unknown)
        self.are_whole = mirrored == changes.folder.messages
        """False: the mirror lacks older messages, as a first sync was broken off."""

    def _knows(self, uid: int) -> bool:
        if uid >= self._uidnext:
            return False
        at = bisect_left(self._known, uid)
        return at < len(self._known) and self._known[at] == uid


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
