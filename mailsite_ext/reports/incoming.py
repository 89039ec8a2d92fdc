"""Reports that came in: read, proven, and kept by domain, reporter, day and source.  Its functions commit."""

from __future__ import annotations

import logging
from collections.abc import Sequence
from datetime import date, datetime, timedelta

from sqlalchemy import delete, select, update
from sqlalchemy.exc import IntegrityError
from sqlalchemy.orm import Session, undefer

from app.extension_api import Clock, Resolver
from mailsite_ext.authentication.budget import DnsBudget
from mailsite_ext.reports.attached import find_attached, is_bounce
from mailsite_ext.reports.extract import Rows, extract
from mailsite_ext.reports.faults import BadReport, Fault
from mailsite_ext.reports.models import ReceivedReport, ReportMail
from mailsite_ext.reports.proof import Delivered, NotKnownYet, proven_author

log = logging.getLogger(__name__)

READ_AT_A_TIME = 20
MOST_TRIES = 4
ASKED_AGAIN = timedelta(hours=1)
KEPT_FOR = timedelta(days=400)
MOST_REFUSED = 200  # lines about what could not be read
TOLERANCE = timedelta(days=2)  # by which a clock elsewhere may be ahead


class Reading:
    """Reads what waits.  `domains`: those hosted here; `host`: what we are called."""

    def __init__(self, resolver: Resolver, clock: Clock, domains: Sequence[str], host: str) -> None:
        self._resolver = resolver
        self._clock = clock
        self._domains = domains
        self._host = host

    def read_waiting(self, db: Session) -> int:
        """How many there were; more may wait."""
        waiting = select(ReportMail.id).where(ReportMail.fault.is_(None), ReportMail.next_at <= self._clock.now())
        ids = db.scalars(waiting.order_by(ReportMail.next_at).limit(READ_AT_A_TIME)).all()
        for mail_id in ids:
            row = db.get(ReportMail, mail_id, options=[undefer(ReportMail.octets)])
            if row is not None:
                self._read(db, row)
        return len(ids)

    def _read(self, db: Session, row: ReportMail) -> None:
        mail = Delivered(row.octets, row.peer, row.hello, row.sender, self._host, row.received_at)
        db.rollback()  # its connection goes back: reading and asking take a while
        try:
            kept = None if is_bounce(mail.octets) else self._kept(mail)
        except BadReport as error:
            _refuse(db, row.id, error)
        except NotKnownYet:
            self._look_again(db, row, Fault.UNPROVEN)
        except Exception:  # one that trips us up keeps no other from being read
            log.exception("the mail %d to a report address cannot be read", row.id)
            self._look_again(db, row, Fault.NOT_A_REPORT)
        else:
            _keep(db, row.id, kept)

    def _kept(self, mail: Delivered) -> tuple[ReceivedReport, Rows]:
        """What is to be stored of a report; nobody's is unpacked who does not say who they are.

        Raises BadReport, NotKnownYet.
        """
        author = proven_author(mail, DnsBudget(self._resolver, self._clock))
        found = extract(find_attached(mail.octets), self._domains)
        if not found.domain:
            raise BadReport(Fault.OTHER_DOMAIN, found.about)
        _check_day(found.day, mail.at)
        head = ReceivedReport(
            kind=found.kind,
            domain=found.domain,
            reporter=found.reporter[:255],
            author=author,
            report_id=found.report_id[:255],
            day=found.day,
            policy=found.policy[:20],
            received_at=mail.at,
        )
        return head, found.rows

    def _look_again(self, db: Session, row: ReportMail, fault: Fault) -> None:
        """Later; `fault` is what it comes to in the end."""
        if row.tries + 1 >= MOST_TRIES:
            _refuse(db, row.id, BadReport(fault))
            return
        values = {"tries": row.tries + 1, "next_at": self._clock.now() + ASKED_AGAIN}
        db.execute(update(ReportMail).where(ReportMail.id == row.id).values(values))
        db.commit()


def _check_day(day: date, received_at: datetime) -> None:
    """Raises BadReport for a day that is not shown, or not over yet by any clock."""
    if not (received_at - KEPT_FOR).date() <= day <= (received_at + TOLERANCE).date():
        raise BadReport(Fault.BAD_VALUE, f"{day}")


def _keep(db: Session, mail_id: int, kept: tuple[ReceivedReport, Rows] | None) -> None:
    """The report instead of its mail; one that is here already, or a bounce, is gone with it."""
    db.execute(delete(ReportMail).where(ReportMail.id == mail_id))
    if kept is not None and not _is_here(db, kept[0]):
        head, rows = kept
        db.add(head)
        db.flush()
        for row in rows:
            row.report_id = head.id
        db.add_all(rows)
    try:
        db.commit()
    except IntegrityError:  # its twin was read in the same moment
        db.rollback()
        db.execute(delete(ReportMail).where(ReportMail.id == mail_id))
        db.commit()


def _is_here(db: Session, head: ReceivedReport) -> bool:
    same = select(ReceivedReport.id).where(
        ReceivedReport.kind == head.kind,
        ReceivedReport.domain == head.domain,
        ReceivedReport.author == head.author,
        ReceivedReport.report_id == head.report_id,
    )
    return db.scalar(same) is not None


def _refuse(db: Session, mail_id: int, error: BadReport) -> None:
    log.info("a mail to a report address was no report we take: %s", error)
    values = {"fault": error.fault, "detail": error.detail, "octets": b""}
    db.execute(update(ReportMail).where(ReportMail.id == mail_id).values(values))
    db.commit()


def tidy(db: Session, now: datetime) -> None:
    """What is older than is shown, and all but the newest lines about what could not be read."""
    db.execute(delete(ReceivedReport).where(ReceivedReport.day < (now - KEPT_FOR).date()))
    refused = select(ReportMail.id).where(ReportMail.fault.is_not(None)).order_by(ReportMail.id.desc())
    last = db.scalar(refused.offset(MOST_REFUSED).limit(1))
    if last is not None:
        db.execute(delete(ReportMail).where(ReportMail.fault.is_not(None), ReportMail.id <= last))
    db.commit()
