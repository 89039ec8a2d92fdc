"""One step in several journals: written whole to a log first, then to each.

The log is a text file beside the tree, a line a step: its fsync is what makes a step durable, for all journals at
once.  They themselves are fsynced when the log has grown to CHECKPOINT_OCTETS, and it is begun anew.  Everything here
is called by whoever has the storage's turn to write.
"""

from __future__ import annotations

import contextlib
import json
import os
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from zlib import crc32

from mailsite_ext.errors import StorageDamaged, StorageFull
from mailsite_ext.storage.files import Files, write_whole

CHECKPOINT_OCTETS = 1024 * 1024


@dataclass(frozen=True, slots=True)
class Addition:
    """`lines` follow the first `offset` octets of a journal, the file with this inode."""

    path: str  # inside the tree
    inode: int
    offset: int
    lines: bytes


class JournalLog:
    def __init__(self, files: Files, tree: Path, log: Path) -> None:
        self._files = files
        self._tree = tree
        self._log = log

    def size_octets(self) -> int:
        stat = find_stat(self._log)
        return stat.st_size if stat else 0

    def add(self, step: Sequence[Addition]) -> None:
        """Add lines to journals, all or none.  Raises StorageFull, StorageDamaged: none then.

        A journal that cannot take its lines once they are in the log gets them from there later.
        """
        if not all(self._stands(addition) for addition in step):
            self.replay()
        for addition in step:
            if not self._stands(addition):
                raise StorageDamaged(f"{addition.path} is not the journal it was")
        self._files.append(self._log, render_step(step))
        with contextlib.suppress(StorageFull, StorageDamaged):
            for addition in step:
                self._files.append(self._tree / addition.path, addition.lines, sync=False)

    def take_back(self, step: Sequence[Addition]) -> None:
        """Undo the last `add`, nobody having been told of it."""
        self._files.truncate(self._log, self.size_octets() - len(render_step(step)))
        for addition in step:
            if (self._tree / addition.path).stat().st_size > addition.offset:
                self._files.truncate(self._tree / addition.path, addition.offset)

    def announce(self) -> None:
        """Say that the tree itself is about to change: whoever finds this line last knows to look at all of it."""
        self._files.append(self._log, render_step([]))

    def replay(self) -> None:
        """Give every journal what the log has and it has not, after a crash; cut the log where it was torn."""
        if not self._log.exists():
            return
        data = self._log.read_bytes()
        whole = 0
        for line, step in read_steps(data):
            for addition in step:
                self._mend(addition)
            whole += len(line) + 1
        if whole < len(data):
            self._files.truncate(self._log, whole)

    def checkpoint(self, *, at_octets: int = CHECKPOINT_OCTETS) -> None:
        """Once the log is long: make the journals durable and begin it anew."""
        if self.size_octets() < at_octets:
            return
        self.replay()
        steps = [step for _line, step in read_steps(self._log.read_bytes())]
        for path in sorted({addition.path for step in steps for addition in step}):
            if (self._tree / path).exists():
                self._files.fsync(self._tree / path)
        self._files.truncate(self._log, 0)

    def rewrite(self, journal: Path, data: bytes) -> None:
        """Put a shorter journal in a journal's place; the log knows nothing of the old one any more."""
        self.checkpoint(at_octets=1)
        write_whole(self._files, journal, data)

    def _stands(self, addition: Addition) -> bool:
        stat = find_stat(self._tree / addition.path)
        return stat is not None and (stat.st_ino, stat.st_size) == (addition.inode, addition.offset)

    def _mend(self, addition: Addition) -> None:
        """A journal that was moved, restored or written anew meanwhile is another file: none of ours to mend."""
        path = self._tree / addition.path
        stat = find_stat(path)
        if stat is None or stat.st_ino != addition.inode or stat.st_size < addition.offset:
            return
        with path.open("rb") as file:
            file.seek(addition.offset)
            if file.read(len(addition.lines)) == addition.lines:
                return
        self._files.truncate(path, addition.offset)
        self._files.append(path, addition.lines)


def find_stat(path: Path) -> os.stat_result | None:
    try:
        return path.stat()
    except FileNotFoundError:
        return None


def render_step(step: Iterable[Addition]) -> bytes:
    said = json.dumps([(a.path, a.inode, a.offset, a.lines.decode()) for a in step]).encode()
    return b"%08x %b\n" % (crc32(said), said)


def read_steps(log: bytes) -> Iterator[tuple[bytes, list[Addition]]]:
    """Each step with its line (without the end), up to the first that is not whole."""
    for line in log.split(b"\n")[:-1]:
        checksum, _, said = line.partition(b" ")
        if checksum != b"%08x" % crc32(said):
            return
        yield line, [Addition(path, inode, offset, text.encode()) for path, inode, offset, text in json.loads(said)]
