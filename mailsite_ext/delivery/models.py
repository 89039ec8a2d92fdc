"""The delivery queue: messages on their way to other servers, and what became of each recipient's copy (X4)."""

from __future__ import annotations

from datetime import datetime

from sqlalchemy import BigInteger, ForeignKey, Index, Integer, String, Text, UniqueConstraint
from sqlalchemy.orm import Mapped, mapped_column

from app.extension_api import Base, UtcDateTime
from mailsite_ext.delivery.relay_tls import RelayTls
from mailsite_ext.delivery.retry import Fate

ROW_ID = BigInteger().with_variant(Integer, "sqlite")  # AUTOINCREMENT is SQLite's for plain INTEGER only


class QueuedMessage(Base):
    """A message somebody here sent.  Its octets go when every recipient's fate is known, its rows some days later."""

    __tablename__ = "mailsite_queued_message"
    __table_args__ = (
        Index("ix_mailsite_queued_message_sent", "mailbox", "queued_at"),
        Index("ix_mailsite_queued_message_queued_at", "queued_at"),
        {"sqlite_autoincrement": True},
    )

    id: Mapped[int] = mapped_column(ROW_ID, primary_key=True)
    token: Mapped[str] = mapped_column(String(80), unique=True)  # the same message is taken once
    mailbox: Mapped[str] = mapped_column(String(64))  # who sent it, and hears of its fate
    subject: Mapped[str] = mapped_column(String(200), default="", server_default="")  # for its sender's list
    forwarded_for: Mapped[str] = mapped_column(String(320), default="", server_default="")  # the address here
    sender: Mapped[str] = mapped_column(String(320))
    octets: Mapped[int] = mapped_column(BigInteger)
    is_eight_bit: Mapped[bool]
    needs_utf8: Mapped[bool]
    requires_tls: Mapped[bool]
    ret: Mapped[str] = mapped_column(String(4))
    envid: Mapped[str] = mapped_column(String(120))
    is_whole: Mapped[bool]  # its last block is stored, and its recipients are
    has_octets: Mapped[bool]  # they are kept until every fate is known
    queued_at: Mapped[datetime] = mapped_column(UtcDateTime)


class QueuedBlock(Base):
    """A piece of a message's octets, exactly as they go out."""

    __tablename__ = "mailsite_queued_block"

    message_id: Mapped[int] = mapped_column(
        ForeignKey("mailsite_queued_message.id", ondelete="CASCADE"), primary_key=True
    )
    number: Mapped[int] = mapped_column(primary_key=True)
    octets: Mapped[bytes]


class QueuedRecipient(Base):
    """One recipient's copy.

    A delivery process that works on it has its claim on it until `claimed_until`; `next_at` is set to then before
    anything is dialled, so that a process that dies cannot make another hammer the far side.
    """

    __tablename__ = "mailsite_queued_recipient"
    __table_args__ = (
        Index("ix_mailsite_queued_recipient_due", "fate", "next_at"),
        Index("ix_mailsite_queued_recipient_message", "message_id"),
        Index("ix_mailsite_queued_recipient_claim", "claim"),
        Index("ix_mailsite_queued_recipient_to_tell", "to_tell"),
        Index("ix_mailsite_queued_recipient_shown", "fate", "id"),
        Index("ix_mailsite_queued_recipient_destination", "fate", "domain", "id"),
        {"sqlite_autoincrement": True},
    )

    id: Mapped[int] = mapped_column(ROW_ID, primary_key=True)
    message_id: Mapped[int] = mapped_column(ForeignKey("mailsite_queued_message.id", ondelete="CASCADE"))
    address: Mapped[str] = mapped_column(String(320))
    domain: Mapped[str] = mapped_column(String(255))
    notify: Mapped[str] = mapped_column(String(40))  # words of NOTIFY, joined by commas (RFC 3461 §4.1)
    orcpt: Mapped[str] = mapped_column(String(500))
    fate: Mapped[Fate]
    tries: Mapped[int] = mapped_column(default=0)
    next_at: Mapped[datetime] = mapped_column(UtcDateTime)
    claim: Mapped[str] = mapped_column(String(40), default="")
    claimed_until: Mapped[datetime | None] = mapped_column(UtcDateTime)
    code: Mapped[int] = mapped_column(default=0)  # the last answer; 0: none yet
    words: Mapped[str] = mapped_column(Text, default="")
    host: Mapped[str] = mapped_column(String(255), default="")
    tried_at: Mapped[datetime | None] = mapped_column(UtcDateTime)
    told_of_delay: Mapped[bool] = mapped_column(default=False)
    to_tell: Mapped[str] = mapped_column(String(20), default="")  # a Notice its sender has not been sent yet


class DeliveryAttempt(Base):
    """What was said when a message was tried at a destination."""

    __tablename__ = "mailsite_delivery_attempt"
    __table_args__ = {"sqlite_autoincrement": True}

    id: Mapped[int] = mapped_column(ROW_ID, primary_key=True)
    message_id: Mapped[int] = mapped_column(ForeignKey("mailsite_queued_message.id", ondelete="CASCADE"), index=True)
    domain: Mapped[str] = mapped_column(String(255))
    begun_at: Mapped[datetime] = mapped_column(UtcDateTime)
    port_25_blocked: Mapped[bool]
    transcript: Mapped[str] = mapped_column(Text)


class BouncedAddress(Base):
    """An address that said for good that it takes no mail, to who sent there: refused at once for some days."""

    __tablename__ = "mailsite_bounced_address"
    __table_args__ = (UniqueConstraint("mailbox_id", "address"),)

    id: Mapped[int] = mapped_column(primary_key=True)
    mailbox_id: Mapped[int] = mapped_column(ForeignKey("mailsite_hosted_mailbox.id", ondelete="CASCADE"))
    address: Mapped[str] = mapped_column(String(320))  # in lower case
    code: Mapped[int]
    words: Mapped[str] = mapped_column(Text)
    bounced_at: Mapped[datetime] = mapped_column(UtcDateTime, index=True)


class RelayServer(Base):
    """A server that takes mail for a destination, or for all of them, in place of their own."""

    __tablename__ = "mailsite_relay"

    id: Mapped[int] = mapped_column(primary_key=True)
    uuid: Mapped[str] = mapped_column(String(36), unique=True)
    domain: Mapped[str] = mapped_column(String(253), unique=True)  # empty: all
    host: Mapped[str] = mapped_column(String(253))
    port: Mapped[int]
    tls: Mapped[RelayTls]
    username: Mapped[str] = mapped_column(String(254))  # empty: it asks for none
    sealed_password: Mapped[bytes | None]
    created_at: Mapped[datetime] = mapped_column(UtcDateTime)
