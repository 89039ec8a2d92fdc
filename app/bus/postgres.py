"""Doorbells over PostgreSQL's LISTEN and NOTIFY, which also cross machines."""

from __future__ import annotations

import contextlib
import threading
from collections.abc import Sequence
from typing import Self

import psycopg

from app.bus.protocol import Bell

CHANNEL = "satchel"


class PostgresSubscription:
    """A connection of its own that listens; reconnects by itself when the server went away."""

    def __init__(self, conninfo: str) -> None:
        self._conninfo = conninfo
        self._connection: psycopg.Connection | None = self._listen()

    def _listen(self) -> psycopg.Connection:
        connection = psycopg.connect(self._conninfo, autocommit=True)
        connection.execute(f"LISTEN {CHANNEL}")
        return connection

    def wait(self, timeout_s: float) -> Sequence[Bell]:
        try:
            if self._connection is None:
                self._connection = self._listen()
            notices = self._connection.notifies(timeout=timeout_s, stop_after=1)
            bells = [Bell.decode(notice.payload) for notice in notices]
        except psycopg.OperationalError:
            self._drop()
            threading.Event().wait(min(timeout_s, 1.0))  # the server is away: not a busy loop
            return []
        return list(dict.fromkeys(bell for bell in bells if bell))

    def _drop(self) -> None:
        if self._connection is not None:
            with contextlib.suppress(psycopg.Error):
                self._connection.close()
        self._connection = None

    def close(self) -> None:
        self._drop()

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_error: object) -> None:
        self.close()


class PostgresBus:
    """Rings every listener of the database, on any machine."""

    def __init__(self, conninfo: str) -> None:
        self._conninfo = conninfo
        self._lock = threading.Lock()
        self._connection: psycopg.Connection | None = None

    def ring(self, *bells: Bell) -> None:
        with self._lock, contextlib.suppress(psycopg.Error):
            self._notify(bells)

    def _notify(self, bells: Sequence[Bell]) -> None:
        if self._connection is None or self._connection.closed:
            self._connection = psycopg.connect(self._conninfo, autocommit=True, connect_timeout=2)
        for bell in bells:
            self._connection.execute("SELECT pg_notify(%s, %s)", (CHANNEL, bell.encode()))

    def subscribe(self) -> PostgresSubscription:
        return PostgresSubscription(self._conninfo)

    def close(self) -> None:
        with self._lock:
            if self._connection is not None:
                self._connection.close()
