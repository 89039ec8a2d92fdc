"""The disk with a fault at its n-th step: full, failing, or the process killed there."""

from __future__ import annotations

import errno
import os
from collections.abc import Callable, Iterable
from dataclasses import dataclass, field
from pathlib import Path

from mailsite_ext.errors import StorageDamaged, StorageFull
from mailsite_ext.storage.files import Disk, Writing


class Killed(BaseException):
    """The process ended here; nothing that would still run in it may tidy up."""


def full() -> Exception:
    return StorageFull("no space left on device")


def failing() -> Exception:
    return StorageDamaged(str(OSError(errno.EIO, "input/output error")))


def killed() -> BaseException:
    return Killed()


@dataclass
class FaultyFiles:
    """Counts its steps; at step number `at` (from 1) `fault` strikes.

    A kill leaves half of the bytes behind where `half`; after it every later step is one too.
    """

    at: int = 0
    fault: Callable[[], BaseException] = full
    half: bool = False
    steps: int = 0
    names: list[str] = field(default_factory=list)
    disk: Disk = field(default_factory=Disk)
    dead: bool = False

    def _step(self, name: str, half: Callable[[], object] = lambda: None) -> None:
        if self.dead:
            raise Killed
        self.steps += 1
        self.names.append(name)
        if self.steps != self.at:
            return
        error = self.fault()
        if isinstance(error, Killed):
            self.dead = True
            if self.half:
                half()
        raise error

    def write(self, path: Path, pieces: Iterable[bytes | Path]) -> int:
        return self.finish(self.begin(path, pieces))

    def begin(self, path: Path, pieces: Iterable[bytes | Path]) -> Writing:
        whole = b"".join(piece if isinstance(piece, bytes) else piece.read_bytes() for piece in pieces)
        self._step("write", lambda: path.write_bytes(whole[: len(whole) // 2]))
        return self.disk.begin(path, [whole])

    def finish(self, writing: Writing) -> int:
        """Killed here the file may be there, in part or whole; after another fault it is not."""
        try:
            self._step("finish", lambda: os.truncate(writing.path, writing.size_octets // 2))
        except (StorageFull, StorageDamaged):
            writing.path.unlink()
            raise
        return self.disk.finish(writing)

    def append(self, path: Path, data: bytes, *, sync: bool = True) -> None:
        self._step("append", lambda: self.disk.append(path, data[: len(data) // 2]))
        self.disk.append(path, data, sync=sync)

    def truncate(self, path: Path, size_octets: int) -> None:
        self._step("truncate")
        self.disk.truncate(path, size_octets)

    def fsync(self, path: Path) -> None:
        self._step("fsync")

    def rename(self, source: Path, target: Path) -> None:
        self._step("rename")
        self.disk.rename(source, target)

    def link(self, source: Path, target: Path) -> None:
        self._step("link")
        self.disk.link(source, target)

    def unlink(self, path: Path) -> None:
        self._step("unlink")
        self.disk.unlink(path)

    def remove_directory(self, path: Path) -> None:
        self._step("remove_directory")
        self.disk.remove_directory(path)

    def make_directory(self, path: Path) -> None:
        if not path.is_dir():
            self._step("make_directory")
        self.disk.make_directory(path)

    def fsync_directory(self, path: Path) -> None:
        self._step("fsync_directory")
