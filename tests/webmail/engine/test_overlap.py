"""Reading and storing at once."""

from __future__ import annotations

import threading
from collections.abc import Iterator

import pytest

from app.engine.overlap import store_while_reading
from app.errors import ConnectionLost


def test_the_next_batch_is_read_while_one_is_stored():
    """Each waits for the other to have begun: done in turns, neither would ever end."""
    reads_second, stores_first = threading.Event(), threading.Event()
    stored = []

    def batches() -> Iterator[int]:
        yield 1
        reads_second.set()
        assert stores_first.wait(20)
        yield 2

    def store(batch: int) -> None:
        stores_first.set()
        assert reads_second.wait(20)
        stored.append(batch)

    store_while_reading(batches(), store)
    assert stored == [1, 2]


def test_what_storing_raises_ends_the_reading():
    read = []

    def store(_batch: int) -> None:
        raise ConnectionLost("gone")

    def reading():
        for number in range(10):
            read.append(number)
            yield number

    with pytest.raises(ConnectionLost):
        store_while_reading(reading(), store)
    assert len(read) < 4


def test_a_batch_that_was_read_is_stored_even_when_the_next_cannot_be():
    stored = []

    def batches() -> Iterator[int]:
        yield 1
        raise ConnectionLost("gone")

    with pytest.raises(ConnectionLost):
        store_while_reading(batches(), stored.append)
    assert stored == [1]
