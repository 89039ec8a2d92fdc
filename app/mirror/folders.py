"""The folders of an account: what its server lists, stored; and the folders Satchel itself needs."""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

from sqlalchemy import delete, insert, select, update
from sqlalchemy.orm import Session

from app.accounts.models import MailAccount
from app.actions.pending import pending_actions
from app.mirror import rows, view_folders
from app.mirror.counters import AT_ONCE
from app.mirror.models import Folder
from app.mirror.rows import MESSAGE
from app.sources import FolderStatus, RemoteFolder, Role

MAX_FOLDERS = 10_000
NAMES = {Role.ARCHIVE: "Archive", Role.JUNK: "Junk", Role.TRASH: "Trash", Role.SENT: "Sent", Role.DRAFTS: "Drafts"}


@dataclass(frozen=True, slots=True)
class KnownFolder:
    """A stored folder, as far as telling it from others goes."""

    id: int
    name: str
    uidvalidity: int | None
    uidnext: int


@dataclass(frozen=True, slots=True)
class TreePlan:
    """What a list of folders changes: names to insert, rows that have another name now, rows that are gone."""

    added: Sequence[str] = ()
    renamed: Mapping[int, str] = field(default_factory=dict)
    gone: Sequence[int] = ()


def plan_tree(known: Sequence[KnownFolder], remote: Sequence[RemoteFolder]) -> TreePlan:
    """Pure.  A name that vanished and one that is new are one folder if their UIDVALIDITY is the same, no other
    folder's, and no UID was taken back; else the new one is fetched afresh, which is always right.
    """
    there = {folder.name: folder for folder in remote}
    here = {folder.name for folder in known}
    vanished = [folder for folder in known if folder.name not in there]
    new = [folder for folder in remote if folder.name not in here]
    how_many = Counter(folder.uidvalidity for folder in known)
    how_many_there = Counter(folder.status.uidvalidity for folder in remote if folder.status)
    by_validity = {folder.uidvalidity: folder for folder in vanished if how_many[folder.uidvalidity] == 1}
    renamed = {
        by_validity[status.uidvalidity].id: folder.name
        for folder in new
        if (status := folder.status)
        and how_many_there[status.uidvalidity] == 1
        and _may_be(by_validity.get(status.uidvalidity), status)
    }
    return TreePlan(
        added=[folder.name for folder in new if folder.name not in renamed.values()],
        renamed=renamed,
        gone=[folder.id for folder in vanished if folder.id not in renamed],
    )


def _may_be(known: KnownFolder | None, status: FolderStatus) -> bool:
    return known is not None and known.uidvalidity is not None and known.uidnext <= status.uidnext


def store_folders(db: Session, account_id: int, remote: Sequence[RemoteFolder]) -> None:
    """Make the account's tree what its server lists; commits, and writes nothing where nothing changed.

    Counters come from STATUS until a folder's first sync is through; after that they are the mirror's own.
    """
    unique = {folder.name: folder for folder in remote[:MAX_FOLDERS]}
    if _differs(db, account_id, unique):
        _store(db, account_id, unique)
    view_folders.build_missing(db, account_id)


def _store(db: Session, account_id: int, unique: Mapping[str, RemoteFolder]) -> None:
    rows.lock_account(db, account_id)
    _empty_turned(db, account_id, unique)
    stored = _stored(db, account_id)
    known = [KnownFolder(row.id, row.name, row.uidvalidity, row.uidnext) for row in stored]
    plan = plan_tree(known, list(unique.values()))
    for folder_id, name in plan.renamed.items():
        _update(db, folder_id, {"name": name})
    if plan.added:
        added = [{"account_id": account_id, **NEW, **_values(unique[name])} for name in plan.added]
        db.execute(insert(Folder), added)
    _update_known(db, account_id, unique)
    db.commit()
    _remove_gone(db, account_id, plan.gone)
    db.expire_all()


NEW: Mapping[str, Any] = {"uidnext": 0, "total": 0, "unread": 0, "complete": False}


def _stored(db: Session, account_id: int) -> Sequence[Folder]:
    of_account = select(Folder).where(Folder.account_id == account_id).order_by(Folder.id)
    return db.scalars(of_account.execution_options(populate_existing=True)).all()


def _differs(db: Session, account_id: int, remote: Mapping[str, RemoteFolder]) -> bool:
    stored = {row.name: row for row in _stored(db, account_id)}
    if stored.keys() != remote.keys():
        return True
    return any(_changes_of(row, remote[name]) for name, row in stored.items())


def _changes_of(row: Folder, remote: RemoteFolder) -> Mapping[str, Any]:
    """The columns that are no longer as the server lists them."""
    wanted = _values(remote) if not row.complete else _listing(remote)
    return {name: value for name, value in wanted.items() if getattr(row, name) != value}


def _listing(remote: RemoteFolder) -> dict[str, Any]:
    return {
        "name": remote.name,
        "delimiter": remote.delimiter,
        "role": remote.role,
        "selectable": remote.selectable,
        "subscribed": remote.subscribed,
        "label": remote.label,
    }


def _values(remote: RemoteFolder) -> dict[str, Any]:
    counters = {"total": remote.status.messages, "unread": remote.status.unseen} if remote.status else {}
    return _listing(remote) | counters


