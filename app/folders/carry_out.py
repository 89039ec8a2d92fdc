"""The engine's side: changes of folders told to the server, and the mirror's names after them.

A change that was being told when the engine or the connection ended is looked for before it is told again.
"""

from __future__ import annotations

from collections.abc import Collection, Sequence

from sqlalchemy import Update, delete, select, update
from sqlalchemy.orm import Session

from app.db import row_count
from app.errors import ActionRefused, BadInput, NoSuchFolder
from app.folders import paths
from app.folders.models import FolderChange, FolderDeed
from app.mirror.folders import rename_folders
from app.mirror.models import Folder
from app.sources import MailSource


def waiting_changes(db: Session, account_id: int) -> Sequence[FolderChange]:
    """In the order they were asked for."""
    waiting = select(FolderChange).where(FolderChange.account_id == account_id, FolderChange.refused.is_(False))
    return db.scalars(waiting.order_by(FolderChange.id).execution_options(populate_existing=True)).all()


def carry_out(db: Session, source: MailSource, account_id: int) -> int:
    """Tell the source all that waits; how many changes that were.

    Raises what breaks the session (ConnectionLost, TimedOut, ProtocolError); what was not done then waits.  No
    transaction is open while the source works.
    """
    changes = waiting_changes(db, account_id)
    for change in changes:
        was_told_before = change.attempts > 0
        begun = db.execute(_row(change).values(attempts=FolderChange.attempts + 1))
        db.commit()
        if row_count(begun) == 0:
            continue  # cancelled this instant
        if not (was_told_before and is_done(change, {folder.name for folder in source.folders()})):
            _carry_out_one(db, source, change)
        else:
            _finish(db, change)
    return len(changes)


def is_done(change: FolderChange, names: Collection[str]) -> bool:
    """Whether a server that lists `names` has done it; telling it once more of a subscription does no harm."""
    match change.deed:
        case FolderDeed.CREATE:
            return change.name in names
        case FolderDeed.RENAME:
            return change.new_name in names and change.name not in names
        case FolderDeed.DELETE:
            return change.name not in names
        case _:
            return False


def _carry_out_one(db: Session, source: MailSource, change: FolderChange) -> None:
    below = _subscribed_below(db, change)
    db.rollback()  # reading is over: nothing is held while the server works
    try:
        _tell(source, change)
        _move_subscriptions(source, change, below)
    except (ActionRefused, NoSuchFolder, BadInput) as error:
        db.execute(_row(change).values(refused=True, error=error.detail))
        db.commit()
    else:
        _finish(db, change)


def _tell(source: MailSource, change: FolderChange) -> None:
    match change.deed:
        case FolderDeed.CREATE:
            source.create_folder(change.name)
        case FolderDeed.RENAME:
            source.rename_folder(change.name, change.new_name)
        case FolderDeed.DELETE:
            source.delete_folder(change.name)
        case FolderDeed.SUBSCRIBE | FolderDeed.UNSUBSCRIBE:
            source.subscribe(change.name, subscribed=change.deed is FolderDeed.SUBSCRIBE)


def _subscribed_below(db: Session, change: FolderChange) -> Sequence[str]:
    """Folders that move along with a renamed one; their subscriptions do not (RFC 9051 §6.3.6)."""
    if change.deed is not FolderDeed.RENAME:
        return ()
    of_account = select(Folder).where(Folder.account_id == change.account_id, Folder.subscribed.is_(True))
    folders = db.scalars(of_account).all()
    return [folder.name for folder in folders if paths.is_below(folder.name, change.name, folder.delimiter)]


def _move_subscriptions(source: MailSource, change: FolderChange, below: Sequence[str]) -> None:
    for name in below:
        source.subscribe(paths.moved(name, change.name, change.new_name), subscribed=True)
        source.subscribe(name, subscribed=False)


def _finish(db: Session, change: FolderChange) -> None:
    """A renamed folder keeps its row, and so its messages; every other change comes with the next list of folders."""
    if change.deed is FolderDeed.RENAME:
        rename_folders(db, change.account_id, lambda name, delimiter: _renamed(name, delimiter, change))
    db.execute(delete(FolderChange).where(FolderChange.id == change.id))
    db.commit()


def _renamed(name: str, delimiter: str | None, change: FolderChange) -> str:
    if name == change.name or paths.is_below(name, change.name, delimiter):
        return paths.moved(name, change.name, change.new_name)
    return name


def _row(change: FolderChange) -> Update:
    return update(FolderChange).where(FolderChange.id == change.id)
