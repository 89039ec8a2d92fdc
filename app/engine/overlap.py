"""Two kinds of work at once: while one batch is stored, the next is read."""

from __future__ import annotations

from collections.abc import Callable, Iterable
from concurrent.futures import Future, ThreadPoolExecutor
from typing import TypeVar

T = TypeVar("T")


def store_while_reading(batches: Iterable[T], store: Callable[[T], None]) -> None:
    """Call `store` with each batch, in order, in a thread beside this one; at most one batch waits.

    The thread is as niced as the one that calls (Linux hands niceness on).  What `store` raises is raised here, before
    another batch is handed to it; nothing runs any more when this returns or raises.
    """
    with ThreadPoolExecutor(1, "store") as thread:
        storing: Future[None] | None = None
        for batch in batches:
            if storing is not None:
                storing.result()
            storing = thread.submit(store, batch)
        if storing is not None:
            storing.result()
