"""Processes of services: started with a log, a lock and a pipe; ended, killed, and found again after their agent died.

Each slot has a lock file that its process holds as long as it lives, whoever started it: a lock that is held is a
process that lives, and the number in the file is its own, never one given to another process since.
"""

from __future__ import annotations

import contextlib
import fcntl
import json
import os
import re
import signal
import subprocess
import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from pathlib import Path

from app.machines.child import MAX_WORDS, STATUS_FD
from app.machines.logs import printable, tail
from app.machines.reconcile import Slot

MAX_STATUS_OCTETS = 64 * 1024
LAST_LINES = 3
LOOK_S = 0.05
KILLED_WITHIN_S = 5.0
LOCK_NAME = re.compile(r"([A-Za-z0-9-]+)\.(\d{1,4})\.lock")


class StillHeld(Exception):
    """A process of an earlier agent lives on in this slot; its number, or "" where it is not known."""


class Process:
    """A running process of a service."""

    def __init__(self, command: Sequence[str], lock: Path, log: Path) -> None:
        """Start it.  Raises StillHeld, or OSError when the program cannot be run."""
        self.log, self.is_ready, self.error = log, False, ""
        self.addresses: list[str] = []
        log.parent.mkdir(parents=True, exist_ok=True, mode=0o700)
        with contextlib.ExitStack() as opened:
            held = _take(lock)
            opened.callback(os.close, held)
            output = os.open(log, os.O_WRONLY | os.O_APPEND | os.O_CREAT, 0o600)
            opened.callback(os.close, output)
            self._began = os.fstat(output).st_size
            self._status, told = os.pipe()
            opened.callback(os.close, told)
            try:
                self._popen = _spawn(command, output, held, told)
            except OSError:
                os.close(self._status)
                raise
            os.pwrite(held, str(self.pid).encode(), 0)
        os.set_blocking(self._status, False)
        self._received = b""

    @property
    def pid(self) -> int:
        return self._popen.pid

    def poll(self) -> int | None:
        """None while it lives; else its status, or minus the signal that killed it.  Takes in what it told."""
        status = self._popen.poll()
        self._listen()
        return status

    def _listen(self) -> None:
        with contextlib.suppress(BlockingIOError):
            self._received += os.read(self._status, MAX_STATUS_OCTETS)
        *lines, rest = self._received.split(b"\n")
        self._received = rest[:MAX_STATUS_OCTETS]
        for line in lines:
            with contextlib.suppress(ValueError):
                self._hear(json.loads(line))

    def _hear(self, message: object) -> None:
        if not isinstance(message, dict):
            return
        if isinstance(addresses := message.get("ready"), list):
            self.is_ready, self.addresses = True, [printable(str(address)) for address in addresses]
        if "error" in message:
            self.error = "\n".join(map(printable, str(message["error"])[:MAX_WORDS].split("\n")))

    def last_words(self) -> str:
        """Why it ended: what it told, else the last lines it printed."""
        return self.error or "\n".join(tail(self.log, since_octet=self._began, lines=LAST_LINES))[-MAX_WORDS:]

    def end(self) -> None:
        """Ask it to finish what it does and go."""
        self._popen.terminate()

    def kill(self) -> None:
        with contextlib.suppress(ProcessLookupError):
            os.killpg(self.pid, signal.SIGKILL)  # it leads a group of its own: with all it started

    def wait(self, timeout_s: float) -> bool:
        """Whether it ended within that time."""
        try:
            self._popen.wait(timeout_s)
        except subprocess.TimeoutExpired:
            return False
        return True

    def close(self) -> None:
        os.close(self._status)


def _spawn(command: Sequence[str], output: int, held: int, told: int) -> subprocess.Popen[bytes]:
    """With a session of its own: Ctrl-C in the agent's terminal ends the agent, which ends its services."""
    return subprocess.Popen(  # noqa: S603  words of a ServiceKind
        command,
        stdin=subprocess.DEVNULL,
        stdout=output,
        stderr=output,
        pass_fds=(held, told, *handed_sockets(os.environ, os.getpid())),
        env=os.environ | {STATUS_FD: str(told)},
        start_new_session=True,
    )


def handed_sockets(environ: Mapping[str, str], pid: int) -> range:
    """Descriptors of sockets that systemd bound for the agent, which hands them on: LISTEN_FDS, from 3 on."""
    number = environ.get("LISTEN_FDS", "")
    is_ours = environ.get("LISTEN_PID") == str(pid) and number.isdigit()
    return range(3, 3 + int(number)) if is_ours else range(0)


def _take(lock: Path) -> int:
    """The lock of a slot, its file empty.  Raises StillHeld."""
    held = os.open(lock, os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o600)
    try:
        fcntl.flock(held, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except BlockingIOError:
        number = os.pread(held, 20, 0).decode("ascii", "replace")
        os.close(held)
        raise StillHeld(number) from None
    os.ftruncate(held, 0)
    return held


def lock_of(folder: Path, slot: Slot) -> Path:
    return folder / f"{slot.kind}.{slot.number}.lock"


def locked_slots(folder: Path) -> Iterator[tuple[Path, str]]:
    """The locks of slots in which a process lives, with its number ("" where it is not known)."""
    for lock in sorted(folder.glob("*.lock")):
        if LOCK_NAME.fullmatch(lock.name):
            try:
                os.close(_take(lock))
            except StillHeld as still:
                yield lock, str(still)


def end_orphans(folder: Path, patience_s: float, monotonic_s: Callable[[], float] = time.monotonic) -> list[int]:
    """End the processes an earlier agent left behind, gracefully, then not; their numbers.

    Call it before starting any: it takes every process it finds for a stranger.
    """
    numbers = [int(number) for _lock, number in locked_slots(folder) if number.isdigit()]
    for send, wait_s in ((signal.SIGTERM, patience_s), (signal.SIGKILL, KILLED_WITHIN_S)):
        until_s = monotonic_s() + wait_s
        for _lock, number in locked_slots(folder):
            if number.isdigit():
                _signal(int(number), send)
        while any(True for _found in locked_slots(folder)) and monotonic_s() < until_s:
            time.sleep(LOOK_S)
    return numbers


def _signal(pid: int, number: signal.Signals) -> None:
    with contextlib.suppress(ProcessLookupError, PermissionError):
        if number is signal.SIGKILL:
            os.killpg(pid, number)
        else:
            os.kill(pid, number)
