"""Messages of the catalogue: entering, copying, flags, expunging.  Every function works in a step that holds them."""

from __future__ import annotations

from array import array
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass, replace

from mailsite_ext.errors import StorageFull
from mailsite_ext.storage.catalogue_flags import is_deleted, is_seen, more_keywords, with_change
from mailsite_ext.storage.catalogue_refiled import note_refiled
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
    "INSERT INTO mailsite_message (id, internal_date, internal_zone, saved_at, size_octets, location, head, email_id, "
    "thread_id, message_id, message_key, envelope, bodystructure, parts, preview) "
    "VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?)"
)
INSERT_FLAGS = "INSERT INTO mailsite_flag (id, modseq, flags, is_seen, is_deleted) VALUES (?, ?, ?, ?, ?)"
FEW_FLAGS = 8  # so many walks over a range cost less than naming its messages
KEPT_IN_COPY = (
    "internal_zone, size_octets, location, head, email_id, thread_id, message_id, message_key, envelope, "
    "bodystructure, parts, preview"
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
        message.internal_zone,
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
    folder.keywords = more_keywords(folder.keywords, {arrival.flags for arrival in arrivals})
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
    copied = _copy(step, found, target, relocate)
    note_refiled(step, source, target, copied.target)
    return copied


def move(
    step: Step, source: LockedFolder, uids: Iterable[int], target: LockedFolder, relocate: Relocate | None = None
) -> Copied:
    """Copy and expunge; SAVEDATE is now (RFC 8514 §3).  Raises MailboxFull, between mailboxes only."""
    found = _found(step.link, ids_of(source.id, uids))
    if source.mailbox_id != target.mailbox_id:
        step.charge(step.mailbox_of(target), sum(row[3] for row in found))
    copied = _copy(step, found, target, relocate)
    note_refiled(step, source, target, copied.target)
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
    """What STORE comes to: messages that change, by the flags they had, and what those flags become."""

    after: dict[str, str]
    changed: dict[str, list[int]]  # old flags → ids, ascending
    flags: dict[int, str]
    modified: Uids

    def of(self, flags: str) -> list[int]:
        """The messages that have these flags from now on."""
        return sorted(one for old, ids in self.changed.items() if self.after[old] == flags for one in ids)

    def moves(self, marked: Callable[[str], bool]) -> int:
        """By how much the number of messages that are marked grows."""
        return sum((marked(self.after[old]) - marked(old)) * len(ids) for old, ids in self.changed.items())


def store_flags(
    step: Step,
    folder: LockedFolder,
    uids: Iterable[int],
    mode: FlagMode,
    flags: frozenset[str],
    unchanged_since: int | None = None,
) -> FlagResult:
    rows, is_whole_range = _flag_rows(step.link, ids_of(folder.id, uids))
    plan = _plan(rows, mode, flags, unchanged_since)
    if plan.changed:
        _write_flags(step, folder, plan, is_whole_range and unchanged_since is None)
    changed = array("Q", sorted([one & LAST_UID for ids in plan.changed.values() for one in ids]))
    return FlagResult(folder.highestmodseq, changed, plan.modified, plan.flags)


def _flag_rows(link: Link, ids: Sequence[int]) -> tuple[list[Row], bool]:
    """id, modseq, flags of messages, ascending; and whether these are all the messages between first and last."""
    if not ids:
        return [], False
    query = "SELECT id, modseq, flags FROM mailsite_flag WHERE id"
    if ids[-1] - ids[0] < 2 * len(ids):  # to read what lies between them too is cheaper than to name each
        rows = link.rows(f"{query} BETWEEN ? AND ? ORDER BY id", [ids[0], ids[-1]])
        wanted = set(ids)
        found = [row for row in rows if row[0] in wanted]
        return found, len(found) == len(rows)
    clause, values = among(link, ids)
    return link.rows(f"{query} {clause} ORDER BY id", values), False


def _plan(rows: Sequence[Row], mode: FlagMode, change: frozenset[str], unchanged_since: int | None) -> _Plan:
    after = {old: with_change(old, mode, change) for old in {row[2] for row in rows}}
    modified = array("Q")
    if unchanged_since is not None:
        modified.extend(row[0] & LAST_UID for row in rows if row[1] > unchanged_since)
        rows = [row for row in rows if row[1] <= unchanged_since]
    changed: dict[str, list[int]] = {old: [] for old, new in after.items() if new != old}
    for message_id, _modseq, old in rows:
        if old in changed:
            changed[old].append(message_id)
    flags = {message_id & LAST_UID: after[old] for message_id, _modseq, old in rows}
    return _Plan(after, {old: ids for old, ids in changed.items() if ids}, flags, modified)


def _write_flags(step: Step, folder: LockedFolder, plan: _Plan, is_whole_range: bool) -> None:
    new_flags = {plan.after[old] for old in plan.changed}
    changed = {new: array("Q", [one & LAST_UID for one in plan.of(new)]) for new in new_flags}
    for uids in changed.values():
        modseq = step.note(folder, uids)
    folder.unseen -= plan.moves(is_seen)
    folder.deleted += plan.moves(is_deleted)
    folder.keywords = more_keywords(folder.keywords, changed)
    by_range = is_whole_range and len(plan.changed) <= FEW_FLAGS
    for old, ids in plan.changed.items():
        _update_flags(step.link, flag_row(0, modseq, plan.after[old])[1:], ids, old if by_range else None)
    step.events.append(Flagged(folder, modseq, changed))


def _update_flags(link: Link, values: Sequence[object], ids: Sequence[int], old: str | None) -> None:
    """`old`: these are all the messages between first and last that have these flags."""
    update = "UPDATE mailsite_flag SET modseq = ?, flags = ?, is_seen = ?, is_deleted = ? WHERE id"
    if old is not None:
        link.run(f"{update} BETWEEN ? AND ? AND flags = ?", [*values, ids[0], ids[-1], old])
        return
    clause, listed = among(link, ids)
    link.run(f"{update} {clause}", [*values, *listed])
