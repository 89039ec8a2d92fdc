"""Lanes: the queues of one account, and the threads that serve all of them.

An account has a lane for each of its sessions.  A lane runs one job at a time, the most urgent first, so a session is
never used by two threads; lanes of different accounts share the threads of a pool, one job each in turn.
"""

from __future__ import annotations

import heapq
import logging
import os
import threading
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, field
from itertools import count

log = logging.getLogger("satchel.engine")

PROMPT_THREADS = 16  # a server that answers nobody holds one per account until its time-out; each costs memory
BULK_THREADS = 4
SENDING_THREADS = 4
NICENESS = 10


@dataclass(frozen=True, slots=True, order=True)
class Job:
    """Something to do; lower ranks first, in the order they came.  A lane keeps one job of each key waiting at most."""

    rank: int
    number: int
    key: str = field(compare=False)
    run: Callable[[], None] = field(compare=False)


class Pools:
    """The engine's threads: prompt ones for what people wait for, niced ones for bulk, a few that send."""

    def __init__(self) -> None:
        self.prompt = ThreadPoolExecutor(PROMPT_THREADS, "prompt")
        self.bulk = ThreadPoolExecutor(BULK_THREADS, "bulk", initializer=_step_back)
        self.sending = ThreadPoolExecutor(SENDING_THREADS, "sending")

    def close(self) -> None:
        """Let the jobs that run end; those that wait are forgotten: SQL still knows them."""
        for pool in (self.prompt, self.bulk, self.sending):
            pool.shutdown(wait=True, cancel_futures=True)


def _step_back() -> None:
    """Let everybody else go first: on Linux niceness belongs to the thread."""
    if hasattr(os, "setpriority") and os.uname().sysname == "Linux":
        os.setpriority(os.PRIO_PROCESS, threading.get_native_id(), NICENESS)


class Lane:
    """Jobs of one account that share one session."""

    def __init__(self, pool: ThreadPoolExecutor, *, drained: Callable[[], None] = lambda: None) -> None:
        """`drained` runs in the lane, like a job, whenever the last waiting one is done."""
        self._pool = pool
        self._drained = drained
        self._lock = threading.Lock()
        self._waiting: list[Job] = []
        self._numbers = count()
        self._busy = False
        self._held = False
        self._closed = False

    def put(self, key: str, rank: int, run: Callable[[], None]) -> None:
        """Queue a job, unless one of that key waits already."""
        with self._lock:
            if self._closed or any(job.key == key for job in self._waiting):
                return
            heapq.heappush(self._waiting, Job(rank, next(self._numbers), key, run))
            self._start()

    def hold(self) -> None:
        """Start no further job until `resume`; the waiting ones are kept."""
        with self._lock:
            self._held = True

    def resume(self) -> None:
        with self._lock:
            self._held = False
            self._start()

    def close(self) -> bool:
        """Forget what waits and start nothing more; True if nothing runs any more either."""
        with self._lock:
            self._closed = True
            self._waiting.clear()
            return not self._busy

    def _start(self) -> None:
        """Ask the pool for a thread if there is something to do; the lock is held."""
        if self._waiting and not (self._busy or self._held or self._closed):
            self._busy = True
            try:
                self._pool.submit(self._run_one)
            except RuntimeError:  # the pool was shut down: the engine is ending
                self._busy = False

    def _run_one(self) -> None:
        job = self._next()
        if job is not None:
            _run(job.run)
            if not self._waiting and not self._closed:
                _run(self._drained)
        with self._lock:
            self._busy = False
            self._start()

    def _next(self) -> Job | None:
        with self._lock:
            return heapq.heappop(self._waiting) if self._waiting and not self._held else None


def _run(run: Callable[[], None]) -> None:
    """A job handles what it foresees; anything else is a bug, logged, and the lane goes on."""
    try:
        run()
    except Exception:
        log.exception("a job of the engine failed")
