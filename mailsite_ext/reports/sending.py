"""Reports of a day that is over, to whom asks for them: through the delivery queue, signed, or by HTTPS.

Its functions commit.  A report has the same name however often it is begun, so that a crash sends none twice by mail.
"""

from __future__ import annotations

import hashlib
import logging
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from datetime import date, datetime, timedelta
from itertools import groupby

from sqlalchemy import ColumnElement, delete, select
from sqlalchemy.orm import Session

from app.extension_api import MailError, Outcome
from mailsite_ext.authentication.budget import DnsBudget
from mailsite_ext.authentication.dkim import SigningKey, sign
from mailsite_ext.authentication.organizational_domain import walk_up
from mailsite_ext.delivery import queue
from mailsite_ext.delivery.queue import Submission
from mailsite_ext.domains.names import DMARC_REPORTS, TLS_REPORTS
from mailsite_ext.protocol.smtp_address import Address
from mailsite_ext.protocol.smtp_grammar import MailFrom, Notify, RcptTo
from mailsite_ext.reports.aggregate_writer import write_aggregate
from mailsite_ext.reports.attached import Kind
from mailsite_ext.reports.counted import Submitter, aggregate_report, bounds_of, due_at, rua_of, tls_report
from mailsite_ext.reports.destinations import (
    ByMail,
    ByPost,
    Destination,
    dmarc_destinations,
    gives_permission,
    question_of_permission,
    tls_destinations,
)
from mailsite_ext.reports.models import ReportTally
from mailsite_ext.reports.tls_report import write_tls_report
from mailsite_ext.reports.written import MEDIA_TYPES, OWN_REPORT, Written, mail_of, packed

log = logging.getLogger(__name__)

AT_A_TIME = 50
GIVEN_UP_AFTER = timedelta(days=2)
NAMES = {Kind.DMARC: DMARC_REPORTS, Kind.TLS: TLS_REPORTS}
"""Local parts reports come from, and go to: whoever sends us theirs sees ours come from the same."""

Post = Callable[[str, bytes, str], None]
"""(address, octets, media type): POST it over verified HTTPS.  Raises MailError."""


class NotNow(Exception):
    """DNS, or who wants the report, does not answer."""


