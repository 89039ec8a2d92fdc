"""Log files of services: one folder per machine in the work directory, rotated, bounded, read from their end.

What a service prints goes to <kind>.log, to which its processes append by themselves; exchanges of the mail listeners
go to mail.log (O14), which many processes write and whoever finds it full rotates.
"""

from __future__ import annotations

import fcntl
import os
import re
import socket
import threading
from collections.abc import Callable, Iterator, Sequence
from contextlib import suppress
from dataclasses import dataclass
from datetime import datetime
from pathlib import Path

from app.config import Config
from app.machines.identity import file_name

MAIL_LOG = "mail"
MAX_OCTETS = 8 * 1024 * 1024  # of one file
KEPT = 4  # older files beside it: <name>.log.1 is the newest of them
MAX_LINE = 2_000  # characters, as written by MailLog and as shown
TAIL_OCTETS = 64 * 1024
TAIL_LINES = 200
SEARCH_OCTETS = 16 * 1024 * 1024
SEARCH_S = 1.0
BLOCK_OCTETS = 256 * 1024
CONTROLS = re.compile(r"[\x00-\x08\x0b-\x1f\x7f-\x9f\u200e\u200f\u2028-\u202e\u2066-\u2069\ud800-\udfff]")


def log_file(config: Config, kind: str, host: str = "") -> Path:
    """The log of a kind of service on a machine; without a host on this one."""
    return config.work_directory / "logs" / file_name(host or socket.gethostname()) / f"{kind}.log"


# Writing


class MailLog:
    """Exchanges of the mail listeners: a line each, safe to write from many processes and threads.

    Secrets and bodies are the writer's to leave out.  A disk that is full or a folder that is gone loses lines, never
    mail: nothing here raises OSError.
    """

    def __init__(self, path: Path, *, max_octets: int = MAX_OCTETS, kept: int = KEPT) -> None:
        self._path, self._max_octets, self._kept = path, max_octets, kept
        self._lock = threading.Lock()
        self._file = -1

    def note(self, now: datetime, service: str, peer: str, mark: str, text: str) -> None:
        """`mark` is C for what the peer said, S for what we said, -- for what happened."""
        line = f"{now:%Y-%m-%d %H:%M:%S}.{now.microsecond // 1000:03d} {service} {peer} {mark}: {text}"
        octets = (printable(line)[:MAX_LINE] + "\n").encode("utf-8", "replace")
        with self._lock, suppress(OSError):
            self._open_current()
            os.write(self._file, octets)

    def _open_current(self) -> None:
        """Have the file of this name open, below its bound."""
        if not self._is_current():
            self.close()
            self._path.parent.mkdir(parents=True, exist_ok=True, mode=0o700)
            self._file = os.open(self._path, os.O_WRONLY | os.O_APPEND | os.O_CREAT | os.O_CLOEXEC, 0o600)
        if os.fstat(self._file).st_size >= self._max_octets:
            self._rotate()

    def _is_current(self) -> bool:
        """Whether the file that is open still has the name: another process may have moved it on."""
        if self._file < 0:
            return False
        with suppress(FileNotFoundError):
            return os.path.samestat(os.fstat(self._file), os.stat(self._path))
        return False

    def _rotate(self) -> None:
        """Move the full file on, unless another process did while this one waited for the lock."""
        fcntl.flock(self._file, fcntl.LOCK_EX)
        if self._is_current():
            _shift(self._path, self._kept)
            self._path.rename(_older(self._path, 1))
        self._open_current()  # opening another closes this one, and its lock with it

    def close(self) -> None:
        if self._file >= 0:
            os.close(self._file)
        self._file = -1


def _older(path: Path, age: int) -> Path:
    return path.with_name(f"{path.name}.{age}")


def _shift(path: Path, kept: int) -> None:
    """Make room for a new <name>.1; the oldest goes."""
    for age in range(kept, 0, -1):
        with suppress(FileNotFoundError):
            _older(path, age).replace(_older(path, age + 1))
    _older(path, kept + 1).unlink(missing_ok=True)


def bound(path: Path, *, max_octets: int = MAX_OCTETS, kept: int = KEPT) -> None:
    """Copy a full log on and empty it: its writers hold it open to append, so it cannot be renamed under them.

    What is written between copy and emptying is lost.
    """
    if not path.exists() or path.stat().st_size < max_octets:
        return
    _shift(path, kept)
    with path.open("rb") as full, open(_older(path, 1), "wb", opener=_private) as copy:
        full.seek(-min(max_octets, path.stat().st_size), os.SEEK_END)
        copy.write(full.read(max_octets))
    os.truncate(path, 0)


def _private(path: str, flags: int) -> int:
    return os.open(path, flags, 0o600)


def printable(text: str) -> str:
    """Without what moves the cursor, the line or the reading direction."""
    return CONTROLS.sub(lambda found: f"\\x{ord(found[0]):02x}", text).replace("\n", "\\n")


# Reading


@dataclass(frozen=True, slots=True)
class Found:
    """Lines, oldest first; `is_whole`: every line that is kept was looked at."""

    lines: Sequence[str]
    is_whole: bool


def tail(path: Path, *, since_octet: int = 0, lines: int = TAIL_LINES) -> list[str]:
    """The last lines of a log, of what stands behind `since_octet`; none where there is no file."""
    try:
        with path.open("rb") as log:
            size = log.seek(0, os.SEEK_END)
            start = max(size - TAIL_OCTETS, since_octet if since_octet <= size else 0, 0)
            log.seek(start)
            found = _lines(log.read(TAIL_OCTETS))
    except FileNotFoundError:
        return []
    return found[-lines:] if start in (0, since_octet) else found[1:][-lines:]  # the first may be half a line


def search(path: Path, words: str, monotonic_s: Callable[[], float], *, kept: int = KEPT) -> Found:
    """The newest lines with `words` in them, in any case; it looks at the newest 16 MiB, for a second at most."""
    wanted, until_s = words.casefold(), monotonic_s() + SEARCH_S
    found: list[str] = []
    left = SEARCH_OCTETS
    for file in (path, *(_older(path, age) for age in range(1, kept + 1))):
        for octets, lines in _blocks_from_the_end(file):
            found += [line for line in reversed(lines) if wanted in line.casefold()]
            left -= octets
            if len(found) >= TAIL_LINES or left <= 0 or monotonic_s() > until_s:
                return Found(found[:TAIL_LINES][::-1], is_whole=False)
    return Found(found[::-1], is_whole=True)


def _blocks_from_the_end(path: Path) -> Iterator[tuple[int, list[str]]]:
    """The octets and whole lines of each block, the last block first; a line longer than a block is cut."""
    try:
        log = path.open("rb")
    except FileNotFoundError:
        return
    with log:
        position, rest = log.seek(0, os.SEEK_END), b""
        while position > 0:
            size = min(BLOCK_OCTETS, position)
            position -= size
            log.seek(position)
            first, newline, others = (log.read(size) + rest).partition(b"\n")
            rest = first[:BLOCK_OCTETS] if position else b""
            yield size, _lines((b"" if position else first + newline) + others)


def _lines(octets: bytes) -> list[str]:
    text = octets.decode("utf-8", "replace")
    return [printable(line.rstrip("\r"))[:MAX_LINE] for line in text.split("\n") if line.strip()]
