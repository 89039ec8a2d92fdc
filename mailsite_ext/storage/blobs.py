"""Bytes kept under their SHA-256: put if absent, never changed, removed only when nobody points at them (O2).

blobs/<first digit>/<digest>      sixteen folders: a batch of deliveries has few to fsync
blobs/incoming/                   files being written
blobs/lock                        shared by whoever puts and has not committed yet; whoever removes has it alone
"""

from __future__ import annotations

import contextlib
import errno
import fcntl
import os
import secrets
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from hashlib import sha256
from itertools import count
from pathlib import Path

from app.extension_api import MailError
from mailsite_ext.errors import StorageDamaged
from mailsite_ext.protocol.mime_scan import Octets
from mailsite_ext.protocol.part_table import Part
from mailsite_ext.storage.files import Files, disk_faults
from mailsite_ext.storage.group_commit import Threads, write_all

DIGITS = "0123456789abcdef"
SHARED_OCTETS = 16 * 1024
"""A part of a multipart as long as this is a blob of its own: two more fsyncs are worth what may be stored once."""
MOST_SHARED = 32  # of one message, the largest: each is a file to open
PIECE_OCTETS = 1024 * 1024


@dataclass(frozen=True, slots=True)
class Segment:
    """A stretch of a blob."""

    blob: str
    offset: int
    octets: int


@dataclass(frozen=True, slots=True)
class Span:
    """A stretch of a message; `is_shared`: kept as a blob of its own."""

    at: int
    end: int
    is_shared: bool


def spans_of(table: Sequence[Part], size_octets: int) -> list[Span]:
    """How a message is cut, in order: its large parts, and what lies between them.  Pure."""
    spans: list[Span] = []
    end = 0
    for part in _large_parts(table):
        spans += [Span(end, part.body_at, False), Span(part.body_at, part.body_at + part.body_octets, True)]
        end = part.body_at + part.body_octets
    return [span for span in [*spans, Span(end, size_octets, False)] if span.at < span.end]


def _large_parts(table: Sequence[Part]) -> list[Part]:
    """Leaves only, which never overlap: not the whole message, no multipart, nothing inside another that is kept."""
    found: list[Part] = []
    large = [part for part in table if part.section and not part.is_multipart and part.body_octets >= SHARED_OCTETS]
    for part in sorted(large, key=lambda part: (part.body_at, -part.body_octets)):
        if not found or part.body_at >= found[-1].body_at + found[-1].body_octets:
            found.append(part)
    kept = sorted(found, key=lambda part: -part.body_octets)[:MOST_SHARED]
    return sorted(kept, key=lambda part: part.body_at)


