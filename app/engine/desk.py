"""What every job of an account needs at hand."""

from __future__ import annotations

import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field

from sqlalchemy.orm import Session

from app.bus import Bell, Topic
from app.engine import leases
from app.engine.leases import Lease
from app.engine.times import EngineTimes
from app.runtime import Runtime


class BulkGap:
    """SQLite has one writer, and its busy handler sleeps while a bulk writer takes the lock back at once.

    So bulk commits of the whole engine come one by one, with a gap in between in which the web's small writes get
    their turn.  Fetching and parsing the next batch usually takes longer than the gap.
    """

    def __init__(self, gap_s: float) -> None:
        self._gap_s = gap_s
        self._lock = threading.Lock()
        self._ended_s = 0.0

    @contextmanager
    def turn(self) -> Iterator[None]:
        with self._lock:
            wait_s = self._ended_s + self._gap_s - time.monotonic()
            if wait_s > 0:
                time.sleep(wait_s)
            try:
                yield
            finally:
                self._ended_s = time.monotonic()


@dataclass(frozen=True)
class Desk:
    """One leased account's work place; its sessions write nothing once the lease is lost (they raise LeaseLost)."""

    parts: Runtime
    lease: Lease
    times: EngineTimes = field(default_factory=EngineTimes)
    gap: BulkGap = field(default_factory=lambda: BulkGap(0.0))

    @property
    def account_id(self) -> int:
        return self.lease.account_id

    def session(self) -> Session:
        return leases.leased_session(self.parts.public, self.lease)

    def ring(self, topic: Topic, subject: int) -> None:
        self.parts.bus.ring(Bell(topic, subject))

    def ring_tree(self) -> None:
        self.ring(Topic.TREE, self.lease.owner_id)
