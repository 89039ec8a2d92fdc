"""From one engine to the other: bytes, UIDs, MODSEQs, flags, dates and ids stay as they are.

What was interrupted goes on where it was: a folder gets the messages it has not yet, then its flags, steps and
counters as the source has them.  The source is not changed, and nobody else may change it meanwhile.
"""

from __future__ import annotations

import contextlib
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, fields
from pathlib import Path
from typing import Any, Protocol, TypeAlias

from mailsite_ext.storage.blob_bodies import enter_segments, store_body
from mailsite_ext.storage.catalogue_messages import INSERT_FLAGS, INSERT_MESSAGE, flag_row, note_unused, span
from mailsite_ext.storage.catalogue_sql import Link, Row
from mailsite_ext.storage.catalogue_step import FOLDERS, MAILBOX_COLUMNS, Step, folder_of
from mailsite_ext.storage.catalogue_subscriptions import enter, subscriptions
from mailsite_ext.storage.catalogue_values import (
    LAST_UID,
    Arrival,
    Arrived,
    FolderMade,
    LockedFolder,
    LockedMailbox,
    MailboxMade,
)
from mailsite_ext.storage.engine import MessageReader
from mailsite_ext.storage.file_mail_storage import FileMailStorage
from mailsite_ext.storage.recount import recount
from mailsite_ext.storage.sql_mail_storage import SqlMailStorage

Storage: TypeAlias = FileMailStorage | SqlMailStorage

PIECE = 100
IN_MEMORY_OCTETS = 1024 * 1024
COLUMNS = INSERT_MESSAGE.partition("(")[2].partition(")")[0].split(", ")
AT = {name: place for place, name in enumerate(COLUMNS)}
MESSAGES = (
    f"SELECT {', '.join('m.' + name for name in COLUMNS)}, f.modseq, f.flags FROM mailsite_message m "
    f"JOIN mailsite_flag f ON f.id = m.id WHERE m.id > ? AND m.id <= ? ORDER BY m.id LIMIT {PIECE}"
)
IDS = "SELECT id FROM mailsite_message WHERE id BETWEEN ? AND ?"
STEPS = "SELECT folder_id, modseq, is_expunge, uids FROM mailsite_change WHERE folder_id = ?"


@dataclass(frozen=True, slots=True)
class Converted:
    """A folder that has come over, and how many messages of it in this run."""

    mailbox: str
    folder: str
    messages: int


def convert(source: Storage, target: Storage, scratch: Path) -> Iterator[Converted]:
    """Bring everything over; `scratch`: a folder for large messages on their way."""
    keeper = _FilesKeeper(target) if isinstance(target, FileMailStorage) else _SqlKeeper(target)
    with source.read() as link:
        mailboxes = [LockedMailbox(*row) for row in link.rows(f"SELECT {MAILBOX_COLUMNS} FROM mailsite_mailbox")]
        removed = link.rows("SELECT name, last_uidvalidity FROM mailsite_removed_mailbox")
    for mailbox in mailboxes:
        for folder in _make(source, target, mailbox):
            count = _Folder(source, target, folder, keeper, scratch).bring()
            yield Converted(mailbox.name, folder.name, count)
    with target.write() as step:
        _finish(step, removed, _last_folder_id(source))


# Mailboxes and folders
def _make(source: Storage, target: Storage, mailbox: LockedMailbox) -> list[LockedFolder]:
    """Make what the target lacks of a mailbox and its folders, ids and all; the folders."""
    with source.read() as link:
        folders = [folder_of(row) for row in link.rows(f"{FOLDERS} WHERE b.id = ? ORDER BY f.id", [mailbox.id])]
        subscribed = subscriptions(link, mailbox.id)
    with target.write() as step:
        if not step.lock_mailboxes(names=[mailbox.name]):
            _insert(step.link, "mailsite_mailbox", mailbox, {"octets": 0, "messages": 0})
            held = step.lock_mailboxes(names=[mailbox.name])[0]
            enter(step.link, held.id, subscribed)
            step.events.append(MailboxMade(held, subscribed))
        there = {folder.id for folder in step.lock_all(mailbox)}
        for folder in folders:
            if folder.id not in there:
                _make_folder(step, folder)
    return folders


