"""The engine gunicorn keeps; with real processes in test_processes.py."""

from __future__ import annotations

import os
import socket
import subprocess
import sys
import threading
import time
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path

import pytest

from app.engine import keeper
from app.engine.keeper import EngineKeeper, Keeper, Program, next_wait_s


@pytest.mark.parametrize(("lived_s", "waited_s", "expected"), [
    (3_600, 30, 0.5),  # it ran well: back at once
    (1, 0.5, 1.0),
    (1, 8, 16),
    (1, 20, 30),  # never longer than half a minute
])  # fmt: skip
def test_waits_grow_while_it_dies_quickly(lived_s: float, waited_s: float, expected: float) -> None:
    assert next_wait_s(lived_s, waited_s) == expected


@contextmanager
def kept(monkeypatch: pytest.MonkeyPatch, script: str, told: Path) -> Iterator[Keeper]:
    monkeypatch.setattr(keeper, "FLASK", (sys.executable, "-c", script, str(told)))
    one = Keeper("engine", "run")
    one.start()
    try:
        yield one
    finally:
        one.end()
        one.wait()


def wait_for(condition: Callable[[], object]) -> None:
    deadline = time.monotonic() + 30
    while not condition():
        assert time.monotonic() < deadline
        time.sleep(0.01)


def test_no_engine_starts_once_the_end_has_begun(monkeypatch):
    monkeypatch.setattr(keeper, "Program", lambda *_words: pytest.fail("started"))
    ended = EngineKeeper()
    ended.stop()
    assert ended._engine._launch() is None


def test_an_engine_that_dies_while_workers_are_forked_is_started_again(tmp_path, monkeypatch):
    """A worker keeps whatever is open when it is forked: no start may wait for that to be closed."""
    told = tmp_path / "starts"
    told.touch()
    monkeypatch.setattr(keeper, "FIRST_WAIT_S", 0.0)
    workers: list[subprocess.Popen[bytes]] = []

    def goes_on() -> bool:
        if len(workers) < 100:
            workers.append(subprocess.Popen(["sleep", "60"], close_fds=False))
        return len(told.read_text()) >= 4

    try:
        with kept(monkeypatch, "import sys; open(sys.argv[1], 'a').write('x')", told):
            wait_for(goes_on)
    finally:
        for worker in workers:
            worker.kill()
            worker.wait()


def test_a_program_gets_the_files_it_should_have_and_reads_nothing(tmp_path):
    """gunicorn's sockets are inheritable: an engine that held them would keep the port of a gunicorn that is gone."""
    told = tmp_path / "told"
    script = "import os, sys; open(sys.argv[1], 'w').write(' '.join(os.listdir('/dev/fd')) + repr(sys.stdin.read()))"
    read, write = os.pipe()
    with socket.create_server(("127.0.0.1", 0)) as listener, open(read), open(write, "w"):
        listener.set_inheritable(True)
        os.set_inheritable(write, True)
        Program((sys.executable, "-c", script, str(told)), [write]).wait()
        files, _, text = told.read_text().partition("'")
        assert str(write) in files.split()
        assert str(listener.fileno()) not in files.split()
    assert text == "'"


def test_the_end_waits_for_the_engine(tmp_path, monkeypatch):
    begun = tmp_path / "begun"
    with kept(monkeypatch, "import sys, time; open(sys.argv[1], 'w').close(); time.sleep(60)", begun) as one:
        wait_for(begun.exists)
        program = one._program
    assert program is not None
    assert program.ended.is_set()


def test_the_agent_starts_when_the_engine_tells_and_a_reload_leaves_it_alone(monkeypatch):
    """N1: what hosts mail is restarted in Manage Machines alone."""
    programs: list[Recorded] = []

    class Recorded:
        def __init__(self, command: tuple[str, ...], descriptors: Sequence[int] = ()) -> None:
            self.command, self.descriptors, self.ended = command, descriptors, threading.Event()
            programs.append(self)

        def wait(self) -> None:
            self.ended.wait()

        def send(self, _signal: int) -> None:
            self.ended.set()

    monkeypatch.setattr(keeper, "Program", Recorded)
    kept = EngineKeeper()
    kept.start()
    wait_for(lambda: len(programs) == 1)
    (engine,) = programs
    os.write(engine.descriptors[0], b"1")
    wait_for(lambda: len(programs) == 2)
    agent = programs[1]
    assert "machine" in agent.command
    kept.restart()
    assert (engine.ended.is_set(), agent.ended.is_set()) == (True, False)
    kept.stop()
    assert agent.ended.is_set()
