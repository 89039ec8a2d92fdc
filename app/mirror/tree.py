"""Accounts and their folders as the folder tree shows them."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime
from functools import lru_cache
from typing import NamedTuple

from app.accounts.models import AccountState
from app.sources import Role


class FolderRow(NamedTuple):
    """A folder in the tree; `label` is the last part of its name, `depth` how many shown folders are above it."""

    id: int
    account_id: int
    name: str
    delimiter: str | None
    role: Role | None
    selectable: bool
    subscribed: bool
    total: int
    unread: int
    complete: bool
    is_view: bool  # shows a label of Gmail's: putting messages into it takes them from nowhere
    label: str = ""
    depth: int = 0


class AccountRow(NamedTuple):
    """An account as the tree shows it; `error` is the class name of a MailError, empty if all is well."""

    id: int
    uuid: str
    address: str
    label: str
    color: str
    paused: bool
    is_gmail: bool
    state: AccountState
    error: str
    error_detail: str
    error_at: datetime | None
    last_sync_at: datetime | None
    sync_total: int
    sync_done: int


@dataclass(frozen=True, slots=True)
class AccountTree:
    """An account and its folders in display order; `unread` is its inbox's."""

    account: AccountRow
    folders: tuple[FolderRow, ...]
    unread: int

    @property
    def error(self) -> str:
        return self.account.error


ROLE_ORDER = (
    Role.INBOX, Role.DRAFTS, Role.SENT, Role.ARCHIVE, Role.ALL, Role.JUNK, Role.TRASH, Role.FLAGGED, Role.IMPORTANT,
)  # fmt: skip


@lru_cache(maxsize=256)
def display_order(folders: tuple[FolderRow, ...]) -> tuple[FolderRow, ...]:
    """Folders with a role first, then the others by name, children after their parents, labels and depths filled in.

    Everything under INBOX stands beside it (some servers keep all folders there), and a folder that cannot be opened
    and holds nothing to open is left out.
    """
    by_path = {_path(folder): folder for folder in folders}
    placed = sorted((_place(path, by_path), folder) for path, folder in _worth_showing(by_path).items())
    return tuple(folder._replace(label=place.label, depth=place.depth) for place, folder in placed)


@dataclass(frozen=True, slots=True, order=True)
class _Place:
    rank: int
    sort_key: tuple[str, ...]
    label: str
    depth: int
    folder_id: int


def _path(folder: FolderRow) -> tuple[str, ...]:
    return tuple(folder.name.split(folder.delimiter)) if folder.delimiter else (folder.name,)


def _worth_showing(by_path: Mapping[tuple[str, ...], FolderRow]) -> dict[tuple[str, ...], FolderRow]:
    parents = {path[:length] for path, folder in by_path.items() if not folder.role for length in range(1, len(path))}
    return {path: folder for path, folder in by_path.items() if folder.selectable or path in parents}


def _place(path: tuple[str, ...], by_path: Mapping[tuple[str, ...], FolderRow]) -> _Place:
    folder = by_path[path]
    above = [by_path[path[:length]] for length in range(1, len(path)) if path[:length] in by_path]
    above = [] if folder.role else [parent for parent in above if parent.role is not Role.INBOX]
    root = next((at for at in (*above, folder) if at.role), None)
    rank = ROLE_ORDER.index(root.role) if root and root.role else len(ROLE_ORDER)
    return _Place(rank, tuple(part.casefold() for part in path), path[-1], len(above), folder.id)
