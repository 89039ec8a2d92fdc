"""What an admin wants of a certificate authority, what came of it, and the challenges that are to be answered."""

from __future__ import annotations

from datetime import datetime

from sqlalchemy import String, Text
from sqlalchemy.orm import Mapped, mapped_column

from app.extension_api import Base, UtcDateTime


class CertificateOrder(Base):
    """One row, once an admin has saved the page.  The certificate itself is a file (settings/certificate.py)."""

    __tablename__ = "mailsite_certificate_order"

    id: Mapped[int] = mapped_column(primary_key=True)  # always 1
    enabled: Mapped[bool]
    directory: Mapped[str] = mapped_column(String(500))  # address of the authority (RFC 8555 §7.1.1)
    contact: Mapped[str] = mapped_column(String(254))  # empty: none
    asked_at: Mapped[datetime | None] = mapped_column(UtcDateTime)  # an admin does not want to wait
    next_at: Mapped[datetime] = mapped_column(UtcDateTime)  # when it is looked at again
    tried_at: Mapped[datetime | None] = mapped_column(UtcDateTime)
    failures: Mapped[int] = mapped_column(default=0)  # in a row
    words: Mapped[str] = mapped_column(Text, default="")  # why the last try failed; empty: it did not
    left_out: Mapped[str] = mapped_column(Text, default="")  # names that do not lead here, comma-separated
    names: Mapped[str] = mapped_column(Text, default="")  # of the certificate that was had last, comma-separated
    refused: Mapped[str] = mapped_column(Text, default="", server_default="")  # asked for with it, and not verified
    had_from: Mapped[str] = mapped_column(String(500), default="")  # the authority that issued it
    had_at: Mapped[datetime | None] = mapped_column(UtcDateTime)
    renew_at: Mapped[datetime | None] = mapped_column(UtcDateTime)
    turn_until: Mapped[datetime | None] = mapped_column(UtcDateTime)  # a process is at work on it


class CertificateChallenge(Base):
    """What is answered at /.well-known/acme-challenge/<token>, by any web process (RFC 8555 §8.3)."""

    __tablename__ = "mailsite_certificate_challenge"

    token: Mapped[str] = mapped_column(String(200), primary_key=True)
    answer: Mapped[str] = mapped_column(String(400))
    until: Mapped[datetime] = mapped_column(UtcDateTime)
