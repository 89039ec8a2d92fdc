"""One subscription for a process, fanned out."""

import threading

import pytest

from app.bus import Bell, Topic
from app.web import bells
from app.web.bells import LAST_BELL, MAX_WAITING, Ear, Listener, listener_on, watch_for_the_end


class CountingBus:
    """A bus in memory that counts its subscriptions."""

    def __init__(self):
        self.opened = self.closed = 0
        self._bells = []
        self._rung = threading.Condition()

    def ring(self, *bells):
        with self._rung:
            self._bells += bells
            self._rung.notify_all()

    def subscribe(self):
        self.opened += 1
        return self

    def wait(self, timeout_s):
        with self._rung:
            self._rung.wait_for(lambda: self._bells, timeout_s)
            heard, self._bells = self._bells, []
            return heard

    def close(self):
        self.closed += 1

    def __enter__(self):
        return self

    def __exit__(self, *_error):
        self.close()


@pytest.fixture
def bus():
    return CountingBus()


def test_each_hears_the_topics_it_asked_for(bus):
    listener = Listener(bus)
    with listener.subscribe([Topic.FOLDER]) as one, listener.subscribe([Topic.TREE, Topic.FOLDER]) as other:
        bus.ring(Bell(Topic.TREE, 1), Bell(Topic.FOLDER, 2), Bell(Topic.FOLDER, 2), Bell(Topic.SENT, 3))
        assert one.wait(5.0) == [Bell(Topic.FOLDER, 2)]
        heard = set()
        while len(heard) < 2:
            heard.update(other.wait(5.0))
        assert heard == {Bell(Topic.TREE, 1), Bell(Topic.FOLDER, 2)}
    assert bus.opened == 1


def test_the_thread_ends_with_the_last_listener_and_starts_again(bus):
    listener = Listener(bus)
    with listener.subscribe([Topic.FOLDER]):
        thread = listener._thread
    bus.ring(Bell(Topic.FOLDER, 1))  # wakes it up
    thread.join(10.0)
    assert not thread.is_alive()
    assert bus.closed == 1
    with listener.subscribe([Topic.FOLDER]) as ear:
        bus.ring(Bell(Topic.FOLDER, 2))
        assert Bell(Topic.FOLDER, 2) in ear.wait(5.0)
    assert bus.opened == 2


def test_nothing_rings_but_time_passes():
    assert Ear([Topic.FOLDER]).wait(0.01) == []


def test_an_ear_nobody_listens_with_does_not_grow():
    ear = Ear([Topic.FOLDER])
    for number in range(MAX_WAITING * 2):
        ear.hear(Bell(Topic.FOLDER, number))
    assert len(ear.wait(0.01)) == MAX_WAITING


def test_a_bus_has_one_listener(bus):
    assert listener_on(bus) is listener_on(bus)
    assert listener_on(bus) is not listener_on(CountingBus())


def test_a_process_that_ends_tells_its_streams(monkeypatch):
    monkeypatch.setattr(bells, "_signs_of_the_end", [])
    monkeypatch.setattr(bells, "LOOK_UP_S", 0.01)
    ending = threading.Event()
    watch_for_the_end(ending.is_set)
    with Listener(CountingBus()).subscribe([LAST_BELL.topic]) as ear:
        assert ear.wait(0.1) == []
        ending.set()
        assert ear.wait(10) == [LAST_BELL]


def test_a_stream_ends_with_its_process_even_when_nothing_rings(monkeypatch):
    """The thread that listens may have died with its bus: gunicorn would wait for such a worker, then kill it."""
    monkeypatch.setattr(bells, "_signs_of_the_end", [lambda: True])
    monkeypatch.setattr(bells, "LOOK_UP_S", 0.01)
    assert Ear([LAST_BELL.topic]).wait(3_600) == [LAST_BELL]
    assert Ear([Topic.BODY_READY]).wait(0.05) == []  # who waits for a body goes on: it is on its way
