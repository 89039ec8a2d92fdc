"""Storages to host mail in, each in a folder of the test's own."""

from __future__ import annotations

from collections.abc import Iterator

import pytest

from app.clock import SystemClock
from app.extension_api import Base, Database
from mailsite_ext import tables
from mailsite_ext.storage.sql_mail_storage import SqlMailStorage

assert tables


@pytest.fixture
def sql_storage(tmp_path) -> Iterator[SqlMailStorage]:
    """SqlMailStorage on SQLite, with a bus whose bells are those of `tmp_path / "bus"`."""
    from app.bus.unix import UnixBus

    database = Database(f"sqlite:///{tmp_path}/mail.db")
    own = [table for name, table in Base.metadata.tables.items() if name.startswith("mailsite_")]
    people = [Base.metadata.tables["user"]]
    Base.metadata.create_all(database.engine, tables=[*people, *own])
    storage = SqlMailStorage(database.engine, tmp_path / "blobs", SystemClock(), UnixBus(tmp_path / "bus"))
    yield storage
    storage.close()
    database.dispose()
