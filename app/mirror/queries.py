"""What the pages ask of the mirror: named questions, Core columns, keyset paging; never OFFSET, never count(*)."""

from __future__ import annotations

import heapq
import re
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from enum import StrEnum
from functools import lru_cache
from typing import Any, NamedTuple, cast

import sqlalchemy as sa
from sqlalchemy import select
from sqlalchemy.orm import Session, aliased

from app.accounts.models import MailAccount
from app.errors import NoSuchFolder, NoSuchMessage
from app.mail_services.awake import is_awake
from app.mirror.models import Folder, LabelEntry, Message
from app.mirror.summaries import IN_ACCOUNT, IS_SHOWN, Summary, distinct, summaries
from app.mirror.tree import AccountRow, AccountTree, FolderRow, display_order
from app.sources import Role

EPOCH = datetime(1970, 1, 1, tzinfo=UTC)


class ListFilter(StrEnum):
    ALL = ""
    UNREAD = "unread"
    FLAGGED = "flagged"
    ATTACHMENTS = "attachments"


FILTERS = {filter.value: filter for filter in ListFilter}


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


INTEGER, BIGINT = sa.Integer(), sa.BigInteger()
MESSAGE, ENTRY = cast(sa.Table, Message.__table__), cast(sa.Table, LabelEntry.__table__)
ROW_COLUMNS = tuple(MESSAGE.c[name] for name in ListRow._fields if name != "conversation")

