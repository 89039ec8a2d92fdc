"""A bounded memory of results, shared by a process's threads."""

from __future__ import annotations

from collections import OrderedDict
from collections.abc import Callable, Hashable
from threading import Lock
from typing import Generic, TypeVar

Value = TypeVar("Value")


class Lru(Generic[Value]):
    """Keeps what was used last, as long as all of it weighs no more than `limit`."""

    def __init__(self, limit: int, weigh: Callable[[Value], int]) -> None:
        self._limit = limit
        self._weigh = weigh
        self._kept: OrderedDict[Hashable, Value] = OrderedDict()
        self._weight = 0
        self._lock = Lock()

    def get_or_make(self, key: Hashable, make: Callable[[], Value]) -> Value:
        """What is kept under `key`, else what `make` returns; two threads may make the same thing at once."""
        with self._lock:
            kept = self._kept.get(key)
            if kept is not None:
                self._kept.move_to_end(key)
                return kept
        made = make()
        with self._lock:
            self._keep(key, made)
        return made

    def _keep(self, key: Hashable, value: Value) -> None:
        if key in self._kept:
            return
        self._kept[key] = value
        self._weight += self._weigh(value)
        while self._weight > self._limit:
            _, dropped = self._kept.popitem(last=False)
            self._weight -= self._weigh(dropped)
