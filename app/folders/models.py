"""What people did to their folders, until the engine has told the server."""

from __future__ import annotations

from datetime import datetime
from enum import StrEnum

from sqlalchemy import ForeignKey, Text
from sqlalchemy.orm import Mapped, mapped_column

from app.db import Base, UtcDateTime


class FolderDeed(StrEnum):
    CREATE = "create"
    RENAME = "rename"  # also a move: the whole path changes, and that of every folder below
    DELETE = "delete"
    SUBSCRIBE = "subscribe"
    UNSUBSCRIBE = "unsubscribe"


class FolderChange(Base):
    """One deed on a folder.  The row goes once the server has done it; one that was refused stays until it is read."""

    __tablename__ = "folder_change"
    __table_args__ = ({"sqlite_autoincrement": True},)

    id: Mapped[int] = mapped_column(primary_key=True)
    account_id: Mapped[int] = mapped_column(ForeignKey("mail_account.id", ondelete="CASCADE"), index=True)
    deed: Mapped[FolderDeed]
    name: Mapped[str] = mapped_column(Text)  # the whole path, as Folder.name
    new_name: Mapped[str] = mapped_column(Text, default="")
    attempts: Mapped[int] = mapped_column(default=0)
    refused: Mapped[bool] = mapped_column(default=False)
    error: Mapped[str] = mapped_column(Text, default="")  # the server's own words
    created_at: Mapped[datetime] = mapped_column(UtcDateTime)
