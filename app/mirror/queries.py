"""What the pages ask of the mirror: named questions, Core columns, keyset paging; never OFFSET, never count(*)."""

from __future__ import annotations

import re
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from enum import StrEnum
from typing import Any, NamedTuple

import sqlalchemy as sa
from sqlalchemy import select
from sqlalchemy.orm import Session, aliased

from app.accounts.models import MailAccount
from app.errors import NoSuchFolder, NoSuchMessage
from app.mirror.models import Folder, LabelEntry, Message
from app.mirror.summaries import Summary, distinct, is_shown, summaries
from app.mirror.tree import AccountRow, AccountTree, FolderRow, display_order
from app.sources import Role

EPOCH = datetime(1970, 1, 1, tzinfo=UTC)


class ListFilter(StrEnum):
    ALL = ""
    UNREAD = "unread"
    FLAGGED = "flagged"
    ATTACHMENTS = "attachments"


@dataclass(frozen=True, slots=True)
class Cursor:
    """A place in a list: what follows is older than this row."""

    received_at: datetime
    uid: int

    @classmethod
    def of(cls, row: ListRow) -> Cursor:
        return cls(row.received_at, row.uid)

    def encode(self) -> str:
        """As text for an address: microseconds since 1970, and the UID."""
        return f"{(self.received_at - EPOCH) // timedelta(microseconds=1)}.{self.uid}"

    @classmethod
    def decode(cls, text: str) -> Cursor | None:
        """The cursor in `text`, or None if it is not one."""
        found = re.fullmatch(r"(-?[0-9]{1,17})\.(-?[0-9]{1,18})", text, re.ASCII)
        if not found:
            return None
        try:
            return cls(EPOCH + timedelta(microseconds=int(found[1])), int(found[2]))
        except OverflowError:
            return None


class ListRow(NamedTuple):
    """A row of a list: one message, and its conversation where conversations are listed."""

    id: int
    account_id: int
    folder_id: int
    uid: int
    conversation_id: int
    seen: bool
    flagged: bool
    answered: bool
    forwarded: bool
    draft: bool
    keywords: str
    labels: str
    received_at: datetime
    sent_at: datetime | None
    size_octets: int
    from_name: str
    from_address: str
    recipients: str
    subject: str
    preview: str | None
    has_attachments: bool
    message_id_hash: int
    gmail_msgid: int | None
    conversation: Summary | None = None


ROW_COLUMNS = tuple(getattr(Message, name) for name in ListRow._fields if name != "conversation")

# Written as the partial indexes are: SQLite uses one only where the query holds its condition word for word, and
# SQLAlchemy would write "leads = 1" there.
LEADS = "{table}.leads"
CONDITIONS: Mapping[ListFilter, str] = {
    ListFilter.UNREAD: "NOT {table}.seen",
    ListFilter.FLAGGED: "{table}.flagged",
    ListFilter.ATTACHMENTS: "{table}.has_attachments",
}


Listed = type[Message] | type[LabelEntry]
SAME_FOLDER: Mapping[Listed, str] = {
    Message: "newer.account_id = message.account_id AND +newer.folder_id = message.folder_id",
    LabelEntry: "+newer.folder_id = label_entry.folder_id",
}


def find_account(db: Session, user_id: int, account_id: int) -> MailAccount | None:
    return db.scalar(select(MailAccount).where(MailAccount.id == account_id, MailAccount.owner_id == user_id))


def get_folder(db: Session, user_id: int, folder_id: int) -> Folder:
    """A folder of this person.  Raises NoSuchFolder."""
    mine = select(Folder).join(MailAccount, MailAccount.id == Folder.account_id)
    folder = db.scalar(mine.where(Folder.id == folder_id, MailAccount.owner_id == user_id))
    if folder is None:
        raise NoSuchFolder
    return folder


