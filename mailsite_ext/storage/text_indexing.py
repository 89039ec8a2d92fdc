"""Bringing text indexes up to what is stored: behind the deliveries, in small batches, each its own transaction."""

from __future__ import annotations

import contextlib
import re
from collections.abc import Iterator, Sequence
from dataclasses import dataclass

from app.extension_api import NoSuchFolder, NoSuchMessage
from mailsite_ext.errors import NoSuchMailbox, StorageDamaged
from mailsite_ext.protocol.imap_sort import read_envelope, sort_keys
from mailsite_ext.protocol.imap_thread import HEADER_OCTETS, REFERENCES, links_of
from mailsite_ext.protocol.indexed_text import IndexedText, indexed_text, is_indexable
from mailsite_ext.protocol.message_text import MessageText
from mailsite_ext.protocol.part_table import unpack
from mailsite_ext.protocol.sections import by_section, header_fields
from mailsite_ext.storage.catalogue_sql import Row
from mailsite_ext.storage.engine import StorageEngine
from mailsite_ext.storage.text_index import Entry, TextIndex
from mailsite_ext.storage.text_indexes import TextIndexes
from mailsite_ext.storage.values import Column, StoredFolder

BATCH_MESSAGES = 100
BATCH_OCTETS = 4_194_304
FIRST_OCTETS = 67_108_864
OCTETS_PER_OCTET = 6
"""An index has FIRST_OCTETS, and so many times its mailbox's: text of words takes 5 times its octets, noise 8 times.

What does not fit any more is looked through at each search.
"""
WORTHWHILE = 10
"""One message of so many gone, and a full index is tidied."""
HAS_REFERENCES = re.compile(rb"^references[ \t]*:", re.IGNORECASE | re.MULTILINE)
COLUMNS = (Column.UID, Column.EMAIL_ID, Column.PARTS, Column.ENVELOPE, Column.INTERNAL_DATE, Column.SIZE)


@dataclass(frozen=True, slots=True)
class Read:
    """What a message not known yet holds; `text` None: too long, or not to be read, so each search looks itself."""

    text: IndexedText | None
    links: bytes = b""


def index_all(storage: StorageEngine, indexes: TextIndexes) -> Iterator[int]:
    """Every folder; yields how many messages each batch brought."""
    mailboxes = storage.mailboxes()
    indexes.remove_others(mailboxes)
    for mailbox in mailboxes:
        yield from index_mailbox(storage, indexes, mailbox)


def index_mailbox(storage: StorageEngine, indexes: TextIndexes, mailbox: str) -> Iterator[int]:
    with contextlib.suppress(NoSuchMailbox):
        folders = storage.folders(mailbox)
        indexes.ask(mailbox, lambda index: _forget_removed(index, folders))
        for folder in folders:
            yield from index_folder(storage, indexes, folder.id)


def _forget_removed(index: TextIndex, folders: Sequence[StoredFolder]) -> None:
    there = {folder.id for folder in folders}
    for folder_id in index.folders():
        if folder_id not in there:
            with index.writing():
                index.forget_folder(folder_id)


def index_folder(storage: StorageEngine, indexes: TextIndexes, folder_id: int) -> Iterator[int]:
    """Until everything is in; a folder that is removed meanwhile ends it, and so does an index that cannot be used."""
    with contextlib.suppress(NoSuchFolder, NoSuchMailbox):
        for _round in range(2):  # the second where a message was missing that should have been known
            yield from _batches(storage, indexes, folder_id)
            folder = storage.get_folder(folder_id)
            if not indexes.ask(folder.mailbox, lambda index, folder=folder: _settle(storage, index, folder)):  # type: ignore[misc]
                return


def _batches(storage: StorageEngine, indexes: TextIndexes, folder_id: int) -> Iterator[int]:
    done: int | None = 0
    while done is not None and indexes.has_room():
        folder = storage.get_folder(folder_id)
        if folder.uidnext == 1:
            return
        done = indexes.change(folder.mailbox, lambda index, folder=folder: _next_batch(storage, index, folder))  # type: ignore[misc]
        if done is not None:
            yield done


