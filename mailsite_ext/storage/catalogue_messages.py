"""Messages of the catalogue: entering, copying, flags, expunging.  Every function works in a step that holds them."""

from __future__ import annotations

from array import array
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass, replace

from mailsite_ext.errors import StorageFull
from mailsite_ext.storage.catalogue_flags import is_deleted, is_seen, with_change, with_keywords
from mailsite_ext.storage.catalogue_sql import Link, Row
from mailsite_ext.storage.catalogue_step import Step
from mailsite_ext.storage.catalogue_values import (
    LAST_UID,
    UID_BITS,
    Arrival,
    Arrived,
    Flagged,
    Gone,
    LockedFolder,
    NewMessage,
    row_id,
)
from mailsite_ext.storage.facts import message_key
from mailsite_ext.storage.values import Copied, Expunged, FlagMode, FlagResult, Stored, Uids

Relocate = Callable[[LockedFolder, Sequence[Arrival]], Sequence[str]]
"""Where copies lie: given the target folder and the arrivals, still with the locations they were copied from."""

INSERT_MESSAGE = (
    "INSERT INTO mailsite_message (id, internal_date, saved_at, size_octets, location, head, email_id, thread_id, "
    "message_id, message_key, envelope, bodystructure, parts, preview) "
    "VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?)"
)
INSERT_FLAGS = "INSERT INTO mailsite_flag (id, modseq, flags, is_seen, is_deleted) VALUES (?, ?, ?, ?, ?)"
KEPT_IN_COPY = (
    "size_octets, location, head, email_id, thread_id, message_id, message_key, envelope, bodystructure, parts, preview"
)


def span(folder_id: int) -> tuple[int, int]:
    """First and last id a folder's messages may have."""
    return row_id(folder_id, 0), row_id(folder_id, LAST_UID)


def among(link: Link, ids: Sequence[int]) -> tuple[str, list[object]]:
    """The condition for ascending ids, after the column's name, and its values: a range where they are one."""
    if len(ids) > 1 and ids[-1] - ids[0] + 1 == len(ids):
        return "BETWEEN ? AND ?", [ids[0], ids[-1]]
    return link.in_list, [link.listed(ids)]


def ids_of(folder_id: int, uids: Iterable[int]) -> Sequence[int]:
    """Ascending ids of messages, each once; numbers no UID can be are left out."""
    base = folder_id << UID_BITS
    return [base | uid for uid in sorted(set(uids)) if 0 < uid <= LAST_UID]


# In
def enter(
    step: Step, folder: LockedFolder, messages: Sequence[NewMessage], relocate: Relocate | None = None
) -> list[Stored]:
    """Enter messages, the next UIDs theirs.  Raises MailboxFull, and then nothing was done."""
    step.charge(step.mailbox_of(folder), sum(message.size_octets for message in messages))
    uids = _allocate(folder, len(messages))
    modseq = step.note(folder, uids)
    arrivals = [
        Arrival(uid, message.flags, message.internal_date, step.now, message.size_octets, message.location)
        for uid, message in zip(uids, messages, strict=True)
    ]
    if relocate:
        arrivals = _at(arrivals, relocate(folder, arrivals))
        messages = [replace(one, location=its.location) for one, its in zip(messages, arrivals, strict=True)]
    ids = [row_id(folder.id, uid) for uid in uids]
    step.link.run_many(
        INSERT_MESSAGE, [message_row(one, step.now, message) for one, message in zip(ids, messages, strict=True)]
    )
    step.link.run_many(
        INSERT_FLAGS, [flag_row(one, modseq, message.flags) for one, message in zip(ids, messages, strict=True)]
    )
    _arrived(step, folder, modseq, arrivals)
    return [Stored(folder.id, folder.uidvalidity, uid, modseq) for uid in uids]


def _at(arrivals: Sequence[Arrival], locations: Sequence[str]) -> list[Arrival]:
    return [replace(arrival, location=place) for arrival, place in zip(arrivals, locations, strict=True)]


def _allocate(folder: LockedFolder, count: int) -> Uids:
    if folder.uidnext + count > LAST_UID:  # RFC 9051 §2.3.1.1: 32 bits, and never one twice
        raise StorageFull(f"folder {folder.id} has no UIDs left")
    uids = array("Q", range(folder.uidnext, folder.uidnext + count))
    folder.uidnext += count
    return uids


def message_row(message_id: int, saved_at: int, message: NewMessage) -> tuple[object, ...]:
    """The values of INSERT_MESSAGE."""
    facts = message.facts
    return (
        message_id,
        message.internal_date,
        saved_at,
        message.size_octets,
        message.location,
        message.head,
        facts.email_id,
        facts.thread_id,
        facts.message_id,
        message_key(facts.message_id),
        facts.envelope,
        facts.bodystructure,
        facts.parts,
        facts.preview,
    )