def get_message(db: Session, user_id: int, message_id: int) -> Message:
    """A message of this person.  Raises NoSuchMessage."""
    mine = select(Message).join(MailAccount, MailAccount.id == Message.account_id)
    message = db.scalar(mine.where(Message.id == message_id, MailAccount.owner_id == user_id))
    if message is None:
        raise NoSuchMessage
    return message


def find_folder_by_role(db: Session, account_id: int, role: Role) -> Folder | None:
    with_role = select(Folder).where(Folder.account_id == account_id, Folder.role == role)
    return db.scalar(with_role.order_by(Folder.id).limit(1))


def find_first_inbox(db: Session, user_id: int) -> Folder | None:
    """The inbox of the person's first account that has one: where the Mail activity begins."""
    inboxes = select(Folder).join(MailAccount, MailAccount.id == Folder.account_id)
    mine = inboxes.where(MailAccount.owner_id == user_id, Folder.role == Role.INBOX)
    return db.scalar(mine.order_by(MailAccount.position, MailAccount.id).limit(1))


def list_messages(
    db: Session, folder_id: int, *, before: Cursor | None = None, limit: int = 50, filter: ListFilter = ListFilter.ALL
) -> Sequence[ListRow]:
    """Single messages of a folder, newest first."""
    listed = _listed(db, folder_id)
    return _rows(db, _page(listed, folder_id, before, limit, _conditions(listed, filter)))


def list_conversations(
    db: Session, folder_id: int, *, before: Cursor | None = None, limit: int = 50, filter: ListFilter = ListFilter.ALL
) -> Sequence[ListRow]:
    """Conversations of a folder by their newest message in it (with a filter: the newest that fits), newest first."""
    listed = _listed(db, folder_id)
    lead = _text(LEADS, listed) if filter is ListFilter.ALL else _newest_that_fits(listed, filter)
    rows = _rows(db, _page(listed, folder_id, before, limit, [*_conditions(listed, filter), lead]))
    found = _summaries_of(db, rows)
    return [row._replace(conversation=found.get(row.conversation_id)) for row in rows]


def _summaries_of(db: Session, rows: Sequence[ListRow]) -> Mapping[int, Summary]:
    """The conversations of rows of one folder."""
    if not rows:
        return {}
    return summaries(db, rows[0].account_id, rows[0].folder_id, (row.conversation_id for row in rows))


def next_cursor(rows: Sequence[ListRow], limit: int = 50) -> Cursor | None:
    """Where the next page begins; None if this page was not full."""
    return Cursor.of(rows[-1]) if len(rows) >= limit else None


def _listed(db: Session, folder_id: int) -> Listed:
    """What a folder lists: its messages, or, where it is a view, the entries of All Mail's."""
    is_view = db.scalar(select(Folder.label.is_not(None)).where(Folder.id == folder_id))
    return LabelEntry if is_view else Message


def _page(
    listed: Listed,
    folder_id: int,
    before: Cursor | None,
    limit: int,
    conditions: Iterable[sa.ColumnElement[bool] | sa.TextClause],
) -> sa.Select[Any]:
    page = select(*ROW_COLUMNS).where(listed.folder_id == folder_id, *conditions)
    if listed is LabelEntry:
        page = page.join(LabelEntry, LabelEntry.message_id == Message.id)
    if before is not None:
        place = sa.tuple_(listed.received_at, listed.uid)
        page = page.where(place < sa.tuple_(*_literals(before)))
    return page.order_by(listed.received_at.desc(), listed.uid.desc()).limit(limit)


def _literals(cursor: Cursor) -> tuple[sa.BindParameter[datetime], sa.BindParameter[int]]:
    return (
        sa.bindparam("before_at", cursor.received_at, Message.received_at.type),
        sa.bindparam("before_uid", cursor.uid, Message.uid.type),
    )


def _text(condition: str, listed: Listed) -> sa.TextClause:
    return sa.text(condition.format(table=listed.__tablename__))


