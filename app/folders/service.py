"""What people do to the folders of their accounts: written down, told to the server by the engine behind.

Nothing is shown as done before the server has done it: mail that is moved meanwhile finds its folder by the name the
server knows.
"""

from __future__ import annotations

from collections.abc import Collection, Sequence
from dataclasses import dataclass

from flask_babel import gettext as _
from sqlalchemy import delete, func, or_, select
from sqlalchemy.orm import Session

from app.accounts.models import MailAccount
from app.bus import Bell, Topic
from app.errors import BadInput, NoSuchFolder, NotFound
from app.folders import paths
from app.folders.models import FolderChange, FolderDeed
from app.mirror.folders import own_prefix
from app.mirror.models import Folder
from app.runtime import Runtime
from app.sources import Role

MAX_WAITING = 200
MAX_BELOW = 100
"""Folders deleted together with the one above them."""


@dataclass(frozen=True, slots=True)
class Removal:
    """What deleting a folder would do: `into` is its place in Trash, None where it goes for good."""

    folder: Folder
    below: Sequence[Folder]
    into: str | None

    @property
    def messages(self) -> int:
        return sum(folder.total for folder in (self.folder, *self.below))


def list_folders(db: Session, account: MailAccount) -> Sequence[Folder]:
    """All folders of an account, by name."""
    return db.scalars(select(Folder).where(Folder.account_id == account.id).order_by(Folder.name)).all()


def list_changes(db: Session, account: MailAccount) -> Sequence[FolderChange]:
    """What waits for the server, and what it refused."""
    of_account = select(FolderChange).where(FolderChange.account_id == account.id)
    return db.scalars(of_account.order_by(FolderChange.id)).all()


def get_folder(db: Session, account: MailAccount, folder_id: int) -> Folder:
    """Raises NoSuchFolder."""
    folder = db.scalar(select(Folder).where(Folder.id == folder_id, Folder.account_id == account.id))
    if folder is None:
        raise NoSuchFolder
    return folder


def may_change(folder: Folder) -> bool:
    """Folders with a role are what the server, or Satchel, files mail in: they keep name and place."""
    return folder.role is None


def create(parts: Runtime, db: Session, account: MailAccount, leaf: str, parent_id: int | None) -> None:
    """A folder called `leaf`, below another or at the top.  Raises BadInput, NoSuchFolder."""
    path = _free_place(db, account, leaf, parent_id)
    _write(parts, db, account, [_change(parts, account, FolderDeed.CREATE, path)])


def rename(parts: Runtime, db: Session, account: MailAccount, folder: Folder, leaf: str, parent_id: int | None) -> None:
    """Another name, another place, or both.  Raises BadInput, NoSuchFolder."""
    _assure_plain(folder)
    parent = get_folder(db, account, parent_id) if parent_id else None
    if parent is not None and (parent.id == folder.id or paths.is_below(parent.name, folder.name, folder.delimiter)):
        raise BadInput("parent", _("A folder cannot be put into itself."))
    if _place(db, account, leaf, parent) != folder.name:
        path = _free_place(db, account, leaf, parent_id)
        _write(parts, db, account, [_change(parts, account, FolderDeed.RENAME, folder.name, path)])


def plan_removal(db: Session, account: MailAccount, folder: Folder) -> Removal:
    """Into Trash, as messages go, where Trash can hold folders; from there, and for Gmail's labels, for good."""
    _assure_plain(folder)
    folders = list_folders(db, account)
    below = [other for other in folders if paths.is_below(other.name, folder.name, folder.delimiter)]
    trash = next((other for other in folders if other.role is Role.TRASH), None)
    if account.is_gmail or trash is None or not trash.delimiter:
        return Removal(folder, below, None)
    if paths.is_below(folder.name, trash.name, trash.delimiter):
        return Removal(folder, below, None)
    leaf = paths.leaf_of(folder.name, folder.delimiter)
    return Removal(folder, below, paths.free_path(trash.name, leaf, trash.delimiter, _names(db, account)))


