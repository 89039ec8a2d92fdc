"""Searches the servers are asked for, and those people keep."""

from __future__ import annotations

from datetime import datetime
from enum import StrEnum

from sqlalchemy import JSON, ForeignKey, Index, String, Text, UniqueConstraint
from sqlalchemy.orm import Mapped, mapped_column

from app.db import Base, UtcDateTime


class SearchState(StrEnum):
    WANTED = "wanted"
    DONE = "done"


class ServerSearch(Base):
    """One account's share of a search, asked of its server folder by folder.

    `folder_ids` are those still to be asked; `found` ids of mirror rows; `not_here` counts what the server has and the
    mirror does not know yet.
    """

    __tablename__ = "server_search"
    __table_args__ = (
        Index("ix_server_search_user", "user_id", "asked_at"),
        Index("ix_server_search_account", "account_id", "state"),
        {"sqlite_autoincrement": True},
    )

    id: Mapped[int] = mapped_column(primary_key=True)
    user_id: Mapped[int] = mapped_column(ForeignKey("user.id", ondelete="CASCADE"))
    account_id: Mapped[int] = mapped_column(ForeignKey("mail_account.id", ondelete="CASCADE"))
    text: Mapped[str] = mapped_column(Text)  # as it was typed
    scope: Mapped[str] = mapped_column(String(30))  # app.search.service.Scope, encoded
    folder_ids: Mapped[list[int]] = mapped_column(JSON)
    found: Mapped[list[int]] = mapped_column(JSON, default=list)
    not_here: Mapped[int] = mapped_column(default=0)
    error: Mapped[str] = mapped_column(Text, default="")  # the server's own words, if it refused a folder
    state: Mapped[SearchState] = mapped_column(default=SearchState.WANTED)
    asked_at: Mapped[datetime] = mapped_column(UtcDateTime)


class SavedSearch(Base):
    """A search a person wants to find again."""

    __tablename__ = "saved_search"
    __table_args__ = (UniqueConstraint("user_id", "name"), {"sqlite_autoincrement": True})

    id: Mapped[int] = mapped_column(primary_key=True)
    user_id: Mapped[int] = mapped_column(ForeignKey("user.id", ondelete="CASCADE"))
    name: Mapped[str] = mapped_column(String(100))
    text: Mapped[str] = mapped_column(Text)
