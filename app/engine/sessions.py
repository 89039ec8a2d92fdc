"""A session that is opened when first needed and then stays open."""

from __future__ import annotations

import threading
from collections.abc import Callable

from app.engine.leases import LeaseLost
from app.sources import MailSource


class WarmSession:
    """One connection of an account.  Its lane alone uses it; `end` may come from any thread, at any moment."""

    def __init__(self, open_source: Callable[[], MailSource]) -> None:
        self._open_source = open_source
        self._lock = threading.Lock()
        self._source: MailSource | None = None
        self._ended = False

    def find(self) -> MailSource | None:
        """The source if it is open."""
        return self._source

    def get(self) -> MailSource:
        """The source, opened if need be.  Raises what opening raises, and LeaseLost after `end`."""
        if self._source is None:
            self._keep(self._open_source())
        if self._source is None:
            raise LeaseLost
        return self._source

    def _keep(self, source: MailSource) -> None:
        with self._lock:
            if not self._ended:
                self._source = source
                return
        source.close()

    def drop(self) -> None:
        """Close it; the next `get` opens another."""
        with self._lock:
            source, self._source = self._source, None
        if source is not None:
            source.close()

    def end(self) -> None:
        """Close it for good, under the hands of a job if one runs: that job then fails."""
        with self._lock:
            self._ended = True
        self.drop()
