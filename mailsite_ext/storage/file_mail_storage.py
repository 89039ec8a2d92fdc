"""FileMailStorage (O1): a file a message and a journal of text a folder are the truth; the catalogue is their index.

Order of a delivery: the file written and fsynced in work/incoming; under the storage's turn renamed into the folder's
directory, which is fsynced; the journals' lines fsynced in the log; the index committed; then the answer.  A crash
before the log leaves files nobody points at; one after it is made good by whoever writes next (file_settle.py).
"""

from __future__ import annotations

import contextlib
import os
import secrets
from collections.abc import Iterable, Iterator, Sequence
from concurrent.futures import Future
from dataclasses import dataclass
from datetime import UTC, datetime
from itertools import count, islice
from pathlib import Path

from app.extension_api import Bell, Bus, Clock, MailError, Topic
from mailsite_ext.errors import StorageDamaged, StorageElsewhere
from mailsite_ext.storage import catalogue_reads, file_care
from mailsite_ext.storage.catalogue import REMEMBERED_STEPS, Catalogue
from mailsite_ext.storage.catalogue_flags import flags_text
from mailsite_ext.storage.catalogue_inbound import Appended, Delivered, Placed, enter_all
from mailsite_ext.storage.catalogue_messages import Relocate
from mailsite_ext.storage.catalogue_step import Step
from mailsite_ext.storage.catalogue_values import Arrival, LockedFolder, NewMessage
from mailsite_ext.storage.catalogue_verify import verify_counters
from mailsite_ext.storage.facts import Facts, read_facts
from mailsite_ext.storage.file_index import open_index
from mailsite_ext.storage.file_rows import facts_of
from mailsite_ext.storage.file_settle import Settling
from mailsite_ext.storage.file_tree import MailTree
from mailsite_ext.storage.files import Disk, Files, disk_faults
from mailsite_ext.storage.group_commit import GroupCommit, NewFile, Outcome, Threads, share, write_all
from mailsite_ext.storage.journal_lines import file_of, location
from mailsite_ext.storage.journal_marks import LOG, read_marks
from mailsite_ext.storage.tree import message_file
from mailsite_ext.storage.values import Content, Delivery, Finding, Stored, zone_minutes

INCOMING = "incoming/"
"""A location that begins so is a file's name in work/incoming, not yet in a folder."""
GRACE_S = 3600
"""How long a message file outlives its message: who has it open in a list can still read it, a copy under way too."""


@dataclass(frozen=True, slots=True)
class Append:
    folder_id: int
    contents: Sequence[tuple[Content, frozenset[str], datetime | None]]
    replaces: int


@dataclass(frozen=True, slots=True)
class Draft:
    """A job and the files it needs, not written yet."""

    job: Delivered | Appended
    files: Sequence[NewFile]


class FileReader:
    """A message file, open; it can be read to its end if the message goes meanwhile."""

    def __init__(self, path: Path) -> None:
        with disk_faults():
            self._descriptor = os.open(path, os.O_RDONLY | os.O_CLOEXEC)
        self.size_octets = os.fstat(self._descriptor).st_size

    def read(self, offset: int, octets: int) -> bytes:
        with disk_faults():
            return os.pread(self._descriptor, octets, offset)

    def close(self) -> None:
        if self._descriptor >= 0:
            os.close(self._descriptor)
            self._descriptor = -1

    def __enter__(self) -> FileReader:
        return self

    def __exit__(self, *_error: object) -> None:
        self.close()


