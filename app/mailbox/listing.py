"""What a request asks of a folder's list, and the list that answers it."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from urllib.parse import urlencode

from flask import url_for
from flask_babel import gettext as _
from sqlalchemy.orm import Session

from app.errors import NoSuchFolder
from app.mailbox.printing import Manner, PrintedRow, print_rows
from app.mailbox.rows import Words
from app.mirror import queries
from app.mirror.queries import FILTERS, Cursor, ListFilter, ListRow
from app.mirror.tree import AccountTree, FolderRow
from app.web.filters import Calendar

PAGE_ROWS = 50
VIEWS = ("conversations", "messages")
MAX_ROWS = 500  # what a refresh of an endlessly scrolled list may ask for at once


@dataclass(frozen=True, slots=True)
class Asked:
    """The part of a list that is wanted: older than `before`, at most `limit` rows."""

    filter: ListFilter = ListFilter.ALL
    conversations: bool = True
    view: str = ""  # what the address says: conversations, messages, or nothing where the person's setting decides
    before: Cursor | None = None
    limit: int = PAGE_ROWS

    @classmethod
    def of(cls, arguments: Mapping[str, str], *, conversations: bool) -> Asked:
        """What the query string asks; anything it does not understand falls back to the default."""
        view = arguments.get("view", "") if arguments.get("view") in VIEWS else ""
        return cls(
            filter=FILTERS.get(arguments.get("filter", ""), ListFilter.ALL),
            conversations=view == "conversations" if view else conversations,
            view=view,
            before=Cursor.decode(arguments.get("before", "")),
            limit=asked_rows(arguments.get("limit", "")),
        )

    def address(self, **changes: str) -> dict[str, str]:
        """The query of a link that asks for the same with `changes`; empty values are left out."""
        same = {"filter": self.filter.value, "view": self.view}
        return {name: value for name, value in {**same, **changes}.items() if value}


def asked_rows(text: str) -> int:
    """How many rows an address asks for, within bounds."""
    wanted = int(text) if text.isascii() and text.isdecimal() and len(text) < 6 else PAGE_ROWS
    return min(max(wanted, PAGE_ROWS), MAX_ROWS)


@dataclass(frozen=True, slots=True)
class Listing:
    """A page of a folder: the rows as they read, and where the next page begins."""

    asked: Asked
    rows: Sequence[PrintedRow]
    older: Cursor | None


def find_neighbours(rows: Sequence[PrintedRow], opened_id: int) -> tuple[int, int]:
    """The ids of the rows above and below the open one; 0 where there is none, or the open one is not listed."""
    ids = [row.id for row in rows]
    if opened_id not in ids:
        return 0, 0
    at = ids.index(opened_id)
    return (ids[at - 1] if at else 0), (ids[at + 1] if at + 1 < len(ids) else 0)


def find_place(tree: Sequence[AccountTree], folder_id: int) -> tuple[AccountTree, FolderRow]:
    """The folder and its account in a person's own tree.  Raises NoSuchFolder, also for somebody else's."""
    for account in tree:
        for folder in account.folders:
            if folder.id == folder_id and folder.selectable:
                return account, folder
    raise NoSuchFolder


def load_listing(
    db: Session, account: AccountTree, folder: FolderRow, asked: Asked, calendar: Calendar, opened_id: int
) -> Listing:
    """The page of `folder` that is asked for; the row of `opened_id` is shown as open."""
    found = query_rows(db, folder, asked)
    rows = print_rows(found[: asked.limit], calendar, manner_of(account, folder, calendar, asked), opened_id)
    return Listing(asked, tuple(rows), queries.next_cursor(found, asked.limit))


def manner_of(account: AccountTree, folder: FolderRow, calendar: Calendar, asked: Asked | None = None) -> Manner:
    """How rows of a folder are printed; their links ask for its list as `asked` does."""
    query = asked.address() if asked else None
    return Manner(
        dates=calendar.style,
        words=Words(_("me"), _("(no sender)"), _("(no recipient)"), _("(no subject)")),
        own=frozenset({account.account.address.lower()}),
        role=folder.role,
        message_url=url_for("mailbox.folder", folder_id=folder.id) + "/message/",
        query=f"?{urlencode(query)}" if query else "",
        act_url=url_for("actions.act") + "?message=",
    )


def query_rows(db: Session, folder: FolderRow, asked: Asked) -> Sequence[ListRow]:
    """The rows that are asked for, and one more if there are older ones."""
    ask = queries.list_conversations if asked.conversations else queries.list_messages
    return ask(db, folder.id, before=asked.before, limit=asked.limit + 1, filter=asked.filter, is_view=folder.is_view)
