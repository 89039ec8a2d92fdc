"""A program in a terminal: what it shows, and keys typed into it."""

from __future__ import annotations

import fcntl
import os
import pty
import re
import select
import struct
import subprocess
import termios
import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager, suppress

CONTROL = re.compile(rb"\x1b(?:\[[0-9;?]*[A-Za-z]|[()][A-Z0-9]|.)|\x0f|\x0e")
DEADLINE_S = 30.0


class Terminal:
    def __init__(self, descriptor: int) -> None:
        self._descriptor = descriptor
        self.shown = b""

    def type(self, keys: str) -> None:
        """What was shown before is forgotten: `wait_for` then waits for what the keys bring."""
        self.shown = b""
        os.write(self._descriptor, keys.encode())

    def wait_for(self, text: str) -> None:
        """Only what changes is drawn: wait for words that stand where nothing like them stood."""
        self.wait_until(lambda: text.encode() in CONTROL.sub(b"", self.shown))

    def wait_until(self, happened: Callable[[], bool]) -> None:
        ends_at = time.monotonic() + DEADLINE_S
        while not happened():
            assert time.monotonic() < ends_at, CONTROL.sub(b"", self.shown)[-2_000:]
            if select.select([self._descriptor], [], [], 0.1)[0]:
                self.shown += os.read(self._descriptor, 65_536)


@contextmanager
def run_in_terminal(words: Sequence[str], environment: Mapping[str, str]) -> Iterator[Terminal]:
    """A terminal of 40 lines of 120 columns with the program in it; it is ended if it has not ended itself."""
    ours, theirs = pty.openpty()
    fcntl.ioctl(theirs, termios.TIOCSWINSZ, struct.pack("HHHH", 40, 120, 0, 0))
    program = subprocess.Popen(words, stdin=theirs, stdout=theirs, stderr=theirs, env=environment, close_fds=True)
    os.close(theirs)
    try:
        yield Terminal(ours)
        with suppress(OSError):  # a terminal whose program has ended
            while os.read(ours, 65_536):
                pass
        assert program.wait(DEADLINE_S) == 0
    finally:
        program.kill()
        program.wait()
        os.close(ours)
