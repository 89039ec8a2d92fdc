"""Drafts: what people are writing.  They belong to the person, not the account, and outlive it."""

from __future__ import annotations

from datetime import datetime
from enum import StrEnum
from uuid import uuid4

from sqlalchemy import BigInteger, ForeignKey, Index, String, Text
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
    __table_args__ = (
        Index("ix_draft_user", "user_id", "updated_at"),
        Index("ix_draft_file_after", "account_id", "file_after"),
        {"sqlite_autoincrement": True},
    )

    id: Mapped[int] = mapped_column(primary_key=True)
    uuid: Mapped[str] = mapped_column(String(36), unique=True, default=lambda: str(uuid4()))
    user_id: Mapped[int] = mapped_column(ForeignKey("user.id", ondelete="CASCADE"))
    account_id: Mapped[int | None] = mapped_column(ForeignKey("mail_account.id", ondelete="SET NULL"))
    identity_id: Mapped[int | None] = mapped_column(ForeignKey("identity.id", ondelete="SET NULL"))
    kind: Mapped[DraftKind] = mapped_column(default=DraftKind.NEW)
    answers_message_id: Mapped[int | None] = mapped_column(ForeignKey("message.id", ondelete="SET NULL"), index=True)
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
    handed_over: Mapped[bool] = mapped_column(default=False)  # on its way out: nobody edits it meanwhile
    file_after: Mapped[datetime | None] = mapped_column(UtcDateTime)  # due in the Drafts folder; None: it stands there
    attachments: Mapped[list[DraftAttachment]] = relationship(
        back_populates="draft", order_by="DraftAttachment.id", passive_deletes=True
    )


class DraftAttachment(Base):
    """A file attached to a draft; its octets are chunk rows, so that no process holds a large one whole.

    `complete` is false while the chunks arrive; `origin` names the part of another message it was copied from.
    """

    __tablename__ = "draft_attachment"

    id: Mapped[int] = mapped_column(primary_key=True)
    uuid: Mapped[str] = mapped_column(String(36), unique=True, default=lambda: str(uuid4()))
    draft_id: Mapped[int] = mapped_column(ForeignKey("draft.id", ondelete="CASCADE"), index=True)
    filename: Mapped[str] = mapped_column(Text)
    content_type: Mapped[str] = mapped_column(String(255))
    octets: Mapped[int]
    content_id: Mapped[str] = mapped_column(String(200), default="")  # inline image; empty: an attachment
    origin: Mapped[str] = mapped_column(String(120), default="")  # "<message row>/<section>"; empty: uploaded
    complete: Mapped[bool] = mapped_column(default=False)
    draft: Mapped[Draft] = relationship(back_populates="attachments")


class AttachmentChunk(Base):
    """256 KiB of an attachment."""

    __tablename__ = "attachment_chunk"

    attachment_id: Mapped[int] = mapped_column(ForeignKey("draft_attachment.id", ondelete="CASCADE"), primary_key=True)
    number: Mapped[int] = mapped_column(primary_key=True)
    data: Mapped[bytes]


class FiledDraft(Base):
    """A copy of a draft in an account's Drafts folder.

    The newest is the draft's; older ones, and those without a draft (sent, discarded, moved to another account), are
    to be removed there.  The row is written before the copy, so a crash in between leaves nothing that is not known.
    """

    __tablename__ = "filed_draft"
    __table_args__ = (
        Index("ix_filed_draft_account", "account_id", "message_id"),
        Index("ix_filed_draft_draft", "draft_id"),
    )

    id: Mapped[int] = mapped_column(primary_key=True)
    account_id: Mapped[int] = mapped_column(ForeignKey("mail_account.id", ondelete="CASCADE"))
    folder_id: Mapped[int] = mapped_column(ForeignKey("folder.id", ondelete="CASCADE"))
    draft_id: Mapped[int | None] = mapped_column(ForeignKey("draft.id", ondelete="SET NULL"))
    version: Mapped[int]
    message_id: Mapped[str] = mapped_column(Text)  # without angle brackets; empty: another program gave it none
    uid: Mapped[int | None] = mapped_column(BigInteger)
    uidvalidity: Mapped[int | None] = mapped_column(BigInteger)
