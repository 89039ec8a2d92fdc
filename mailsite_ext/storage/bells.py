"""Who waits for news of which hosted folder, or mailbox's tree: one ear on the bus for a whole process."""

from __future__ import annotations

import threading
from collections import defaultdict
from collections.abc import Callable

from app.extension_api import Bell, Bus, Topic

WAIT_S = 5.0


class FolderBells:
    """Calls back when a folder or a tree was rung (Topic.STORAGE, STORAGE_TREE), from a thread of its own.

    Callbacks only pass the word on.

    Bells may be lost: whoever listens also looks by itself now and then.
    """

    def __init__(self, bus: Bus) -> None:
        self._lock = threading.Lock()
        self._listeners: defaultdict[Bell, list[Callable[[], None]]] = defaultdict(list)
        self._on_any: list[Callable[[int], None]] = []
        self._ending = threading.Event()
        self._bus = bus
        self._subscription = bus.subscribe()
        self._thread = threading.Thread(target=self._listen, name="folder bells", daemon=True)
        self._thread.start()

    def listen(self, folder_id: int, on_news: Callable[[], None]) -> Callable[[], None]:
        """Begin to listen; what is returned ends it."""
        return self._listen_for(Bell(Topic.STORAGE, folder_id), on_news)

    def listen_to_tree(self, mailbox_id: int, on_news: Callable[[], None]) -> Callable[[], None]:
        """The same for folders of a mailbox that come, go or are renamed."""
        return self._listen_for(Bell(Topic.STORAGE_TREE, mailbox_id), on_news)

    def _listen_for(self, bell: Bell, on_news: Callable[[], None]) -> Callable[[], None]:
        with self._lock:
            self._listeners[bell].append(on_news)
        return lambda: self._forget(bell, on_news)

    def listen_to_all(self, on_news: Callable[[int], None]) -> None:
        """Called with the id of every folder that is rung, as long as there are bells."""
        with self._lock:
            self._on_any.append(on_news)

    def _forget(self, bell: Bell, on_news: Callable[[], None]) -> None:
        with self._lock:
            if on_news in self._listeners[bell]:
                self._listeners[bell].remove(on_news)
            if not self._listeners[bell]:
                del self._listeners[bell]

    def _listen(self) -> None:
        while not self._ending.is_set():
            for bell in self._subscription.wait(WAIT_S):
                if bell.topic in (Topic.STORAGE, Topic.STORAGE_TREE):
                    self._tell(bell)

    def _tell(self, bell: Bell) -> None:
        with self._lock:
            listeners, for_any = list(self._listeners.get(bell, ())), list(self._on_any)
        for on_news in listeners:
            on_news()
        if bell.topic is Topic.STORAGE:
            for on_any in for_any:
                on_any(bell.subject)

    def close(self) -> None:
        self._ending.set()
        self._bus.ring(Bell(Topic.STORAGE))  # wakes our own thread
        self._thread.join(timeout=2 * WAIT_S)
        self._subscription.close()
