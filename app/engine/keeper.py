"""Keeps one `flask engine run` going beside the web processes; used by gunicorn.conf.py, in gunicorn's master."""

from __future__ import annotations

import os
import subprocess
import sys
import threading
import time

COMMAND = (sys.executable, "-m", "flask", "--app", "wsgi", "engine", "run", "--parent")
LEAN = {"MALLOC_ARENA_MAX": "2"}  # glibc gives threads arenas of their own, which grow and are not given back
FIRST_WAIT_S = 0.5
LONGEST_WAIT_S = 30.0
STEADY_S = 60.0
ENDING_S = 20.0


def next_wait_s(lived_s: float, waited_s: float) -> float:
    """How long to wait before an engine that lived for `lived_s` is started again: longer while it dies quickly."""
    return FIRST_WAIT_S if lived_s >= STEADY_S else min(waited_s * 2, LONGEST_WAIT_S)


class EngineKeeper:
    """Starts the engine, again when it dies, and ends it.

    The engine ends by itself when its parent is gone, so a master killed with SIGKILL leaves nothing behind.  It has a
    session of its own: Ctrl-C in the terminal ends gunicorn, which ends the engine, and nobody starts another.  Several
    gunicorns on one database each keep their own: engines share accounts by leases.
    """

    def __init__(self) -> None:
        self._lock = threading.Lock()  # no engine starts once the end has begun
        self._ending = threading.Event()
        self._engine: subprocess.Popen[bytes] | None = None

    def start(self) -> None:
        """Start the engine and watch over it.

        The first one is started here, before gunicorn forks its workers: a worker forked while another thread starts a
        program keeps the pipe on which that thread waits for the program to begin, and the thread waits for ever.
        """
        engine = self._launch()
        threading.Thread(target=self._keep, args=(engine,), name="engine-keeper", daemon=True).start()

    def _keep(self, engine: subprocess.Popen[bytes] | None) -> None:
        wait_s = FIRST_WAIT_S
        while engine is not None:
            started_s = time.monotonic()
            engine.wait()
            wait_s = next_wait_s(time.monotonic() - started_s, wait_s)
            self._ending.wait(wait_s)
            engine = self._launch()

    def _launch(self) -> subprocess.Popen[bytes] | None:
        command = (*COMMAND, str(os.getpid()))
        with self._lock:
            if self._ending.is_set():
                return None
            self._engine = subprocess.Popen(  # noqa: S603  words of our own
                command, stdin=subprocess.DEVNULL, env=os.environ | LEAN, start_new_session=True
            )
            return self._engine

    def restart(self) -> None:
        """Have the engine end; another one, of the code as it is now, follows."""
        if self._engine is not None:
            self._engine.terminate()

    def stop(self) -> None:
        with self._lock:
            self._ending.set()
        if self._engine is None:
            return
        self._engine.terminate()
        try:
            self._engine.wait(ENDING_S)
        except subprocess.TimeoutExpired:
            self._engine.kill()


keeper = EngineKeeper()
"""This process's one; gunicorn executes its configuration again when it reloads, a module is kept."""
