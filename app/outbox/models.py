"""What is on its way out; every message has a findable fate."""

from __future__ import annotations

from datetime import datetime
from typing import Any
from uuid import uuid4

from sqlalchemy import JSON, ForeignKey, Index, String, Text
from sqlalchemy.orm import Mapped, mapped_column

from app.db import Base, UtcDateTime
from app.outbox.states import OutboxState


class Outgoing(Base):
    """One message handed over for sending; `message` is what goes out, octet for octet."""

    __tablename__ = "outbox"
    __table_args__ = (Index("ix_outbox_due", "state", "not_before"), {"sqlite_autoincrement": True})

    id: Mapped[int] = mapped_column(primary_key=True)
    uuid: Mapped[str] = mapped_column(String(36), unique=True, default=lambda: str(uuid4()))
    user_id: Mapped[int] = mapped_column(ForeignKey("user.id", ondelete="CASCADE"), index=True)
    account_id: Mapped[int | None] = mapped_column(ForeignKey("mail_account.id", ondelete="SET NULL"), index=True)
    draft_id: Mapped[int | None] = mapped_column(ForeignKey("draft.id", ondelete="SET NULL"))
    answers_message_id: Mapped[int | None] = mapped_column(ForeignKey("message.id", ondelete="SET NULL"), index=True)
    answer_flag: Mapped[str] = mapped_column(String(20), default="")  # \\Answered or $Forwarded, set on acceptance
    state: Mapped[OutboxState] = mapped_column(default=OutboxState.HELD)
    mail_from: Mapped[str] = mapped_column(String(254))
    recipients: Mapped[list[str]] = mapped_column(JSON)
    subject: Mapped[str] = mapped_column(Text, default="")  # for lists and notices
    message_id: Mapped[str] = mapped_column(Text)  # without angle brackets
    message: Mapped[bytes] = mapped_column(deferred=True)
    bcc: Mapped[str] = mapped_column(Text, default="")  # not on the wire; in the copy in Sent
    needs_smtputf8: Mapped[bool] = mapped_column(default=False)  # RFC 6531: a local part is not ASCII
    is_remainder: Mapped[bool] = mapped_column(
        default=False
    )  # recipients put off while others accepted: no copy, no flag
    results: Mapped[dict[str, Any]] = mapped_column(JSON, default=dict)  # recipient → the server's refusal, in words
    created_at: Mapped[datetime] = mapped_column(UtcDateTime)
    not_before: Mapped[datetime] = mapped_column(UtcDateTime)
    scheduled_at: Mapped[datetime | None] = mapped_column(UtcDateTime)  # the person wants it sent then
    accepted_at: Mapped[datetime | None] = mapped_column(UtcDateTime)
    looked_at: Mapped[datetime | None] = mapped_column(UtcDateTime)  # when Sent was last searched for an unknown one
    attempts: Mapped[int] = mapped_column(default=0)
    error: Mapped[str] = mapped_column(Text, default="")  # why it waits, or was refused