def _update_known(db: Session, account_id: int, remote: Mapping[str, RemoteFolder]) -> None:
    for row in _stored(db, account_id):
        if row.name in remote and (changes := _changes_of(row, remote[row.name])):
            _update(db, row.id, changes)


def _update(db: Session, folder_id: int, values: Mapping[str, Any]) -> None:
    changed = update(Folder).where(Folder.id == folder_id).values(**values)
    db.execute(changed, execution_options={"synchronize_session": False})


def _remove_gone(db: Session, account_id: int, gone: Sequence[int]) -> None:
    """Folders with their messages, some hundred in a commit; those a waiting action will create are kept."""
    wanted = {action.target_id for action in pending_actions(db, account_id)}
    for folder_id in gone:
        row = db.get(Folder, folder_id, populate_existing=True)
        if row is not None and not (row.uidvalidity is None and folder_id in wanted):
            _remove(db, account_id, folder_id)


def _empty_turned(db: Session, account_id: int, remote: Mapping[str, RemoteFolder]) -> None:
    """Folders that became views, or views that became folders: All Mail was shown to IMAP, or hidden from it."""
    for row in _stored(db, account_id):
        if row.name in remote and (row.label is None) != (remote[row.name].label is None):
            _empty(db, account_id, row.id)
            rows.lock_account(db, account_id)
            _update(db, row.id, {**NEW, "uidvalidity": None, "highestmodseq": None})


def _empty(db: Session, account_id: int, folder_id: int) -> None:
    some = select(MESSAGE.c.id).where(MESSAGE.c.folder_id == folder_id).limit(AT_ONCE)
    while doomed := db.scalars(some).all():
        rows.lock_account(db, account_id)
        rows.remove(db, account_id, folder_id, doomed)
        db.commit()
    view_folders.empty(db, account_id, folder_id)


def _remove(db: Session, account_id: int, folder_id: int) -> None:
    _empty(db, account_id, folder_id)
    db.execute(delete(Folder).where(Folder.id == folder_id), execution_options={"synchronize_session": False})
    db.commit()


def get_role_folder(db: Session, account_id: int, role: Role) -> Folder:
    """The folder for `role`; where the account has none, a row for one the engine creates when it is needed.

    Gmail's archive is All Mail.  The caller commits.
    """
    found = _find_role(db, account_id, role) or _find_named(db, account_id, role)
    if found is not None:
        return found
    rows.lock_account(db, account_id)  # the engine may store the server's folders this instant
    found = _find_role(db, account_id, role) or _find_named(db, account_id, role)
    if found is not None:
        return found
    example = db.scalar(select(Folder).where(Folder.account_id == account_id).limit(1))
    folder = Folder(
        account_id=account_id,
        name=_own_name(db, account_id, role),
        delimiter=example.delimiter if example else None,
        role=role,
    )
    db.add(folder)
    db.flush()
    return folder


def _find_role(db: Session, account_id: int, role: Role) -> Folder | None:
    is_gmail = role is Role.ARCHIVE and db.scalar(select(MailAccount.is_gmail).where(MailAccount.id == account_id))
    with_role = select(Folder).where(Folder.account_id == account_id, Folder.role == (Role.ALL if is_gmail else role))
    return db.scalar(with_role.where(Folder.selectable.is_(True)).order_by(Folder.id).limit(1))


def _find_named(db: Session, account_id: int, role: Role) -> Folder | None:
    """A folder that is called as ours would be, though the server gives it no role."""
    name = _own_name(db, account_id, role)
    return db.scalar(select(Folder).where(Folder.account_id == account_id, Folder.name == name))


def _own_name(db: Session, account_id: int, role: Role) -> str:
    """`Archive`, or `INBOX.Archive` where the server keeps everything under INBOX."""
    return own_prefix(db, account_id)[0] + NAMES.get(role, role.value.title())


def own_prefix(db: Session, account_id: int) -> tuple[str, str | None]:
    """What stands before the names of new folders, and the delimiter of the account's folders, None if there is none.

    The prefix is "INBOX." where the server keeps everything under INBOX and tells of no namespace (RFC 2342).
    """
    names = db.execute(select(Folder.name, Folder.delimiter).where(Folder.account_id == account_id)).all()
    others = [row for row in names if row.name.upper() != "INBOX"]
    delimiter = next((row.delimiter for row in others or names if row.delimiter), None)
    prefix = f"INBOX{delimiter}"
    is_below_inbox = delimiter and others and all(row.name.startswith(prefix) for row in others)
    return prefix if is_below_inbox else "", delimiter


def rename_folders(db: Session, account_id: int, renamed: Callable[[str, str | None], str]) -> None:
    """Give folders the names their server has for them now; the rows stay, and so do their messages.

    `renamed` takes a name and its delimiter.  A row that has the new name already came with a list of folders
    meanwhile, and is empty: it makes room.  The caller commits.
    """
    rows.lock_account(db, account_id)
    for folder in _stored(db, account_id):
        name = renamed(folder.name, folder.delimiter)
        if name != folder.name and folder.label is None:
            taken = delete(Folder).where(Folder.account_id == account_id, Folder.name == name)
            db.execute(taken, execution_options={"synchronize_session": False})
            _update(db, folder.id, {"name": name})
