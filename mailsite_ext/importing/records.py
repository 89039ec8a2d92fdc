"""What an import writes down while it works; every commit is conditional on the account's lease."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import timedelta

from sqlalchemy import ColumnElement, and_, delete, exists, select, update
from sqlalchemy.orm import Session

from app.extension_api import Desk, MailError, RemoteMessage, decode, row_count
from mailsite_ext.importing.models import TRY_AGAIN, Import, ImportFailure, ImportFolder, ImportState
from mailsite_ext.protocol.mime_fields import read_fields

LONGEST_SUBJECT = 200
LONGEST_DETAIL = 1_000


@dataclass(frozen=True, slots=True)
class Task:
    """An import that may go on, and the folder it is at; None: all of them are through."""

    imported: Import
    folder: ImportFolder | None


def find_task(desk: Desk) -> Task | None:
    now = desk.parts.clock.now()
    at_work = select(Import).where(Import.account_id == desk.account_id, Import.state == ImportState.RUNNING)
    with desk.session() as db:
        imported = db.scalar(at_work)
        if imported is None or (imported.retry_at is not None and imported.retry_at > now):
            return None
        left = select(ImportFolder).where(ImportFolder.import_id == imported.id, ImportFolder.is_wanted)
        again = exists().where(ImportFailure.folder_id == ImportFolder.id, ImportFailure.error == TRY_AGAIN)
        left = left.where(ImportFolder.is_complete.is_(False) | again).order_by(ImportFolder.position)
        return Task(imported, db.scalars(left.limit(1)).first())


class Records:
    """The rows of one import and of the folder it is at."""

    def __init__(self, desk: Desk, imported: Import, folder: ImportFolder | None = None) -> None:
        self._desk = desk
        self._imported = imported
        self._folder = folder

    # The import

    def finish(self) -> None:
        """All folders are through."""
        now = self._desk.parts.clock.now()
        self._change_import(state=ImportState.DONE, finished_at=now, error="", error_detail="", retry_at=None)

    def wait(self, error: MailError, wait_s: float) -> None:
        """Nothing can be done for now; people read why."""
        retry_at = self._desk.parts.clock.now() + timedelta(seconds=wait_s)
        detail = error.detail[:LONGEST_DETAIL]
        self._change_import(error=type(error).__name__, error_detail=detail, retry_at=retry_at)

    def _change_import(self, **values: object) -> None:
        at_work = (Import.id == self._imported.id) & (Import.state == ImportState.RUNNING)
        with self._desk.session() as db:
            db.execute(update(Import).where(at_work).values(values))
            db.commit()

    # The folder

    def begin(self, uidvalidity: int, messages: int) -> None:
        """Start the folder, or start it anew because its UIDs mean other messages now."""
        values = {"uidvalidity": uidvalidity, "done_uid": 0, "pending_uid": 0, "pending": {}, "known": {}, "tries": 0}
        with self._desk.session() as db:
            db.execute(delete(ImportFailure).where(ImportFailure.folder_id == self._get_folder().id))
            self._change(db, **values, total=messages, done=0, failed=0, failed_in_row=0)

    def count(self, left: int) -> None:
        """How many messages there are, now that they were listed."""
        total = self._get_folder().done + left
        if total != self._get_folder().total:
            with self._desk.session() as db:
                self._change(db, total=total)

    def announce(self, end_uid: int, places: Mapping[str, int], known: Mapping[str, int]) -> None:
        """Before messages up to `end_uid` are stored: from which UID on they will lie in each folder here."""
        folder = self._get_folder()
        if folder.pending_uid > folder.done_uid:  # what a crash left is still being looked for from there on
            end_uid, places = max(end_uid, folder.pending_uid), {**places, **folder.pending}
        with self._desk.session() as db:
            self._change(db, pending_uid=end_uid, pending=dict(places), known=dict(known))

    def done(self, end_uid: int, messages: int) -> None:
        """All messages up to `end_uid` are here."""
        values = {"done_uid": end_uid, "done": self._get_folder().done + messages, "tries": 0, "failed_in_row": 0}
        with self._desk.session() as db:
            if self._imported.error:
                no_trouble = {"error": "", "error_detail": "", "retry_at": None}
                db.execute(update(Import).where(Import.id == self._imported.id).values(no_trouble))
            self._change(db, **values)

    def tried(self) -> None:
        with self._desk.session() as db:
            self._change(db, tries=self._get_folder().tries + 1)

    def fail(self, uid: int, message: RemoteMessage | None, error: MailError) -> None:
        """A message does not come along; on to the next."""
        folder = self._get_folder()
        failure = ImportFailure(
            folder_id=folder.id,
            uid=uid,
            subject=_subject(message),
            received_at=message.received_at if message else self._desk.parts.clock.now(),
            error=type(error).__name__,
            error_detail=error.detail[:LONGEST_DETAIL],
        )
        counts = {"done": folder.done + 1, "failed": folder.failed + 1, "failed_in_row": folder.failed_in_row + 1}
        with self._desk.session() as db:
            db.add(failure)
            self._change(db, done_uid=uid, tries=0, **counts)

    def complete(self, error: MailError | None = None) -> None:
        """All of the folder is through, or none of it can be read: what was to be tried again neither."""
        name = type(error).__name__ if error else ""
        with self._desk.session() as db:
            db.execute(update(ImportFailure).where(self._to_try()).values(error=name))
            self._change(db, is_complete=True, error=name)

    # What failed before

    def find_failed(self) -> int | None:
        """The UID of a message to be tried again."""
        with self._desk.session() as db:
            return db.scalar(select(ImportFailure.uid).where(self._to_try()).order_by(ImportFailure.uid).limit(1))

    def came_at_last(self, uid: int) -> None:
        with self._desk.session() as db:
            gone = db.execute(delete(ImportFailure).where(self._to_try(), ImportFailure.uid == uid))
            self._change(db, tries=0, failed=self._get_folder().failed - row_count(gone))

    def failed_again(self, uid: int, error: MailError) -> None:
        told = {"error": type(error).__name__, "error_detail": error.detail[:LONGEST_DETAIL]}
        with self._desk.session() as db:
            db.execute(update(ImportFailure).where(self._to_try(), ImportFailure.uid == uid).values(told))
            self._change(db, tries=0)

    def _to_try(self) -> ColumnElement[bool]:
        return and_(ImportFailure.folder_id == self._get_folder().id, ImportFailure.error == TRY_AGAIN)

    def _get_folder(self) -> ImportFolder:
        assert self._folder is not None
        return self._folder

    def _change(self, db: Session, **values: object) -> None:
        db.execute(update(ImportFolder).where(ImportFolder.id == self._get_folder().id).values(values))
        db.commit()


def _subject(message: RemoteMessage | None) -> str:
    raw = read_fields(message.header).get(b"subject", b"") if message else b""
    return decode.header(raw)[:LONGEST_SUBJECT]
