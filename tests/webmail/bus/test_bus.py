"""The promises of the Bus, kept by both adapters."""

from __future__ import annotations

import os
import socket
import statistics
import subprocess
import sys
import threading
import time
from collections.abc import Callable, Iterator
from pathlib import Path

import psycopg
import pytest

from app.bus import Bell, Bus, Subscription, Topic
from app.bus.postgres import CHANNEL, PostgresBus
from app.bus.unix import UnixBus
from app.config import Config
from app.db import Database
from tests import postgres

DEADLINE_S = 5.0
TREE_7 = Bell(Topic.TREE, 7)


def conninfo(config: Config) -> str:
    url = Database(config.public_database).url
    return url.set(drivername="postgresql").render_as_string(hide_password=False)


@pytest.fixture
def make_bus(config: Config) -> Callable[[], Bus]:
    """Another end of the same bus, as another process would open it."""
    if config.database_url:
        return lambda: PostgresBus(conninfo(config))
    return lambda: UnixBus(config.work_directory / "bus")


@pytest.fixture
def bus(make_bus: Callable[[], Bus]) -> Iterator[Bus]:
    made = make_bus()
    yield made
    made.close()


def hear(ear: Subscription, wanted: Bell) -> None:
    """Wait until `wanted` rings; the test fails if it does not."""
    deadline = time.monotonic() + DEADLINE_S
    while time.monotonic() < deadline:
        if wanted in ear.wait(0.2):
            return
    raise AssertionError(f"{wanted} did not ring")


def test_every_listener_hears_every_bell(bus: Bus, make_bus: Callable[[], Bus]) -> None:
    other = make_bus()
    with bus.subscribe() as first, other.subscribe() as second:
        bus.ring(TREE_7)
        other.ring(Bell(Topic.FOLDER, 8))
        for ear in (first, second):
            heard: set[Bell] = set()
            deadline = time.monotonic() + DEADLINE_S
            while len(heard) < 2 and time.monotonic() < deadline:
                heard.update(ear.wait(0.2))
            assert heard == {TREE_7, Bell(Topic.FOLDER, 8)}
    other.close()


def test_a_bell_rings_once(bus: Bus) -> None:
    with bus.subscribe() as ear:
        bus.ring(TREE_7)
        hear(ear, TREE_7)
        assert list(ear.wait(0.05)) == []


def test_nothing_rings_for_those_who_came_later(bus: Bus) -> None:
    bus.ring(TREE_7)
    with bus.subscribe() as ear:
        assert list(ear.wait(0.05)) == []


def test_several_bells_in_one_ring(bus: Bus) -> None:
    with bus.subscribe() as ear:
        bus.ring(TREE_7, Bell(Topic.SENT, 1))
        hear_all = set(ear.wait(DEADLINE_S))
        while len(hear_all) < 2:
            more = ear.wait(DEADLINE_S)
            assert more, "the second bell did not ring"
            hear_all.update(more)
        assert hear_all == {TREE_7, Bell(Topic.SENT, 1)}


def test_any_thread_may_ring(bus: Bus) -> None:
    bells = {Bell(Topic.FOLDER, number) for number in range(8)}
    with bus.subscribe() as ear:
        threads = [threading.Thread(target=bus.ring, args=(bell,)) for bell in bells]
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join()
        heard: set[Bell] = set()
        deadline = time.monotonic() + DEADLINE_S
        while heard != bells and time.monotonic() < deadline:
            heard.update(ear.wait(0.2))
    assert heard == bells


def test_ringing_with_nobody_there_is_nothing(bus: Bus) -> None:
    bus.ring(TREE_7)


def test_a_closed_ear_is_rung_no_more(bus: Bus) -> None:
    bus.subscribe().close()
    with bus.subscribe() as ear:
        bus.ring(TREE_7)
        hear(ear, TREE_7)


def test_noise_is_not_a_bell(bus: Bus, config: Config, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(".")  # back to where it was in the end
    with bus.subscribe() as ear:
        make_noise(config)
        bus.ring(TREE_7)
        hear(ear, TREE_7)


def make_noise(config: Config) -> None:
    """What no version of ours would send."""
    if config.database_url:
        with psycopg.connect(conninfo(config), autocommit=True) as link:
            for noise in ("", "tree", "tree x", "tree -1", "nonsense 1", "tree " + "9" * 100):
                link.execute("SELECT pg_notify(%s, %s)", (CHANNEL, noise))
        return
    with socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM) as ringer:
        os.chdir(config.work_directory / "bus")  # the whole path may be too long for a socket's address
        for listener in Path().glob("*.bell"):
            for octets in (b"", b"tree", b"tree x", b"tree -1", b"nonsense 1", b"\xff\xfe", b"x" * 1000):
                ringer.sendto(octets, str(listener))


def test_a_dead_listeners_socket_is_removed(sqlite_config: Config) -> None:
    folder = sqlite_config.work_directory / "bus"
    bus = UnixBus(folder)
    program = f"""
import os
from pathlib import Path
from app.bus.unix import UnixBus
UnixBus(Path({str(folder)!r})).subscribe()
os._exit(9)
"""
    subprocess.run([sys.executable, "-c", program], check=False)
    assert list(folder.glob("*.bell"))
    bus.ring(TREE_7)
    assert not list(folder.glob("*.bell"))


def test_a_work_directory_may_lie_deep(tmp_path: Path) -> None:
    bus = UnixBus(tmp_path / ("deep" * 25) / "bus")
    with bus.subscribe() as ear:
        bus.ring(TREE_7)
        hear(ear, TREE_7)


def test_a_full_ear_never_blocks_the_ringer(sqlite_config: Config) -> None:
    """Nobody reads: the kernel's queue fills, later bells are lost, and the ringer goes on."""
    bus = UnixBus(sqlite_config.work_directory / "bus")
    with bus.subscribe():
        started = time.monotonic()
        for number in range(200):
            bus.ring(Bell(Topic.FOLDER, number))
        assert time.monotonic() - started < DEADLINE_S


@pytest.mark.postgres
def test_the_bus_survives_a_restart_of_postgresql() -> None:
    with postgres.serve() as server:
        server.create("bus")
        address = f"host={server.socket_folder} user=postgres dbname=bus"
        bus = PostgresBus(address)
        with bus.subscribe() as ear:
            bus.ring(TREE_7)
            hear(ear, TREE_7)
            server.restart()
            deadline = time.monotonic() + 4 * DEADLINE_S
            heard = False
            while not heard and time.monotonic() < deadline:
                bus.ring(TREE_7)  # at most once: those rung while it was away are lost
                heard = TREE_7 in ear.wait(0.1)
            assert heard
        bus.close()


def test_print_the_latency(bus: Bus) -> None:
    """Printed, never asserted: the machine may be busy."""
    with bus.subscribe() as ear:
        taken_ms = []
        for number in range(50):
            started = time.perf_counter()
            bus.ring(Bell(Topic.FOLDER, number))
            hear(ear, Bell(Topic.FOLDER, number))
            taken_ms.append((time.perf_counter() - started) * 1000)
    print(f"{type(bus).__name__}: p50 {statistics.median(taken_ms):.2f} ms, most {max(taken_ms):.2f} ms")
