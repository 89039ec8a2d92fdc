"""What a person's junk filter has learned from them, and from which messages."""

from __future__ import annotations

from sqlalchemy import ForeignKey, Index, String
from sqlalchemy.orm import Mapped, mapped_column

from app.extension_api import Base


class JunkFilter(Base):
    """One mailbox's filter: how many messages of each kind it learned.  Without a row it is on and knows nothing."""

    __tablename__ = "mailsite_junk_filter"

    mailbox_id: Mapped[int] = mapped_column(
        ForeignKey("mailsite_hosted_mailbox.id", ondelete="CASCADE"), primary_key=True
    )
    is_on: Mapped[bool] = mapped_column(default=True)
    good: Mapped[int] = mapped_column(default=0)
    junk: Mapped[int] = mapped_column(default=0)


class JunkWord(Base):
    """How many messages of each kind had a word."""

    __tablename__ = "mailsite_junk_word"
    __table_args__ = (
        Index("ix_mailsite_junk_word_aged", "mailbox_id", "day"),
        {"sqlite_with_rowid": False},  # the key is most of the row
    )

    mailbox_id: Mapped[int] = mapped_column(
        ForeignKey("mailsite_hosted_mailbox.id", ondelete="CASCADE"), primary_key=True
    )
    word: Mapped[str] = mapped_column(String(100), primary_key=True)
    good: Mapped[int]
    junk: Mapped[int]
    day: Mapped[int]  # it was last learned, as date.toordinal() counts


class JunkLesson(Base):
    """A message that was learned, and as what: never twice, and the other way round it is taken back first."""

    __tablename__ = "mailsite_junk_lesson"
    __table_args__ = (Index("ix_mailsite_junk_lesson_aged", "mailbox_id", "day"),)

    mailbox_id: Mapped[int] = mapped_column(
        ForeignKey("mailsite_hosted_mailbox.id", ondelete="CASCADE"), primary_key=True
    )
    email_id: Mapped[str] = mapped_column(String(64), primary_key=True)  # EMAILID, the same for all copies
    is_junk: Mapped[bool]
    day: Mapped[int]
