"""A message on its way in: small ones in memory, others in a file on the storage's file system."""

from __future__ import annotations

import errno
import logging
import os
import time
from collections.abc import Callable, Iterator, Sequence
from contextlib import suppress
from pathlib import Path
from uuid import uuid4

from app.extension_api import MailError
from mailsite_ext.errors import StorageDamaged, StorageFull
from mailsite_ext.storage.values import Content

log = logging.getLogger(__name__)

IN_MEMORY_OCTETS = 128 * 1024
BLOCK_OCTETS = 128 * 1024
STALE_S = 24 * 60 * 60
_FULL = (errno.ENOSPC, errno.EDQUOT, errno.EFBIG)


class Spool:
    """Takes a message in blocks.  Nothing is durable here: the storage sees to that, and may take the file away.

    What is kept is the message as it came, but for its first IN_MEMORY_OCTETS or so, which `clean` may shorten.
    """

    def __init__(self, folder: Path, clean: Callable[[bytes], bytes] | None = None) -> None:
        self._folder = folder
        self._clean = clean
        self._blocks: list[bytes] = []
        self._path: Path | None = None
        self._file = -1
        self.cleaned = b""  # `first` as it is kept
        self.octets = 0  # as they came
        self.first = b""
        """The first IN_MEMORY_OCTETS or so as they came; complete after `finish`."""

    def write(self, data: bytes) -> None:
        """Raises StorageFull, StorageDamaged: nothing is left of the message then."""
        self.octets += len(data)
        if self._file >= 0:
            self._append([data])
            return
        self._blocks.append(data)
        if self.octets > IN_MEMORY_OCTETS:
            self._spill()

    def _spill(self) -> None:
        self._take_first()
        self._path = self._folder / f"{uuid4().hex}.spool"
        try:
            self._file = os.open(self._path, os.O_WRONLY | os.O_CREAT | os.O_EXCL | os.O_CLOEXEC, 0o600)
        except OSError as error:
            raise self._fault(error) from None
        self._blocks = []
        self._append([self.cleaned])

    def _take_first(self) -> None:
        self.first = b"".join(self._blocks)
        self.cleaned = self._clean(self.first) if self._clean is not None else self.first

    def _append(self, blocks: Sequence[bytes]) -> None:
        try:
            for block in blocks:
                written = 0
                while written < len(block):
                    written += os.write(self._file, memoryview(block)[written:])
        except OSError as error:
            raise self._fault(error) from None

    def _fault(self, error: OSError) -> MailError:
        self.discard()
        if error.errno in _FULL:
            return StorageFull()
        log.error("spool %s: %s", self._folder, error)
        return StorageDamaged(str(error))

    def finish(self) -> Content:
        """The whole message, as the storage takes it."""
        if self._path is None:
            self._take_first()
            return Content(self.cleaned, len(self.cleaned))
        os.close(self._file)
        self._file = -1
        return Content(self._path, self.octets - len(self.first) + len(self.cleaned))

    def blocks(self) -> Iterator[bytes]:
        """The finished message as it came, nothing cleaned away; while the storage has not taken it."""
        yield self.first
        if self._path is not None:
            with self._path.open("rb") as file:
                file.seek(len(self.cleaned))
                while block := file.read(BLOCK_OCTETS):
                    yield block

    def discard(self) -> None:
        """Remove what the storage did not take; may be called twice."""
        if self._file >= 0:
            os.close(self._file)
            self._file = -1
        if self._path is not None:
            with suppress(OSError):  # the storage has it, or the disk is broken: `sweep` comes later
                self._path.unlink()
            self._path = None
        self._blocks = []


def sweep(folder: Path) -> None:
    """Remove what processes that died left in `folder`; make it if it is not there."""
    folder.mkdir(parents=True, exist_ok=True, mode=0o700)
    for path in folder.glob("*.spool"):
        if path.stat().st_mtime < time.time() - STALE_S:
            path.unlink(missing_ok=True)
