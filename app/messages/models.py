"""What a person decided about the messages they read."""

from __future__ import annotations

from sqlalchemy import ForeignKey, String
from sqlalchemy.orm import Mapped, mapped_column

from app.db import Base


class TrustedImageSender(Base):
    """Someone whose remote images a person always wants shown: an address, or "@domain" for everybody there."""

    __tablename__ = "trusted_image_sender"

    user_id: Mapped[int] = mapped_column(ForeignKey("user.id", ondelete="CASCADE"), primary_key=True)
    sender: Mapped[str] = mapped_column(String(254), primary_key=True)  # lower case
