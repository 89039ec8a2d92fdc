"""One ear on the bus for all of a web process: a thread listens, and hands each bell to whoever asked for its topic.

The thread runs while somebody listens, and ends by itself soon after the last one stopped.  When the process is told
to end, it rings the bell that ends streams, so that a restart does not wait for pages that are open.
"""

from __future__ import annotations

import queue
import threading
import time
from collections.abc import Callable, Collection, Iterator, Sequence
from contextlib import contextmanager, suppress
from weakref import WeakKeyDictionary

from app.bus import Bell, Bus, Subscription, Topic

LOOK_UP_S = 1.0  # how often the thread looks whether anybody still listens
LAST_BELL = Bell(Topic.SETTINGS)  # streams end at it, and browsers connect again
MAX_WAITING = 1_000  # bells nobody has taken yet; more are lost, which costs a poll interval


class Ear:
    """What one request hears."""

    def __init__(self, topics: Collection[Topic]) -> None:
        self._topics = frozenset(topics)
        self._bells: queue.Queue[Bell] = queue.Queue(MAX_WAITING)

    def hear(self, bell: Bell) -> None:
        if bell.topic in self._topics and not self._bells.full():
            self._bells.put_nowait(bell)

    def wait(self, timeout_s: float) -> Sequence[Bell]:
        """The bells that rang since the last call, each once, waiting at most `timeout_s` for the first."""
        first = self._first(timeout_s)
        if first is None:
            return []
        heard = [first]
        while not self._bells.empty():
            heard.append(self._bells.get_nowait())
        return list(dict.fromkeys(heard))

    def _first(self, timeout_s: float) -> Bell | None:
        """Looks by itself for the end of the process, should the thread that rings it have died before."""
        until_s = time.monotonic() + timeout_s
        while (left_s := until_s - time.monotonic()) > 0:
            with suppress(queue.Empty):
                return self._bells.get(timeout=min(left_s, LOOK_UP_S))
            if LAST_BELL.topic in self._topics and any(is_ending() for is_ending in _signs_of_the_end):
                return LAST_BELL
        return None


class Listener:
    """A process's one subscription, shared by its ears."""

    def __init__(self, bus: Bus) -> None:
        self._bus = bus
        self._lock = threading.Lock()
        self._ears: set[Ear] = set()
        self._thread: threading.Thread | None = None

    @contextmanager
    def subscribe(self, topics: Collection[Topic]) -> Iterator[Ear]:
        """Listen inside the block: every bell of `topics` rung after it began is heard."""
        ear = Ear(topics)
        with self._lock:
            self._ears.add(ear)
            if self._thread is None:
                self._thread = self._start(self._bus.subscribe())
        try:
            yield ear
        finally:
            with self._lock:
                self._ears.discard(ear)

    def _start(self, subscription: Subscription) -> threading.Thread:
        thread = threading.Thread(target=self._listen, args=(subscription,), name="bells", daemon=True)
        thread.start()
        return thread

    def _listen(self, subscription: Subscription) -> None:
        with subscription:
            while self._still_wanted():
                for bell in subscription.wait(LOOK_UP_S):
                    self._hand_out(bell)
                if any(is_ending() for is_ending in _signs_of_the_end):
                    self._hand_out(LAST_BELL)

    def _still_wanted(self) -> bool:
        """Whether anybody listens; else the next one starts another thread."""
        with self._lock:
            if not self._ears:
                self._thread = None
            return bool(self._ears)

    def _hand_out(self, bell: Bell) -> None:
        with self._lock:
            ears = list(self._ears)
        for ear in ears:
            ear.hear(bell)


_signs_of_the_end: list[Callable[[], bool]] = []
_listeners: WeakKeyDictionary[Bus, Listener] = WeakKeyDictionary()
_lock = threading.Lock()


def listener_on(bus: Bus) -> Listener:
    """This process's listener on `bus`."""
    with _lock:
        return _listeners.setdefault(bus, Listener(bus))


def watch_for_the_end(is_ending: Callable[[], bool]) -> None:
    """End this process's streams within a second of `is_ending()`."""
    _signs_of_the_end.append(is_ending)