def _conditions(listed: Listed, filter: ListFilter) -> list[sa.TextClause]:
    return [] if filter is ListFilter.ALL else [_text(CONDITIONS[filter], listed)]


def _newest_that_fits(listed: Listed, filter: ListFilter) -> sa.ColumnElement[bool]:
    """No newer message of the conversation in the folder fits too.

    The plus keeps the planners from walking through the whole list: of one conversation there are few rows.
    """
    newer = aliased(listed, name="newer")
    return ~(
        sa.exists()
        .where(
            newer.conversation_id == listed.conversation_id,
            sa.text(SAME_FOLDER[listed]),
            sa.text(CONDITIONS[filter].format(table="newer")),
            sa.tuple_(newer.received_at, newer.uid) > sa.tuple_(listed.received_at, listed.uid),
        )
        .correlate(Message, LabelEntry)
    )


def _rows(db: Session, query: sa.Select[Any]) -> list[ListRow]:
    return [ListRow(*row) for row in db.execute(query)]


def conversation_messages(
    db: Session, account_id: int, conversation_id: int, *, folder_id: int | None = None, limit: int = 500
) -> Sequence[ListRow]:
    """A conversation's messages over all folders, oldest first: the newest `limit` of them, each once.

    Those in Trash and Junk are left out unless `folder_id`, the folder being looked at, is that one; of copies, the one
    in `folder_id` is shown.
    """
    of_it = select(*ROW_COLUMNS).where(
        Message.account_id == account_id,
        Message.conversation_id == conversation_id,
        is_shown(account_id, folder_id),
    )
    newest = _rows(db, of_it.order_by(Message.received_at.desc(), Message.id.desc()).limit(limit))
    here_first = sorted(newest, key=lambda row: row.folder_id != folder_id)
    return sorted(distinct(here_first), key=lambda row: (row.received_at, row.id))


FOLDER_NAMES = tuple(FolderRow.__dataclass_fields__)
FOLDER_COLUMNS = (
    *(getattr(Folder, name) for name in FOLDER_NAMES[: FOLDER_NAMES.index("is_view")]),
    Folder.label.is_not(None),
)
ACCOUNT_COLUMNS = tuple(getattr(MailAccount, name) for name in AccountRow.__dataclass_fields__)


def folder_tree(db: Session, user_id: int) -> Sequence[AccountTree]:
    """All accounts of a person with their folders, in two queries."""
    mine = select(*ACCOUNT_COLUMNS).where(MailAccount.owner_id == user_id)
    accounts = [AccountRow(*row) for row in db.execute(mine.order_by(MailAccount.position, MailAccount.id))]
    folders: dict[int, list[FolderRow]] = {account.id: [] for account in accounts}
    of_them = select(*FOLDER_COLUMNS).where(Folder.account_id.in_(folders))
    for row in db.execute(of_them):
        folder = FolderRow(*row)
        folders[folder.account_id].append(folder)
    return [_tree(account, folders[account.id]) for account in accounts]


def _tree(account: AccountRow, folders: Sequence[FolderRow]) -> AccountTree:
    unread = sum(folder.unread for folder in folders if folder.role is Role.INBOX)
    return AccountTree(account, display_order(folders), unread)


def conversation_members(db: Session, user_id: int, message_ids: Sequence[int], *, limit: int) -> Sequence[int]:
    """The messages of a person's that are in the conversations and folders of these, newest first."""
    named = aliased(Message, name="named")
    same = (
        select(Message.id)
        .join(MailAccount, MailAccount.id == Message.account_id)
        .join(
            named,
            (named.account_id == Message.account_id)
            & (named.conversation_id == Message.conversation_id)
            & (named.folder_id == Message.folder_id),
        )
        .where(named.id.in_(message_ids), MailAccount.owner_id == user_id)
        .distinct()
    )
    return db.scalars(same.order_by(Message.id.desc()).limit(limit)).all()
