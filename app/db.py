"""The two databases: bases, engines, one session per request, column types."""

from __future__ import annotations

import enum
import os
import sqlite3
from collections.abc import Callable
from contextlib import suppress
from datetime import UTC, datetime
from pathlib import Path
from typing import TYPE_CHECKING, Any, ClassVar

import sqlalchemy as sa
from sqlalchemy import event
from sqlalchemy.engine import Dialect, Engine
from sqlalchemy.engine.interfaces import DBAPIConnection
from sqlalchemy.orm import DeclarativeBase, Session, sessionmaker

if TYPE_CHECKING:
    from flask import Flask

NAMES = {
    "ix": "ix_%(table_name)s_%(column_0_N_name)s",
    "uq": "uq_%(table_name)s_%(column_0_N_name)s",
    "fk": "fk_%(table_name)s_%(column_0_N_name)s",
    "pk": "pk_%(table_name)s",
    "ck": "ck_%(table_name)s_%(constraint_name)s",
}


def _values(kind: type[enum.Enum]) -> list[str]:
    return [member.value for member in kind]


UNUSABLE = (sa.exc.OperationalError, sa.exc.InterfaceError, sa.exc.TimeoutError)
"""What a database that is locked, full, absent or out of reach comes to; other faults of SQL are bugs of ours."""


class Base(DeclarativeBase):
    """Rows of the public database.  Enumerations are stored as their values, readable in any SQL client."""

    metadata = sa.MetaData(naming_convention=NAMES)
    type_annotation_map: ClassVar[dict[Any, Any]] = {
        enum.Enum: sa.Enum(enum.Enum, native_enum=False, create_constraint=False, length=20, values_callable=_values)
    }


class PrivateBase(DeclarativeBase):
    """Rows of the private database: keys, nothing else."""

    metadata = sa.MetaData(naming_convention=NAMES)


class UtcDateTime(sa.types.TypeDecorator[datetime]):
    """An aware datetime in UTC; naive ones are refused, because nobody knows what they mean."""

    impl = sa.DateTime(timezone=True)
    cache_ok = True

    def bind_processor(self, dialect: Dialect) -> Callable[[datetime | None], Any]:
        return _sqlite_text if dialect.name == "sqlite" else _in_utc

    def process_result_value(self, value: datetime | None, dialect: Dialect) -> datetime | None:
        if value is None:
            return None
        return value.replace(tzinfo=UTC) if value.tzinfo is None else value.astimezone(UTC)


def _in_utc(value: datetime | None) -> datetime | None:
    if value is None:
        return None
    if value.tzinfo is None:
        raise ValueError("a naive datetime has no place in the database")
    return value if value.tzinfo is UTC else value.astimezone(UTC)


def _sqlite_text(value: datetime | None) -> str | None:
    """As SQLAlchemy writes it on SQLite, which has no type for it: "2026-11-24 08:30:15.250000"."""
    utc = _in_utc(value)
    return utc.isoformat(" ", "microseconds")[:26] if utc else None


class Database:
    """One database: its engine, and sessions on it.

    SQLite runs in WAL mode; plain SELECTs take no lock, and the driver opens `BEGIN IMMEDIATE` before the first
    write of a transaction, so a session that read first never fails with a stale snapshot.
    """

    def __init__(self, url: str, *, pool_size: int = 20) -> None:
        self.url = sa.make_url(url)
        self.engine = _create_engine(self.url, pool_size)
        self.session = sessionmaker(self.engine, expire_on_commit=False)

    @property
    def is_sqlite(self) -> bool:
        return self.url.get_backend_name() == "sqlite"

    def dispose(self) -> None:
        self.engine.dispose()


def _create_engine(url: sa.URL, pool_size: int) -> Engine:
    if url.get_backend_name() != "sqlite":
        return sa.create_engine(
            url, pool_size=pool_size, max_overflow=pool_size, pool_pre_ping=True, hide_parameters=True
        )
    prepare_sqlite_file(url)
    engine = sa.create_engine(
        url,
        connect_args={"isolation_level": "IMMEDIATE", "timeout": 10, "check_same_thread": False},
        pool_size=pool_size,
        max_overflow=-1,
        hide_parameters=True,  # an error's text goes to the log: what people wrote does not
    )
    event.listen(engine, "connect", _set_pragmas)
    return engine


def prepare_sqlite_file(url: sa.URL) -> None:
    """Create a SQLite database's folder and file with owner-only rights, before SQLite does with wider ones."""
    if not url.database or url.database == ":memory:":
        return
    path = Path(url.database)
    path.parent.mkdir(parents=True, exist_ok=True, mode=0o700)
    with suppress(FileExistsError):  # never opened twice: closing it would drop the locks SQLite holds here (fcntl(2))
        os.close(os.open(path, os.O_RDWR | os.O_CREAT | os.O_EXCL, 0o600))


def _set_pragmas(connection: DBAPIConnection, _record: object) -> None:
    assert isinstance(connection, sqlite3.Connection)
    connection.executescript(
        "PRAGMA journal_mode=WAL; PRAGMA synchronous=FULL; PRAGMA foreign_keys=ON; PRAGMA busy_timeout=10000;"
    )


def init_app(app: Flask, public: Database) -> None:
    """Give each request a session on the public database, `g.db`, closed when the request ends."""
    from flask import g  # pages alone

    @app.before_request
    def open_session() -> None:
        g.db = public.session()

    @app.teardown_request
    def close_session(_error: BaseException | None) -> None:
        session: Session | None = g.pop("db", None)
        if session is not None:
            session.close()


def row_count(result: sa.Result[Any]) -> int:
    """Rows an UPDATE or DELETE touched: how a conditional write learns whether it won."""
    assert isinstance(result, sa.CursorResult)
    return result.rowcount
