"""The watcher: one thread for every IDLE connection."""

from __future__ import annotations

import socket
import threading
from collections.abc import Iterator

import pytest

from app.engine.idle import Watcher

DEADLINE_S = 5.0


@pytest.fixture
def watcher() -> Iterator[Watcher]:
    made = Watcher()
    yield made
    made.close()


@pytest.fixture
def line() -> Iterator[tuple[socket.socket, socket.socket]]:
    """Our end and the server's."""
    ours, theirs = socket.socketpair()
    with ours, theirs:
        yield ours, theirs


def test_it_calls_once_until_it_is_asked_again(watcher: Watcher, line: tuple[socket.socket, socket.socket]) -> None:
    ours, theirs = line
    heard: list[str] = []
    rung = threading.Semaphore(0)

    def hear() -> None:
        heard.append("rung")
        rung.release()

    watcher.watch(ours.fileno(), hear)
    theirs.send(b"* 1 EXISTS\r\n")
    assert rung.acquire(timeout=DEADLINE_S)
    theirs.send(b"* 2 EXISTS\r\n")
    watcher.watch(ours.fileno(), hear)  # what came meanwhile is still there to be read
    assert rung.acquire(timeout=DEADLINE_S)
    assert heard == ["rung", "rung"]


def test_a_line_that_broke_is_news_too(watcher: Watcher, line: tuple[socket.socket, socket.socket]) -> None:
    ours, theirs = line
    rung = threading.Event()
    watcher.watch(ours.fileno(), rung.set)
    theirs.close()
    assert rung.wait(DEADLINE_S)


def test_what_is_no_longer_watched_is_silent(watcher: Watcher, line: tuple[socket.socket, socket.socket]) -> None:
    ours, theirs = line
    never, sign = threading.Event(), threading.Event()
    watcher.watch(ours.fileno(), never.set)
    watcher.unwatch(ours.fileno())
    theirs.send(b"* 1 EXISTS\r\n")
    other, ringer = socket.socketpair()
    with other, ringer:
        watcher.watch(other.fileno(), sign.set)
        ringer.send(b"!")
        assert sign.wait(DEADLINE_S)
        watcher.unwatch(other.fileno())
    assert not never.is_set()


def test_a_number_given_again_is_another_line(watcher: Watcher) -> None:
    """A connection closed without a word frees its descriptor's number."""
    old, old_end = socket.socketpair()
    never, sign = threading.Event(), threading.Event()
    watcher.watch(old.fileno(), never.set)
    number = old.fileno()
    old.close()
    old_end.close()
    new, new_end = socket.socketpair()
    with new, new_end:
        ours, theirs = (new, new_end) if new.fileno() == number else (new_end, new)
        assert ours.fileno() == number
        watcher.watch(number, sign.set)
        theirs.send(b"!")
        assert sign.wait(DEADLINE_S)
    assert not never.is_set()
