"""The text index of one mailbox: an SQLite file that may be lost at any time, and is then made anew.

    document   the text of a message, once for all its copies (they have the same EMAILID)
    words      its trigrams: a term of three characters or more is found without a look at any text
    entry      a message of a folder: its document, and what SORT asks of it, in a narrow row
    progress   how far a folder is indexed

Rows say nothing that can change: a message's text never does, its id is never another's.  So an index that is behind
is right as far as it goes; see `mailsite_ext.protocol.indexed_text` for why its hits are exact.
"""

from __future__ import annotations

import sqlite3
from array import array
from collections.abc import Iterable, Iterator, Sequence
from contextlib import AbstractContextManager, contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any, TypeAlias
from zlib import crc32

from mailsite_ext.protocol.indexed_text import COLUMNS, IndexedText, has_field
from mailsite_ext.storage.catalogue_messages import span
from mailsite_ext.storage.catalogue_values import LAST_UID, row_id
from mailsite_ext.storage.values import Heading, StoredFolder, TextHits, Uids

SHORTEST_INDEXED = 3  # characters of a term
WAL_OCTETS = 1_048_576  # what stays of a longer one once it was copied into the file
WORDS = ("in_subject", "in_from", "in_to", "in_cc", "header", "body")
WORD_OF = {"text": "", "body": "body"} | dict(zip(COLUMNS, WORDS, strict=False))
_LIST = ", ".join(WORDS)
TABLE = "CREATE TABLE IF NOT EXISTS"
INDEX = "CREATE INDEX IF NOT EXISTS"
SCHEMA = (
    f"{TABLE} document (id INTEGER PRIMARY KEY, email_id TEXT NOT NULL UNIQUE, sent_day INTEGER, "
    f"links BLOB NOT NULL, {', '.join(f'{word} TEXT NOT NULL' for word in WORDS)})",
    f"CREATE VIRTUAL TABLE IF NOT EXISTS words USING fts5({_LIST}, content='document', content_rowid='id', "
    "columnsize=0, tokenize='trigram case_sensitive 1')",
    "INSERT INTO words (words, rank) VALUES ('automerge', 8), ('crisismerge', 32)",  # a quarter less work in all
    f"{TABLE} entry (id INTEGER PRIMARY KEY, document INTEGER, sent_day INTEGER, sent_s INTEGER NOT NULL, "
    "received_s INTEGER NOT NULL, octets INTEGER NOT NULL, base_subject TEXT NOT NULL, first_from TEXT NOT NULL, "
    "first_to TEXT NOT NULL, first_cc TEXT NOT NULL, shown_from TEXT NOT NULL, shown_to TEXT NOT NULL)",
    f"{INDEX} entry_document ON entry (document)",
    f"{INDEX} entry_unsure ON entry (id) WHERE document IS NULL",
    f"{TABLE} progress (folder INTEGER PRIMARY KEY, uidvalidity INTEGER NOT NULL, known_to INTEGER NOT NULL, "
    "messages INTEGER NOT NULL)",
)
SHAPE = f"{crc32(';'.join(SCHEMA).encode()):08x}"
"""Another one with every change of the tables: an index of an older shape is left behind."""
FOUND = f"SELECT id & {LAST_UID} FROM entry WHERE id BETWEEN ? AND ? AND "
Span: TypeAlias = tuple[int, int]
IN_TEXT = f"SELECT entry.id & {LAST_UID} FROM entry JOIN document d ON d.id = document WHERE entry.id BETWEEN ? AND ? "


@dataclass(frozen=True, slots=True)
class Entry:
    """A message about to be entered; `sort_keys`: the columns of `entry` from sent_s on."""

    uid: int
    document: int | None
    sent_day: int | None
    sort_keys: tuple[object, ...]


