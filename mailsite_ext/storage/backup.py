"""A backup while everything runs: what it holds is the storage as it was at one instant.

Files on disk: journals copied under the storage's turn, message files linked where the file system can, else copied.
The result is a mail tree to be put back as it is.  Database and deduplicated files: the catalogue's rows, of one
snapshot, in an SQLite file; then every blob.  A file outlives its last row by a grace time longer than this takes.
"""

from __future__ import annotations

import contextlib
from collections.abc import Iterator
from pathlib import Path

import sqlalchemy as sa

from app.extension_api import Database
from mailsite_ext.errors import StorageDamaged
from mailsite_ext.storage.blobs import DIGITS, BlobStore
from mailsite_ext.storage.file_mail_storage import FileMailStorage
from mailsite_ext.storage.file_places import places
from mailsite_ext.storage.files import Disk, Files
from mailsite_ext.storage.journal import history_of
from mailsite_ext.storage.models import CATALOGUE, ContentSegment
from mailsite_ext.storage.sql_mail_storage import SqlMailStorage
from mailsite_ext.storage.tree import JOURNAL

ROWS = "catalogue.sqlite"
SECURITY = "security"
TABLES = [table for table in [*CATALOGUE, ContentSegment.__table__] if isinstance(table, sa.Table)]
PIECE_ROWS = 1_000


def back_up(storage: FileMailStorage | SqlMailStorage, folder: Path) -> int:
    """Make `folder`, which must not be there yet, the backup; how many message files or blobs it holds.

    Raises FileExistsError, StorageFull, StorageDamaged.
    """
    folder.mkdir(mode=0o700, parents=True)
    if isinstance(storage, FileMailStorage):
        return _back_up_files(storage, folder / "mail")
    _copy_rows(storage.engine, Database(f"sqlite:///{folder / ROWS}").engine)
    return _link_blobs(storage.blobs, folder / "blobs")


def back_up_security(work: Path, folder: Path) -> int:
    """Copy the keys of the work directory, readable to nobody else, into the backup `folder`; how many files.

    Whoever has them signs as these domains.
    """
    source, count = work / SECURITY, 0
    for path in sorted(source.rglob("*")):
        if path.is_file() and path.name != "lock":
            target = folder / SECURITY / path.relative_to(source)
            target.parent.mkdir(mode=0o700, parents=True, exist_ok=True)
            Disk().write(target, [path])
            count += 1
    return count


def restore_sql(storage: SqlMailStorage, folder: Path) -> int:
    """Fill an empty storage from a backup; how many blobs came.  Of the journals' kind a copy of the tree does it."""
    for blob in sorted((folder / "blobs").rglob("*")):
        if blob.is_file():
            _link(Disk(), blob, storage.blobs.path(blob.name))
    _copy_rows(Database(f"sqlite:///{folder / ROWS}").engine, storage.engine)
    storage.text.remove_all()  # it may know of messages whose UIDs others will have
    return len(list(_blobs(storage.blobs)))


# Files on disk
def _back_up_files(storage: FileMailStorage, target: Path) -> int:
    with storage.write():
        storage.tree.log.replay()
        journals = list(_copy_journals(storage, target))
    count = 0
    for source, copy in journals:
        for line in history_of(copy.read_bytes()).messages.values():
            with contextlib.suppress(FileNotFoundError):  # expunged, and past its grace time
                _link(storage.files, source.parent / line.file, copy.parent / line.file)
                count += 1
    return count


def _copy_journals(storage: FileMailStorage, target: Path) -> Iterator[tuple[Path, Path]]:
    for place in places(storage.tree.root):
        copy = target / place.directory.relative_to(storage.tree.root) / JOURNAL
        if place.journal.exists():
            storage.files.make_directory(copy.parent)
            storage.files.write(copy, [place.journal])
            yield place.journal, copy


def _link(files: Files, source: Path, target: Path) -> None:
    files.make_directory(target.parent)
    try:
        files.link(source, target)
    except FileExistsError:
        return
    except StorageDamaged:  # another file system
        files.write(target, [source])


# Database and blobs
def _link_blobs(blobs: BlobStore, target: Path) -> int:
    count = 0
    for digest in _blobs(blobs):
        with contextlib.suppress(FileNotFoundError):
            _link(Disk(), blobs.path(digest), target / digest[0] / digest)
            count += 1
    return count


def _blobs(blobs: BlobStore) -> Iterator[str]:
    for digit in DIGITS:
        yield from sorted(path.name for path in (blobs.root / digit).iterdir())


def _copy_rows(source: sa.Engine, target: sa.Engine) -> None:
    """All rows of one instant, into tables that are made where they are missing."""
    sa.MetaData.create_all(TABLES[0].metadata, target, tables=TABLES)
    snapshot = {} if source.dialect.name == "sqlite" else {"isolation_level": "REPEATABLE READ"}
    with source.connect().execution_options(**snapshot) as reading, target.begin() as writing:
        if not snapshot:
            reading.exec_driver_sql("BEGIN")
        for table in TABLES:
            rows = reading.execute(sa.select(table)).mappings()
            for piece in rows.partitions(PIECE_ROWS):
                writing.execute(sa.insert(table), [dict(row) for row in piece])