def flag_row(message_id: int, modseq: int, flags: str) -> tuple[object, ...]:
    """The values of INSERT_FLAGS."""
    return message_id, modseq, flags, is_seen(flags), is_deleted(flags)


def _arrived(step: Step, folder: LockedFolder, modseq: int, arrivals: Sequence[Arrival]) -> None:
    _count(step, folder, [(arrival.flags, arrival.size_octets) for arrival in arrivals], 1)
    folder.keywords = with_keywords(folder.keywords, {arrival.flags for arrival in arrivals})
    step.events.append(Arrived(folder, modseq, arrivals))


def _count(step: Step, folder: LockedFolder, messages: Sequence[tuple[str, int]], sign: int) -> None:
    """Add messages, (flags, octets) each, to the counters, or take them away."""
    octets = sign * sum(size for _flags, size in messages)
    mailbox = step.mailbox_of(folder)
    mailbox.octets += octets
    mailbox.messages += sign * len(messages)
    folder.octets += octets
    folder.messages += sign * len(messages)
    folder.unseen += sign * sum(not is_seen(flags) for flags, _size in messages)
    folder.deleted += sign * sum(is_deleted(flags) for flags, _size in messages)


# Copies
def copy(
    step: Step, source: LockedFolder, uids: Iterable[int], target: LockedFolder, relocate: Relocate | None = None
) -> Copied:
    """Raises MailboxFull."""
    found = _found(step.link, ids_of(source.id, uids))
    step.charge(step.mailbox_of(target), sum(row[3] for row in found))
    return _copy(step, found, target, relocate)


def move(
    step: Step, source: LockedFolder, uids: Iterable[int], target: LockedFolder, relocate: Relocate | None = None
) -> Copied:
    """Copy and expunge; SAVEDATE is now (RFC 8514 §3).  Raises MailboxFull, between mailboxes only."""
    found = _found(step.link, ids_of(source.id, uids))
    if source.mailbox_id != target.mailbox_id:
        step.charge(step.mailbox_of(target), sum(row[3] for row in found))
    copied = _copy(step, found, target, relocate)
    modseq = _remove(step, source, found, is_move=relocate is None)
    return Copied(copied.uidvalidity, copied.source, copied.target, modseq)


def _found(link: Link, ids: Sequence[int], condition: str = "") -> list[Row]:
    """id, flags, internal date, octets, location of those messages that are there, ascending."""
    if not ids:
        return []
    clause, values = among(link, ids)
    return link.rows(
        "SELECT f.id, f.flags, m.internal_date, m.size_octets, m.location FROM mailsite_flag f "
        f"JOIN mailsite_message m ON m.id = f.id WHERE f.id {clause}{condition} ORDER BY f.id",
        values,
    )


def _copy(step: Step, found: Sequence[Row], target: LockedFolder, relocate: Relocate | None) -> Copied:
    source = array("Q", [row[0] & LAST_UID for row in found])
    uids = _allocate(target, len(found))
    if not found:
        return Copied(target.uidvalidity, source, uids, target.highestmodseq)
    modseq = step.note(target, uids)
    _insert_copies(step, [row[0] for row in found], row_id(target.id, uids[0]), modseq)
    arrivals = [Arrival(uid, row[1], row[2], step.now, row[3], row[4]) for uid, row in zip(uids, found, strict=True)]
    if relocate:
        arrivals = _at(arrivals, relocate(target, arrivals))
        step.link.run_many(
            "UPDATE mailsite_message SET location = ? WHERE id = ?",
            [(arrival.location, row_id(target.id, arrival.uid)) for arrival in arrivals],
        )
    _arrived(step, target, modseq, arrivals)
    return Copied(target.uidvalidity, source, uids, modseq)


def _insert_copies(step: Step, ids: Sequence[int], first_id: int, modseq: int) -> None:
    clause, values = among(step.link, ids)
    place = "? + row_number() OVER (ORDER BY id) - 1"
    step.link.run(
        f"INSERT INTO mailsite_message (id, internal_date, saved_at, {KEPT_IN_COPY}) "
        f"SELECT {place}, internal_date, ?, {KEPT_IN_COPY} FROM mailsite_message WHERE id {clause}",
        [first_id, step.now, *values],
    )
    step.link.run(
        "INSERT INTO mailsite_flag (id, modseq, flags, is_seen, is_deleted) "
        f"SELECT {place}, ?, flags, is_seen, is_deleted FROM mailsite_flag WHERE id {clause}",
        [first_id, modseq, *values],
    )