@dataclass(frozen=True, slots=True)
class Sending:
    """`domain` is ours, whose `key` signs; `dns` makes a budget for one report."""

    domain: str
    key: SigningKey
    dns: Callable[[], DnsBudget]
    post: Post

    def send_due(self, db: Session, now: datetime) -> int:
        """How many days of how many domains were done with."""
        done = 0
        for kind, day, domain in _over(db, now.date()):
            if done < AT_A_TIME and due_at(kind, domain, day) <= now:
                done += self._send(db, kind, day, domain, now)
        return done

    def _send(self, db: Session, kind: Kind, day: date, domain: str, now: datetime) -> bool:
        counted = _counted(db, kind, day, domain)
        db.rollback()  # nothing of ours waits while others are asked
        try:
            for report, destination in self._reports(kind, day, domain, counted):
                self._hand_over(db, report, destination, now)
        except NotNow:
            if now.date() - day <= GIVEN_UP_AFTER:
                return False
            log.info("the %s report on %s of %s is given up", kind, domain, day)
        forget(db, kind, day, domain)
        return True

    def _reports(
        self, kind: Kind, day: date, domain: str, counted: Sequence[tuple[str, str, int]]
    ) -> Iterator[tuple[Written, Destination]]:
        """Each with where it goes.  Raises NotNow before the first of a kind of record."""
        by = Submitter(self.domain, f"{NAMES[kind]}@{self.domain}")
        if kind is Kind.TLS:
            destinations = self._tls_destinations(domain)
            if destinations:
                report = tls_report(by, domain, counted, day)
                written = _written(kind, domain, by, report.report_id, day, write_tls_report(report))
                yield from ((written, each) for each in destinations)
            return
        for head, lines in groupby(counted, key=lambda one: one[0]):
            allowed = self._allowed(domain, dmarc_destinations(rua_of(head)))
            if allowed:
                made = aggregate_report(by, head, [one[1:] for one in lines], day)
                written = _written(kind, domain, by, made.report_id, day, write_aggregate(made))
                yield from ((written, each) for each in allowed)

    def _tls_destinations(self, domain: str) -> Sequence[Destination]:
        answer = self.dns().lookup(f"_smtp._tls.{domain}", "TXT")
        if answer.outcome is Outcome.NO_ANSWER:
            raise NotNow
        return tls_destinations(answer.records)

    def _allowed(self, domain: str, destinations: Sequence[ByMail]) -> Sequence[ByMail]:
        """Those of the same organization, and those that say they take reports about it (RFC 9990 §4)."""
        dns = self.dns()
        own = walk_up(domain, dns).organizational_domain
        return [each for each in destinations if self._agrees(domain, own, each.address.domain, dns)]

    def _agrees(self, domain: str, own: str, destination: str, dns: DnsBudget) -> bool:
        if walk_up(destination, dns).organizational_domain == own:
            return True
        answer = dns.lookup(question_of_permission(domain, destination), "TXT")
        if answer.outcome is Outcome.NO_ANSWER:
            raise NotNow
        return gives_permission(answer.records)

    def _hand_over(self, db: Session, report: Written, to: Destination, now: datetime) -> None:
        if isinstance(to, ByPost):
            try:
                self.post(to.url, report.packed, MEDIA_TYPES[report.kind])
            except MailError as error:
                log.info("the report on %s cannot be posted: %s", report.domain, error.detail)
                raise NotNow from None
            return
        mail = mail_of(report, to.address, now)
        if to.most_octets is not None and len(mail) > to.most_octets:
            log.info("the report on %s is larger than %s takes", report.domain, to.address)
            return
        blocks = [sign([mail], self.key, now), mail]
        queue.enqueue(db, _submission(report, to.address), blocks, now)


def _over(db: Session, today: date) -> Sequence[tuple[Kind, date, str]]:
    over = select(ReportTally.kind, ReportTally.day, ReportTally.domain).where(ReportTally.day < today).distinct()
    ordered = over.order_by(ReportTally.day, ReportTally.domain, ReportTally.kind)
    return [(row.kind, row.day, row.domain) for row in db.execute(ordered)]


def _counted(db: Session, kind: Kind, day: date, domain: str) -> Sequence[tuple[str, str, int]]:
    """(head, line, number), sorted by head."""
    found = select(ReportTally.head, ReportTally.line, ReportTally.number).where(*_of(kind, day, domain))
    ordered = found.order_by(ReportTally.head, ReportTally.line)
    return [(row.head, row.line, row.number) for row in db.execute(ordered)]


def _of(kind: Kind, day: date, domain: str) -> tuple[ColumnElement[bool], ...]:
    return ReportTally.kind == kind, ReportTally.day == day, ReportTally.domain == domain


def forget(db: Session, kind: Kind, day: date, domain: str) -> None:
    db.execute(delete(ReportTally).where(*_of(kind, day, domain)))
    db.commit()


def forget_all(db: Session) -> None:
    """Where no reports are sent nothing is kept of what was counted."""
    db.execute(delete(ReportTally))
    db.commit()


def _written(kind: Kind, domain: str, by: Submitter, report_id: str, day: date, octets: bytes) -> Written:
    begin, end = bounds_of(day)
    return Written(
        kind=kind, domain=domain, submitter=by.domain, author=by.address, report_id=report_id, begin=begin, end=end,
        packed=packed(octets),
    )  # fmt: skip


def _submission(report: Written, to: Address) -> Submission:
    """Nobody hears of it when it cannot be delivered: there will be another tomorrow."""
    digest = hashlib.sha256(f"{report.report_id} {to}".encode()).hexdigest()[:40]
    sender = Address(NAMES[report.kind], report.submitter)
    rcpt = RcptTo(to, notify=frozenset({Notify.NEVER}))
    return Submission(f"{OWN_REPORT[report.kind]}{digest}", "", MailFrom(sender), [rcpt])
