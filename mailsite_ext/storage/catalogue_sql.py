"""Raw SQL for SQLite and PostgreSQL: one spelling, two dialects, no objects made of rows.

Statements are written with `?`; lists of numbers or texts go in as one value, so that a statement stays the same
however long they are.
"""

from __future__ import annotations

import contextlib
import fcntl
import json
import os
import sqlite3
from collections.abc import Iterable, Iterator, Sequence
from pathlib import Path
from typing import Any

import sqlalchemy as sa

from mailsite_ext.errors import StorageDamaged, StorageFull

Row = tuple[Any, ...]
FULL_SQLITE = ("SQLITE_FULL", "SQLITE_IOERR_WRITE", "SQLITE_IOERR_FSYNC", "SQLITE_IOERR_TRUNCATE")

FULL_POSTGRES = "53100"  # disk_full; psycopg itself is loaded by those who use it


class Link:
    """One connection of the driver's own."""

    def __init__(self, connection: Any, *, is_sqlite: bool) -> None:
        self._connection = connection
        self._cursor = connection.cursor()
        self.is_sqlite = is_sqlite

    def run(self, statement: str, values: Sequence[object] = ()) -> int:
        """Execute, and how many rows that changed."""
        self._cursor.execute(self._spelt(statement), values)
        return int(self._cursor.rowcount)

    def run_many(self, statement: str, rows: Iterable[Sequence[object]]) -> None:
        self._cursor.executemany(self._spelt(statement), rows)

    def rows(self, statement: str, values: Sequence[object] = ()) -> list[Row]:
        self._cursor.execute(self._spelt(statement), values)
        found: list[Row] = self._cursor.fetchall()
        return found

    def row(self, statement: str, values: Sequence[object] = ()) -> Row | None:
        self._cursor.execute(self._spelt(statement), values)
        found: Row | None = self._cursor.fetchone()
        return found

    def _spelt(self, statement: str) -> str:
        return statement if self.is_sqlite else statement.replace("%", "%%").replace("?", "%s")

    def listed(self, values: Iterable[int] | Iterable[str]) -> object:
        """The value for a place where the statement says `in_list`."""
        return json.dumps(list(values)) if self.is_sqlite else list(values)

    @property
    def in_list(self) -> str:
        """`f"id {link.in_list}"`: is among the values of one list."""
        return "IN (SELECT value FROM json_each(?))" if self.is_sqlite else "= ANY(?)"

    @property
    def for_update(self) -> str:
        """Ends a SELECT whose rows are to be changed; on SQLite the whole transaction is alone already."""
        return "" if self.is_sqlite else " FOR UPDATE"

    def begin(self) -> None:
        """A transaction that will write.  psycopg opens one by itself."""
        if self.is_sqlite:
            self._cursor.execute("BEGIN IMMEDIATE")

    def begin_snapshot(self) -> None:
        """All that is read from here on is of one instant."""
        self._cursor.execute("BEGIN" if self.is_sqlite else "SET TRANSACTION ISOLATION LEVEL REPEATABLE READ")

    def commit(self) -> None:
        self._connection.commit()

    def rollback(self) -> None:
        self._connection.rollback()

    def close(self) -> None:
        """Before the connection is another's: a cursor that ends later resets a statement that one may be using."""
        self._cursor.close()


@contextlib.contextmanager
def linked(engine: sa.Engine) -> Iterator[Link]:
    """A connection from the pool; what was not committed is undone when it goes back."""
    with database_faults():
        connection = engine.raw_connection()
        try:
            link = Link(connection, is_sqlite=engine.dialect.name == "sqlite")
            try:
                yield link
            finally:
                link.close()
        finally:
            connection.close()


@contextlib.contextmanager
def database_faults() -> Iterator[None]:
    """A database that is full or broken, in words of ours."""
    try:
        yield
    except (sqlite3.OperationalError, sqlite3.DatabaseError) as error:
        name = getattr(error, "sqlite_errorname", "")
        if name.startswith(FULL_SQLITE):
            raise StorageFull(str(error)) from error
        if name.startswith(("SQLITE_CORRUPT", "SQLITE_NOTADB", "SQLITE_IOERR")):
            raise StorageDamaged(str(error)) from error
        raise
    except Exception as error:
        if getattr(error, "sqlstate", None) == FULL_POSTGRES:
            raise StorageFull(str(error)) from error
        raise


@contextlib.contextmanager
def turn(lock_file: Path | None) -> Iterator[None]:
    """Wait for one's turn to write.

    SQLite's own wait sleeps and looks again, so that a busy writer starves the others; flock queues them (measured:
    p99 of 10 concurrent writers 7 ms instead of 35).  A descriptor of one's own each time: two threads wait for each
    other too, and a fork shares nothing.
    """
    if lock_file is None:
        yield
        return
    descriptor = os.open(lock_file, os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o600)
    try:
        fcntl.flock(descriptor, fcntl.LOCK_EX)
        yield
    finally:
        os.close(descriptor)
