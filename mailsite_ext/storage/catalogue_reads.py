"""Questions to the catalogue: raw rows, streamed in pieces, so that no read holds the database for long."""

from __future__ import annotations

from array import array
from collections.abc import Iterable, Iterator, Sequence
from functools import lru_cache
from itertools import islice

import sqlalchemy as sa

from app.extension_api import NoSuchFolder, NoSuchMessage
from mailsite_ext.errors import NoSuchMailbox
from mailsite_ext.protocol.folder_names import canonical
from mailsite_ext.protocol.sequence_sets import merged
from mailsite_ext.storage import catalogue_subscriptions
from mailsite_ext.storage.catalogue_messages import among, ids_of, span
from mailsite_ext.storage.catalogue_sql import Link, Row, linked
from mailsite_ext.storage.catalogue_step import FOLDERS, folder_of
from mailsite_ext.storage.catalogue_values import LAST_UID, LockedFolder, row_id
from mailsite_ext.storage.facts import message_key
from mailsite_ext.storage.values import INBOX, Column, FolderChanges, Quota, StoredFolder, Uids

PIECE_ROWS = 2_000
IN_FLAGS = (Column.MODSEQ, Column.FLAGS)


def mailboxes(link: Link) -> list[str]:
    return [name for (name,) in link.rows("SELECT name FROM mailsite_mailbox ORDER BY name")]


def quota(link: Link, mailbox: str) -> Quota:
    row = link.row("SELECT octets, messages, limit_octets FROM mailsite_mailbox WHERE name = ?", [mailbox])
    if row is None:
        raise NoSuchMailbox(mailbox)
    return Quota(*row)


# Folders
def folders(link: Link, mailbox: str) -> list[StoredFolder]:
    found = [folder_of(row).value() for row in link.rows(f"{FOLDERS} WHERE b.name = ?", [mailbox])]
    if not found:
        raise NoSuchMailbox(mailbox)
    return sorted(found, key=lambda folder: (folder.name != INBOX, folder.name))


def subscriptions(link: Link, mailbox: str) -> list[str]:
    row = link.row("SELECT id FROM mailsite_mailbox WHERE name = ?", [mailbox])
    if row is None:
        raise NoSuchMailbox(mailbox)
    return catalogue_subscriptions.subscriptions(link, row[0])


def get_folder(link: Link, folder_id: int) -> LockedFolder:
    row = link.row(f"{FOLDERS} WHERE f.id = ?", [folder_id])
    if row is None:
        raise NoSuchFolder(str(folder_id))
    return folder_of(row)


def find_folder(link: Link, mailbox: str, name: str) -> StoredFolder | None:
    row = link.row(f"{FOLDERS} WHERE b.name = ? AND f.name = ?", [mailbox, canonical(name)])
    return folder_of(row).value() if row else None


# Messages
def uids(link: Link, folder_id: int) -> Uids:
    query = f"SELECT id & {LAST_UID} FROM mailsite_flag WHERE id BETWEEN ? AND ? ORDER BY id"
    return array("Q", [uid for (uid,) in link.rows(query, span(folder_id))])


def rows(engine: sa.Engine, folder_id: int, columns: Sequence[Column], wanted: Iterable[int] | None) -> Iterator[Row]:
    select = _select(tuple(columns))
    if wanted is None:
        return _all_rows(engine, folder_id, select)
    return _some_rows(engine, ids_of(folder_id, wanted), select)


@lru_cache(maxsize=256)
def _select(columns: tuple[Column, ...]) -> str:
    """SELECT … FROM …, the id last: what is asked for comes from one table where one has it all."""
    if all(column is Column.UID or column in IN_FLAGS for column in columns):
        table = "mailsite_flag f"
    elif any(column in IN_FLAGS for column in columns):
        table = "mailsite_flag f JOIN mailsite_message m ON m.id = f.id"
    else:
        table = "mailsite_message f"
    names = [_expression(column, "m" if " m " in table else "f") for column in columns]
    return f"SELECT {', '.join([*names, 'f.id'])} FROM {table}"


def _expression(column: Column, messages: str) -> str:
    if column is Column.UID:
        return f"f.id & {LAST_UID}"
    if column is Column.LOCAL_DATE:
        return f"{messages}.internal_date || ' ' || {messages}.internal_zone"
    return f"f.{column}" if column in IN_FLAGS else f"{messages}.{column}"


def _all_rows(engine: sa.Engine, folder_id: int, select: str) -> Iterator[Row]:
    after, last = span(folder_id)
    while True:
        with linked(engine) as link:
            piece = link.rows(f"{select} WHERE f.id > ? AND f.id <= ? ORDER BY f.id LIMIT {PIECE_ROWS}", [after, last])
        for row in piece:
            yield row[:-1]
        if len(piece) < PIECE_ROWS:
            return
        after = piece[-1][-1]


def _some_rows(engine: sa.Engine, ids: Sequence[int], select: str) -> Iterator[Row]:
    for at in range(0, len(ids), PIECE_ROWS):
        piece = ids[at : at + PIECE_ROWS]
        with linked(engine) as link:
            found = _piece_of(link, piece, select)
        for row in found:
            yield row[:-1]


