"""The tables of the catalogue: what is known of hosted mail, without its bytes.

SqlMailStorage keeps them in the public database.  FileMailStorage keeps the same tables in an SQLite file of its own,
rebuilt from its journals whenever need be.

A message's `id` is `folder_id << 32 | uid`: one number finds it, a folder is one range, and its rows lie together by
ascending UID.  Times are Unix seconds (UTC), as IMAP's sorting and searching want them.
"""

from __future__ import annotations

from sqlalchemy import BigInteger, ForeignKey, Index, Integer, String, Text, UniqueConstraint, text
from sqlalchemy.orm import Mapped, mapped_column

from app.extension_api import Base, Role

ROW_ID = BigInteger().with_variant(Integer, "sqlite")  # AUTOINCREMENT is SQLite's for plain INTEGER only


class StoredMailbox(Base):
    """One person's mail.  The row is locked by whoever changes its octets, or its set of folders."""

    __tablename__ = "mailsite_mailbox"
    __table_args__ = {"sqlite_autoincrement": True}

    id: Mapped[int] = mapped_column(ROW_ID, primary_key=True)
    name: Mapped[str] = mapped_column(String(255), unique=True)
    last_uidvalidity: Mapped[int] = mapped_column(BigInteger)  # of all its folders, those that are gone too
    octets: Mapped[int] = mapped_column(BigInteger)
    messages: Mapped[int] = mapped_column(BigInteger)
    limit_octets: Mapped[int | None] = mapped_column(BigInteger)


class RemovedMailbox(Base):
    """What must outlive a mailbox: one of the same name gives no UIDVALIDITY again (RFC 9051 §2.3.1.1)."""

    __tablename__ = "mailsite_removed_mailbox"

    name: Mapped[str] = mapped_column(String(255), primary_key=True)
    last_uidvalidity: Mapped[int] = mapped_column(BigInteger)


class CataloguedFolder(Base):
    """A folder and its counters: the row every change of its messages locks, and rewrites in the same transaction."""

    __tablename__ = "mailsite_folder"
    __table_args__ = (UniqueConstraint("mailbox_id", "name"), {"sqlite_autoincrement": True})

    id: Mapped[int] = mapped_column(ROW_ID, primary_key=True)
    object_id: Mapped[str] = mapped_column(String(40), unique=True)
    mailbox_id: Mapped[int] = mapped_column(ForeignKey("mailsite_mailbox.id", ondelete="CASCADE"))
    name: Mapped[str] = mapped_column(String(1000))
    role: Mapped[Role | None]
    selectable: Mapped[bool]
    uidvalidity: Mapped[int] = mapped_column(BigInteger)
    uidnext: Mapped[int] = mapped_column(BigInteger)
    highestmodseq: Mapped[int] = mapped_column(BigInteger)
    known_since: Mapped[int] = mapped_column(BigInteger)  # mailsite_change names every step after this MODSEQ
    messages: Mapped[int] = mapped_column(BigInteger)
    unseen: Mapped[int] = mapped_column(BigInteger)
    deleted: Mapped[int] = mapped_column(BigInteger)
    octets: Mapped[int] = mapped_column(BigInteger)
    keywords: Mapped[str] = mapped_column(Text)  # every keyword a message of it ever had, separated by spaces
    recent_from: Mapped[int] = mapped_column(BigInteger, server_default="1")  # see StoredFolder


class Subscription(Base):
    """A name somebody subscribed to, whether there is a folder of that name or not (RFC 9051 §6.3.7)."""

    __tablename__ = "mailsite_subscription"

    mailbox_id: Mapped[int] = mapped_column(ForeignKey("mailsite_mailbox.id", ondelete="CASCADE"), primary_key=True)
    name: Mapped[str] = mapped_column(String(1000), primary_key=True)