class FileMailStorage(Catalogue):
    """See the module; a StorageEngine.  `machine`: whose the storage is; another one gets StorageElsewhere (N2)."""

    def __init__(
        self,
        work: Path,
        clock: Clock,
        bus: Bus | None = None,
        *,
        machine: str,
        files: Files | None = None,
        grace_s: int = GRACE_S,
        remembered_steps: int = REMEMBERED_STEPS,
    ) -> None:
        self.files = files or Disk()
        self.tree = MailTree(self.files, work)
        self.tree.make()
        _own(self.files, work, machine)
        super().__init__(
            open_index(self.tree.index),
            clock,
            bus,
            text_folder=self.tree.index / "text",
            lock_file=self.tree.index / "turn",
            remembered_steps=remembered_steps,
        )
        self.grace_s = grace_s
        self._is_settled = False
        self._settled: list[int] = []
        self._dirty: set[Path] = set()
        self._numbers = count()
        self._token = secrets.token_hex(4)  # a process that was killed may have had our number
        self._threads = Threads("storage files")
        self._commits: GroupCommit[Delivery | Append] = GroupCommit(self._commit, "storage commits")
        with self.write():
            pass

    # Steps
    @contextlib.contextmanager
    def write(self) -> Iterator[Step]:
        """As the catalogue's, beginning with what another process left unfinished, if one died."""
        with super().write() as step:
            self.tree.begin()
            self._dirty.clear()
            self._settle(step)
            yield step

    def _settle(self, step: Step) -> None:
        log = read_marks(step.link, [LOG]).get(LOG)
        if self._is_settled and log and log.octets == self.tree.log.size_octets():
            return
        settling = Settling(step, self.tree)
        settling.run()
        self._settled = settling.settled

    def before_commit(self, step: Step) -> None:
        for outcome in self._threads.run(self.files.fsync_directory, sorted(self._dirty)):
            if isinstance(outcome, MailError):
                raise outcome
        try:
            self.tree.write(step)
        except StorageDamaged:
            self._is_settled = False  # perhaps the tree was put back from a copy
            raise

    def after_commit(self, step: Step) -> None:
        self._is_settled = True
        settled, self._settled = self._settled, []
        if self._bus and settled:
            self._bus.ring(*(Bell(Topic.STORAGE, folder_id) for folder_id in settled))

    def undo(self, step: Step) -> None:
        self.tree.undo()

    # In
    def deliver(self, delivery: Delivery) -> Future[Sequence[Stored]]:
        return self._commits.submit(delivery)

    def append(
        self, folder_id: int, contents: Sequence[tuple[Content, frozenset[str], datetime | None]], *, replaces: int = 0
    ) -> Future[Sequence[Stored]]:
        return self._commits.submit(Append(folder_id, contents, replaces))

    def _commit(self, jobs: Sequence[Delivery | Append]) -> Sequence[Outcome]:
        """Files of jobs that were refused are removed, all of a step that came to nothing too."""
        prepared = self._prepare_all(jobs)
        ready = [one for one in prepared if not isinstance(one, MailError)]
        left: Sequence[Delivered | Appended] = ready
        try:
            entered = self._enter(ready) if ready else []
            left = [one for one, came in zip(ready, entered, strict=True) if isinstance(came, MailError)]
        finally:
            self._remove_left(left)
        outcomes = iter(entered)
        return [one if isinstance(one, MailError) else next(outcomes) for one in prepared]

    def _enter(self, ready: Sequence[Delivered | Appended]) -> list[Outcome]:
        with self.write() as step:
            return enter_all(step, ready, self._relocate)

    def _remove_left(self, ready: Iterable[Delivered | Appended]) -> None:
        """Files of jobs that were refused."""
        for job in ready:
            for message in _messages(job):
                with contextlib.suppress(MailError):
                    self.files.unlink(self._incoming(message.location))

    def _prepare_all(self, jobs: Sequence[Delivery | Append]) -> list[Delivered | Appended | MailError]:
        """Jobs whose files are written, whole and durable."""
        drafts = self._threads.run(self._draft, jobs) if any(map(_is_large, jobs)) else share(self._draft, jobs)
        files = [file for draft in drafts if isinstance(draft, Draft) for file in draft.files]
        written = iter(write_all(self.files, self._threads, files))
        return [
            draft if isinstance(draft, MailError) else self._written(draft, list(islice(written, len(draft.files))))
            for draft in drafts
        ]

    def _written(self, draft: Draft, sizes: Sequence[int | MailError]) -> Delivered | Appended | MailError:
        for size in sizes:
            if isinstance(size, MailError):
                self._remove_left([draft.job])
                return size
        return draft.job

    def _draft(self, job: Delivery | Append) -> Draft:
        if isinstance(job, Delivery):
            return self._draft_delivery(job)
        now = self.clock.now()
        drafts = [
            self._draft_message(_facts(content.body), content, content.head, flags, date or now)
            for content, flags, date in job.contents
        ]
        return Draft(Appended(job.folder_id, [one for one, _file in drafts], job.replaces), [one for _, one in drafts])

    def _draft_delivery(self, delivery: Delivery) -> Draft:
        content, facts = delivery.content, _facts(delivery.content.body)
        drafts = [
            self._draft_message(facts, content, one.head or content.head, one.flags, delivery.received_at)
            for one in delivery.placements
        ]
        placed = [
            Placed(one.mailbox, one.folder, message)
            for one, (message, _file) in zip(delivery.placements, drafts, strict=True)
        ]
        return Draft(Delivered(placed), [file for _message, file in drafts])

    def _draft_message(
        self, facts: tuple[Facts, int], content: Content, head: bytes, flags: frozenset[str], date: datetime
    ) -> tuple[NewMessage, NewFile]:
        where, size, zone = self._new_place(), len(head) + facts[1], zone_minutes(date)
        message = NewMessage(
            facts[0].with_head(head), size, int(date.timestamp()), where, flags_text(flags), internal_zone=zone
        )
        return message, (self._incoming(where), [head, content.body])

    def take_in(self, pieces: Sequence[bytes | Path]) -> tuple[str, int]:
        """A message as a durable file in work/incoming: its location until it has a folder, and its size."""
        where = self._new_place()
        return where, self.files.write(self._incoming(where), pieces)

    def _new_place(self) -> str:
        return f"{INCOMING}{os.getpid()}-{self._token}-{next(self._numbers)}"

    def _incoming(self, where: str) -> Path:
        return self.tree.incoming / where.removeprefix(INCOMING)

    # Where messages lie
    def relocation(self) -> Relocate:
        return self._relocate

    def _relocate(self, folder: LockedFolder, arrivals: Sequence[Arrival]) -> list[str]:
        """Give each arrival its file in the folder: renamed from incoming, or linked to what it is a copy of."""
        directory = self.tree.directory(folder.mailbox, folder.name)
        sources = self._directories(arrivals)
        return [self._place(folder, directory, arrival, sources) for arrival in arrivals]

    def _place(self, folder: LockedFolder, directory: Path, arrival: Arrival, sources: dict[int, Path]) -> str:
        file = message_file(arrival.uid, datetime.fromtimestamp(arrival.saved_at, UTC))
        target = directory / file
        self._dirty.add(target.parent)
        if arrival.location.startswith(INCOMING):
            self.tree.bring_in(self._incoming(arrival.location), target)
        else:
            source_id, source = file_of(arrival.location)
            self.tree.link(sources[source_id] / source, target)
        return location(folder.id, file)

    def _directories(self, arrivals: Iterable[Arrival]) -> dict[int, Path]:
        """Of the folders that copies come from, by id."""
        ids = {file_of(one.location)[0] for one in arrivals if not one.location.startswith(INCOMING)}
        return {folder_id: self._directory(folder_id) for folder_id in ids}

    def _directory(self, folder_id: int) -> Path:
        folder = self.get_folder(folder_id)
        return self.tree.directory(folder.mailbox, folder.name)

    # Out
    def open_message(self, folder_id: int, uid: int) -> FileReader:
        """A folder that is renamed in this moment is looked up once more."""
        for _attempt in range(2):
            with self.read() as link:
                where, _head, _size = catalogue_reads.location(link, folder_id, uid)
            with contextlib.suppress(FileNotFoundError):
                return FileReader(self._directory(folder_id) / file_of(where)[1])
        raise StorageDamaged(f"{where} is not there")

    # Care
    def verify(self, *, fix: bool = False) -> Iterator[Finding]:
        yield from file_care.verify(self, fix=fix)
        yield from verify_counters(self, fix=fix)

    def rebuild(self) -> None:
        """Read the whole tree anew, as if there were no index."""
        with self.write() as step:
            for table in ("flag", "message", "change", "subscription", "folder", "mailbox"):
                step.link.run(f"DELETE FROM mailsite_{table}")
            step.link.run("DELETE FROM journal_mark")
            Settling(step, self.tree).run()

    def collect_garbage(self) -> int:
        return file_care.collect_garbage(self)

    def close(self) -> None:
        self._commits.close()
        self._threads.close()
        self.text.close()
        self.engine.dispose()


