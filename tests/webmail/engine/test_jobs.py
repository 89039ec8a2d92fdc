"""Lanes: one job at a time, the most urgent first, none lost."""

from __future__ import annotations

import os
import threading
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor

import pytest

from app.engine.jobs import NICENESS, Lane, Pools

DEADLINE_S = 5.0


@pytest.fixture
def pool() -> Iterator[ThreadPoolExecutor]:
    with ThreadPoolExecutor(4) as made:
        yield made


class Diary:
    """Jobs that write down when they ran; `gate` keeps the first one busy."""

    def __init__(self) -> None:
        self.entries: list[str] = []
        self.gate = threading.Event()
        self.begun = threading.Event()
        self._all = threading.Condition()

    def wait_at_gate(self) -> None:
        self.begun.set()
        assert self.gate.wait(DEADLINE_S)

    def note(self, entry: str) -> None:
        with self._all:
            self.entries.append(entry)
            self._all.notify_all()

    def read(self, entries: int) -> list[str]:
        with self._all:
            assert self._all.wait_for(lambda: len(self.entries) >= entries, DEADLINE_S), self.entries
            return list(self.entries)


def busy_lane(pool: ThreadPoolExecutor, diary: Diary) -> Lane:
    """A lane whose first job waits at the gate."""
    lane = Lane(pool)
    lane.put("first", 0, diary.wait_at_gate)
    assert diary.begun.wait(DEADLINE_S)
    return lane


def test_the_most_urgent_goes_first_and_equals_in_the_order_they_came(pool: ThreadPoolExecutor) -> None:
    diary = Diary()
    lane = busy_lane(pool, diary)
    for key, rank in (("older", 4), ("news", 1), ("wanted", 0), ("more news", 1)):
        lane.put(key, rank, lambda key=key: diary.note(key))  # type: ignore[misc]
    diary.gate.set()
    assert diary.read(4) == ["wanted", "news", "more news", "older"]


def test_the_same_job_waits_once(pool: ThreadPoolExecutor) -> None:
    diary = Diary()
    lane = busy_lane(pool, diary)
    for _ in range(5):
        lane.put("look", 1, lambda: diary.note("look"))
    lane.put("last", 9, lambda: diary.note("last"))
    diary.gate.set()
    assert diary.read(2) == ["look", "last"]


def test_a_job_asked_for_while_it_runs_runs_again(pool: ThreadPoolExecutor) -> None:
    diary = Diary()
    lane = Lane(pool)

    def look() -> None:
        diary.note("look")
        if len(diary.entries) == 1:
            lane.put("look", 1, look)

    lane.put("look", 1, look)
    assert diary.read(2) == ["look", "look"]


def test_one_at_a_time(pool: ThreadPoolExecutor) -> None:
    diary = Diary()
    inside = threading.Lock()
    lane = Lane(pool)

    def work() -> None:
        assert inside.acquire(blocking=False)
        diary.note("done")
        inside.release()

    for number in range(50):
        lane.put(str(number), 1, work)
    assert len(diary.read(50)) == 50


def test_a_failing_job_does_not_stop_the_lane(pool: ThreadPoolExecutor, caplog: pytest.LogCaptureFixture) -> None:
    diary = Diary()
    lane = Lane(pool)
    lane.put("bug", 0, lambda: 1 / 0)  # type: ignore[arg-type]
    lane.put("next", 1, lambda: diary.note("next"))
    assert diary.read(1) == ["next"]
    assert "ZeroDivisionError" in caplog.text


def test_a_held_lane_keeps_its_jobs(pool: ThreadPoolExecutor) -> None:
    diary = Diary()
    lane = busy_lane(pool, diary)
    lane.hold()
    lane.put("later", 1, lambda: diary.note("later"))
    diary.gate.set()
    pool.submit(lambda: None).result(DEADLINE_S)
    assert diary.entries == []
    lane.resume()
    assert diary.read(1) == ["later"]


def test_a_closed_lane_forgets_them(pool: ThreadPoolExecutor) -> None:
    diary = Diary()
    lane = busy_lane(pool, diary)
    lane.put("never", 1, lambda: diary.note("never"))
    lane.close()
    lane.put("neither", 1, lambda: diary.note("neither"))
    diary.gate.set()
    pool.shutdown(wait=True)
    assert diary.entries == []


def test_drained_is_called_when_the_last_job_is_done(pool: ThreadPoolExecutor) -> None:
    diary = Diary()
    lane = Lane(pool, drained=lambda: diary.note("drained"))
    lane.put("gate", 0, diary.wait_at_gate)
    lane.put("job", 1, lambda: diary.note("job"))
    diary.gate.set()
    assert diary.read(2) == ["job", "drained"]


@pytest.mark.skipif(not hasattr(os, "getpriority"), reason="no niceness here")
def test_bulk_threads_step_back() -> None:
    pools = Pools()

    def niceness() -> int:
        return os.getpriority(os.PRIO_PROCESS, threading.get_native_id())

    here = niceness()
    assert pools.prompt.submit(niceness).result(DEADLINE_S) == here
    assert pools.bulk.submit(niceness).result(DEADLINE_S) == max(here, NICENESS)
    pools.close()