class CataloguedMessage(Base):
    """What never changes in a message.  `location` says where the engine keeps its bytes."""

    __tablename__ = "mailsite_message"

    id: Mapped[int] = mapped_column(BigInteger, primary_key=True, autoincrement=False)
    internal_date: Mapped[int] = mapped_column(BigInteger)
    internal_zone: Mapped[int] = mapped_column(Integer, server_default="0")  # minutes east of UTC it was given in
    saved_at: Mapped[int] = mapped_column(BigInteger)
    size_octets: Mapped[int] = mapped_column(BigInteger)
    location: Mapped[str] = mapped_column(Text, index=True)
    head: Mapped[bytes]  # of this recipient alone, where the engine keeps it apart from the bytes
    email_id: Mapped[str] = mapped_column(String(64))
    thread_id: Mapped[str] = mapped_column(String(64))
    message_id: Mapped[str] = mapped_column(Text)
    message_key: Mapped[int] = mapped_column(BigInteger, index=True)  # of message_id: a small index finds it
    envelope: Mapped[bytes]
    bodystructure: Mapped[bytes]
    parts: Mapped[bytes]
    preview: Mapped[str] = mapped_column(Text)


class MessageFlags(Base):
    """What changes in a message: a narrow row of its own, so that STORE 1:* rewrites few pages."""

    __tablename__ = "mailsite_flag"

    id: Mapped[int] = mapped_column(BigInteger, primary_key=True, autoincrement=False)
    modseq: Mapped[int] = mapped_column(BigInteger)
    flags: Mapped[str] = mapped_column(Text)
    is_seen: Mapped[bool]
    is_deleted: Mapped[bool]

    __table_args__ = (
        # The first unseen message, and what EXPUNGE takes, however large the folder is.
        Index("ix_mailsite_flag_unseen", "id", sqlite_where=text("NOT is_seen"), postgresql_where=text("NOT is_seen")),
        Index("ix_mailsite_flag_deleted", "id", sqlite_where=text("is_deleted"), postgresql_where=text("is_deleted")),
    )


class FolderChange(Base):
    """One step in a folder: the UIDs it changed or expunged, as an IMAP sequence set.

    It is the index from MODSEQ to messages, at one row a step instead of one entry a message, and the tombstones.
    """

    __tablename__ = "mailsite_change"

    folder_id: Mapped[int] = mapped_column(ForeignKey("mailsite_folder.id", ondelete="CASCADE"), primary_key=True)
    modseq: Mapped[int] = mapped_column(BigInteger, primary_key=True)
    is_expunge: Mapped[bool] = mapped_column(primary_key=True)
    uids: Mapped[str] = mapped_column(Text)


class RefiledMessage(Base):
    """A message somebody put into Junk or took out of it, until the mailbox's filter has learned from it."""

    __tablename__ = "mailsite_refiled"
    __table_args__ = {"sqlite_autoincrement": True}

    id: Mapped[int] = mapped_column(ROW_ID, primary_key=True)
    mailbox_id: Mapped[int] = mapped_column(ForeignKey("mailsite_mailbox.id", ondelete="CASCADE"), index=True)
    message_id: Mapped[int] = mapped_column(BigInteger)  # a key of mailsite_message, perhaps of one that is gone
    is_junk: Mapped[bool]


class UnusedLocation(Base):
    """Bytes that lost a row that pointed at them; the engine looks whether any is left, and when they may go."""

    __tablename__ = "mailsite_unused"
    __table_args__ = {"sqlite_autoincrement": True}

    id: Mapped[int] = mapped_column(ROW_ID, primary_key=True)
    location: Mapped[str] = mapped_column(Text)
    unused_since: Mapped[int] = mapped_column(BigInteger)


class ContentSegment(Base):
    """SqlMailStorage: a message kept in pieces, so that an attachment is stored once (O2).

    `location` is that of the whole; the piece is `octets` of the blob from `blob_offset` on.
    """

    __tablename__ = "mailsite_segment"

    location: Mapped[str] = mapped_column(String(80), primary_key=True)
    position: Mapped[int] = mapped_column(Integer, primary_key=True)
    blob: Mapped[str] = mapped_column(String(80), index=True)
    blob_offset: Mapped[int] = mapped_column(BigInteger)
    octets: Mapped[int] = mapped_column(BigInteger)


CATALOGUE = [
    kind.__table__
    for kind in (
        StoredMailbox,
        RemovedMailbox,
        CataloguedFolder,
        Subscription,
        CataloguedMessage,
        MessageFlags,
        FolderChange,
        RefiledMessage,
        UnusedLocation,
    )
]
"""What both engines keep."""
