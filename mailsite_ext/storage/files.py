"""Every change that storage makes to the disk goes through here, so that tests can make each of them fail.

A step either raises and leaves nothing behind that matters, or is done; what makes it survive a power cut is said at
each.  Reading needs no seam: bytes are checked where they are read.
"""

from __future__ import annotations

import contextlib
import errno
import os
import shutil
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Protocol

from mailsite_ext.errors import StorageDamaged, StorageFull

COPY_OCTETS = 1024 * 1024
KERNEL_COPY_OCTETS = 64 * 1024 * 1024
NO_KERNEL_COPY = frozenset({errno.EXDEV, errno.EINVAL, errno.ENOSYS, errno.EOPNOTSUPP, errno.EPERM})
"""What copy_file_range(2) says where files are of two file systems, or of one that cannot."""
FULL = frozenset({errno.ENOSPC, errno.EDQUOT, errno.EFBIG, errno.EMFILE, errno.ENFILE})
"""What says "later": no space, quota or descriptors."""


@dataclass(slots=True)
class Writing:
    """A new file, whole but not durable; closed with the object if nobody finishes it."""

    path: Path
    descriptor: int
    size_octets: int = 0

    def close(self) -> None:
        if self.descriptor >= 0:
            os.close(self.descriptor)
            self.descriptor = -1

    def __del__(self) -> None:
        self.close()


class Files(Protocol):
    """The disk.  Every method raises StorageFull when there is no space, StorageDamaged at any other fault."""

    def write(self, path: Path, pieces: Iterable[bytes | Path]) -> int:
        """Make a new file of `pieces` (a Path stands for that file's bytes) and fsync it; its size in octets.

        Raises FileExistsError.  After any fault there is no file.
        """
        ...

    def begin(self, path: Path, pieces: Iterable[bytes | Path]) -> Writing:
        """The first half of `write`: the file is there, and durable once it is finished."""
        ...

    def finish(self, writing: Writing) -> int:
        """The second half."""
        ...

    def append(self, path: Path, data: bytes, *, sync: bool = True) -> None:
        """Add `data` to a file, made if need be, and fsync it unless told not to; after a fault it is as before."""
        ...

    def truncate(self, path: Path, size_octets: int) -> None:
        """Cut a file to `size_octets` and fsync it."""
        ...

    def fsync(self, path: Path) -> None: ...

    def rename(self, source: Path, target: Path) -> None:
        """In one instant; durable after fsync_directory of both parents."""
        ...

    def link(self, source: Path, target: Path) -> None:
        """A second name for the same bytes; durable after fsync_directory.

        Raises FileExistsError, FileNotFoundError.
        """
        ...

    def unlink(self, path: Path) -> None:
        """Nothing happens if there is no such file; durable after fsync_directory."""
        ...

    def remove_directory(self, path: Path) -> None:
        """With all that is in it; nothing happens if there is none."""
        ...

    def make_directory(self, path: Path) -> None:
        """With the directories above it, each durable."""
        ...

    def fsync_directory(self, path: Path) -> None: ...


