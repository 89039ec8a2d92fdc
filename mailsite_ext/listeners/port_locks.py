"""Who of this work directory listens on a port already: SO_REUSEPORT lets any program of the same user in, unasked.

Two files a port.  `gate` is held while somebody enters; `within` is shared by all who listen, until they end.
"""

from __future__ import annotations

import fcntl
import os
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path


@contextmanager
def entering(folder: Path, port: int) -> Iterator[bool]:
    """Enter one at a time; is this the first process of ours at the port?  Who leaves by an error has not entered.

    Being within ends with the process: the system frees the lock.
    """
    folder.mkdir(parents=True, exist_ok=True, mode=0o700)
    gate, within = _open(folder / f"{port}.gate"), _open(folder / f"{port}.within")
    try:
        fcntl.flock(gate, fcntl.LOCK_EX)
        yield _is_empty(within)
        fcntl.flock(within, fcntl.LOCK_SH)
    except BaseException:
        os.close(within)
        raise
    finally:
        os.close(gate)


def _is_empty(within: int) -> bool:
    try:
        fcntl.flock(within, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except BlockingIOError:
        return False
    return True


def _open(path: Path) -> int:
    return os.open(path, os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o600)
