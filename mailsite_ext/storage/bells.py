"""Who waits for news of which hosted folder: one ear on the bus for a whole process."""

from __future__ import annotations

import threading
from collections import defaultdict
from collections.abc import Callable

from app.extension_api import Bell, Bus, Topic

WAIT_S = 5.0


class FolderBells:
    """Calls back when a folder was rung (Topic.STORAGE), from a thread of its own: callbacks only pass the word on.

    Bells may be lost: whoever listens also looks by itself now and then.
    """

    def __init__(self, bus: Bus) -> None:
        self._lock = threading.Lock()
        self._listeners: defaultdict[int, list[Callable[[], None]]] = defaultdict(list)
        self._on_any: list[Callable[[int], None]] = []
        self._ending = threading.Event()
        self._bus = bus
        self._subscription = bus.subscribe()
        self._thread = threading.Thread(target=self._listen, name="folder bells", daemon=True)
        self._thread.start()

    def listen(self, folder_id: int, on_news: Callable[[], None]) -> Callable[[], None]:
        """Begin to listen; what is returned ends it."""
        with self._lock:
            self._listeners[folder_id].append(on_news)
        return lambda: self._forget(folder_id, on_news)

    def listen_to_all(self, on_news: Callable[[int], None]) -> None:
        """Called with the id of every folder that is rung, as long as there are bells."""
        with self._lock:
            self._on_any.append(on_news)

    def _forget(self, folder_id: int, on_news: Callable[[], None]) -> None:
        with self._lock:
            if on_news in self._listeners[folder_id]:
                self._listeners[folder_id].remove(on_news)
            if not self._listeners[folder_id]:
                del self._listeners[folder_id]

    def _listen(self) -> None:
        while not self._ending.is_set():
            for bell in self._subscription.wait(WAIT_S):
                if bell.topic is Topic.STORAGE:
                    self._tell(bell.subject)

    def _tell(self, folder_id: int) -> None:
        with self._lock:
            listeners, for_any = list(self._listeners.get(folder_id, ())), list(self._on_any)
        for on_news in listeners:
            on_news()
        for on_any in for_any:
            on_any(folder_id)

    def close(self) -> None:
        self._ending.set()
        self._bus.ring(Bell(Topic.STORAGE))  # wakes our own thread
        self._thread.join(timeout=2 * WAIT_S)
        self._subscription.close()