def _make_folder(step: Step, folder: LockedFolder) -> None:
    _insert(step.link, "mailsite_folder", folder, {"messages": 0, "unseen": 0, "deleted": 0, "octets": 0})
    step.lock_there([folder.id])
    step.events.append(FolderMade(step.folders[folder.id]))


def _insert(link: Link, table: str, held: LockedMailbox | LockedFolder, instead: dict[str, int]) -> None:
    values: dict[str, Any] = {field.name: getattr(held, field.name) for field in fields(held)} | instead
    for elsewhere in ("mailbox", "subscribed"):  # a folder's that other tables have
        values.pop(elsewhere, None)
    role = values.get("role")
    values |= {"role": role.value} if role else {}
    marks = ", ".join("?" * len(values))
    link.run(f"INSERT INTO {table} ({', '.join(values)}) VALUES ({marks})", list(values.values()))


def _last_folder_id(storage: Storage) -> int:
    """The largest id a folder ever had: none is given twice."""
    with storage.read() as link:
        if link.is_sqlite:
            row = link.row("SELECT max(seq) FROM sqlite_sequence WHERE name = 'mailsite_folder'")
        else:
            row = link.row("SELECT last_value FROM pg_sequences WHERE sequencename = 'mailsite_folder_id_seq'")
    return int(row[0] or 0) if row else 0


def _finish(step: Step, removed: Sequence[Row], last_folder_id: int) -> None:
    link = step.link
    link.run_many(
        "INSERT INTO mailsite_removed_mailbox (name, last_uidvalidity) VALUES (?, ?) "
        "ON CONFLICT (name) DO UPDATE SET last_uidvalidity = excluded.last_uidvalidity",
        removed,
    )
    if link.is_sqlite:
        link.run("UPDATE sqlite_sequence SET seq = max(seq, ?) WHERE name = 'mailsite_folder'", [last_folder_id])
        return
    for table in ("mailsite_folder", "mailsite_mailbox"):
        largest = f"greatest((SELECT max(id) FROM {table}), ?)"
        link.row(f"SELECT setval('{table}_id_seq', {largest})", [last_folder_id if "folder" in table else 1])


# Messages
class _Keeper(Protocol):
    """Where the target keeps bytes."""

    def putting(self) -> contextlib.AbstractContextManager[None]:
        """From before the first `keep` until the rows are committed."""
        ...

    def keep(self, body: bytes | Path) -> Any:
        """Make a message durable; what `place` needs of it."""
        ...

    def place(self, step: Step, folder: LockedFolder, arrivals: Sequence[Arrival], kept: Sequence[Any]) -> list[str]:
        """Where the messages lie, in order."""
        ...


class _FilesKeeper:
    def __init__(self, storage: FileMailStorage) -> None:
        self._storage = storage

    def putting(self) -> contextlib.AbstractContextManager[None]:
        return contextlib.nullcontext()

    def keep(self, body: bytes | Path) -> str:
        return self._storage.take_in([body])[0]

    def place(self, step: Step, folder: LockedFolder, arrivals: Sequence[Arrival], kept: Sequence[str]) -> list[str]:
        incoming = [
            Arrival(one.uid, one.flags, one.internal_date, one.saved_at, one.size_octets, where)
            for one, where in zip(arrivals, kept, strict=True)
        ]
        return list(self._storage.relocation()(folder, incoming))


class _SqlKeeper:
    def __init__(self, storage: SqlMailStorage) -> None:
        self._storage = storage

    def putting(self) -> contextlib.AbstractContextManager[None]:
        return self._storage.blobs.putting()

    def keep(self, body: bytes | Path) -> Any:
        stored = store_body(self._storage.blobs, body)
        self._storage.blobs.sync(stored.new_blobs)
        return stored

    def place(self, step: Step, folder: LockedFolder, arrivals: Sequence[Arrival], kept: Sequence[Any]) -> list[str]:
        enter_segments(step.link, kept)
        return [stored.location for stored in kept]


