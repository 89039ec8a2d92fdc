"""A folder's history entering the index: rows that are right already stay."""

from __future__ import annotations

import contextlib
from collections.abc import Iterable, Iterator
from dataclasses import replace
from pathlib import Path

from mailsite_ext.protocol.sequence_sets import compact
from mailsite_ext.storage.catalogue_flags import with_keywords
from mailsite_ext.storage.catalogue_messages import INSERT_FLAGS, INSERT_MESSAGE, flag_row, message_row, span
from mailsite_ext.storage.catalogue_sql import Link
from mailsite_ext.storage.catalogue_values import LAST_UID, LockedFolder, NewMessage, row_id
from mailsite_ext.storage.facts import Facts, mapped, read_facts
from mailsite_ext.storage.file_history import History
from mailsite_ext.storage.file_places import Place
from mailsite_ext.storage.files import disk_faults
from mailsite_ext.storage.journal import MessageLine
from mailsite_ext.storage.journal_lines import location

PIECE_ROWS = 500


def enter_history(link: Link, place: Place, folder: LockedFolder, history: History) -> None:
    """Make the rows of a folder what its history says; the counters are counted afterwards."""
    _write_folder(link, folder, history)
    have = _right_rows(link, folder.id, history.messages)
    missing = [history.messages[uid] for uid in sorted(history.messages) if uid not in have]
    link.run_many(INSERT_MESSAGE, _message_rows(place, folder.id, missing))
    link.run("DELETE FROM mailsite_flag WHERE id BETWEEN ? AND ?", span(folder.id))
    link.run_many(
        INSERT_FLAGS,
        (flag_row(row_id(folder.id, uid), line.modseq, line.flags) for uid, line in sorted(history.messages.items())),
    )
    _write_changes(link, folder, history)


def _write_folder(link: Link, folder: LockedFolder, history: History) -> None:
    line = history.folder
    keywords = with_keywords(folder.keywords, {message.flags for message in history.messages.values()})
    link.run(
        "UPDATE mailsite_folder SET role = ?, selectable = ?, uidvalidity = ?, uidnext = ?, "
        "highestmodseq = ?, known_since = ?, keywords = ? WHERE id = ?",
        [
            line.role and line.role.value,
            line.selectable,
            line.uidvalidity,
            line.uidnext,
            line.highestmodseq,
            history.known_since,
            keywords,
            folder.id,
        ],
    )


def _right_rows(link: Link, folder_id: int, messages: dict[int, MessageLine]) -> set[int]:
    """UIDs whose row is as the journal has it; the others are removed."""
    right, wrong = set(), []
    rows = link.rows("SELECT id, location, size_octets FROM mailsite_message WHERE id BETWEEN ? AND ?", span(folder_id))
    for message_id, where, size in rows:
        line = messages.get(message_id & LAST_UID)
        if line and (location(folder_id, line.file), line.size_octets) == (where, size):
            right.add(line.uid)
        else:
            wrong.append((message_id,))
    link.run_many("DELETE FROM mailsite_message WHERE id = ?", wrong)
    return right


def _message_rows(place: Place, folder_id: int, lines: Iterable[MessageLine]) -> Iterator[tuple[object, ...]]:
    for line in lines:
        facts, size = facts_of(place.directory / line.file)
        facts = replace(facts, email_id=line.email_id or facts.email_id, thread_id=line.thread_id or facts.thread_id)
        message = NewMessage(
            facts, size, line.internal_date, location(folder_id, line.file), line.flags, b"", line.internal_zone
        )
        yield message_row(row_id(folder_id, line.uid), line.saved_at, message)


def facts_of(path: Path) -> tuple[Facts, int]:
    """What is computed of a message file, and its size."""
    with disk_faults(), path.open("rb") as file:
        size = file.seek(0, 2)
        with contextlib.ExitStack() as stack:
            data = mapped(file.fileno(), size)
            if not isinstance(data, bytes):
                stack.enter_context(data)
            return read_facts(data), size


def _write_changes(link: Link, folder: LockedFolder, history: History) -> None:
    """The steps the index had not seen; none where the folder jumped."""
    if history.jumped:
        link.run("DELETE FROM mailsite_change WHERE folder_id = ?", [folder.id])
        return
    steps: dict[tuple[int, bool], list[int]] = {}
    for uid, line in history.messages.items():
        steps.setdefault((line.modseq, False), []).append(uid)
    for uid, modseq in history.gone.items():
        steps.setdefault((modseq, True), []).append(uid)
    link.run_many(
        "INSERT OR REPLACE INTO mailsite_change (folder_id, modseq, is_expunge, uids) VALUES (?, ?, ?, ?)",
        [
            (folder.id, modseq, is_expunge, compact(sorted(uids)).decode())
            for (modseq, is_expunge), uids in steps.items()
            if modseq > folder.highestmodseq
        ],
    )
