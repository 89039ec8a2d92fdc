"""The engine gunicorn keeps; with real processes in test_processes.py."""

from __future__ import annotations

import subprocess
import threading

import pytest

from app.engine.keeper import EngineKeeper, next_wait_s


@pytest.mark.parametrize(("lived_s", "waited_s", "expected"), [
    (3_600, 30, 0.5),  # it ran well: back at once
    (1, 0.5, 1.0),
    (1, 8, 16),
    (1, 20, 30),  # never longer than half a minute
])  # fmt: skip
def test_waits_grow_while_it_dies_quickly(lived_s: float, waited_s: float, expected: float) -> None:
    assert next_wait_s(lived_s, waited_s) == expected


def test_no_engine_starts_once_the_end_has_begun(monkeypatch):
    started = []
    monkeypatch.setattr(subprocess, "Popen", lambda *words, **_more: started.append(words))
    kept = EngineKeeper()
    kept.stop()
    kept.start()
    assert started == []


def test_the_first_engine_is_started_before_gunicorn_forks_its_workers(monkeypatch):
    begun_in = []
    forever = threading.Event()

    class Engine:
        def __init__(self, *_words, **_more) -> None:
            begun_in.append(threading.current_thread())

        def wait(self) -> None:
            forever.wait()

    monkeypatch.setattr(subprocess, "Popen", Engine)
    EngineKeeper().start()
    assert begun_in == [threading.current_thread()]