class TextIndex:
    """One connection to the file at `path`; raises sqlite3.Error where it is damaged."""

    def __init__(self, path: Path) -> None:
        self._connection = sqlite3.connect(path, isolation_level=None, check_same_thread=False, timeout=10)
        self._run = self._connection.execute
        self._run("PRAGMA journal_mode=WAL")
        self._run("PRAGMA synchronous=NORMAL")  # what a power cut takes is indexed again
        self._run(f"PRAGMA journal_size_limit={WAL_OCTETS}")
        if not self._run("SELECT 1 FROM sqlite_master WHERE name = 'progress'").fetchone():
            self._make()

    def _make(self) -> None:
        with self.writing():
            for statement in SCHEMA:
                self._run(statement)

    def writing(self) -> AbstractContextManager[None]:
        return self._transaction("BEGIN IMMEDIATE")

    def reading(self) -> AbstractContextManager[None]:
        """All that is read is of one instant."""
        return self._transaction("BEGIN")

    @contextmanager
    def _transaction(self, begin: str) -> Iterator[None]:
        self._run(begin)
        try:
            yield
            self._run("COMMIT")
        finally:
            if self._connection.in_transaction:
                self._run("ROLLBACK")

    def close(self) -> None:
        self._connection.close()

    # Asking
    def octets(self) -> int:
        """What is in use of the file; room that was given up is filled again before it grows."""
        used: tuple[int] = self._run(
            "SELECT (page_count - freelist_count) * page_size "
            "FROM pragma_page_count, pragma_freelist_count, pragma_page_size"
        ).fetchone()
        return used[0]

    def known_to(self, folder: StoredFolder) -> int:
        """Every message of the folder up to this UID is in the index; 0: none is.

        One that knows of UIDs to come was made before the storage was put back from a copy.
        """
        query = "SELECT known_to FROM progress WHERE folder = ? AND uidvalidity = ? AND known_to < ?"
        row = self._run(query, [folder.id, folder.uidvalidity, folder.uidnext]).fetchone()
        return int(row[0]) if row else 0

    def find(self, folder: StoredFolder, field: str, term: str) -> TextHits | None:
        """See StorageEngine.search_text; `term` as `find_term` gives it."""
        with self.reading():
            known_to = self.known_to(folder)
            if not known_to:
                return None
            known = (row_id(folder.id, 0), row_id(folder.id, known_to))
            return TextHits(self._hits(known, field, term), known_to, self._unsure(known))

    def find_sent(self, folder: StoredFolder, first: int, last: int) -> TextHits | None:
        """Messages whose Date names a day from `first` to `last`, as date.toordinal() counts."""
        with self.reading():
            known_to = self.known_to(folder)
            if not known_to:
                return None
            known = (row_id(folder.id, 0), row_id(folder.id, known_to))
            uids = self._uids(f"{FOUND} sent_day BETWEEN ? AND ? ORDER BY id", [*known, first, last])
            return TextHits(uids, known_to, self._unsure(known))

    def _unsure(self, known: Span) -> frozenset[int]:
        return frozenset(self._uids(f"{FOUND} document IS NULL", known))

    def _uids(self, query: str, values: Iterable[object]) -> Uids:
        return array("Q", [uid for (uid,) in self._run(query, tuple(values))])

    def _hits(self, known: Span, field: str, term: str) -> Uids:
        if not term or field not in WORD_OF:
            return self._in_field(known, field, term)
        if len(term) < SHORTEST_INDEXED:
            return self._in_text(known, WORD_OF[field], term)
        return self._uids(
            f"{FOUND} document IN (SELECT rowid FROM words WHERE words MATCH ?) ORDER BY id",
            [*known, _phrase(term, WORD_OF[field])],
        )

    def _in_text(self, known: Span, word: str, term: str) -> Uids:
        """By a look at the texts; they are never longer than MOST_OCTETS."""
        words = [word] if word else ["header", "body"]
        found = " OR ".join(f"instr(d.{each}, ?)" for each in words)
        return self._uids(f"{IN_TEXT} AND ({found}) ORDER BY entry.id", [*known, *[term for _ in words]])

    def _in_field(self, known: Span, name: str, term: str) -> Uids:
        """Any field of a header, and whether there is one of a name."""
        start = f"{name}: "
        narrow, values = "AND instr(d.header, ?)", [start]
        if len(term) >= SHORTEST_INDEXED:
            narrow += " AND document IN (SELECT rowid FROM words WHERE words MATCH ?)"
            values.append(_phrase(term, "header"))
        query = IN_TEXT.replace(" FROM", ", d.header FROM", 1) + f"{narrow} ORDER BY entry.id"
        rows = self._run(query, (*known, *values))
        return array("Q", [uid for uid, header in rows if has_field(header, name, term)])

    def headings(self, folder: StoredFolder, columns: Sequence[Heading]) -> list[tuple[Any, ...]]:
        """UID and columns of the messages that are known, ascending."""
        asked = ", ".join([f"entry.id & {LAST_UID}", *[_column(each) for each in columns]])
        joined = "JOIN document ON document.id = document" if Heading.LINKS in columns else ""
        query = f"SELECT {asked} FROM entry {joined} WHERE entry.id BETWEEN ? AND ? ORDER BY entry.id"
        with self.reading():
            return self._run(query, [row_id(folder.id, 0), row_id(folder.id, self.known_to(folder))]).fetchall()

    def folders(self) -> list[int]:
        return [folder for (folder,) in self._run("SELECT folder FROM progress")]

    def uids(self, folder_id: int) -> Uids:
        return self._uids(f"SELECT id & {LAST_UID} FROM entry WHERE id BETWEEN ? AND ? ORDER BY id", span(folder_id))

    def counted(self, folder: StoredFolder) -> int:
        """How many messages it has entered of the folder and not forgotten."""
        row = self._run("SELECT messages FROM progress WHERE folder = ?", [folder.id]).fetchone()
        return int(row[0]) if row else 0

    # Changing, inside `writing`
    def find_document(self, email_id: str) -> tuple[int, int | None] | None:
        """A document's id and the day it was sent."""
        found: tuple[int, int | None] | None = self._run(
            "SELECT id, sent_day FROM document WHERE email_id = ?", [email_id]
        ).fetchone()
        return found

    def add_document(self, email_id: str, text: IndexedText, links: bytes) -> int:
        words = (*text.fields, text.header, text.body)
        places = ", ".join("?" for _ in words)
        made = self._run(
            f"INSERT INTO document (email_id, sent_day, links, {_LIST}) VALUES (?, ?, ?, {places})",
            (email_id, text.sent_day, links, *words),
        ).lastrowid
        assert made
        self._run(f"INSERT INTO words (rowid, {_LIST}) VALUES (?, {places})", (made, *words))
        return made

    def enter(self, folder: StoredFolder, entries: Sequence[Entry], known_to: int) -> None:
        self._connection.executemany(
            "INSERT OR REPLACE INTO entry VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?)",
            [(row_id(folder.id, one.uid), one.document, one.sent_day, *one.sort_keys) for one in entries],
        )
        counted = self.counted(folder) if self.known_to(folder) else 0
        self.set_progress(folder, known_to, counted + len(entries))

    def set_progress(self, folder: StoredFolder, known_to: int, messages: int) -> None:
        self._run(
            "INSERT OR REPLACE INTO progress VALUES (?, ?, ?, ?)", [folder.id, folder.uidvalidity, known_to, messages]
        )

    def forget(self, folder_id: int, uids: Iterable[int]) -> None:
        """Messages that are gone, and the text that was theirs alone."""
        for uid in uids:
            entry = row_id(folder_id, uid)
            row = self._run("SELECT document FROM entry WHERE id = ?", [entry]).fetchone()
            self._run("DELETE FROM entry WHERE id = ?", [entry])
            if row and row[0] and not self._run("SELECT 1 FROM entry WHERE document = ?", [row[0]]).fetchone():
                self._forget_document(row[0])

    def _forget_document(self, document: int) -> None:
        self._run(
            f"INSERT INTO words (words, rowid, {_LIST}) SELECT 'delete', id, {_LIST} FROM document WHERE id = ?",
            [document],
        )
        self._run("DELETE FROM document WHERE id = ?", [document])

    def tidy(self) -> None:
        """Give up the room of words that were forgotten, which FTS5 keeps beside notes that they are gone."""
        self._run("INSERT INTO words (words) VALUES ('optimize')")

    def forget_folder(self, folder_id: int) -> None:
        self.forget(folder_id, self.uids(folder_id))
        self._run("DELETE FROM progress WHERE folder = ?", [folder_id])


def _column(heading: Heading) -> str:
    return heading if heading is Heading.LINKS else f"entry.{heading}"


def _phrase(term: str, word: str) -> str:
    """A query of FTS5 for exactly this text; header and body are all the text there is."""
    quoted = '"' + term.replace('"', '""') + '"'
    return f"{{{word or 'header body'}}} : {quoted}"
