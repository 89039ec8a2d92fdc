"""Work in threads that all clients share, so that no mailbox keeps more than its part of them."""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Iterator
from concurrent.futures import Executor
from typing import TypeVar
from weakref import WeakValueDictionary

T = TypeVar("T")

OUTPUT_OCTETS = 256 * 1024  # made in a thread before they are written


class Turns:
    """At most `most` threads at a time for one mailbox: whoever searches all day keeps nobody else waiting."""

    def __init__(self, threads: Executor, most: int) -> None:
        self._threads = threads
        self._most = most
        self._of: WeakValueDictionary[str, asyncio.Semaphore] = WeakValueDictionary()

    async def run(self, mailbox: str, work: Callable[[], T]) -> T:
        """`work` in a thread, when it is the mailbox's turn; in the loop's thread."""
        turn = self._of.get(mailbox)
        if turn is None:
            turn = self._of[mailbox] = asyncio.Semaphore(self._most)
        async with turn:
            return await asyncio.get_running_loop().run_in_executor(self._threads, work)


def some_of(responses: Iterator[bytes]) -> tuple[bytes, bool]:
    """The next OUTPUT_OCTETS or so of what is said, and whether there is more."""
    made: list[bytes] = []
    octets = 0
    for response in responses:
        made.append(response)
        octets += len(response)
        if octets >= OUTPUT_OCTETS:
            return b"".join(made), True
    return b"".join(made), False
