"""Whom people trust."""

from __future__ import annotations

from datetime import datetime

from sqlalchemy import ForeignKey, String, UniqueConstraint
from sqlalchemy.orm import Mapped, mapped_column

from app.extension_api import Base, UtcDateTime


class TrustedSender(Base):
    """An address, or "@domain" for everybody there: in lower case, the domain in A-labels."""

    __tablename__ = "mailsite_trusted_sender"
    __table_args__ = (UniqueConstraint("user_id", "sender"),)

    id: Mapped[int] = mapped_column(primary_key=True)
    user_id: Mapped[int] = mapped_column(ForeignKey("user.id", ondelete="CASCADE"))
    sender: Mapped[str] = mapped_column(String(320))
    added_at: Mapped[datetime] = mapped_column(UtcDateTime)