class Disk:
    """The real one."""

    def write(self, path: Path, pieces: Iterable[bytes | Path]) -> int:
        return self.finish(self.begin(path, pieces))

    def begin(self, path: Path, pieces: Iterable[bytes | Path]) -> Writing:
        with disk_faults():
            writing = Writing(path, os.open(path, os.O_WRONLY | os.O_CREAT | os.O_EXCL | os.O_CLOEXEC, 0o600))
            with _gone_after_fault(writing):
                for piece in _joined(pieces):
                    writing.size_octets += _pour(piece, writing.descriptor)
        return writing

    def finish(self, writing: Writing) -> int:
        with disk_faults(), _gone_after_fault(writing):
            os.fsync(writing.descriptor)
        writing.close()
        return writing.size_octets

    def append(self, path: Path, data: bytes, *, sync: bool = True) -> None:
        with disk_faults():
            descriptor = os.open(path, os.O_WRONLY | os.O_CREAT | os.O_APPEND | os.O_CLOEXEC, 0o600)
            try:
                _append(descriptor, data, sync=sync)
            finally:
                os.close(descriptor)

    def truncate(self, path: Path, size_octets: int) -> None:
        with disk_faults(), path.open("r+b") as file:
            file.truncate(size_octets)
            os.fsync(file.fileno())

    def fsync(self, path: Path) -> None:
        with disk_faults(), path.open("rb") as file:
            os.fsync(file.fileno())

    def rename(self, source: Path, target: Path) -> None:
        with disk_faults():
            os.rename(source, target)

    def link(self, source: Path, target: Path) -> None:
        with disk_faults():
            os.link(source, target)

    def unlink(self, path: Path) -> None:
        with disk_faults():
            path.unlink(missing_ok=True)

    def remove_directory(self, path: Path) -> None:
        with disk_faults():
            if path.exists():
                shutil.rmtree(path)

    def make_directory(self, path: Path) -> None:
        if path.is_dir():
            return
        self.make_directory(path.parent)
        with disk_faults():
            path.mkdir(mode=0o700, exist_ok=True)
        self.fsync_directory(path.parent)

    def fsync_directory(self, path: Path) -> None:
        with disk_faults():
            descriptor = os.open(path, os.O_RDONLY | os.O_DIRECTORY | os.O_CLOEXEC)
            try:
                os.fsync(descriptor)
            finally:
                os.close(descriptor)


@contextlib.contextmanager
def disk_faults() -> Iterator[None]:
    """The system's errors as ours; those of names (there already, not there) stay what they are."""
    try:
        yield
    except (FileExistsError, FileNotFoundError):
        raise
    except OSError as error:
        kind = StorageFull if error.errno in FULL else StorageDamaged
        raise kind(str(error)) from error


def write_whole(files: Files, path: Path, data: bytes) -> None:
    """Put `data` where a file is or was not, in one instant and durably."""
    new = path.with_name(path.name + ".new")
    files.unlink(new)
    files.write(new, [data])
    files.rename(new, path)
    files.fsync_directory(path.parent)


@contextlib.contextmanager
def _gone_after_fault(writing: Writing) -> Iterator[None]:
    try:
        yield
    except OSError:
        writing.close()
        writing.path.unlink(missing_ok=True)
        raise


def _joined(pieces: Iterable[bytes | Path]) -> Iterator[bytes | Path]:
    """Short pieces that follow one another as one: each write gives way to the other threads."""
    short = b""
    for piece in pieces:
        if isinstance(piece, bytes) and len(short) + len(piece) <= COPY_OCTETS:
            short += piece
            continue
        yield short
        short = b""
        yield piece
    yield short


def _pour(piece: bytes | Path, descriptor: int) -> int:
    """How many octets that were."""
    if isinstance(piece, bytes):
        _write_all(descriptor, piece)
        return len(piece)
    octets = 0
    with piece.open("rb", buffering=0) as source:
        while copied := _copy(source.fileno(), descriptor):
            octets += copied
    return octets


def _copy(source: int, target: int) -> int:
    """The next octets, within the kernel where it can."""
    try:
        return os.copy_file_range(source, target, KERNEL_COPY_OCTETS)
    except OSError as error:
        if error.errno not in NO_KERNEL_COPY:
            raise
    some = os.read(source, COPY_OCTETS)
    _write_all(target, some)
    return len(some)


def _append(descriptor: int, data: bytes, *, sync: bool) -> None:
    before = os.fstat(descriptor).st_size
    try:
        _write_all(descriptor, data)
        if sync:
            os.fsync(descriptor)
    except OSError:
        os.ftruncate(descriptor, before)
        raise


def _write_all(descriptor: int, data: bytes) -> None:
    """write(2) may take less than it is given, on a disk that is nearly full."""
    left = memoryview(data)
    while left:
        left = left[os.write(descriptor, left) :]