class BlobStore:
    """A folder of blobs.  `put` is durable once `sync` has returned for what it gave back."""

    def __init__(self, root: Path, files: Files) -> None:
        self.root = root
        self._files = files
        self._incoming = root / "incoming"
        self._numbers = count()
        self._token = secrets.token_hex(4)  # a process that was killed may have had our number
        self._folders = {digit: root / digit for digit in DIGITS}
        for name in ("incoming", *DIGITS):
            files.make_directory(root / name)

    def path(self, digest: str) -> Path:
        return self._folders[digest[0]] / digest

    def has(self, digest: str, size_octets: int) -> bool:
        try:
            return self.path(digest).stat().st_size == size_octets
        except FileNotFoundError:
            return False

    def put(self, digest: str, pieces: Iterable[bytes], size_octets: int, spool: Path | None = None) -> bool:
        """Store bytes under their digest; False: they were there.  `spool`: a file that holds exactly them."""
        path = self.path(digest)
        if self.has(digest, size_octets):
            return False
        if spool is not None and self._link(spool, path):
            return True
        new = self._new_path()
        self._files.write(new, pieces)
        self._name(new, path)
        return True

    def put_all(self, blobs: Mapping[str, bytes], threads: Threads) -> dict[str, bool | MailError]:
        """As `put` each, by digest, with fsyncs beside each other; or why it could not be stored."""
        absent = [digest for digest, data in blobs.items() if not self.has(digest, len(data))]
        new = [(self._new_path(), [blobs[digest]]) for digest in absent]
        written = write_all(self._files, threads, new)
        outcomes: dict[str, bool | MailError] = dict.fromkeys(blobs, False)
        for digest, (path, _data), size in zip(absent, new, written, strict=True):
            outcomes[digest] = size if isinstance(size, MailError) else self._attempt_name(path, digest)
        return outcomes

    def _attempt_name(self, new: Path, digest: str) -> bool | MailError:
        try:
            self._name(new, self.path(digest))
        except MailError as error:
            return error
        return True

    def _new_path(self) -> Path:
        return self._incoming / f"{os.getpid()}-{self._token}-{next(self._numbers)}"

    def _name(self, new: Path, path: Path) -> None:
        try:
            self._files.rename(new, path)
        except BaseException:
            with contextlib.suppress(Exception):
                self._files.unlink(new)
            raise

    def _link(self, spool: Path, path: Path) -> bool:
        """False where the spool file is elsewhere: then its bytes are copied."""
        try:
            self._files.fsync(spool)
            self._files.link(spool, path)
        except FileExistsError:
            return False
        except StorageDamaged as error:
            if isinstance(error.__cause__, OSError) and error.__cause__.errno == errno.EXDEV:
                return False
            raise
        return True

    def sync(self, digests: Iterable[str]) -> None:
        """Make the names of blobs durable."""
        for digit in sorted({digest[0] for digest in digests}):
            self._files.fsync_directory(self.root / digit)

    def remove(self, digest: str) -> None:
        self._files.unlink(self.path(digest))

    def older_than(self, moment: float) -> Iterator[str]:
        """Blobs written before a Unix time; what was being written when a process was killed goes on the way.

        Only for whoever is `alone`.
        """
        for path in self._incoming.iterdir():
            self._files.unlink(path)
        for digit in DIGITS:
            with os.scandir(self.root / digit) as entries:
                yield from (entry.name for entry in entries if entry.stat().st_mtime <= moment)

    # Who may put, who may remove
    @contextlib.contextmanager
    def putting(self) -> Iterator[None]:
        """From before a put until the rows that point at the blob are committed."""
        with _locked(self.root / "lock", fcntl.LOCK_SH):
            yield

    @contextlib.contextmanager
    def alone(self) -> Iterator[None]:
        """Nobody puts: what no row points at now, no row will."""
        with _locked(self.root / "lock", fcntl.LOCK_EX):
            yield


@contextlib.contextmanager
def _locked(path: Path, how: int) -> Iterator[None]:
    with disk_faults():
        descriptor = os.open(path, os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o600)
    try:
        fcntl.flock(descriptor, how)
        yield
    finally:
        os.close(descriptor)


def pieces_of(data: Octets, spans: Iterable[Span]) -> Iterator[bytes]:
    """The bytes of stretches of a message, a little at a time."""
    for span in spans:
        for at in range(span.at, span.end, PIECE_OCTETS):
            yield bytes(data[at : min(at + PIECE_OCTETS, span.end)])


def digest_of(pieces: Iterable[bytes]) -> str:
    total = sha256()
    for piece in pieces:
        total.update(piece)
    return total.hexdigest()


class BlobReader:
    """A message put together again: its head, then stretches of blobs.  All are open from the start, so a message
    that is expunged meanwhile can be read to its end.
    """

    def __init__(self, store: BlobStore, head: bytes, segments: Sequence[Segment]) -> None:
        self.size_octets = len(head) + sum(segment.octets for segment in segments)
        self._head = head
        self._segments = segments
        self._descriptors: dict[str, int] = {}
        try:
            for segment in segments:
                if segment.blob not in self._descriptors:
                    self._descriptors[segment.blob] = _open(store.path(segment.blob))
        except BaseException:
            self.close()
            raise

    def read(self, offset: int, octets: int) -> bytes:
        """At most `octets` from `offset`; empty at the end.  Raises StorageDamaged."""
        end = min(offset + octets, self.size_octets)
        found = [self._head[offset:end]]
        at = len(self._head)
        for segment in self._segments:
            low, high = max(offset, at), min(end, at + segment.octets)
            if low < high:
                found.append(self._stretch(segment, low - at, high - low))
            at += segment.octets
        return b"".join(found)

    def _stretch(self, segment: Segment, offset: int, octets: int) -> bytes:
        with disk_faults():
            found = os.pread(self._descriptors[segment.blob], octets, segment.offset + offset)
        if len(found) != octets:
            raise StorageDamaged(segment.blob)
        return found

    def close(self) -> None:
        for descriptor in self._descriptors.values():
            os.close(descriptor)
        self._descriptors = {}

    def __enter__(self) -> BlobReader:
        return self

    def __exit__(self, *_error: object) -> None:
        self.close()


def _open(path: Path) -> int:
    try:
        with disk_faults():
            return os.open(path, os.O_RDONLY | os.O_CLOEXEC)
    except FileNotFoundError:
        raise StorageDamaged(path.name) from None
