"""Who keeps the text indexes up to date: a thread of the processes that search, one of them at a time."""

from __future__ import annotations

import logging
import os
import threading
import time
from collections.abc import Iterator

from mailsite_ext.storage.bells import FolderBells
from mailsite_ext.storage.engine import StorageEngine
from mailsite_ext.storage.text_indexes import TextIndexes
from mailsite_ext.storage.text_indexing import index_all, index_folder

log = logging.getLogger(__name__)

NICE = 10
QUIET_S = 0.5
"""A folder that was rung is left alone for so long: more may come, and whoever brings it goes first."""
LATEST_S = 10.0
WAIT_S = 60.0
REST = 1.0
"""Rests between batches for as long, times this, as a batch took."""


class TextIndexer:
    """Indexes what is there, then what rings.  Another process has the turn: this one waits until it ends."""

    def __init__(self, storage: StorageEngine, indexes: TextIndexes, bells: FolderBells) -> None:
        self._storage = storage
        self._indexes = indexes
        self._rung: set[int] = set()
        self._lock = threading.Lock()
        self._news = threading.Event()
        self._ending = threading.Event()
        bells.listen_to_all(self._hear)
        self._thread = threading.Thread(target=self._run, name="text indexer", daemon=True)
        self._thread.start()

    def _hear(self, folder_id: int) -> None:
        with self._lock:
            self._rung.add(folder_id)
        self._news.set()

    def _run(self) -> None:
        _be_nice()
        while not self._ending.is_set():
            try:
                self._take_turn()
            except Exception:
                log.exception("The text index could not be brought up to date")
            self._ending.wait(WAIT_S)

    def _take_turn(self) -> None:
        with self._indexes.turn() as is_ours:
            if is_ours:
                self._work(index_all(self._storage, self._indexes))
            while is_ours and not self._ending.is_set():
                for folder_id in self._next_folders():
                    self._work(index_folder(self._storage, self._indexes, folder_id))

    def _work(self, batches: Iterator[int]) -> None:
        """Gives way between batches."""
        began = time.thread_time()
        for _messages in batches:
            if self._ending.wait(REST * (time.thread_time() - began)):
                return
            began = time.thread_time()

    def _next_folders(self) -> set[int]:
        """Folders that changed, once it is quiet for a moment or has lasted too long."""
        self._news.wait()
        latest = time.monotonic() + LATEST_S
        while self._news.is_set() and time.monotonic() < latest:
            self._news.clear()
            if self._ending.wait(QUIET_S):
                break
        with self._lock:
            rung, self._rung = self._rung, set()
        return rung

    def close(self) -> None:
        self._ending.set()
        self._news.set()
        self._thread.join(timeout=2 * WAIT_S)


def _be_nice() -> None:
    """Linux has a niceness for each thread."""
    os.setpriority(os.PRIO_PROCESS, threading.get_native_id(), NICE)
