"""The mirror: what was last seen of each account's folders and messages.  A cache: deleting it loses nothing."""

from __future__ import annotations

from datetime import datetime
from enum import StrEnum

from sqlalchemy import BigInteger, ForeignKey, Index, String, Text, UniqueConstraint, text
from sqlalchemy.orm import Mapped, mapped_column

from app.db import Base, UtcDateTime
from app.sources import Role


class Folder(Base):
    """A folder of an account, its sync state (RFC 9051 §2.3.1.1, RFC 7162) and its counters.

    `total` and `unread` are kept in the same transaction as the messages they count: no page ever counts rows.

    A folder with a `label` is a *view* (Gmail, X-GM-EXT-1): it holds no messages of its own but shows those of All Mail
    that have the label, by its rows of LabelEntry.  It has no sync state; `complete` says that its counters are ours.
    """

    __tablename__ = "folder"
    __table_args__ = (UniqueConstraint("account_id", "name"), {"sqlite_autoincrement": True})

    id: Mapped[int] = mapped_column(primary_key=True)
    account_id: Mapped[int] = mapped_column(ForeignKey("mail_account.id", ondelete="CASCADE"))
    name: Mapped[str] = mapped_column(Text)  # the whole path, Unicode
    delimiter: Mapped[str | None] = mapped_column(String(1))
    role: Mapped[Role | None]
    selectable: Mapped[bool] = mapped_column(default=True)
    subscribed: Mapped[bool] = mapped_column(default=True)
    label: Mapped[str | None] = mapped_column(Text)  # the label a view shows; None: a folder with messages of its own
    uidvalidity: Mapped[int | None] = mapped_column(BigInteger)
    uidnext: Mapped[int] = mapped_column(BigInteger, default=0)
    highestmodseq: Mapped[int | None] = mapped_column(BigInteger)
    total: Mapped[int] = mapped_column(default=0)
    unread: Mapped[int] = mapped_column(default=0)
    complete: Mapped[bool] = mapped_column(
        default=False
    )  # the first sync of this folder has reached its oldest message
    synced_at: Mapped[datetime | None] = mapped_column(UtcDateTime)


class Message(Base):
    """A message's envelope as last seen on its server; never the truth.

    `uid` is negative (-id) while a move waits for the server to tell the UID in the new folder.
    `leads` marks the newest message of its conversation in its folder: the conversation list reads only those.
    """

    __tablename__ = "message"
    __table_args__ = (
        UniqueConstraint("folder_id", "uid"),
        Index("ix_message_list", "folder_id", "received_at", "uid"),
        Index(
            "ix_message_list_conversations",
            "folder_id",
            "received_at",
            "uid",
            sqlite_where=text("leads"),
            postgresql_where=text("leads"),
        ),
        Index(
            "ix_message_list_unread",
            "folder_id",
            "received_at",
            "uid",
            sqlite_where=text("NOT seen"),
            postgresql_where=text("NOT seen"),
        ),
        Index(
            "ix_message_list_flagged",
            "folder_id",
            "received_at",
            "uid",
            sqlite_where=text("flagged"),
            postgresql_where=text("flagged"),
        ),
        Index(
            "ix_message_list_attachments",
            "folder_id",
            "received_at",
            "uid",
            sqlite_where=text("has_attachments"),
            postgresql_where=text("has_attachments"),
        ),
        Index("ix_message_conversation", "account_id", "conversation_id"),
        Index("ix_message_message_id", "account_id", "message_id_hash"),
        {"sqlite_autoincrement": True},
    )

    id: Mapped[int] = mapped_column(primary_key=True)
    account_id: Mapped[int] = mapped_column(ForeignKey("mail_account.id", ondelete="CASCADE"))
    folder_id: Mapped[int] = mapped_column(ForeignKey("folder.id", ondelete="CASCADE"))
    uid: Mapped[int] = mapped_column(BigInteger)
    modseq: Mapped[int | None] = mapped_column(BigInteger)
    seen: Mapped[bool]
    flagged: Mapped[bool]
    answered: Mapped[bool]
    forwarded: Mapped[bool]  # $Forwarded
    draft: Mapped[bool]
    keywords: Mapped[str] = mapped_column(Text, default="")  # the other flags, separated by spaces
    labels: Mapped[str] = mapped_column(Text, default="")  # Gmail's, one a line
    received_at: Mapped[datetime] = mapped_column(UtcDateTime)  # INTERNALDATE
    sent_at: Mapped[datetime | None] = mapped_column(UtcDateTime)  # Date:
    size_octets: Mapped[int] = mapped_column(BigInteger)
    from_name: Mapped[str] = mapped_column(Text, default="")
    from_address: Mapped[str] = mapped_column(Text, default="")
    recipients: Mapped[str] = mapped_column(
        Text, default=""
    )  # To and Cc, display names or addresses, for Sent and Drafts
    subject: Mapped[str] = mapped_column(Text, default="")
    preview: Mapped[str | None] = mapped_column(Text)  # None: not fetched yet
    has_attachments: Mapped[bool]
    message_id: Mapped[str] = mapped_column(Text, default="")  # without angle brackets
    message_id_hash: Mapped[int] = mapped_column(BigInteger)  # 63 bits of its BLAKE2b: short in an index
    header: Mapped[bytes]  # the raw fields of sources.HEADER_FIELDS, bounded
    bodystructure: Mapped[bytes]  # as the server sent it, unparsed
    conversation_id: Mapped[int] = mapped_column(BigInteger)
    leads: Mapped[bool]
    gmail_msgid: Mapped[int | None] = mapped_column(BigInteger)


