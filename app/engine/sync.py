"""Syncing one account's mirror: its tree, a folder's news, and older mail in resumable chunks.

Everything is idempotent: a step that was cut off is simply done again.  Which step comes next is decided in `plan.py`.
"""

from __future__ import annotations

from collections.abc import Collection, Iterator, Sequence
from dataclasses import dataclass, field
from functools import cached_property
from typing import overload

from sqlalchemy import ColumnElement, ScalarSelect, func, select, update
from sqlalchemy.orm import Session

from app.accounts.models import MailAccount
from app.actions.pending import hidden_uids
from app.bus import Topic
from app.engine import plan
from app.engine.desk import Desk
from app.engine.overlap import store_while_reading
from app.engine.plan import KnownFolder
from app.errors import NoSuchFolder
from app.mirror import labels
from app.mirror import service as mirror
from app.mirror.models import Folder, Message
from app.sources import Delta, FolderState, MailSource, RemoteFolder, Role

INBOX = RemoteFolder(name="INBOX", delimiter=None, role=Role.INBOX)
STEP_MESSAGES = 4_000
"""Older messages fetched before anything more urgent on the same session gets its turn."""
INBOX_MESSAGES = 50
"""Of Gmail's inbox, fetched before older mail: a page of the list."""


class KnownUids(Sequence[int]):
    """The mirrored UIDs of a folder, ascending.

    Their number comes from the counters, and they are read only if the source looks at them: so new mail costs the
    same in a folder of any size.
    """

    def __init__(self, desk: Desk, folder_id: int) -> None:
        self._desk = desk
        self._folder_id = folder_id

    @cached_property
    def _uids(self) -> Sequence[int]:
        with self._desk.session() as db:
            return mirror.known_uids(db, self._folder_id)

    @cached_property
    def _number(self) -> int:
        with self._desk.session() as db:
            folder = db.get(Folder, self._folder_id)
            if folder is None or not folder.complete:
                return len(self._uids)
            unnamed = select(func.count()).where(Message.folder_id == folder.id, Message.uid < 0)
            leaving = hidden_uids(db, folder.account_id, folder.id)
            return folder.total - (db.scalar(unnamed) or 0) + len(leaving)

    def __len__(self) -> int:
        return self._number

    def __iter__(self) -> Iterator[int]:
        return iter(self._uids)

    @overload
    def __getitem__(self, index: int) -> int: ...
    @overload
    def __getitem__(self, index: slice) -> Sequence[int]: ...
    def __getitem__(self, index: int | slice) -> int | Sequence[int]:
        return self._uids[index]


def known_folders(db: Session, account_id: int) -> Sequence[KnownFolder]:
    """What the mirror knows of the account's folders."""
    rows = db.scalars(select(Folder).where(Folder.account_id == account_id).order_by(Folder.id))
    return [_known(row) for row in rows]


def find_folder(desk: Desk, folder_id: int) -> KnownFolder | None:
    with desk.session() as db:
        row = db.get(Folder, folder_id)
        return _known(row) if row is not None and row.account_id == desk.account_id else None


def _known(row: Folder) -> KnownFolder:
    state = None
    if row.uidvalidity is not None:
        state = FolderState(row.uidvalidity, row.uidnext, row.highestmodseq)
    return KnownFolder(
        row.id, row.name, row.role, row.selectable, state, row.total, row.unread, row.complete, row.label is not None
    )


def get_watched(desk: Desk, source: MailSource) -> KnownFolder:
    """The folder new mail comes into.  The INBOX's row is made before the tree is known: its newest mail is first."""
    with desk.session() as db:
        folders = known_folders(db, desk.account_id)
        if not folders:
            mirror.store_folders(db, desk.account_id, source.folders() if source.is_gmail else [INBOX])
            folders = known_folders(db, desk.account_id)
    watched = plan.find_watched(folders, is_gmail=source.is_gmail)
    if watched is None:
        raise NoSuchFolder("INBOX")
    return watched


def sync_tree(desk: Desk, source: MailSource) -> Sequence[KnownFolder]:
    """Store the tree with its counts; returns the folders whose news should be fetched, most wanted first."""
    remote = source.folders()
    with desk.session() as db:
        before = known_folders(db, desk.account_id)
        mirror.store_folders(db, desk.account_id, remote)
        after = known_folders(db, desk.account_id)
        _note_total(db, desk, remote, after, is_gmail=source.is_gmail)
    desk.ring_tree()
    watched = plan.find_watched(after, is_gmail=source.is_gmail)
    stale = plan.stale_folders(before, after, remote, watched.id if watched else None)
    if watched and source.is_gmail and plan.shows_other_labels(before, after, remote, watched):
        return [watched, *stale]
    return stale


def _note_total(
    db: Session, desk: Desk, remote: Sequence[RemoteFolder], folders: Sequence[KnownFolder], *, is_gmail: bool
) -> None:
    """How much the first sync has to fetch; once it is through it has fetched all, whatever was expunged meanwhile."""
    mirrored = {folder.name: folder.status for folder in remote if plan.is_mirrored(folder)}
    account = update(MailAccount).where(desk.lease.covers())
    if all(folder.complete for folder in folders if folder.name in mirrored):
        db.execute(
            account.where(MailAccount.sync_done != MailAccount.sync_total).values(sync_total=MailAccount.sync_done)
        )
    else:
        total = sum(status.messages for status in mirrored.values() if status)
        db.execute(account.values(sync_total=total, sync_done=_mirrored_messages(desk), is_gmail=is_gmail))
    db.commit()


