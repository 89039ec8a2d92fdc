"""What greylisting remembers."""

from __future__ import annotations

from datetime import datetime

from sqlalchemy import String
from sqlalchemy.orm import Mapped, mapped_column

from app.extension_api import Base, UtcDateTime


class Greylisted(Base):
    """A sender's network, envelope sender and recipient, hashed into one name; or a network alone, by its own.

    `passed`: for the three, how often mail came after the wait; for a network, how many threes did.
    """

    __tablename__ = "mailsite_greylisted"

    name: Mapped[str] = mapped_column(String(64), primary_key=True)
    begun_at: Mapped[datetime] = mapped_column(UtcDateTime)
    seen_at: Mapped[datetime] = mapped_column(UtcDateTime, index=True)
    passed: Mapped[int]
