"""From the storage's threads back to the loop: what one commit settles wakes it once, not once a message."""

from __future__ import annotations

import asyncio
import threading
from concurrent.futures import Future
from typing import TypeVar

Result = TypeVar("Result")


class Landing:
    """For one loop.  Whoever waits may go away; what they waited for happens all the same."""

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._landed: list[asyncio.Future[None]] = []

    async def wait(self, future: Future[Result]) -> Result:
        """The future's result, or what it raises."""
        loop = asyncio.get_running_loop()
        waiter = loop.create_future()
        future.add_done_callback(lambda _future: self._land(loop, waiter))
        await waiter
        return future.result()

    def _land(self, loop: asyncio.AbstractEventLoop, waiter: asyncio.Future[None]) -> None:
        """In the thread that settled it."""
        with self._lock:
            self._landed.append(waiter)
            is_first = len(self._landed) == 1
        if is_first:
            loop.call_soon_threadsafe(self._hand_out)

    def _hand_out(self) -> None:
        with self._lock:
            landed, self._landed = self._landed, []
        for waiter in landed:
            if not waiter.done():
                waiter.set_result(None)
