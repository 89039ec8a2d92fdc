"""Keeps `flask engine run` going beside the web processes, and `flask machine run` once mail is hosted.

Used by gunicorn.conf.py, in gunicorn's master, which itself never looks into the database: the engine tells it.
"""

from __future__ import annotations

import os
import subprocess
import sys
import threading
import time

FLASK = (sys.executable, "-m", "flask", "--app", "wsgi")
LEAN = {"MALLOC_ARENA_MAX": "2"}  # glibc gives threads arenas of their own, which grow and are not given back
FIRST_WAIT_S = 0.5
LONGEST_WAIT_S = 30.0
STEADY_S = 60.0
ENDING_S = 20.0


def next_wait_s(lived_s: float, waited_s: float) -> float:
    """How long to wait before an engine that lived for `lived_s` is started again: longer while it dies quickly."""
    return FIRST_WAIT_S if lived_s >= STEADY_S else min(waited_s * 2, LONGEST_WAIT_S)


class Keeper:
    """Starts a program, again when it dies, and ends it.

    The program ends by itself when its parent is gone, so a master killed with SIGKILL leaves nothing behind.  It has a
    session of its own: Ctrl-C in the terminal ends gunicorn, which ends the program, and nobody starts another.
    """

    def __init__(self, *words: str, descriptors: tuple[int, ...] = ()) -> None:
        self._words, self._descriptors = words, descriptors
        self._lock = threading.Lock()  # none starts once the end has begun
        self._ending = threading.Event()
        self._program: subprocess.Popen[bytes] | None = None

    def start(self) -> None:
        """Start the program and watch over it.

        The engine is started here, before gunicorn forks its workers: a worker forked while another thread starts a
        program keeps the pipe on which that thread waits for the program to begin, and the thread waits for ever.
        """
        program = self._launch()
        threading.Thread(target=self._keep, args=(program,), name=f"{self._words[0]}-keeper", daemon=True).start()

    def _keep(self, program: subprocess.Popen[bytes] | None) -> None:
        wait_s = FIRST_WAIT_S
        while program is not None:
            started_s = time.monotonic()
            program.wait()
            wait_s = next_wait_s(time.monotonic() - started_s, wait_s)
            self._ending.wait(wait_s)
            program = self._launch()

    def _launch(self) -> subprocess.Popen[bytes] | None:
        command = (*FLASK, *self._words, "--parent", str(os.getpid()))
        with self._lock:
            if self._ending.is_set():
                return None
            self._program = subprocess.Popen(  # noqa: S603  words of our own
                command,
                stdin=subprocess.DEVNULL,
                env=os.environ | LEAN,
                start_new_session=True,
                pass_fds=self._descriptors,
            )
            return self._program

    def restart(self) -> None:
        """Have the program end; another one, of the code as it is now, follows."""
        if self._program is not None:
            self._program.terminate()

    def end(self) -> None:
        """Ask the program to end, and start no other."""
        with self._lock:
            self._ending.set()
        self.restart()

    def wait(self) -> None:
        """Until it ended; it is killed when it takes too long."""
        if self._program is None:
            return
        try:
            self._program.wait(ENDING_S)
        except subprocess.TimeoutExpired:
            self._program.kill()


class EngineKeeper:
    """The engine, always; the agent of this machine from the moment on in which the engine tells that mail is hosted.

    Several gunicorns on one database each keep their own engine: engines share accounts by leases.  A second agent on a
    machine ends by itself, and is tried again until the first one has gone.
    """

    def __init__(self) -> None:
        self._told, tell = os.pipe()
        self._engine = Keeper("engine", "run", "--tell", str(tell), descriptors=(tell,))
        self._agent = Keeper("machine", "run")

    def start(self) -> None:
        self._engine.start()
        threading.Thread(target=self._await_hosting, name="agent-starter", daemon=True).start()

    def _await_hosting(self) -> None:
        os.read(self._told, 1)
        self._agent.start()

    def restart(self) -> None:
        """Have the engine end; another, of the code as it is now, follows.  What hosts mail stays as it is (N1)."""
        self._engine.restart()

    def stop(self) -> None:
        self._agent.end()
        self._engine.end()
        self._agent.wait()
        self._engine.wait()


keeper = EngineKeeper()
"""This process's one; gunicorn executes its configuration again when it reloads, a module is kept."""
