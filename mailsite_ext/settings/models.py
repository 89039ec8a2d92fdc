"""The row of the MailSite sub-options."""

from __future__ import annotations

from sqlalchemy import Text
from sqlalchemy.orm import Mapped, mapped_column

from app.extension_api import Base
from mailsite_ext.settings.values import Posture, StorageKind


class MailsiteSettings(Base):
    """One row: what the admin decided about hosting (O1-O16)."""

    __tablename__ = "mailsite_settings"

    id: Mapped[int] = mapped_column(primary_key=True)  # always 1
    storage_engine: Mapped[StorageKind]
    domains: Mapped[str] = mapped_column(Text)  # A-labels, comma-separated
    smtp_port: Mapped[int]
    smtps_port: Mapped[int]
    imap_port: Mapped[int]
    imaps_port: Mapped[int]
    starttls: Mapped[bool]
    expose: Mapped[bool]
    enforce_dmarc: Mapped[bool]
    trusted_forwarders: Mapped[str] = mapped_column(Text, default="", server_default="")  # as `domains`
    greylisting: Mapped[bool] = mapped_column(default=False, server_default="0")
    blocklists: Mapped[str] = mapped_column(Text, default="", server_default="")  # as `domains`
    send_reports: Mapped[bool] = mapped_column(default=True, server_default="1")
    posture: Mapped[Posture]
    log_mail: Mapped[bool]
    test_mode: Mapped[bool]
    fallback_port: Mapped[int]
    listener_processes: Mapped[int] = mapped_column(default=1, server_default="1")
