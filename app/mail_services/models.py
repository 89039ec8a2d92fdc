"""Site-wide settings the admin makes: the mode, registration, OAuth clients."""

from __future__ import annotations

from enum import StrEnum
from uuid import uuid4

from sqlalchemy import String, Text
from sqlalchemy.orm import Mapped, mapped_column

from app.accounts.endpoint import Tls
from app.db import Base
from app.mail_services.modes import Mode


class MailServices(Base):
    """One row: the mode, and what external accounts may reach (E3, E4)."""

    __tablename__ = "mail_services"

    id: Mapped[int] = mapped_column(primary_key=True)  # always 1
    mode: Mapped[Mode] = mapped_column(default=Mode.DISABLED)
    private_hosts: Mapped[str] = mapped_column(Text, default="")  # host names, addresses or networks, one a line
    cleartext_hosts: Mapped[str] = mapped_column(Text, default="")  # host names, one a line


class RegistrationPolicy(StrEnum):
    OFF = "off"
    OPEN = "open"
    APPROVAL = "approval"
    ACTIVATION = "activation"


class NoticeTransport(StrEnum):
    NONE = "none"
    SMTP = "smtp"
    SENDMAIL = "sendmail"


class AccountRegistration(Base):
    """One row: who may register, and how the site's own mails (activation, reset, invitations) go out (N3)."""

    __tablename__ = "account_registration"

    id: Mapped[int] = mapped_column(primary_key=True)  # always 1
    uuid: Mapped[str] = mapped_column(String(36), default=lambda: str(uuid4()))  # named in the seal
    policy: Mapped[RegistrationPolicy] = mapped_column(default=RegistrationPolicy.OFF)
    transport: Mapped[NoticeTransport] = mapped_column(default=NoticeTransport.NONE)
    from_address: Mapped[str] = mapped_column(String(254), default="")
    smtp_host: Mapped[str] = mapped_column(String(253), default="")
    smtp_port: Mapped[int] = mapped_column(default=465)
    smtp_tls: Mapped[Tls] = mapped_column(default=Tls.IMPLICIT)
    smtp_username: Mapped[str] = mapped_column(String(254), default="")
    sealed_smtp_password: Mapped[bytes | None]


class OAuthClient(Base):
    """The client id and secret an admin registered with a provider."""

    __tablename__ = "oauth_client"

    provider: Mapped[str] = mapped_column(String(20), primary_key=True)  # a key of app.accounts.oauth.PROVIDERS
    client_id: Mapped[str] = mapped_column(String(300))
    sealed_client_secret: Mapped[bytes | None]
