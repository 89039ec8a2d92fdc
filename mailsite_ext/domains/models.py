"""Who has which mailbox, which addresses lead to it, and what opens it."""

from __future__ import annotations

from datetime import datetime
from enum import StrEnum

from sqlalchemy import BigInteger, ForeignKey, Index, String, UniqueConstraint, false, true
from sqlalchemy.orm import Mapped, mapped_column

from app.extension_api import Base, UtcDateTime

EVERY_DOMAIN = ""
"""The domain of an alias that stands at every hosted domain."""


class MailboxState(StrEnum):
    OPEN = "open"
    CLOSED = "closed"  # takes no mail and opens to nobody; what is in it stays


class Mailbox(Base):
    """One person's hosted mail: `name` at every hosted domain, and what aliases lead to it.

    When the person is removed the row stays without them and its name is retired: nobody gets it, nor the aliases,
    until an admin releases it.  A row whose person is gone by hand (the sqlite3 shell sets no NULL) counts as retired.
    """

    __tablename__ = "mailsite_hosted_mailbox"
    __table_args__ = {"sqlite_autoincrement": True}

    id: Mapped[int] = mapped_column(primary_key=True)
    user_id: Mapped[int | None] = mapped_column(ForeignKey("user.id", ondelete="SET NULL"), unique=True)
    name: Mapped[str] = mapped_column(String(64), unique=True)  # folded local part, and its name in the storage
    state: Mapped[MailboxState] = mapped_column(default=MailboxState.OPEN)
    quota_octets: Mapped[int | None] = mapped_column(BigInteger)  # None: no limit
    hidden_capabilities: Mapped[str] = mapped_column(String(500), default="")  # of IMAP, from a broken client
    recipients_per_hour: Mapped[int | None]  # elsewhere; None: as all have
    recipients_per_day: Mapped[int | None]
    may_forward: Mapped[bool] = mapped_column(default=False, server_default=false())
    forward_to: Mapped[str] = mapped_column(String(320), default="", server_default="")  # elsewhere; empty: nowhere
    keeps_copy: Mapped[bool] = mapped_column(default=True, server_default=true())  # of what is forwarded
    scram_salt: Mapped[bytes]  # of all its app passwords: SCRAM names one salt before it knows which was typed
    scram_iterations: Mapped[int]
    created_at: Mapped[datetime] = mapped_column(UtcDateTime)


class Address(Base):
    """A further way to a mailbox: an alias, or with the name `*` what no other address takes (catch-all).

    Several rows of one address lead to several mailboxes.
    """

    __tablename__ = "mailsite_address"
    __table_args__ = (
        UniqueConstraint("local_part", "domain", "mailbox_id"),
        Index("ix_mailsite_address_mailbox", "mailbox_id"),
    )

    id: Mapped[int] = mapped_column(primary_key=True)
    local_part: Mapped[str] = mapped_column(String(64))  # folded
    domain: Mapped[str] = mapped_column(String(253))  # A-labels, or EVERY_DOMAIN
    mailbox_id: Mapped[int] = mapped_column(ForeignKey("mailsite_hosted_mailbox.id", ondelete="CASCADE"))


class AppPassword(Base):
    """A password for one mail client; only what SCRAM-SHA-256 verifies with is kept (RFC 5802 §3)."""

    __tablename__ = "mailsite_app_password"

    id: Mapped[int] = mapped_column(primary_key=True)
    mailbox_id: Mapped[int] = mapped_column(ForeignKey("mailsite_hosted_mailbox.id", ondelete="CASCADE"), index=True)
    label: Mapped[str] = mapped_column(String(100))
    stored_key: Mapped[bytes]
    server_key: Mapped[bytes]
    created_at: Mapped[datetime] = mapped_column(UtcDateTime)
    last_used_at: Mapped[datetime | None] = mapped_column(UtcDateTime)
    last_address: Mapped[str] = mapped_column(String(45), default="")
