"""Futures of other threads on the loop: everybody hears of their own, the loop is woken once for all."""

from __future__ import annotations

import asyncio
import threading
from concurrent.futures import Future

from app.extension_api import MailError
from mailsite_ext.errors import MailboxFull
from mailsite_ext.listeners.landing import Landing


def test_each_waiter_gets_its_own() -> None:
    async def run() -> list[int | BaseException]:
        landing = Landing()
        futures: list[Future[int]] = [Future() for _ in range(20)]
        waiting = [asyncio.ensure_future(landing.wait(future)) for future in futures]
        await asyncio.sleep(0)
        threading.Thread(target=_settle, args=(futures,)).start()
        return await asyncio.wait_for(asyncio.gather(*waiting, return_exceptions=True), 5)

    came = asyncio.run(run())
    assert [one if isinstance(one, int) else type(one) for one in came] == [
        MailboxFull if number % 5 == 4 else number for number in range(20)
    ]


def test_what_settles_together_wakes_the_loop_once() -> None:
    async def run() -> int:
        landing, loop = Landing(), asyncio.get_running_loop()
        futures: list[Future[int]] = [Future() for _ in range(10)]
        waiting = [asyncio.ensure_future(landing.wait(future)) for future in futures]
        await asyncio.sleep(0)
        wakes, wake = [], loop.call_soon_threadsafe
        loop.call_soon_threadsafe = lambda *what: wakes.append(what) or wake(*what)  # type: ignore[method-assign,func-returns-value]
        settling = threading.Thread(target=_settle, args=(futures,))
        settling.start()
        settling.join()  # the loop stands still meanwhile
        await asyncio.wait_for(asyncio.gather(*waiting, return_exceptions=True), 5)
        return len(wakes)

    assert asyncio.run(run()) == 1


def test_who_went_away_disturbs_nobody() -> None:
    async def run() -> int:
        landing = Landing()
        gone: Future[int] = Future()
        there: Future[int] = Future()
        leaving, staying = (asyncio.ensure_future(landing.wait(future)) for future in (gone, there))
        await asyncio.sleep(0)
        leaving.cancel()
        await asyncio.sleep(0)
        assert not gone.cancelled()
        _settle([gone, there])
        return await asyncio.wait_for(staying, 5)

    assert asyncio.run(run()) == 1


def test_what_was_settled_before_is_told_too() -> None:
    async def run() -> int:
        future: Future[int] = Future()
        future.set_result(7)
        return await asyncio.wait_for(Landing().wait(future), 5)

    assert asyncio.run(run()) == 7


def _settle(futures: list[Future[int]]) -> None:
    fault: MailError = MailboxFull()
    for number, future in enumerate(futures):
        if number % 5 == 4:
            future.set_exception(fault)
        else:
            future.set_result(number)