# Written as the partial indexes are: SQLite uses one only where the query holds its condition word for word, and
# SQLAlchemy would write "leads = 1" there.
LEADS = "{table}.leads"
CONDITIONS: Mapping[ListFilter, str] = {
    ListFilter.UNREAD: "NOT {table}.seen",
    ListFilter.FLAGGED: "{table}.flagged",
    ListFilter.ATTACHMENTS: "{table}.has_attachments",
}
SAME_FOLDER: Mapping[sa.Table, str] = {
    MESSAGE: "newer.account_id = message.account_id AND +newer.folder_id = message.folder_id",
    ENTRY: "+newer.folder_id = label_entry.folder_id",
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


THEIR_MESSAGE = (
    select(Message)
    .join(MailAccount, MailAccount.id == Message.account_id)
    .where(Message.id == sa.bindparam("message_id"), MailAccount.owner_id == sa.bindparam("user_id"))
)


def get_message(db: Session, user_id: int, message_id: int) -> Message:
    """A message of this person.  Raises NoSuchMessage."""
    message = db.scalar(THEIR_MESSAGE, {"message_id": message_id, "user_id": user_id})
    if message is None:
        raise NoSuchMessage
    return message


def find_folder_by_role(db: Session, account_id: int, role: Role) -> Folder | None:
    with_role = select(Folder).where(Folder.account_id == account_id, Folder.role == role)
    return db.scalar(with_role.order_by(Folder.id).limit(1))


def find_first_inbox(db: Session, user_id: int) -> Folder | None:
    """The inbox of the person's first account that is awake and has one: where the Mail activity begins."""
    inboxes = select(Folder).join(MailAccount, MailAccount.id == Folder.account_id)
    mine = inboxes.where(MailAccount.owner_id == user_id, Folder.role == Role.INBOX, is_awake())
    return db.scalar(mine.order_by(MailAccount.position, MailAccount.id).limit(1))


def list_messages(
    db: Session,
    folder_id: int,
    *,
    before: Cursor | None = None,
    limit: int = 50,
    filter: ListFilter = ListFilter.ALL,
    is_view: bool | None = None,
) -> Sequence[ListRow]:
    """Single messages of a folder, newest first; whether it is a view of All Mail's is looked up unless it is told."""
    statement = _page(_listed(db, folder_id, is_view), filter, conversations=False, further=before is not None)
    return _rows(db, statement, _place(folder_id, before, limit))


def list_conversations(
    db: Session,
    folder_id: int,
    *,
    before: Cursor | None = None,
    limit: int = 50,
    filter: ListFilter = ListFilter.ALL,
    is_view: bool | None = None,
) -> Sequence[ListRow]:
    """Conversations of a folder by their newest message in it (with a filter: the newest that fits), newest first."""
    statement = _page(_listed(db, folder_id, is_view), filter, conversations=True, further=before is not None)
    rows = _rows(db, statement, _place(folder_id, before, limit))
    found = _summaries_of(db, rows)
    return [row._replace(conversation=found.get(row.conversation_id)) for row in rows]


def _summaries_of(db: Session, rows: Sequence[ListRow]) -> Mapping[int, Summary]:
    """The conversations of rows of one folder."""
    if not rows:
        return {}
    return summaries(db, rows[0].account_id, rows[0].folder_id, (row.conversation_id for row in rows))


def count_messages(db: Session, folder_id: int, filter: ListFilter) -> int:
    """How many messages of a folder pass a filter: they are counted, so not for every page."""
    listed = _listed(db, folder_id, None)
    passing = select(sa.func.count()).select_from(listed).where(listed.c.folder_id == folder_id)
    return db.scalar(passing.where(_text(CONDITIONS[filter], listed))) or 0


def next_cursor(rows: Sequence[ListRow], limit: int) -> Cursor | None:
    """Where the page after `limit` rows begins; None if that page is empty, so rows are asked for with one more."""
    return Cursor.of(rows[limit - 1]) if len(rows) > limit else None


def newest_of(lists: Iterable[Sequence[ListRow]]) -> list[ListRow]:
    """Lists, newest first, as one; a row that is in several comes once."""
    merged = heapq.merge(*lists, key=lambda row: (row.received_at, row.uid, row.id), reverse=True)
    return list({row.id: row for row in merged}.values())


def _listed(db: Session, folder_id: int, is_view: bool | None) -> sa.Table:
    """What a folder lists: its messages, or, where it is a view, the entries of All Mail's."""
    if is_view is None:
        is_view = db.scalar(select(Folder.label.is_not(None)).where(Folder.id == folder_id))
    return ENTRY if is_view else MESSAGE


def _place(folder_id: int, before: Cursor | None, limit: int) -> Mapping[str, object]:
    """The parameters of `_page`."""
    further = {"before_at": before.received_at, "before_uid": before.uid} if before else {}
    return {"folder_id": folder_id, "most": limit, **further}


@lru_cache(maxsize=32)
def _page(listed: sa.Table, filter: ListFilter, *, conversations: bool, further: bool) -> sa.Select[Any]:
    """The statement of a page, built once; `further` are those after the first, which follow a cursor."""
    conditions: list[sa.ColumnElement[bool] | sa.TextClause] = []
    if filter is not ListFilter.ALL:
        conditions.append(_text(CONDITIONS[filter], listed))
    if conversations:
        conditions.append(_text(LEADS, listed) if filter is ListFilter.ALL else _newest_that_fits(listed, filter))
    if further:
        place = (sa.bindparam("before_at", type_=MESSAGE.c.received_at.type), sa.bindparam("before_uid", type_=BIGINT))
        conditions.append(sa.tuple_(listed.c.received_at, listed.c.uid) < sa.tuple_(*place))
    page = select(*ROW_COLUMNS).where(listed.c.folder_id == sa.bindparam("folder_id", type_=INTEGER), *conditions)
    if listed is ENTRY:
        page = page.join(ENTRY, ENTRY.c.message_id == MESSAGE.c.id)
    newest_first = page.order_by(listed.c.received_at.desc(), listed.c.uid.desc())
    return newest_first.limit(sa.bindparam("most", type_=INTEGER))


def _text(condition: str, listed: sa.Table) -> sa.TextClause:
    return sa.text(condition.format(table=listed.name))


def _newest_that_fits(listed: sa.Table, filter: ListFilter) -> sa.ColumnElement[bool]:
    """No newer message of the conversation in the folder fits too.

    The plus keeps the planners from walking through the whole list: of one conversation there are few rows.
    """
    newer = listed.alias("newer")
    return ~(
        sa.exists()
        .where(
            newer.c.conversation_id == listed.c.conversation_id,
            sa.text(SAME_FOLDER[listed]),
            sa.text(CONDITIONS[filter].format(table="newer")),
            sa.tuple_(newer.c.received_at, newer.c.uid) > sa.tuple_(listed.c.received_at, listed.c.uid),
        )
        .correlate(MESSAGE, ENTRY)
    )


def _rows(db: Session, statement: sa.Select[Any], values: Mapping[str, object]) -> list[ListRow]:
    return [ListRow(*row) for row in db.execute(statement, values)]


OF_CONVERSATION = (
    select(*ROW_COLUMNS)
    .where(IN_ACCOUNT, MESSAGE.c.conversation_id == sa.bindparam("conversation_id", type_=BIGINT), IS_SHOWN)
    .order_by(MESSAGE.c.received_at.desc(), MESSAGE.c.id.desc())
    .limit(sa.bindparam("most", type_=INTEGER))
)


def conversation_messages(
    db: Session, account_id: int, conversation_id: int, *, folder_id: int | None = None, limit: int = 500
) -> Sequence[ListRow]:
    """A conversation's messages over all folders, oldest first: the newest `limit` of them, each once.

    Those in Trash and Junk are left out unless `folder_id`, the folder being looked at, is that one; of copies, the one
    in `folder_id` is shown.
    """
    it = {"account_id": account_id, "conversation_id": conversation_id, "folder_id": folder_id or 0, "most": limit}
    newest = _rows(db, OF_CONVERSATION, it)
    here_first = sorted(newest, key=lambda row: row.folder_id != folder_id)
    return sorted(distinct(here_first), key=lambda row: (row.received_at, row.id))


ACCOUNTS, FOLDERS = cast(sa.Table, MailAccount.__table__), cast(sa.Table, Folder.__table__)
FOLDER_NAMES = FolderRow._fields
ACCOUNTS_OF = (
    select(*(ACCOUNTS.c[name] for name in AccountRow._fields))
    .where(ACCOUNTS.c.owner_id == sa.bindparam("user_id", type_=INTEGER))
    .order_by(ACCOUNTS.c.position, ACCOUNTS.c.id)
)
FOLDERS_OF = select(
    *(FOLDERS.c[name] for name in FOLDER_NAMES[: FOLDER_NAMES.index("is_view")]), FOLDERS.c.label.is_not(None)
).where(FOLDERS.c.account_id.in_(sa.bindparam("account_ids", expanding=True)))


def folder_tree(db: Session, user_id: int) -> Sequence[AccountTree]:
    """All accounts of a person that are awake, with their folders, in two queries."""
    accounts = [AccountRow(*row) for row in db.execute(_accounts_of(is_awake()), {"user_id": user_id})]
    folders: dict[int, list[FolderRow]] = {account.id: [] for account in accounts}
    for row in db.execute(FOLDERS_OF, {"account_ids": list(folders)}):
        folder = FolderRow(*row)
        folders[folder.account_id].append(folder)
    return [_tree(account, tuple(folders[account.id])) for account in accounts]


@lru_cache(maxsize=4)
def _accounts_of(awake: sa.ColumnElement[bool]) -> sa.Select[Any]:
    return ACCOUNTS_OF.where(awake)


def _tree(account: AccountRow, folders: tuple[FolderRow, ...]) -> AccountTree:
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


def split_by_folder(db: Session, user_id: int, message_ids: Sequence[int]) -> Sequence[Sequence[int]]:
    """A person's messages by the folder they are in, all of them in the first group where none is theirs."""
    mine = select(MESSAGE.c.id, MESSAGE.c.folder_id).join(MailAccount, MailAccount.id == MESSAGE.c.account_id)
    rows = db.execute(mine.where(MESSAGE.c.id.in_(message_ids), MailAccount.owner_id == user_id)).all()
    folders: dict[int, list[int]] = {}
    for row in rows:
        folders.setdefault(row.folder_id, []).append(row.id)
    return list(folders.values()) or [message_ids]
