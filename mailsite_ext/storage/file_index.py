"""The index of FileMailStorage: an SQLite file, made anew whenever it is missing, broken or of another shape."""

from __future__ import annotations

import contextlib
from pathlib import Path
from zlib import crc32

import sqlalchemy as sa
from sqlalchemy import event

from app.extension_api import Database
from mailsite_ext.errors import StorageDamaged
from mailsite_ext.storage.catalogue_sql import linked, turn
from mailsite_ext.storage.journal_marks import MARKS
from mailsite_ext.storage.models import CATALOGUE


def open_index(folder: Path) -> sa.Engine:
    """The engine of the index; an empty one is filled by the first look at the tree."""
    path = folder / f"catalogue-{_shape():08x}.sqlite"
    with turn(folder / "turn"):
        for old in folder.glob("catalogue-*.sqlite*"):
            if not old.name.startswith(path.name):
                old.unlink()
        try:
            return _open(path)
        except StorageDamaged:
            for part in folder.glob(f"{path.name}*"):
                part.unlink()
            return _open(path)


def _open(path: Path) -> sa.Engine:
    engine = Database(f"sqlite:///{path}").engine
    event.listen(engine, "connect", _sync_at_checkpoints)
    with contextlib.ExitStack() as on_fault:
        on_fault.callback(engine.dispose)
        with linked(engine) as link:
            for statement in _statements():
                link.run(statement)
            link.commit()
        on_fault.pop_all()
    return engine


def _sync_at_checkpoints(connection: object, _record: object) -> None:
    """The journals are the truth: what a power cut takes from the index they give back."""
    connection.execute("PRAGMA synchronous=NORMAL")  # type: ignore[attr-defined]  # the driver's own connection


def _statements() -> list[str]:
    dialect = sa.create_engine("sqlite://").dialect
    tables = [table for table in CATALOGUE if isinstance(table, sa.Table)]
    made: list[sa.schema.ExecutableDDLElement] = [sa.schema.CreateTable(table, if_not_exists=True) for table in tables]
    indexes = sorted((index for table in tables for index in table.indexes), key=lambda index: str(index.name))
    made += [sa.schema.CreateIndex(index, if_not_exists=True) for index in indexes]
    return [str(statement.compile(dialect=dialect)) for statement in made] + [MARKS]


def _shape() -> int:
    """Another one with every change of the tables: an index of an older shape is left behind."""
    return crc32("\n".join(_statements()).encode())
