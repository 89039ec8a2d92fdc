"""Conversations in a list: what is told of each, counted over all folders of its account."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from typing import Any, NamedTuple, Protocol, TypeVar, cast

import sqlalchemy as sa
from sqlalchemy import select
from sqlalchemy.orm import Session

from app.mirror.models import Folder, Message
from app.sources import Role

MAX_SUMMARY_ROWS = 2_000
HIDDEN_FROM_CONVERSATIONS = (Role.TRASH, Role.JUNK)


class Sender(NamedTuple):
    """Who wrote in a conversation."""

    name: str
    address: str


class Summary(NamedTuple):
    """A conversation over all folders of its account, Trash and Junk left out; senders in order of first appearance."""

    messages: int
    unread: int
    flagged: int
    senders: tuple[Sender, ...]
    has_attachments: bool


class Member(NamedTuple):
    """What a summary needs of a message; `received_at` as the database writes it, which sorts as well."""

    conversation_id: int
    received_at: Any
    id: int
    seen: bool
    flagged: bool
    has_attachments: bool
    from_name: str
    from_address: str
    message_id_hash: int
    gmail_msgid: int | None


MESSAGE, FOLDER = cast(sa.Table, Message.__table__), cast(sa.Table, Folder.__table__)
MEMBER_COLUMNS = (
    MESSAGE.c.conversation_id,
    sa.type_coerce(MESSAGE.c.received_at, sa.types.NullType()),
    *(MESSAGE.c[name] for name in Member._fields[2:]),
)


# Built once: of a list's time, writing its statements took as long as asking them.
IN_ACCOUNT = MESSAGE.c.account_id == sa.bindparam("account_id", type_=sa.Integer)
IS_SHOWN = MESSAGE.c.folder_id.not_in(
    select(FOLDER.c.id).where(
        FOLDER.c.account_id == sa.bindparam("account_id", type_=sa.Integer),
        FOLDER.c.role.in_(HIDDEN_FROM_CONVERSATIONS),
        FOLDER.c.id != sa.bindparam("folder_id", type_=sa.Integer),
    )
)
"""Messages in Trash and Junk are part of a conversation only when looked at from there."""
OF_CONVERSATIONS = (
    select(*MEMBER_COLUMNS)
    .where(IN_ACCOUNT, MESSAGE.c.conversation_id.in_(sa.bindparam("conversation_ids", expanding=True)), IS_SHOWN)
    .limit(MAX_SUMMARY_ROWS)
)


def summaries(db: Session, account_id: int, folder_id: int, conversation_ids: Iterable[int]) -> Mapping[int, Summary]:
    """The conversations, as seen from a folder, in one query; at most MAX_SUMMARY_ROWS messages are counted.

    One that lies wholly beyond that bound is left out.
    """
    by_conversation: dict[int, list[Member]] = {conversation_id: [] for conversation_id in conversation_ids}
    asked = {"account_id": account_id, "folder_id": folder_id, "conversation_ids": list(by_conversation)}
    for row in db.execute(OF_CONVERSATIONS, asked):
        by_conversation[row[0]].append(Member._make(row))
    return {conversation: summarise(members) for conversation, members in by_conversation.items() if members}


def summarise(members: Sequence[Member]) -> Summary:
    """A conversation's summary; a message that lies in several folders counts once."""
    if len(members) == 1:
        return _of_one(members[0])
    ordered = sorted(distinct(members), key=lambda member: (member.received_at, member.id))
    return Summary(
        messages=len(ordered),
        unread=sum(not member.seen for member in ordered),
        flagged=sum(member.flagged for member in ordered),
        senders=tuple(dict.fromkeys(Sender(member.from_name, member.from_address) for member in ordered)),
        has_attachments=any(member.has_attachments for member in ordered),
    )


def _of_one(member: Member) -> Summary:
    """What `summarise` comes to for most conversations, which are one message."""
    sender = Sender(member.from_name, member.from_address)
    return Summary(1, int(not member.seen), int(member.flagged), (sender,), member.has_attachments)


class _Identified(Protocol):
    @property
    def gmail_msgid(self) -> int | None: ...

    @property
    def message_id_hash(self) -> int: ...


OneRow = TypeVar("OneRow", bound=_Identified)


def distinct(messages: Iterable[OneRow]) -> Sequence[OneRow]:
    """One row per message, by Gmail's id or the Message-ID; of copies the first row stands."""
    found: dict[tuple[int | None, int], OneRow] = {}
    for row in messages:
        found.setdefault((row.gmail_msgid, 0 if row.gmail_msgid else row.message_id_hash), row)
    return list(found.values())
