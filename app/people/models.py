"""People: an address book of one's own, and those collected from mail; by which words each address is found."""

from __future__ import annotations

from sqlalchemy import BigInteger, ForeignKey, Index, String, Text, UniqueConstraint
from sqlalchemy.orm import Mapped, mapped_column, relationship

from app.db import Base

BYTEWISE = Text().with_variant(Text(collation="C"), "postgresql")
"""Compared octet by octet on both databases, so that what begins with a term is one range of an index."""


class Person(Base):
    """Somebody with one address or more: kept by the owner (`in_book`), or only met in mail."""

    __tablename__ = "person"
    __table_args__ = (Index("ix_person_list", "user_id", "in_book", "sort_key", "id"), {"sqlite_autoincrement": True})

    id: Mapped[int] = mapped_column(primary_key=True)
    user_id: Mapped[int] = mapped_column(ForeignKey("user.id", ondelete="CASCADE"))
    name: Mapped[str] = mapped_column(String(200))  # may be empty
    sort_key: Mapped[str] = mapped_column(BYTEWISE)
    in_book: Mapped[bool]
    addresses: Mapped[list[PersonAddress]] = relationship(
        back_populates="person", order_by="PersonAddress.position, PersonAddress.id", passive_deletes=True
    )


class PersonAddress(Base):
    """An address of somebody; each stands once among a user's people.  `weight` is of app.people.ranking."""

    __tablename__ = "person_address"
    __table_args__ = (
        UniqueConstraint("user_id", "key"),
        Index("ix_person_address_person", "person_id"),
        {"sqlite_autoincrement": True},
    )

    id: Mapped[int] = mapped_column(primary_key=True)
    user_id: Mapped[int] = mapped_column(ForeignKey("user.id", ondelete="CASCADE"))
    person_id: Mapped[int] = mapped_column(ForeignKey("person.id", ondelete="CASCADE"))
    position: Mapped[int] = mapped_column(default=0)  # the first one is written to
    address: Mapped[str] = mapped_column(Text)
    key: Mapped[str] = mapped_column(Text)  # compose.addresses.Address.key
    weight: Mapped[float]
    person: Mapped[Person] = relationship(back_populates="addresses")


class PersonWord(Base):
    """A word an address is found by the beginning of, with the weight beside it: a look-up reads one index alone."""

    __tablename__ = "person_word"
    __table_args__ = (
        Index("ix_person_word_found", "user_id", "word", "weight", "address_id"),
        {"sqlite_with_rowid": False},
    )

    address_id: Mapped[int] = mapped_column(ForeignKey("person_address.id", ondelete="CASCADE"), primary_key=True)
    word: Mapped[str] = mapped_column(BYTEWISE, primary_key=True)
    user_id: Mapped[int] = mapped_column(ForeignKey("user.id", ondelete="CASCADE"))
    weight: Mapped[float]


class AddressGroup(Base):
    """A named list of addresses, as a field of the composer holds them."""

    __tablename__ = "address_group"
    __table_args__ = (UniqueConstraint("user_id", "name"), {"sqlite_autoincrement": True})

    id: Mapped[int] = mapped_column(primary_key=True)
    user_id: Mapped[int] = mapped_column(ForeignKey("user.id", ondelete="CASCADE"))
    name: Mapped[str] = mapped_column(String(100))
    members: Mapped[str] = mapped_column(Text)  # compose.addresses.format_addresses
    count: Mapped[int]


class PeopleRead(Base):
    """Up to which message (by id) an account's mail was looked through for people."""

    __tablename__ = "people_read"

    account_id: Mapped[int] = mapped_column(
        ForeignKey("mail_account.id", ondelete="CASCADE"), primary_key=True, autoincrement=False
    )
    message_id: Mapped[int] = mapped_column(BigInteger)
