"""Counters of folders, and the size of what one commit does.  For services only: nothing here commits."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping
from itertools import islice
from typing import Any, TypeVar

import sqlalchemy as sa
from sqlalchemy import select, update
from sqlalchemy.orm import Session

from app.mirror.models import Folder, Message

AT_ONCE = 250
"""Rows in one statement or commit: each takes some 20 ms."""

Item = TypeVar("Item")


def chunks(items: Iterable[Item], size: int = AT_ONCE) -> Iterator[list[Item]]:
    rest = iter(items)
    while chunk := list(islice(rest, size)):
        yield chunk


def padded(items: list[Item]) -> list[Item]:
    """The items, the last one repeated until there are a power of two of them.

    For `IN`: SQLite's driver keeps the last 128 statements with all their memory, and each number of parameters makes
    another one.
    """
    size = 1 << (len(items) - 1).bit_length() if items else 0
    return items + items[-1:] * (size - len(items))


def count(db: Session, folder_id: int, *, total: int = 0, unread: int = 0) -> None:
    """Add to a folder's counters; they never fall below nothing."""
    if total or unread:
        values = {"total": _at_least_zero(Folder.total + total), "unread": _at_least_zero(Folder.unread + unread)}
        _update_folder(db, folder_id, values)


def _at_least_zero(value: sa.ColumnElement[int]) -> sa.ColumnElement[int]:
    return sa.case((value < 0, 0), else_=value)


def _update_folder(db: Session, folder_id: int, values: Mapping[str, Any]) -> None:
    changed = update(Folder).where(Folder.id == folder_id).values(**values)
    db.execute(changed, execution_options={"synchronize_session": False})


def recount(db: Session, folder_id: int) -> None:
    """Counters from the rows themselves: once, when a folder's first sync ends."""
    in_folder = select(sa.func.count()).select_from(Message).where(Message.folder_id == folder_id)
    unread = in_folder.where(sa.text("NOT message.seen"))
    _update_folder(db, folder_id, {"total": in_folder.scalar_subquery(), "unread": unread.scalar_subquery()})
