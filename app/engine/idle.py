"""One thread that watches every IDLE connection (RFC 2177): it only sees that something arrived, and says so."""

from __future__ import annotations

import contextlib
import os
import selectors
import threading
from collections.abc import Callable


class Watcher:
    """Calls back, once, when a watched file descriptor has something to read; the lane that owns it reads."""

    def __init__(self) -> None:
        self._selector = selectors.DefaultSelector()
        self._lock = threading.Lock()
        self._callbacks: dict[int, Callable[[], None]] = {}
        self._wake_read, self._wake_write = os.pipe()
        os.set_blocking(self._wake_read, False)
        self._selector.register(self._wake_read, selectors.EVENT_READ)
        self._ending = False
        self._thread = threading.Thread(target=self._watch, name="idle", daemon=True)
        self._thread.start()

    def watch(self, fd: int, on_news: Callable[[], None]) -> None:
        with self._lock:
            if self._ending:
                return
            self._forget(fd)
            self._selector.register(fd, selectors.EVENT_READ)
            self._callbacks[fd] = on_news

    def unwatch(self, fd: int) -> None:
        """Before the descriptor is read by its owner, or closed: a number is given again at once."""
        with self._lock:
            self._forget(fd)

    def _forget(self, fd: int) -> None:
        if self._callbacks.pop(fd, None) is not None:
            with contextlib.suppress(KeyError, OSError, ValueError):
                self._selector.unregister(fd)

    def _watch(self) -> None:
        while not self._ending:
            for key, _ in self._selector.select():
                self._report(key.fd)

    def _report(self, fd: int) -> None:
        with self._lock:
            callback = self._callbacks.get(fd)
            self._forget(fd)
        if callback is not None:
            callback()

    def close(self) -> None:
        with self._lock:
            self._ending = True
        os.write(self._wake_write, b"x")
        self._thread.join(timeout=5)
        self._selector.close()
        os.close(self._wake_read)
        os.close(self._wake_write)
