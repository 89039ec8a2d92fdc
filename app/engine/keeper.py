"""Keeps `flask engine run` going beside the web processes, and `flask machine run` once mail is hosted.

Used by gunicorn.conf.py, in gunicorn's master, which itself never looks into the database: the engine tells it.
"""

from __future__ import annotations

import os
import signal
import sys
import threading
import time
from collections.abc import Collection
from contextlib import suppress

FLASK = (sys.executable, "-m", "flask", "--app", "wsgi")
LEAN = {"MALLOC_ARENA_MAX": "2"}  # glibc gives threads arenas of their own, which grow and are not given back
FIRST_WAIT_S = 0.5
LONGEST_WAIT_S = 30.0
STEADY_S = 60.0
ENDING_S = 20.0
LAST_STANDARD_FILE = 2


def next_wait_s(lived_s: float, waited_s: float) -> float:
    """How long to wait before an engine that lived for `lived_s` is started again: longer while it dies quickly."""
    return FIRST_WAIT_S if lived_s >= STEADY_S else min(waited_s * 2, LONGEST_WAIT_S)


class Program:
    """A process of `command`; it has a session of its own, nothing to read, and of our files only `descriptors`.

    By posix_spawn: subprocess waits on a pipe for its program to begin, and a worker that gunicorn forks meanwhile
    keeps that pipe open, so that the wait would never end.
    """

    def __init__(self, command: tuple[str, ...], descriptors: Collection[int] = ()) -> None:
        self.ended = threading.Event()
        closed = [(os.POSIX_SPAWN_CLOSE, fd) for fd in inheritable_files() if fd not in descriptors]
        nothing_to_read = (os.POSIX_SPAWN_OPEN, 0, os.devnull, os.O_RDONLY, 0)
        self.pid = os.posix_spawn(
            command[0], command, os.environ | LEAN, file_actions=[nothing_to_read, *closed], setsid=True
        )

    def wait(self) -> None:
        with suppress(ChildProcessError):  # gunicorn waits for all children of this process, and may be first
            os.waitpid(self.pid, 0)
        self.ended.set()

    def send(self, number: signal.Signals) -> None:
        with suppress(ProcessLookupError):
            if not self.ended.is_set():
                os.kill(self.pid, number)


def inheritable_files() -> list[int]:
    """Open files a program would be handed on: gunicorn's listening sockets are among them."""
    found = []
    for name in os.listdir("/dev/fd"):
        with suppress(OSError):  # the listing had one open itself
            if int(name) > LAST_STANDARD_FILE and os.get_inheritable(int(name)):
                found.append(int(name))
    return found


class Keeper:
    """Starts a program, again when it dies, and ends it.

    The program ends by itself when its parent is gone, so a master killed with SIGKILL leaves nothing behind.  It has a
    session of its own: Ctrl-C in the terminal ends gunicorn, which ends the program, and nobody starts another.
    """

    def __init__(self, *words: str, descriptors: tuple[int, ...] = ()) -> None:
        self._words, self._descriptors = words, descriptors
        self._lock = threading.Lock()  # none starts once the end has begun
        self._ending = threading.Event()
        self._program: Program | None = None
        for descriptor in descriptors:
            os.set_inheritable(descriptor, True)

    def start(self) -> None:
        """Start the program and watch over it."""
        threading.Thread(target=self._keep, name=f"{self._words[0]}-keeper", daemon=True).start()

    def _keep(self) -> None:
        wait_s = FIRST_WAIT_S
        while (program := self._launch()) is not None:
            started_s = time.monotonic()
            program.wait()
            wait_s = next_wait_s(time.monotonic() - started_s, wait_s)
            self._ending.wait(wait_s)

    def _launch(self) -> Program | None:
        with self._lock:
            if self._ending.is_set():
                return None
            self._program = Program((*FLASK, *self._words, "--parent", str(os.getpid())), self._descriptors)
            return self._program

    def restart(self) -> None:
        """Have the program end; another one, of the code as it is now, follows."""
        if self._program is not None:
            self._program.send(signal.SIGTERM)

    def end(self) -> None:
        """Ask the program to end, and start no other."""
        with self._lock:
            self._ending.set()
        self.restart()

    def wait(self) -> None:
        """Until it ended; it is killed when it takes too long."""
        if self._program is not None and not self._program.ended.wait(ENDING_S):
            self._program.send(signal.SIGKILL)


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