# Out
def expunge(step: Step, folder: LockedFolder, uids: Iterable[int] | None, *, only_deleted: bool) -> Expunged:
    found = _doomed(step.link, folder, uids, only_deleted=only_deleted)
    if not found:
        return Expunged(array("Q"), folder.highestmodseq)
    modseq = _remove(step, folder, found)
    return Expunged(array("Q", [row[0] & LAST_UID for row in found]), modseq)


def _doomed(link: Link, folder: LockedFolder, uids: Iterable[int] | None, *, only_deleted: bool) -> list[Row]:
    condition = " AND f.is_deleted" if only_deleted else ""
    if uids is not None:
        return _found(link, ids_of(folder.id, uids), condition)
    return link.rows(
        "SELECT f.id, f.flags, m.internal_date, m.size_octets, m.location FROM mailsite_flag f "
        f"JOIN mailsite_message m ON m.id = f.id WHERE f.id BETWEEN ? AND ?{condition} ORDER BY f.id",
        span(folder.id),
    )


def _remove(step: Step, folder: LockedFolder, found: Sequence[Row], *, is_move: bool = False) -> int:
    if not found:
        return folder.highestmodseq
    uids = array("Q", [row[0] & LAST_UID for row in found])
    modseq = step.note(folder, uids, is_expunge=True)
    clause, values = among(step.link, [row[0] for row in found])
    for table in ("mailsite_message", "mailsite_flag"):
        step.link.run(f"DELETE FROM {table} WHERE id {clause}", values)
    locations = [row[4] for row in found]
    if not is_move:
        note_unused(step, locations)
    _count(step, folder, [(row[1], row[3]) for row in found], -1)
    step.events.append(Gone(folder, modseq, uids, locations, is_move))
    return modseq


def note_unused(step: Step, locations: Iterable[str]) -> None:
    step.link.run_many(
        "INSERT INTO mailsite_unused (location, unused_since) VALUES (?, ?)",
        [(location, step.now) for location in locations],
    )


# Flags
@dataclass(slots=True)
class _Plan:
    """What STORE comes to: ids by their new flags, and how the counters move."""

    by_flags: dict[str, list[int]]
    flags: dict[int, str]
    modified: Uids
    unseen: int = 0
    deleted: int = 0


def store_flags(
    step: Step,
    folder: LockedFolder,
    uids: Iterable[int],
    mode: FlagMode,
    flags: frozenset[str],
    unchanged_since: int | None = None,
) -> FlagResult:
    plan = _plan(_flag_rows(step.link, ids_of(folder.id, uids)), mode, flags, unchanged_since)
    if plan.by_flags:
        _write_flags(step, folder, plan)
    changed = array("Q", sorted(one & LAST_UID for ids in plan.by_flags.values() for one in ids))
    return FlagResult(folder.highestmodseq, changed, plan.modified, plan.flags)


def _flag_rows(link: Link, ids: Sequence[int]) -> list[Row]:
    if not ids:
        return []
    clause, values = among(link, ids)
    return link.rows(f"SELECT id, modseq, flags FROM mailsite_flag WHERE id {clause} ORDER BY id", values)


def _plan(rows: Iterable[Row], mode: FlagMode, change: frozenset[str], unchanged_since: int | None) -> _Plan:
    plan = _Plan({}, {}, array("Q"))
    for message_id, modseq, old in rows:
        if unchanged_since is not None and modseq > unchanged_since:
            plan.modified.append(message_id & LAST_UID)
            continue
        new = with_change(old, mode, change)
        plan.flags[message_id & LAST_UID] = new
        if new != old:
            plan.by_flags.setdefault(new, []).append(message_id)
            plan.unseen += is_seen(old) - is_seen(new)
            plan.deleted += is_deleted(new) - is_deleted(old)
    return plan


def _write_flags(step: Step, folder: LockedFolder, plan: _Plan) -> None:
    changed = {new: array("Q", [one & LAST_UID for one in ids]) for new, ids in plan.by_flags.items()}
    for uids in changed.values():
        modseq = step.note(folder, uids)
    folder.unseen += plan.unseen
    folder.deleted += plan.deleted
    folder.keywords = with_keywords(folder.keywords, changed)
    for new, ids in plan.by_flags.items():
        clause, values = among(step.link, ids)
        step.link.run(
            f"UPDATE mailsite_flag SET modseq = ?, flags = ?, is_seen = ?, is_deleted = ? WHERE id {clause}",
            [modseq, new, is_seen(new), is_deleted(new), *values],
        )
    step.events.append(Flagged(folder, modseq, changed))