def _own(files: Files, work: Path, machine: str) -> None:
    """A storage is its first machine's: two could not keep each other out of its files (N2).

    Of several processes that start at once each writes a file of its own, and the first link to it counts.
    """
    owner = work / "owner.txt"
    if not owner.exists():
        mine = work / f"owner.{secrets.token_hex(8)}.new"
        files.write(mine, [f"{machine}\n".encode()])
        with contextlib.suppress(FileExistsError):
            files.link(mine, owner)
        files.unlink(mine)
        files.fsync_directory(work)
    if (found := owner.read_text().strip()) != machine:
        raise StorageElsewhere(found)


def _facts(body: bytes | Path) -> tuple[Facts, int]:
    """What is computed of a body, and its size."""
    return (read_facts(body), len(body)) if isinstance(body, bytes) else facts_of(body)


def _is_large(job: Delivery | Append) -> bool:
    """To be read from a file: that gives way to other threads, what is in memory would only be in theirs."""
    contents = [job.content] if isinstance(job, Delivery) else [content for content, _flags, _date in job.contents]
    return any(isinstance(content.body, Path) for content in contents)


def _messages(job: Delivered | Appended) -> list[NewMessage]:
    return [one.message for one in job.placements] if isinstance(job, Delivered) else list(job.messages)
