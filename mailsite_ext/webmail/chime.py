"""A descriptor that can be selected on and rung from another thread."""

from __future__ import annotations

import os
import threading


class Chime:
    """An eventfd.  Ringing and closing exclude each other: a number that was closed may be somebody else's by then."""

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._is_open = True
        self.descriptor = os.eventfd(0, os.EFD_NONBLOCK | os.EFD_CLOEXEC)

    def ring(self) -> None:
        with self._lock:
            if self._is_open:
                os.eventfd_write(self.descriptor, 1)

    def heard(self) -> bool:
        """Was it rung since the last time?  Never blocks."""
        with self._lock:
            try:
                return self._is_open and os.eventfd_read(self.descriptor) > 0
            except BlockingIOError:
                return False

    def close(self) -> None:
        with self._lock:
            if self._is_open:
                self._is_open = False
                os.close(self.descriptor)