def _mirrored_messages(desk: Desk) -> ScalarSelect[int]:
    return select(func.count()).where(Message.account_id == desk.account_id).scalar_subquery()


def sync_folder(desk: Desk, source: MailSource, folder: KnownFolder, since: FolderState | None) -> Delta:
    """Bring the mirror of one folder up to date; what the delta left unfetched is for a Backfill."""
    asked_at = desk.parts.clock.now()
    delta = source.changes(folder.name, since, KnownUids(desk, folder.id))
    with desk.session() as db:
        changed = mirror.apply_delta(db, folder.id, delta, asked_at)
    _ring(desk, changed)
    return delta


def find_inbox_view(desk: Desk) -> int | None:
    """On Gmail the folder that shows the inbox; None where the INBOX holds its messages itself."""
    with desk.session() as db:
        view = labels.find_view(db, desk.account_id, labels.INBOX)
        return view.id if view else None


def fetch_inbox(desk: Desk, source: MailSource, all_mail: KnownFolder, uidvalidity: int) -> None:
    """The newest messages of Gmail's inbox, which may lie far below the newest of All Mail: the page opened first.

    One search and one fetch, whatever All Mail holds; everything older comes with the Backfill.
    """
    newest = source.labelled(all_mail.name, labels.INBOX)[-INBOX_MESSAGES:]
    with desk.session() as db:
        known = set(mirror.known_uids(db, all_mail.id))
    missing = sorted(set(newest) - known, reverse=True)
    for messages in source.headers(all_mail.name, missing, uidvalidity) if missing else ():
        with desk.session() as db:
            added = mirror.add_messages(db, all_mail.id, messages)
            changed = labels.take_changed(db)
        _note_done(desk, MailAccount.sync_done + added)
        _ring(desk, changed)


def _ring(desk: Desk, changed: Collection[int]) -> None:
    """Pages that show one of these folders, and the trees."""
    for folder_id in changed:
        desk.ring(Topic.FOLDER, folder_id)
    if changed:
        desk.ring_tree()


def mark_incomplete(desk: Desk, folder: KnownFolder) -> None:
    """There is more than a delta fetches at once: should the engine die now, the next one goes on with it."""
    with desk.session() as db:
        db.execute(update(Folder).where(Folder.id == folder.id).values(complete=False))
        db.commit()


@dataclass
class Backfill:
    """Older mail of one folder, newest first, a step at a time; after a crash it starts from what the mirror has."""

    desk: Desk
    folder: KnownFolder
    _remaining: list[int] = field(default_factory=list)
    _started: FolderState | None = None
    _fetched: bool = False
    _added: int = 0

    def step(self, source: MailSource) -> bool:
        """Fetch the next STEP_MESSAGES; False when the folder's oldest message has been reached."""
        if self._started is None:
            self._begin(source)
        try:
            self._fetch(source)
        except Exception:
            self._started = None  # cut off: what is missing is asked for again
            raise
        if not self._remaining:
            self._end(source)
        self.desk.ring_tree()
        return bool(self._remaining)

    def _begin(self, source: MailSource) -> None:
        """Learn which UIDs the mirror lacks: a delta is complete, so it tells of old messages never fetched, too."""
        delta = sync_folder(self.desk, source, self.folder, self.folder.state)
        self._started = delta.state
        self._remaining = sorted(delta.unfetched, reverse=True)

    def _fetch(self, source: MailSource) -> None:
        step, self._remaining = self._remaining[:STEP_MESSAGES], self._remaining[STEP_MESSAGES:]
        if not step or self._started is None:
            return
        self._fetched, self._added = True, 0
        try:
            headers = source.headers(self.folder.name, step, self._started.uidvalidity)
            store_while_reading(map(mirror.read_arrivals, headers), self._store)
        finally:
            _note_done(self.desk, MailAccount.sync_done + self._added)

    def _store(self, arrivals: Sequence[mirror.Arrival]) -> None:
        with self.desk.session() as db:
            self._added += mirror.add_arrivals(db, self.folder.id, arrivals, turn=self.desk.gap.turn)

    def _end(self, source: MailSource) -> None:
        """Flags that changed while older messages were on their way, then done."""
        if self._fetched:
            sync_folder(self.desk, source, self.folder, self._started)
        _note_done(self.desk, _mirrored_messages(self.desk))  # first: who sees the folder complete sees all counted
        with self.desk.session() as db:
            mirror.mark_complete(db, self.folder.id)
            changed = {self.folder.id, *labels.take_changed(db)}
        _ring(self.desk, changed)


def _note_done(desk: Desk, done: ColumnElement[int]) -> None:
    with desk.session() as db:
        db.execute(update(MailAccount).where(desk.lease.covers()).values(sync_done=done))
        db.commit()
