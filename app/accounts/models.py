"""External mail accounts and the identities people write from."""

from __future__ import annotations

from datetime import datetime
from enum import StrEnum
from uuid import uuid4

from sqlalchemy import ForeignKey, Index, String, Text
from sqlalchemy.orm import Mapped, mapped_column, relationship

from app.accounts.endpoint import Endpoint, Tls
from app.db import Base, UtcDateTime

EXTERNAL = "imap"
"""`MailAccount.source` of accounts held elsewhere."""


class Auth(StrEnum):
    PASSWORD = "password"  # noqa: S105  a kind of login, no secret
    OAUTH = "oauth"


class AccountState(StrEnum):
    NEW = "new"  # no sync has finished yet
    READY = "ready"
    UNREACHABLE = "unreachable"  # retried with growing waits
    REFUSED = "refused"  # the login no longer works: the person must act


class MailAccount(Base):
    """MAIL_ACCOUNT: one mailbox held elsewhere (or by MailSite), and who leases it.

    Deleting the row, in any SQL client, removes everything of it (N5): dependants go by triggers on SQLite, by
    cascades on PostgreSQL.  The key is AUTOINCREMENT: an id is never given twice.
    """

    __tablename__ = "mail_account"
    __table_args__ = (Index("ix_mail_account_owner", "owner_id", "position"), {"sqlite_autoincrement": True})

    id: Mapped[int] = mapped_column(primary_key=True)
    uuid: Mapped[str] = mapped_column(String(36), unique=True, default=lambda: str(uuid4()))
    owner_id: Mapped[int] = mapped_column(ForeignKey("user.id", ondelete="CASCADE"))
    source: Mapped[str] = mapped_column(String(20), default="imap")  # a key of the source registry
    provider: Mapped[str] = mapped_column(String(20), default="")  # a key of app.accounts.presets, or empty
    address: Mapped[str] = mapped_column(String(254))
    label: Mapped[str] = mapped_column(String(100))  # what the folder tree calls it
    color: Mapped[str] = mapped_column(String(10), default="lagoon")
    position: Mapped[int] = mapped_column(default=0)
    paused: Mapped[bool] = mapped_column(default=False)

    imap_host: Mapped[str] = mapped_column(String(253), default="")
    imap_port: Mapped[int] = mapped_column(default=993)
    imap_tls: Mapped[Tls] = mapped_column(default=Tls.IMPLICIT)
    imap_username: Mapped[str] = mapped_column(String(254), default="")
    smtp_host: Mapped[str] = mapped_column(String(253), default="")
    smtp_port: Mapped[int] = mapped_column(default=465)
    smtp_tls: Mapped[Tls] = mapped_column(default=Tls.IMPLICIT)
    smtp_username: Mapped[str] = mapped_column(String(254), default="")

    auth: Mapped[Auth] = mapped_column(default=Auth.PASSWORD)
    sealed_imap_password: Mapped[bytes | None]
    sealed_smtp_password: Mapped[bytes | None]
    sealed_oauth_tokens: Mapped[bytes | None]  # JSON: access_token, refresh_token
    oauth_expires_at: Mapped[datetime | None] = mapped_column(UtcDateTime)
    oauth_refreshing_until: Mapped[datetime | None] = mapped_column(UtcDateTime)  # single flight: who refreshes
    sealed_data_key: Mapped[bytes]  # seals the cached bodies; rotation touches only this

    state: Mapped[AccountState] = mapped_column(default=AccountState.NEW)
    error: Mapped[str] = mapped_column(String(60), default="")  # class name of a MailError; empty: none
    error_detail: Mapped[str] = mapped_column(Text, default="")  # the server's own words
    error_at: Mapped[datetime | None] = mapped_column(UtcDateTime)
    last_sync_at: Mapped[datetime | None] = mapped_column(UtcDateTime)
    retry_at: Mapped[datetime | None] = mapped_column(UtcDateTime)
    sync_total: Mapped[int] = mapped_column(default=0)  # messages the first sync has to fetch
    sync_done: Mapped[int] = mapped_column(default=0)
    files_sent_itself: Mapped[bool] = mapped_column(default=False)  # the provider files sent mail (Gmail)
    is_gmail: Mapped[bool] = mapped_column(default=False)  # X-GM-EXT-1

    engine_id: Mapped[int | None] = mapped_column(ForeignKey("engine.id", ondelete="SET NULL"), index=True)
    epoch: Mapped[int] = mapped_column(default=0)  # raised by each claim; writes of an older epoch change nothing

    identities: Mapped[list[Identity]] = relationship(
        back_populates="account", order_by="Identity.position", passive_deletes=True
    )

    @property
    def is_external(self) -> bool:
        """Held elsewhere, with servers and a login; an extension keeps the others, and alone makes and ends them."""
        return self.source == EXTERNAL

    def imap_endpoint(self) -> Endpoint:
        return Endpoint(self.imap_host, self.imap_port, self.imap_tls)

    def smtp_endpoint(self) -> Endpoint:
        return Endpoint(self.smtp_host, self.smtp_port, self.smtp_tls)


class Identity(Base):
    """A name and address to write from."""

    __tablename__ = "identity"

    id: Mapped[int] = mapped_column(primary_key=True)
    account_id: Mapped[int] = mapped_column(ForeignKey("mail_account.id", ondelete="CASCADE"), index=True)
    name: Mapped[str] = mapped_column(String(200), default="")
    address: Mapped[str] = mapped_column(String(254))
    reply_to: Mapped[str] = mapped_column(String(254), default="")
    signature_html: Mapped[str] = mapped_column(Text, default="")
    position: Mapped[int] = mapped_column(default=0)
    account: Mapped[MailAccount] = relationship(back_populates="identities")
