"""Lists over several folders: each row leads to its own folder and is named by a label."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass

from sqlalchemy.orm import Session

from app.mailbox.listing import Asked, manner_of, query_rows
from app.mailbox.printing import PrintedRow, print_rows
from app.mirror.queries import Cursor, ListRow, newest_of
from app.mirror.tree import AccountTree, FolderRow
from app.sources import Role
from app.web.filters import calendar


@dataclass(frozen=True, slots=True)
class Place:
    """A folder that is listed with others, and the account it belongs to."""

    account: AccountTree
    folder: FolderRow


def print_several(
    rows: Sequence[ListRow], where: Mapping[int, Place], label: Callable[[Place, ListRow], str]
) -> Sequence[PrintedRow]:
    """The rows as HTML; `where` is known by the ids of folders, `label` says what stands in a row as labels do."""
    printed, heading, dates = [], "", calendar()
    for row in rows:
        place = where[row.folder_id]
        named = row._replace(labels=label(place, row))
        (one,) = print_rows([named], dates, manner_of(place.account, place.folder, dates), 0)
        printed.append(one if one.heading != heading else PrintedRow(one.id, "", one.html))
        heading = one.heading
    return printed


def find_inboxes(tree: Sequence[AccountTree]) -> Sequence[Place]:
    """The inbox of each account that has one."""
    return [
        Place(branch, folder)
        for branch in tree
        for folder in branch.folders
        if folder.role is Role.INBOX and folder.selectable
    ]


@dataclass(frozen=True, slots=True)
class Several:
    """A page over several folders; `where` by the ids of the folders the messages are stored in."""

    rows: Sequence[ListRow]
    older: Cursor | None
    where: Mapping[int, Place]


def load_several(db: Session, places: Sequence[Place], asked: Asked) -> Several:
    """The newest messages of these folders; one that came to several accounts, by its Message-ID, is listed once."""
    pages = [(place, query_rows(db, place.folder, asked)) for place in places]
    where = {row.folder_id: place for place, rows in pages for row in rows}
    merged = newest_of(rows for _place, rows in pages)
    page = _through_ties(merged, asked.limit)
    older = Cursor.of(page[-1]) if len(page) < len(merged) else None
    return Several(_each_once(page), older, where)


def _through_ties(rows: Sequence[ListRow], limit: int) -> Sequence[ListRow]:
    """The first `limit` rows, and what stands at the very same place: a cursor could not tell them apart."""
    end = limit
    while limit <= end < len(rows) and Cursor.of(rows[end]) == Cursor.of(rows[limit - 1]):
        end += 1
    return rows[:end]


def _each_once(rows: Sequence[ListRow]) -> Sequence[ListRow]:
    seen: dict[int, ListRow] = {}
    for row in rows:
        seen.setdefault(row.message_id_hash or -row.id, row)
    return list(seen.values())
