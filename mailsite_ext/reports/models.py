"""Reports: mail that waits to be read, what was read in it, and what is counted for the reports we send."""

from __future__ import annotations

from datetime import date, datetime

from sqlalchemy import BigInteger, ForeignKey, Index, Integer, LargeBinary, String, Text, UniqueConstraint
from sqlalchemy.orm import Mapped, mapped_column

from app.extension_api import Base, UtcDateTime
from mailsite_ext.reports.aggregate import Disposition
from mailsite_ext.reports.attached import Kind
from mailsite_ext.reports.faults import LONGEST_DETAIL, Fault

ROW_ID = BigInteger().with_variant(Integer, "sqlite")


class ReportMail(Base):
    """A mail to an address that takes reports.  Read, it goes; what was no report stays as a line, without octets."""

    __tablename__ = "mailsite_report_mail"
    __table_args__ = (Index("ix_mailsite_report_mail_waiting", "fault", "next_at"), {"sqlite_autoincrement": True})

    id: Mapped[int] = mapped_column(ROW_ID, primary_key=True)
    address: Mapped[str] = mapped_column(String(320))
    peer: Mapped[str] = mapped_column(String(45))
    hello: Mapped[str] = mapped_column(String(255))
    sender: Mapped[str] = mapped_column(String(320))  # of the envelope; empty: none
    size_octets: Mapped[int]
    octets: Mapped[bytes] = mapped_column(LargeBinary, deferred=True)
    received_at: Mapped[datetime] = mapped_column(UtcDateTime)
    next_at: Mapped[datetime] = mapped_column(UtcDateTime)  # DNS may not have answered
    tries: Mapped[int] = mapped_column(default=0)
    fault: Mapped[Fault | None]  # None: it waits
    detail: Mapped[str] = mapped_column(String(LONGEST_DETAIL), default="")


class ReceivedReport(Base):
    """A report about a domain hosted here; the same of the same author is taken once."""

    __tablename__ = "mailsite_received_report"
    __table_args__ = (
        UniqueConstraint("kind", "domain", "author", "report_id"),
        Index("ix_mailsite_received_report_day", "domain", "kind", "day"),
    )

    id: Mapped[int] = mapped_column(primary_key=True)
    kind: Mapped[Kind]
    domain: Mapped[str] = mapped_column(String(255))
    reporter: Mapped[str] = mapped_column(String(255))  # as it calls itself
    author: Mapped[str] = mapped_column(String(255))  # the domain it came from, proven
    report_id: Mapped[str] = mapped_column(String(255))
    day: Mapped[date]
    policy: Mapped[str] = mapped_column(String(20))  # p= as the reporter saw it; of a TLS report the kind of policy
    received_at: Mapped[datetime] = mapped_column(UtcDateTime)


class ReportedSource(Base):
    """Mail that named the domain as its author's, of one source and one outcome (RFC 9990 §3)."""

    __tablename__ = "mailsite_reported_source"

    report_id: Mapped[int] = mapped_column(
        ForeignKey("mailsite_received_report.id", ondelete="CASCADE"), primary_key=True
    )
    number: Mapped[int] = mapped_column(primary_key=True)
    source_ip: Mapped[str] = mapped_column(String(45))
    messages: Mapped[int] = mapped_column(BigInteger)
    disposition: Mapped[Disposition]
    dkim: Mapped[bool]  # passed and aligned, as is `spf`
    spf: Mapped[bool]
    vouched_by: Mapped[str] = mapped_column(String(255))  # the domain that did pass, aligned or not


class ReportedSessions(Base):
    """Sessions of others with the domain's mail servers (RFC 8460 §4.4).  No `failure`: those that worked."""

    __tablename__ = "mailsite_reported_sessions"

    report_id: Mapped[int] = mapped_column(
        ForeignKey("mailsite_received_report.id", ondelete="CASCADE"), primary_key=True
    )
    number: Mapped[int] = mapped_column(primary_key=True)
    policy_type: Mapped[str] = mapped_column(String(40))
    failure: Mapped[str] = mapped_column(String(80))
    mx_host: Mapped[str] = mapped_column(String(255))
    sessions: Mapped[int] = mapped_column(BigInteger)


class ReportTurn(Base):
    """Whose turn it is to read and to send: one delivery process at a time."""

    __tablename__ = "mailsite_report_turn"

    id: Mapped[int] = mapped_column(primary_key=True)  # always 1
    until: Mapped[datetime] = mapped_column(UtcDateTime)


class ReportTally(Base):
    """What is counted for reports we send: so many messages, or sessions, of one day, domain and outcome.

    `head` and `line` are JSON: what a report says once, and what it says of each line.
    """

    __tablename__ = "mailsite_report_tally"

    kind: Mapped[Kind] = mapped_column(primary_key=True)
    day: Mapped[date] = mapped_column(primary_key=True)
    domain: Mapped[str] = mapped_column(String(255), primary_key=True)  # of others, that asks for reports
    digest: Mapped[str] = mapped_column(String(64), primary_key=True)  # of head and line
    head: Mapped[str] = mapped_column(Text)
    line: Mapped[str] = mapped_column(Text)
    number: Mapped[int] = mapped_column(BigInteger)
