r"""Which messages no session was told of before: `\Recent` of IMAP4rev1 (RFC 3501 §2.3.2).

Kept by each process for itself, and not beyond its life: what a folder held before a process first saw it is recent
to nobody, and two processes may each have a session that was told first, which the RFC allows.  So no SELECT writes.
"""

from __future__ import annotations

import threading
from collections import OrderedDict

FOLDERS_KEPT = 100_000


class Recents:
    """The first UID of each folder that no reading and writing session was told of; used by many threads."""

    def __init__(self) -> None:
        self._first: OrderedDict[int, int] = OrderedDict()
        self._lock = threading.Lock()

    def came(self, folder_id: int, uid: int) -> None:
        """A message was put there by this process: where nothing was known of the folder, it is the first."""
        with self._lock:
            self._first.setdefault(folder_id, uid)
            self._forget_oldest()

    def first(self, folder_id: int, uidnext: int) -> int:
        return self._first.get(folder_id, uidnext)

    def claim(self, folder_id: int, uidnext: int) -> int:
        """A session is told of all below `uidnext`; from which UID on it is the first one?"""
        with self._lock:
            first = self._first.pop(folder_id, uidnext)
            self._first[folder_id] = max(first, uidnext)
            self._forget_oldest()
        return first

    def _forget_oldest(self) -> None:
        while len(self._first) > FOLDERS_KEPT:
            self._first.popitem(last=False)