def remove(parts: Runtime, db: Session, account: MailAccount, removal: Removal) -> None:
    """Carry a removal out.  Raises BadInput for one that would delete very many folders at once."""
    if removal.into is not None:
        changes = [_change(parts, account, FolderDeed.RENAME, removal.folder.name, removal.into)]
    else:
        deepest_first = sorted((removal.folder, *removal.below), key=lambda folder: len(folder.name), reverse=True)
        if len(deepest_first) > MAX_BELOW:
            raise BadInput("folder", _("Delete the folders below it first: there are too many of them."))
        changes = [_change(parts, account, FolderDeed.DELETE, folder.name) for folder in deepest_first]
    _write(parts, db, account, changes)


def subscribe(parts: Runtime, db: Session, account: MailAccount, folder: Folder, *, subscribed: bool) -> None:
    """Whether other mail programs show the folder (RFC 9051 §6.3.7)."""
    deed = FolderDeed.SUBSCRIBE if subscribed else FolderDeed.UNSUBSCRIBE
    _write(parts, db, account, [_change(parts, account, deed, folder.name)])


def dismiss(db: Session, account: MailAccount, change_id: int) -> None:
    """A refusal that was read, or a change the server has not been told yet.  Raises NotFound."""
    untold = or_(FolderChange.refused.is_(True), FolderChange.attempts == 0)
    mine = delete(FolderChange).where(FolderChange.account_id == account.id, untold)
    gone = db.execute(mine.where(FolderChange.id == change_id).returning(FolderChange.id)).all()
    db.commit()
    if not gone:
        raise NotFound


def _assure_plain(folder: Folder) -> None:
    if not may_change(folder):
        raise BadInput("folder", _("This folder has a task of its own and keeps its name and place."))


def _place(db: Session, account: MailAccount, leaf: str, parent: Folder | None) -> str:
    """The path that is asked for.  Raises BadInput where `leaf` is no name, or `parent` takes no folders."""
    if parent is None:
        prefix, delimiter = own_prefix(db, account.id)
    elif parent.delimiter:
        prefix, delimiter = "", parent.delimiter
    else:
        raise BadInput("parent", _("This folder cannot hold others."))
    if delimiter and delimiter in leaf:
        raise BadInput("name", _("A name has no “%(char)s”: choose the folder it belongs into below.", char=delimiter))
    if not paths.is_leaf(leaf, delimiter):
        raise BadInput("name", _("Type a name of 1 to 200 characters, without % and *."))
    return paths.path_of(parent.name, leaf, delimiter) if parent else prefix + leaf


def _free_place(db: Session, account: MailAccount, leaf: str, parent_id: int | None) -> str:
    parent = get_folder(db, account, parent_id) if parent_id else None
    path = _place(db, account, leaf, parent)
    if not paths.fits(path, parent.delimiter if parent else None):
        raise BadInput("parent", _("That is too deep: choose a folder further up."))
    if paths.is_taken(path, _names(db, account)):
        raise BadInput("name", _("There is a folder of this name already."))
    return path


def _names(db: Session, account: MailAccount) -> Collection[str]:
    """Names that are taken, or will be once the server has been told."""
    stored = db.scalars(select(Folder.name).where(Folder.account_id == account.id))
    waiting = [change for change in list_changes(db, account) if not change.refused]
    wanted = [change.new_name or change.name for change in waiting if change.deed is not FolderDeed.DELETE]
    return {*stored, *wanted}


def _change(parts: Runtime, account: MailAccount, deed: FolderDeed, name: str, new_name: str = "") -> FolderChange:
    return FolderChange(account_id=account.id, deed=deed, name=name, new_name=new_name, created_at=parts.clock.now())


def _write(parts: Runtime, db: Session, account: MailAccount, changes: Sequence[FolderChange]) -> None:
    waiting = db.scalar(select(func.count(FolderChange.id)).where(FolderChange.account_id == account.id)) or 0
    if waiting + len(changes) > MAX_WAITING:
        raise BadInput("folder", _("Many changes of folders wait for this account's server already. Come back later."))
    db.add_all(changes)
    db.commit()
    parts.bus.ring(Bell(Topic.ACTIONS, account.id))