@dataclass(slots=True)
class _Folder:
    """One folder on its way; the same ids on both sides."""

    source: Storage
    target: Storage
    folder: LockedFolder
    keeper: _Keeper
    scratch: Path

    def bring(self) -> int:
        with self.target.read() as link:
            have = {row[0] for row in link.rows(IDS, span(self.folder.id))}
        count = 0
        for piece in self._pieces():
            missing = [row for row in piece if row[0] not in have]
            if missing:
                self._bring_piece(missing)
            count += len(missing)
        self._equal(have)
        return count

    def _pieces(self) -> Iterator[list[Row]]:
        after, last = span(self.folder.id)
        while True:
            with self.source.read() as link:
                piece = link.rows(MESSAGES, [after, last])
            if not piece:
                return
            yield piece
            after = piece[-1][0]

    def _bring_piece(self, piece: Sequence[Row]) -> None:
        arrivals = [_arrival(row) for row in piece]
        with self.keeper.putting():
            kept = [self._keep(arrival) for arrival in arrivals]
            with self.target.write() as step:
                step.lock_there([self.folder.id])
                held = step.folders[self.folder.id]
                places = self.keeper.place(step, held, arrivals, kept)
                rows = zip(piece, places, strict=True)
                step.link.run_many(INSERT_MESSAGE, [_message_row(row, place) for row, place in rows])
                step.link.run_many(INSERT_FLAGS, [_flag_row(row) for row in piece])
                step.events.append(Arrived(held, held.highestmodseq, arrivals))

    def _keep(self, arrival: Arrival) -> Any:
        with self.source.open_message(self.folder.id, arrival.uid) as reader:
            if reader.size_octets <= IN_MEMORY_OCTETS:
                return self.keeper.keep(reader.read(0, reader.size_octets))
            spool = self.scratch / f"{self.folder.id}-{arrival.uid}"
            try:
                _pour(reader, spool)
                return self.keeper.keep(spool)
            finally:
                spool.unlink(missing_ok=True)

    def _equal(self, had: set[int]) -> None:
        """Flags, steps and counters as the source has them, whatever happened between two runs."""
        first, last = span(self.folder.id)
        with self.source.read() as link:
            flags = link.rows("SELECT id, modseq, flags FROM mailsite_flag WHERE id BETWEEN ? AND ?", [first, last])
            steps = link.rows(STEPS, [self.folder.id])
        with self.target.write() as step:
            self._drop(step, had - {row[0] for row in flags})
            step.link.run("DELETE FROM mailsite_flag WHERE id BETWEEN ? AND ?", [first, last])
            step.link.run_many(INSERT_FLAGS, [flag_row(*row) for row in flags])
            step.link.run("DELETE FROM mailsite_change WHERE folder_id = ?", [self.folder.id])
            step.link.run_many(
                "INSERT INTO mailsite_change (folder_id, modseq, is_expunge, uids) VALUES (?, ?, ?, ?)",
                [(folder_id, modseq, bool(is_expunge), uids) for folder_id, modseq, is_expunge, uids in steps],
            )
            self._write_folder(step.link)
            recount(step.link, [self.folder.id])
            if isinstance(self.target, FileMailStorage):
                self.target.tree.compact(step.link, self.folder)

    def _drop(self, step: Step, ids: set[int]) -> None:
        for message_id in sorted(ids):
            row = step.link.row("SELECT location FROM mailsite_message WHERE id = ?", [message_id])
            note_unused(step, row or [])
            step.link.run("DELETE FROM mailsite_message WHERE id = ?", [message_id])

    def _write_folder(self, link: Link) -> None:
        folder = self.folder
        link.run(
            "UPDATE mailsite_folder SET uidnext = ?, highestmodseq = ?, known_since = ?, keywords = ? WHERE id = ?",
            [folder.uidnext, folder.highestmodseq, folder.known_since, folder.keywords, folder.id],
        )


def _arrival(row: Row) -> Arrival:
    *message, _modseq, flags = row
    internal_date, saved_at, size = (message[AT[name]] for name in ("internal_date", "saved_at", "size_octets"))
    return Arrival(message[0] & LAST_UID, flags, internal_date, saved_at, size, "")


def _message_row(row: Row, place: str) -> list[object]:
    """The source's, but for where the bytes are; a head is part of them now."""
    message = list(row[: len(COLUMNS)])
    message[AT["location"]], message[AT["head"]] = place, b""
    return message


def _flag_row(row: Row) -> tuple[object, ...]:
    return flag_row(row[0], row[-2], row[-1])


def _pour(reader: MessageReader, spool: Path) -> None:
    with spool.open("wb") as file:
        at = 0
        while some := reader.read(at, IN_MEMORY_OCTETS):
            file.write(some)
            at += len(some)
