"""How far the index has read each journal: its file, its length and its last octets, in a table of the index.

A journal that is longer than its mark says more; one that is another file, shorter, or that ends otherwise there was
put back from a copy.
"""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

from mailsite_ext.storage.catalogue_sql import Link
from mailsite_ext.storage.journal_log import find_stat

MARKS = """CREATE TABLE IF NOT EXISTS journal_mark (
    id INTEGER PRIMARY KEY, inode INTEGER NOT NULL, octets INTEGER NOT NULL, tail BLOB NOT NULL
)"""
LOG = 0
"""The id of the log's own mark; a folder's journal has the folder's, a mailbox's that of the mailbox, below 0."""
TAIL_OCTETS = 64


@dataclass(frozen=True, slots=True)
class Mark:
    inode: int
    octets: int
    tail: bytes

    def after(self, lines: bytes) -> Mark:
        return Mark(self.inode, self.octets + len(lines), (self.tail + lines)[-TAIL_OCTETS:])


def mark_of(path: Path) -> Mark:
    """The mark of a journal that has just been written or read."""
    with path.open("rb") as file:
        size = file.seek(0, 2)
        file.seek(max(0, size - TAIL_OCTETS))
        return Mark(path.stat().st_ino, size, file.read())


def find_unread(path: Path, mark: Mark) -> bytes | None:
    """What a journal says beyond its mark; None if it is not the journal that was marked."""
    stat = find_stat(path)
    if stat is None or stat.st_ino != mark.inode or stat.st_size < mark.octets:
        return None
    with path.open("rb") as file:
        file.seek(mark.octets - len(mark.tail))
        return file.read() if file.read(len(mark.tail)) == mark.tail else None


def read_marks(link: Link, ids: list[int]) -> dict[int, Mark]:
    query = f"SELECT id, inode, octets, tail FROM journal_mark WHERE id {link.in_list}"
    rows = link.rows(query, [link.listed(ids)]) if ids else []
    return {journal_id: Mark(inode, octets, bytes(tail)) for journal_id, inode, octets, tail in rows}


def write_marks(link: Link, marks: dict[int, Mark]) -> None:
    link.run_many(
        "INSERT INTO journal_mark (id, inode, octets, tail) VALUES (?, ?, ?, ?) "
        "ON CONFLICT (id) DO UPDATE SET inode = excluded.inode, octets = excluded.octets, tail = excluded.tail",
        [(journal_id, mark.inode, mark.octets, mark.tail) for journal_id, mark in marks.items()],
    )


def forget_mark(link: Link, journal_id: int) -> None:
    link.run("DELETE FROM journal_mark WHERE id = ?", [journal_id])
