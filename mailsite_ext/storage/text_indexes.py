"""Where the text indexes lie: a file a mailbox, in a folder that may be lost at any time.

A file of its own, beside the catalogue and not in it: indexing, which takes longer than a delivery, then locks nothing
a delivery waits for, the database stays small, and the same index serves every engine and every database.  One a
mailbox: nobody's search costs more for the mail of others.  One a machine: SQLite's locks do not reach over a network.

Only whoever has the `turn` makes files or writes to them.  A damaged one is taken away, and made anew under another
name: who has the old one open still reads what was true, and its journal is never taken for the new one's.
"""

from __future__ import annotations

import contextlib
import fcntl
import os
import secrets
import shutil
import socket
import sqlite3
import threading
from collections.abc import Callable, Collection, Iterator
from hashlib import sha256
from pathlib import Path
from typing import TypeVar

from mailsite_ext.storage.text_index import SHAPE, TextIndex

MOST_IDLE = 16
"""Connections kept open for the next question."""
LEAST_FREE_OCTETS = 536_870_912
"""Of the disk, kept for mail: below it nothing more is indexed, and SEARCH reads what the index does not know."""
DAMAGED = ("SQLITE_CORRUPT", "SQLITE_NOTADB", "SQLITE_IOERR", "SQLITE_ERROR", "SQLITE_FORMAT")

Answer = TypeVar("Answer")


class TextIndexes:
    """The indexes of a storage; any thread, any process."""

    def __init__(self, folder: Path) -> None:
        self._root = folder / socket.gethostname()
        self.least_free_octets = LEAST_FREE_OCTETS
        self._idle: list[tuple[int, Path, TextIndex]] = []
        self._lock = threading.Lock()

    def ask(self, mailbox: str, question: Callable[[TextIndex], Answer]) -> Answer | None:
        """None: there is no index, or it was damaged."""
        path = self._find(mailbox)
        return self._put(path, question) if path else None

    def has_room(self) -> bool:
        """May indexes grow?"""
        self._root.mkdir(parents=True, exist_ok=True, mode=0o700)
        return shutil.disk_usage(self._root).free >= self.least_free_octets

    def change(self, mailbox: str, work: Callable[[TextIndex], Answer]) -> Answer | None:
        """With an index that is made if need be; None: nothing came of it.  For whoever has the turn."""
        path = self._find(mailbox)
        if path is None:
            folder = self._folder(mailbox)
            shutil.rmtree(folder, ignore_errors=True)  # of another shape
            folder.mkdir(parents=True, mode=0o700)
            path = folder / f"{SHAPE}-{secrets.token_hex(4)}.sqlite"
        return self._put(path, work)

    def _put(self, path: Path, question: Callable[[TextIndex], Answer]) -> Answer | None:
        with contextlib.ExitStack() as on_fault:
            try:
                index = self._take(path)
                on_fault.callback(index.close)
                answer = question(index)
            except sqlite3.Error as error:
                if _is_damage(error):
                    _unlink(path)
                return None
            on_fault.pop_all()
        self._give_back(path, index)
        return answer

    def _take(self, path: Path) -> TextIndex:
        """A process that was forked opens its own."""
        with self._lock:
            for place, (owner, of, index) in enumerate(self._idle):
                if (owner, of) == (os.getpid(), path):
                    del self._idle[place]
                    return index
        return TextIndex(path)

    def _give_back(self, path: Path, index: TextIndex) -> None:
        with self._lock:
            self._idle.append((os.getpid(), path, index))
            dropped = self._idle[:-MOST_IDLE]
            del self._idle[:-MOST_IDLE]
        for owner, _path, old in dropped:
            if owner == os.getpid():
                old.close()

    def _folder(self, mailbox: str) -> Path:
        digest = _digest(mailbox)
        return self._root / digest[:2] / digest

    def _find(self, mailbox: str) -> Path | None:
        """The index of today's shape."""
        folder = self._folder(mailbox)
        with contextlib.suppress(FileNotFoundError):
            for name in os.listdir(folder):
                if name.startswith(SHAPE) and name.endswith(".sqlite"):
                    return folder / name
        return None

    def remove(self, mailbox: str) -> None:
        shutil.rmtree(self._folder(mailbox), ignore_errors=True)

    def remove_all(self) -> None:
        shutil.rmtree(self._root, ignore_errors=True)

    def remove_others(self, mailboxes: Collection[str]) -> None:
        """Indexes of mailboxes that are gone."""
        kept = set(map(_digest, mailboxes))
        for folder in self._root.glob("??/*"):
            if folder.name not in kept:
                shutil.rmtree(folder, ignore_errors=True)

    @contextlib.contextmanager
    def turn(self, *, waits: bool = False) -> Iterator[bool]:
        """One indexes at a time, of all processes; False: another one does."""
        self._root.mkdir(parents=True, exist_ok=True, mode=0o700)
        descriptor = os.open(self._root.with_suffix(".turn"), os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o600)
        try:
            fcntl.flock(descriptor, fcntl.LOCK_EX | (0 if waits else fcntl.LOCK_NB))
            yield True
        except BlockingIOError:
            yield False
        finally:
            os.close(descriptor)

    def close(self) -> None:
        with self._lock:
            idle, self._idle = self._idle, []
        for owner, _path, index in idle:
            if owner == os.getpid():
                index.close()


def _digest(mailbox: str) -> str:
    """Names reach the disk only in an encoding of our own."""
    return sha256(mailbox.encode("utf-8", "surrogatepass")).hexdigest()[:32]


def _is_damage(error: sqlite3.Error) -> bool:
    """Not one that is only busy, or has no room to grow."""
    return getattr(error, "sqlite_errorname", "").startswith(DAMAGED)


def _unlink(path: Path) -> None:
    for each in (path, Path(f"{path}-wal"), Path(f"{path}-shm")):
        each.unlink(missing_ok=True)