def _piece_of(link: Link, ids: Sequence[int], select: str) -> list[Row]:
    """A range that is mostly wanted is read whole: that is cheaper than naming each."""
    if len(ids) > 1 and ids[-1] - ids[0] < 2 * len(ids):
        wanted = set(ids)
        found = link.rows(f"{select} WHERE f.id BETWEEN ? AND ? ORDER BY f.id", [ids[0], ids[-1]])
        return [row for row in found if row[-1] in wanted] if len(wanted) <= ids[-1] - ids[0] else found
    clause, values = among(link, ids)
    return link.rows(f"{select} WHERE f.id {clause} ORDER BY f.id", values)


def find_first_unseen(link: Link, folder_id: int) -> int | None:
    query = "SELECT id FROM mailsite_flag WHERE NOT is_seen AND id BETWEEN ? AND ? ORDER BY id LIMIT 1"
    row = link.row(query, span(folder_id))
    return row[0] & LAST_UID if row else None


def find_by_message_id(link: Link, folder_id: int, message_id: str) -> list[int]:
    query = (
        "SELECT id FROM mailsite_message WHERE message_key = ? AND message_id = ? AND id BETWEEN ? AND ? ORDER BY id"
    )
    rows = link.rows(query, [message_key(message_id), message_id, *span(folder_id)])
    return [found & LAST_UID for (found,) in rows]


def location(link: Link, folder_id: int, uid: int) -> tuple[str, bytes, int]:
    """Where a message's bytes lie, its head kept apart, and its size.  Raises NoSuchMessage."""
    query = "SELECT location, head, size_octets FROM mailsite_message WHERE id = ?"
    row = link.row(query, [row_id(folder_id, uid)]) if 0 < uid <= LAST_UID else None
    if row is None:
        raise NoSuchMessage(str(uid))
    return row[0], bytes(row[1]), row[2]


# Changes
def changes(link: Link, folder_id: int, since: int, wanted: Iterable[int] | None) -> FolderChanges:
    """From one snapshot: counters, changes and tombstones belong together."""
    link.begin_snapshot()
    folder = get_folder(link, folder_id)
    asked = None if wanted is None else set(wanted)
    if since >= folder.known_since:
        return _since_known(link, folder, since, asked)
    return _since_long_ago(link, folder, since, asked)


def _since_known(link: Link, folder: LockedFolder, since: int, asked: set[int] | None) -> FolderChanges:
    query = "SELECT is_expunge, uids FROM mailsite_change WHERE folder_id = ? AND modseq > ? ORDER BY modseq"
    notes = link.rows(query, [folder.id, since])
    changed = [uid for uid in _expanded(text for is_expunge, text in notes if not is_expunge) if _asked(uid, asked)]
    vanished = [uid for uid in _expanded(text for is_expunge, text in notes if is_expunge) if _asked(uid, asked)]
    return FolderChanges(folder.value(), _changed(link, folder.id, since, changed), array("Q", vanished))


def _asked(uid: int, asked: set[int] | None) -> bool:
    return asked is None or uid in asked


def _expanded(texts: Iterable[str]) -> Iterator[int]:
    """The numbers in sets as IMAP writes them, ascending, each once."""
    members = (member.partition(":") for text in texts for member in text.split(","))
    for low, high in merged((int(low), int(high or low)) for low, _colon, high in members):
        yield from range(low, high + 1)


def _changed(link: Link, folder_id: int, since: int, uids: Iterable[int]) -> list[tuple[int, int, str]]:
    """uid, modseq, flags of messages that changed after `since`, of those that are still there."""
    found: list[tuple[int, int, str]] = []
    remaining = iter(uids)
    while piece := list(islice(remaining, PIECE_ROWS)):
        select = f"SELECT f.id & {LAST_UID}, f.modseq, f.flags, f.id FROM mailsite_flag f"
        rows = _piece_of(link, [row_id(folder_id, uid) for uid in piece], select)
        found += [(uid, modseq, flags) for uid, modseq, flags, _id in rows if modseq > since]
    return found


def _since_long_ago(link: Link, folder: LockedFolder, since: int, asked: set[int] | None) -> FolderChanges:
    """What a folder's steps no longer tell, its messages do: each has its MODSEQ, and who is not there has vanished."""
    there = uids(link, folder.id)
    query = (
        f"SELECT id & {LAST_UID}, modseq, flags FROM mailsite_flag WHERE id BETWEEN ? AND ? AND modseq > ? ORDER BY id"
    )
    found = link.rows(query, [*span(folder.id), since])
    known = set(there)
    gone = range(1, folder.uidnext) if asked is None else sorted(uid for uid in asked if 0 < uid < folder.uidnext)
    vanished = array("Q", (uid for uid in gone if uid not in known))
    changed = [(uid, modseq, flags) for uid, modseq, flags in found if _asked(uid, asked)]
    return FolderChanges(folder.value(), changed, vanished, complete=False)
