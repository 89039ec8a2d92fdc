"""Work that must not show in the time a page takes: whether an address has an account, and mail to it."""

from __future__ import annotations

import logging
import threading
from collections.abc import Callable
from concurrent.futures import Future, ThreadPoolExecutor, wait

from flask import Flask, current_app

MOST_WAITING = 500
EXTENSION = "satchel.background"
log = logging.getLogger(__name__)


class Background:
    """Two threads of a web process; what they still have to do is done before the process ends."""

    def __init__(self, app: Flask) -> None:
        self._app = app
        self._pool = ThreadPoolExecutor(max_workers=2, thread_name_prefix="background")
        self._lock = threading.Lock()
        self._waiting: set[Future[None]] = set()

    def run(self, task: Callable[[], None]) -> None:
        """Do `task` soon, in the app's context.  Faults go to the log; when too much waits, it is dropped."""
        with self._lock:
            if len(self._waiting) >= MOST_WAITING:
                log.warning("%s tasks wait already: one was dropped", MOST_WAITING)
                return
            future = self._pool.submit(self._do, task)
            self._waiting.add(future)
        future.add_done_callback(self._forget)

    def _do(self, task: Callable[[], None]) -> None:
        with self._app.app_context():
            try:
                task()
            except Exception:
                log.exception("a background task failed")

    def _forget(self, future: Future[None]) -> None:
        with self._lock:
            self._waiting.discard(future)

    def wait(self, timeout_s: float = 30) -> None:
        """Until all that was asked for is done."""
        with self._lock:
            pending = set(self._waiting)
        wait(pending, timeout_s)


def init_app(app: Flask) -> None:
    app.extensions[EXTENSION] = Background(app)


def background() -> Background:
    """The current app's."""
    found: Background = current_app.extensions[EXTENSION]
    return found
