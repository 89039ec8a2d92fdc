"""Where mail to a report address goes: a row, read later by the delivery service.  Reception waits for no more."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from concurrent.futures import Future, ThreadPoolExecutor

from sqlalchemy import func, select
from sqlalchemy.exc import SQLAlchemyError
from sqlalchemy.orm import Session

from app.extension_api import Database
from mailsite_ext.delivery.inbound import Arrival
from mailsite_ext.errors import MessageTooLarge, TooManyReports
from mailsite_ext.reports.attached import MOST_MAIL_OCTETS
from mailsite_ext.reports.models import ReportMail
from mailsite_ext.storage.values import Content, Stored

MOST_WAITING = 1_000
MOST_WAITING_OCTETS = 256 * 1024 * 1024


class ReportBox:
    """One for each process that takes mail; see inbound.TakesReports."""

    def __init__(self, public: Database) -> None:
        self._public = public
        self._threads = ThreadPoolExecutor(1, "reports")

    def take(
        self, arrival: Arrival, content: Content, then: Callable[[], Sequence[Stored]]
    ) -> Future[Sequence[Stored]]:
        if content.size_octets > MOST_MAIL_OCTETS:
            raise MessageTooLarge
        return self._threads.submit(self._take, arrival, content, then)

    def _take(self, arrival: Arrival, content: Content, then: Callable[[], Sequence[Stored]]) -> Sequence[Stored]:
        address = next(str(each.address) for each in arrival.recipients if each.takes_reports)
        octets = content.body if isinstance(content.body, bytes) else content.body.read_bytes()
        try:
            with self._public.session() as db:
                _check_room(db)
                db.add(_row(arrival, address, octets))
                db.commit()
        except SQLAlchemyError as error:
            raise TooManyReports from error
        return then()


def _row(arrival: Arrival, address: str, octets: bytes) -> ReportMail:
    origin = arrival.origin
    return ReportMail(
        address=address,
        peer=origin.peer,
        hello=origin.hello[:255],
        sender=str(arrival.mail.sender or ""),
        size_octets=len(octets),
        octets=octets,
        received_at=arrival.received_at,
        next_at=arrival.received_at,
    )


def _check_room(db: Session) -> None:
    """Raises TooManyReports: nobody fills the disk with what claims to be reports."""
    sums = select(func.count(), func.sum(ReportMail.size_octets)).where(ReportMail.fault.is_(None))
    number, octets = db.execute(sums).one()
    if number >= MOST_WAITING or (octets or 0) >= MOST_WAITING_OCTETS:
        raise TooManyReports
