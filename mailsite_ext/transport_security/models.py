"""What is remembered of MTA-STS: policies of others, and what was published here last."""

from __future__ import annotations

from datetime import datetime

from sqlalchemy import LargeBinary, String
from sqlalchemy.orm import Mapped, mapped_column

from app.extension_api import Base, UtcDateTime
from mailsite_ext.transport_security.mta_sts import Mode


class KeptPolicy(Base):
    """The policy of a domain mail is sent to, as it was served (RFC 8461 §3.3).  Never had: no `fetched_at`."""

    __tablename__ = "mailsite_kept_policy"

    domain: Mapped[str] = mapped_column(String(255), primary_key=True)
    record_id: Mapped[str] = mapped_column(String(32), default="")  # of the TXT record it was fetched for
    octets: Mapped[bytes] = mapped_column(LargeBinary, default=b"")
    fetched_at: Mapped[datetime | None] = mapped_column(UtcDateTime)
    failed_at: Mapped[datetime | None] = mapped_column(UtcDateTime)  # when fetching failed last, since it worked last
    used_at: Mapped[datetime] = mapped_column(UtcDateTime, index=True)  # within a day


class PublishedPolicy(Base):
    """What senders were told last of a domain hosted here, and until when they may hold it (T1)."""

    __tablename__ = "mailsite_published_policy"

    domain: Mapped[str] = mapped_column(String(255), primary_key=True)
    mode: Mapped[Mode]
    until: Mapped[datetime] = mapped_column(UtcDateTime)