class LabelEntry(Base):
    """A message of All Mail under one of its labels: what the list of a view is sorted and filtered by.

    `folder_id` is the view's.  The rest repeats the message's row (`leads` means the same, within the view), so that a
    page of a view is one walk along an index, as a page of a folder is.
    """

    __tablename__ = "label_entry"
    __table_args__ = (
        Index("ix_label_entry_list", "folder_id", "received_at", "uid"),
        *(
            Index(
                f"ix_label_entry_list_{name}",
                "folder_id",
                "received_at",
                "uid",
                sqlite_where=text(condition),
                postgresql_where=text(condition),
            )
            for name, condition in (
                ("conversations", "leads"),
                ("unread", "NOT seen"),
                ("flagged", "flagged"),
                ("attachments", "has_attachments"),
            )
        ),
        Index("ix_label_entry_conversation", "conversation_id", "folder_id"),
    )

    message_id: Mapped[int] = mapped_column(ForeignKey("message.id", ondelete="CASCADE"), primary_key=True)
    folder_id: Mapped[int] = mapped_column(ForeignKey("folder.id", ondelete="CASCADE"), primary_key=True)
    conversation_id: Mapped[int] = mapped_column(BigInteger)
    received_at: Mapped[datetime] = mapped_column(UtcDateTime)
    uid: Mapped[int] = mapped_column(BigInteger)
    seen: Mapped[bool]
    flagged: Mapped[bool]
    has_attachments: Mapped[bool]
    leads: Mapped[bool] = mapped_column(default=False)


class ConversationLink(Base):
    """A Message-ID or reference seen in an account, and the conversation it belongs to."""

    __tablename__ = "conversation_link"
    __table_args__ = (
        Index("ix_conversation_link_conversation", "account_id", "conversation_id"),
        {"sqlite_with_rowid": False},
    )

    account_id: Mapped[int] = mapped_column(ForeignKey("mail_account.id", ondelete="CASCADE"), primary_key=True)
    id_hash: Mapped[int] = mapped_column(BigInteger, primary_key=True, autoincrement=False)
    conversation_id: Mapped[int] = mapped_column(BigInteger)


class CachedSection(Base):
    """A section of a message that is cached, and when it was last used (LRU per user, in octets)."""

    __tablename__ = "cached_section"
    __table_args__ = (
        UniqueConstraint("message_id", "section"),
        Index("ix_cached_section_lru", "account_id", "used_at", "octets"),
    )

    id: Mapped[int] = mapped_column(primary_key=True)
    account_id: Mapped[int] = mapped_column(ForeignKey("mail_account.id", ondelete="CASCADE"))
    message_id: Mapped[int] = mapped_column(ForeignKey("message.id", ondelete="CASCADE"))
    section: Mapped[str] = mapped_column(String(80))  # an IMAP section specification; "" is the whole message
    octets: Mapped[int] = mapped_column(BigInteger)
    used_at: Mapped[datetime] = mapped_column(UtcDateTime)


class BodyChunk(Base):
    """Sealed octets of a cached section: one row up to 512 KiB, else 256 KiB each, in order."""

    __tablename__ = "body_chunk"
    __table_args__ = ({"sqlite_with_rowid": True},)

    section_id: Mapped[int] = mapped_column(ForeignKey("cached_section.id", ondelete="CASCADE"), primary_key=True)
    number: Mapped[int] = mapped_column(primary_key=True)
    sealed: Mapped[bytes]


class RequestState(StrEnum):
    WANTED = "wanted"
    READY = "ready"
    FAILED = "failed"


class BodyRequest(Base):
    """The web waits for sections that are not cached; the engine fetches them and says how it went."""

    __tablename__ = "body_request"
    __table_args__ = (Index("ix_body_request_wanted", "account_id", "state"),)

    id: Mapped[int] = mapped_column(primary_key=True)
    account_id: Mapped[int] = mapped_column(ForeignKey("mail_account.id", ondelete="CASCADE"))
    message_id: Mapped[int] = mapped_column(ForeignKey("message.id", ondelete="CASCADE"), index=True)
    sections: Mapped[str] = mapped_column(Text)  # one a line
    state: Mapped[RequestState] = mapped_column(default=RequestState.WANTED)
    error: Mapped[str] = mapped_column(String(60), default="")  # class name of a MailError
    error_detail: Mapped[str] = mapped_column(Text, default="")
    requested_at: Mapped[datetime] = mapped_column(UtcDateTime)