def _settle(storage: StorageEngine, index: TextIndex, folder: StoredFolder) -> bool:
    """Forget what was expunged; True: a message is missing that should be known."""
    known_to = index.known_to(folder)
    if known_to + 1 != folder.uidnext:
        return _is_full(storage, index, folder.mailbox) and _make_room(storage, index, folder)
    if index.counted(folder) == folder.messages:
        return False
    there = {uid for uid in storage.uids(folder.id) if uid <= known_to}
    known = set(index.uids(folder.id))
    missing = there - known
    with index.writing():
        index.forget(folder.id, known - there)
        index.set_progress(folder, min(missing) - 1 if missing else known_to, len(there - missing))
    return bool(missing)


def _make_room(storage: StorageEngine, index: TextIndex, folder: StoredFolder) -> bool:
    """Forget what was expunged, once that is enough to be worth the walk through all words; True: it was."""
    known = set(index.uids(folder.id))
    gone = known.difference(storage.uids(folder.id))
    if not gone or len(gone) * WORTHWHILE < len(known):
        return False
    with index.writing():
        index.forget(folder.id, gone)
        index.set_progress(folder, index.known_to(folder), len(known - gone))
    index.tidy()
    return True


def _next_batch(storage: StorageEngine, index: TextIndex, folder: StoredFolder) -> int | None:
    """How many messages it was; None: there are no more, or there is no room for them."""
    known_to = index.known_to(folder)
    last = min(known_to + BATCH_MESSAGES, folder.uidnext - 1)
    if last <= known_to or _is_full(storage, index, folder.mailbox):
        return None
    rows = list(storage.rows(folder.id, COLUMNS, range(known_to + 1, last + 1)))
    kept = _within_octets(rows)
    if kept < len(rows):
        rows, last = rows[:kept], rows[kept - 1][0]
    read = {row[1]: _read(storage, folder.id, row) for row in rows if index.find_document(row[1]) is None}
    with index.writing():
        entries = [_entry(index, row, read.get(row[1])) for row in rows]
        index.enter(folder, entries, last)
    return len(rows)


def _is_full(storage: StorageEngine, index: TextIndex, mailbox: str) -> bool:
    return index.octets() >= FIRST_OCTETS + OCTETS_PER_OCTET * storage.quota(mailbox).used_octets


def _within_octets(rows: Sequence[Row]) -> int:
    """How many of the rows make a batch: at least one."""
    octets = 0
    for place, row in enumerate(rows):
        octets += row[5]
        if octets > BATCH_OCTETS:
            return place + 1
    return len(rows)


def _read(storage: StorageEngine, folder_id: int, row: Row) -> Read:
    parts = unpack(row[2])
    if not is_indexable(parts):
        return Read(None)
    try:
        with storage.open_message(folder_id, row[0]) as message:
            header = message.read(0, HEADER_OCTETS).partition(b"\r\n\r\n")[0]
            text = indexed_text(MessageText(by_section(parts), message.read))
            if text.is_long:
                return Read(None)
            field = header_fields(header, [REFERENCES]) if HAS_REFERENCES.search(header) else b""
            links = links_of(read_envelope(row[3]), field)
            return Read(text, links.packed())
    except (NoSuchMessage, StorageDamaged):
        return Read(None)


def _entry(index: TextIndex, row: Row, read: Read | None) -> Entry:
    uid, email_id, _parts, envelope, received_s, octets = row
    keys = sort_keys(envelope, received_s, octets)
    document = index.find_document(email_id)  # perhaps of another message of this batch
    if document is None and read and read.text:
        document = index.add_document(email_id, read.text, read.links), read.text.sent_day
    number, sent_day = document or (None, None)
    return Entry(uid, number, sent_day, keys)
