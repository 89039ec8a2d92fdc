"""What people did to messages: written before it is answered, carried out by the engine, undone from the same row."""

from __future__ import annotations

from datetime import datetime
from enum import StrEnum
from typing import Any

from sqlalchemy import JSON, ForeignKey, Index, String, Text
from sqlalchemy.orm import Mapped, mapped_column

from app.db import Base, UtcDateTime


class ActionKind(StrEnum):
    FLAG = "flag"  # add and remove flags or keywords
    MOVE = "move"
    COPY = "copy"
    EXPUNGE = "expunge"  # final deletion: held for the undo time
    LABEL = "label"  # Gmail labels


class ActionState(StrEnum):
    PENDING = "pending"
    RUNNING = "running"  # the engine has begun: undo can no longer cancel, only reverse
    DONE = "done"
    REFUSED = "refused"  # the server said no: reverted in the mirror, its words in `error`
    UNDONE = "undone"


class Action(Base):
    """One deed on messages of one folder.

    `uids` are those of `folder_id` when the deed was done; `message_ids` the mirror rows, in the same order.
    `before` holds what undo needs, in that order too: per message its old flags or labels; for an expunge the whole
    row.  Where a message came from needs no record: it is `folder_id` and its UID.
    """

    __tablename__ = "action"
    __table_args__ = (
        Index("ix_action_pending", "account_id", "state", "not_before"),
        Index("ix_action_user", "user_id", "state"),
        {"sqlite_autoincrement": True},
    )

    id: Mapped[int] = mapped_column(primary_key=True)
    account_id: Mapped[int] = mapped_column(ForeignKey("mail_account.id", ondelete="CASCADE"))
    user_id: Mapped[int] = mapped_column(ForeignKey("user.id", ondelete="CASCADE"))
    kind: Mapped[ActionKind]
    deed: Mapped[str] = mapped_column(String(20), default="")  # the person's verb: archive, junk, read …
    folder_id: Mapped[int] = mapped_column(ForeignKey("folder.id", ondelete="CASCADE"))
    target_id: Mapped[int | None] = mapped_column(ForeignKey("folder.id", ondelete="CASCADE"))
    uids: Mapped[list[int]] = mapped_column(JSON)
    message_ids: Mapped[list[int]] = mapped_column(JSON)
    add: Mapped[list[str]] = mapped_column(JSON, default=list)
    remove: Mapped[list[str]] = mapped_column(JSON, default=list)
    before: Mapped[list[dict[str, Any]]] = mapped_column(JSON, default=list)
    state: Mapped[ActionState] = mapped_column(default=ActionState.PENDING)
    created_at: Mapped[datetime] = mapped_column(UtcDateTime)
    not_before: Mapped[datetime] = mapped_column(UtcDateTime)
    finished_at: Mapped[datetime | None] = mapped_column(UtcDateTime)
    attempts: Mapped[int] = mapped_column(default=0)
    error: Mapped[str] = mapped_column(Text, default="")  # the server's own words
    noticed: Mapped[bool] = mapped_column(default=False)  # the person has been shown the refusal


class BulkState(StrEnum):
    RUNNING = "running"
    DONE = "done"
    UNDOING = "undoing"
    UNDONE = "undone"


class BulkDeed(Base):
    """One deed on everything in a folder that matches: it becomes actions, some hundred messages each.

    `cursor` is where in the list the next ones begin, `newest_id` the newest row there was when it was asked for;
    `done` counts messages, of `total`.  `actions` are ids, in the order they were made, without those taken back.
    """

    __tablename__ = "bulk_deed"
    __table_args__ = (
        Index("ix_bulk_deed_account", "account_id", "state"),
        Index("ix_bulk_deed_user", "user_id", "state"),
        {"sqlite_autoincrement": True},
    )

    id: Mapped[int] = mapped_column(primary_key=True)
    account_id: Mapped[int] = mapped_column(ForeignKey("mail_account.id", ondelete="CASCADE"))
    user_id: Mapped[int] = mapped_column(ForeignKey("user.id", ondelete="CASCADE"))
    folder_id: Mapped[int] = mapped_column(ForeignKey("folder.id", ondelete="CASCADE"))
    deed: Mapped[str] = mapped_column(String(20))  # a name of app.actions.deeds
    object: Mapped[str] = mapped_column(Text, default="")  # what the deed needs besides: a folder's id, a label
    filter: Mapped[str] = mapped_column(String(20), default="")  # a ListFilter
    conversations: Mapped[bool] = mapped_column(default=False)  # with all messages of their conversations there
    newest_id: Mapped[int]
    cursor: Mapped[str] = mapped_column(String(100), default="")
    total: Mapped[int] = mapped_column(default=0)
    done: Mapped[int] = mapped_column(default=0)
    actions: Mapped[list[int]] = mapped_column(JSON, default=list)
    state: Mapped[BulkState] = mapped_column(default=BulkState.RUNNING)
    created_at: Mapped[datetime] = mapped_column(UtcDateTime)
    finished_at: Mapped[datetime | None] = mapped_column(UtcDateTime)
