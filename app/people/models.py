"""People met in mail; by which words each is found."""

from __future__ import annotations

from sqlalchemy import BigInteger, ForeignKey, Index, String, Text, UniqueConstraint
from sqlalchemy.orm import Mapped, mapped_column

from app.db import Base

BYTEWISE = Text().with_variant(Text(collation="C"), "postgresql")
"""Compared octet by octet on both databases, so that what begins with a term is one range of an index."""


class Person(Base):
    """An address somebody wrote to or had mail from, once among a user's people; `weight` is of app.people.ranking."""

    __tablename__ = "person"
    __table_args__ = (UniqueConstraint("user_id", "key"), {"sqlite_autoincrement": True})

    id: Mapped[int] = mapped_column(primary_key=True)
    user_id: Mapped[int] = mapped_column(ForeignKey("user.id", ondelete="CASCADE"))
    name: Mapped[str] = mapped_column(String(200))  # may be empty
    address: Mapped[str] = mapped_column(Text)
    key: Mapped[str] = mapped_column(Text)  # compose.addresses.Address.key
    weight: Mapped[float]


class PersonWord(Base):
    """A word a person is found by the beginning of, with the weight beside it: a look-up reads one index alone."""

    __tablename__ = "person_word"
    __table_args__ = (
        Index("ix_person_word_found", "user_id", "word", "weight", "person_id"),
        {"sqlite_with_rowid": False},
    )

    person_id: Mapped[int] = mapped_column(ForeignKey("person.id", ondelete="CASCADE"), primary_key=True)
    word: Mapped[str] = mapped_column(BYTEWISE, primary_key=True)
    user_id: Mapped[int] = mapped_column(ForeignKey("user.id", ondelete="CASCADE"))
    weight: Mapped[float]


class PeopleRead(Base):
    """Up to which message (by id) an account's mail was looked through for people."""

    __tablename__ = "people_read"

    account_id: Mapped[int] = mapped_column(
        ForeignKey("mail_account.id", ondelete="CASCADE"), primary_key=True, autoincrement=False
    )
    message_id: Mapped[int] = mapped_column(BigInteger)
