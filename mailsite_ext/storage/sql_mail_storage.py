"""SqlMailStorage (O2): the catalogue in the public database, bytes in blobs, attachments stored once.

Order of a delivery: blobs written, fsynced and named, their folders fsynced, then one transaction.  A crash before its
commit leaves blobs nobody points at, and no more.  Small bodies of one commit share a blob (blob_packs.py): measured at
10 connections, a message costs 0.7 fsyncs instead of 2.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from concurrent.futures import Future
from dataclasses import dataclass
from datetime import datetime
from itertools import islice
from pathlib import Path

import sqlalchemy as sa

from app.extension_api import Bus, Clock, MailError
from mailsite_ext.storage import catalogue_reads
from mailsite_ext.storage.blob_bodies import StoredBody, enter_segments, segments_of, store_bodies, used_among
from mailsite_ext.storage.blob_care import collect_garbage, verify_blobs
from mailsite_ext.storage.blobs import BlobReader, BlobStore
from mailsite_ext.storage.catalogue import REMEMBERED_STEPS, Catalogue
from mailsite_ext.storage.catalogue_flags import flags_text
from mailsite_ext.storage.catalogue_inbound import Appended, Delivered, Placed, enter_all
from mailsite_ext.storage.catalogue_messages import note_unused
from mailsite_ext.storage.catalogue_values import NewMessage
from mailsite_ext.storage.catalogue_verify import verify_counters
from mailsite_ext.storage.files import Disk, Files
from mailsite_ext.storage.group_commit import GroupCommit, Outcome, Threads
from mailsite_ext.storage.values import Content, Delivery, Finding, Stored, zone_minutes

GRACE_S = 24 * 3600
"""How long bytes outlive the last row that pointed at them: a backup, database first and then files, is whole."""


@dataclass(frozen=True, slots=True)
class Append:
    folder_id: int
    contents: Sequence[tuple[Content, frozenset[str], datetime | None]]
    replaces: int


@dataclass(frozen=True, slots=True)
class Prepared:
    """A job whose blobs are written."""

    job: Delivered | Appended
    bodies: Sequence[StoredBody]


class SqlMailStorage(Catalogue):
    """See the module; a StorageEngine."""

    def __init__(
        self,
        engine: sa.Engine,
        folder: Path,
        clock: Clock,
        bus: Bus | None = None,
        *,
        files: Files | None = None,
        grace_s: int = GRACE_S,
        remembered_steps: int = REMEMBERED_STEPS,
    ) -> None:
        """`folder`: where the blobs lie; spool files on the same file system are linked, not copied."""
        files = files or Disk()
        files.make_directory(folder)
        lock_file = folder / "turn" if engine.dialect.name == "sqlite" else None
        super().__init__(
            engine, clock, bus, text_folder=folder / "text", lock_file=lock_file, remembered_steps=remembered_steps
        )
        self.blobs = BlobStore(folder / "blobs", files)
        self._grace_s = grace_s
        self._threads = Threads("storage files")
        self._commits: GroupCommit[Delivery | Append] = GroupCommit(self._commit, "storage commits")

    # In
    def deliver(self, delivery: Delivery) -> Future[Sequence[Stored]]:
        return self._commits.submit(delivery)

    def append(
        self, folder_id: int, contents: Sequence[tuple[Content, frozenset[str], datetime | None]], *, replaces: int = 0
    ) -> Future[Sequence[Stored]]:
        return self._commits.submit(Append(folder_id, contents, replaces))

    def _commit(self, jobs: Sequence[Delivery | Append]) -> Sequence[Outcome]:
        with self.blobs.putting():
            prepared = self._prepare_all(jobs)
            ready = [one for one in prepared if isinstance(one, Prepared)]
            self.blobs.sync(blob for one in ready for body in one.bodies for blob in body.new_blobs)
            entered = iter(self._enter(ready) if ready else ())
        return [one if isinstance(one, MailError) else next(entered) for one in prepared]

    def _enter(self, ready: Sequence[Prepared]) -> list[Outcome]:
        with self.write() as step:
            outcomes = enter_all(step, [one.job for one in ready])
            bodies = [(body, came) for one, came in zip(ready, outcomes, strict=True) for body in one.bodies]
            enter_segments(step.link, [body for body, came in bodies if not isinstance(came, MailError)])
            refused = [body for body, came in bodies if isinstance(came, MailError)]
            note_unused(step, (blob for body in refused for blob in body.new_blobs))
        return outcomes

    def _prepare_all(self, jobs: Sequence[Delivery | Append]) -> list[Prepared | MailError]:
        bodies = [[content.body for content in _contents(job)] for job in jobs]
        every = [body for its in bodies for body in its]
        stored = iter(store_bodies(self.blobs, self._threads, every, self._used))
        return [self._prepare(job, list(islice(stored, len(its)))) for job, its in zip(jobs, bodies, strict=True)]

    def _used(self, locations: Sequence[str]) -> set[str]:
        with self.read() as link:
            return used_among(link, locations)

    def _prepare(self, job: Delivery | Append, stored: Sequence[StoredBody | MailError]) -> Prepared | MailError:
        for body in stored:
            if isinstance(body, MailError):
                return body
        bodies = [body for body in stored if isinstance(body, StoredBody)]
        return self._prepare_delivery(job, *bodies) if isinstance(job, Delivery) else self._prepare_append(job, bodies)

    def _prepare_delivery(self, delivery: Delivery, body: StoredBody) -> Prepared:
        shared = delivery.content.head
        placed = [
            Placed(one.mailbox, one.folder, _message(body, one.head or shared, one.flags, delivery.received_at))
            for one in delivery.placements
        ]
        return Prepared(Delivered(placed), [body])

    def _prepare_append(self, append: Append, bodies: Sequence[StoredBody]) -> Prepared:
        now = self.clock.now()
        messages = [
            _message(body, content.head, flags, date or now)
            for body, (content, flags, date) in zip(bodies, append.contents, strict=True)
        ]
        return Prepared(Appended(append.folder_id, messages, append.replaces), bodies)

    # Out
    def open_message(self, folder_id: int, uid: int) -> BlobReader:
        with self.read() as link:
            location, head, size_octets = catalogue_reads.location(link, folder_id, uid)
            segments = segments_of(link, location, size_octets - len(head))
        return BlobReader(self.blobs, head, segments)

    # Care
    def verify(self, *, fix: bool = False) -> Iterator[Finding]:
        yield from verify_counters(self, fix=fix)
        yield from verify_blobs(self, self.blobs, self._grace_s, fix=fix)

    def collect_garbage(self) -> int:
        return collect_garbage(self, self.blobs, self._grace_s)

    def close(self) -> None:
        self._commits.close()
        self._threads.close()
        self.text.close()


def _contents(job: Delivery | Append) -> list[Content]:
    return [job.content] if isinstance(job, Delivery) else [content for content, _flags, _date in job.contents]


def _message(body: StoredBody, head: bytes, flags: frozenset[str], date: datetime) -> NewMessage:
    return NewMessage(
        body.facts.with_head(head),
        body.size_octets + len(head),
        int(date.timestamp()),
        body.location,
        flags_text(flags),
        head,
        zone_minutes(date),
    )
