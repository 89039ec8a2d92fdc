"""Drafts: what people are writing.  They belong to the person, not the account, and outlive it."""

from __future__ import annotations

from datetime import datetime
from enum import StrEnum
from uuid import uuid4

from sqlalchemy import ForeignKey, Index, String, Text
from sqlalchemy.orm import Mapped, mapped_column, relationship

from app.db import Base, UtcDateTime


class DraftKind(StrEnum):
    NEW = "new"
    REPLY = "reply"
    REPLY_ALL = "reply_all"
    FORWARD = "forward"


class Draft(Base):
    """A message being written; `version` rises with every save, so a second tab cannot overwrite unseen."""

    __tablename__ = "draft"
    __table_args__ = (Index("ix_draft_user", "user_id", "updated_at"), {"sqlite_autoincrement": True})

    id: Mapped[int] = mapped_column(primary_key=True)
    uuid: Mapped[str] = mapped_column(String(36), unique=True, default=lambda: str(uuid4()))
    user_id: Mapped[int] = mapped_column(ForeignKey("user.id", ondelete="CASCADE"))
    account_id: Mapped[int | None] = mapped_column(ForeignKey("mail_account.id", ondelete="SET NULL"), index=True)
    identity_id: Mapped[int | None] = mapped_column(ForeignKey("identity.id", ondelete="SET NULL"))
    kind: Mapped[DraftKind] = mapped_column(default=DraftKind.NEW)
    answers_message_id: Mapped[int | None] = mapped_column(ForeignKey("message.id", ondelete="SET NULL"))
    in_reply_to: Mapped[str] = mapped_column(Text, default="")  # Message-IDs in angle brackets
    references: Mapped[str] = mapped_column(Text, default="")
    to: Mapped[str] = mapped_column(Text, default="")
    cc: Mapped[str] = mapped_column(Text, default="")
    bcc: Mapped[str] = mapped_column(Text, default="")
    subject: Mapped[str] = mapped_column(Text, default="")
    html: Mapped[str] = mapped_column(Text, default="")  # empty: a plain text message
    text: Mapped[str] = mapped_column(Text, default="")
    version: Mapped[int] = mapped_column(default=1)
    created_at: Mapped[datetime] = mapped_column(UtcDateTime)
    updated_at: Mapped[datetime] = mapped_column(UtcDateTime)
    # What stands in the account's Drafts folder: its folder, UID and which version it is.
    filed_folder_id: Mapped[int | None] = mapped_column(ForeignKey("folder.id", ondelete="SET NULL"))
    filed_uid: Mapped[int | None]
    filed_version: Mapped[int] = mapped_column(default=0)
    attachments: Mapped[list[DraftAttachment]] = relationship(
        back_populates="draft", order_by="DraftAttachment.id", passive_deletes=True
    )


class DraftAttachment(Base):
    """A file attached to a draft; its octets are chunk rows, so that no process holds a large one whole."""

    __tablename__ = "draft_attachment"

    id: Mapped[int] = mapped_column(primary_key=True)
    uuid: Mapped[str] = mapped_column(String(36), unique=True, default=lambda: str(uuid4()))
    draft_id: Mapped[int] = mapped_column(ForeignKey("draft.id", ondelete="CASCADE"), index=True)
    filename: Mapped[str] = mapped_column(Text)
    content_type: Mapped[str] = mapped_column(String(255))
    octets: Mapped[int]
    content_id: Mapped[str] = mapped_column(String(200), default="")  # inline image; empty: an attachment
    draft: Mapped[Draft] = relationship(back_populates="attachments")


class AttachmentChunk(Base):
    """256 KiB of an attachment."""

    __tablename__ = "attachment_chunk"

    attachment_id: Mapped[int] = mapped_column(ForeignKey("draft_attachment.id", ondelete="CASCADE"), primary_key=True)
    number: Mapped[int] = mapped_column(primary_key=True)
    data: Mapped[bytes]
