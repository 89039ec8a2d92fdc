"""Counting for the reports we send, off everybody's way: in memory first, into SQL in batches.

A process that is killed loses what it counted in the last half minute; nobody's mail hangs on it.
"""

from __future__ import annotations

import logging
import threading
from collections import Counter
from collections.abc import Collection, Sequence
from datetime import date
from types import TracebackType

from sqlalchemy import func, select, update
from sqlalchemy.exc import IntegrityError, SQLAlchemyError
from sqlalchemy.orm import Session

from app.extension_api import Clock, Database, row_count
from mailsite_ext.authentication.dkim import DkimVerdict
from mailsite_ext.authentication.dmarc import DmarcVerdict
from mailsite_ext.authentication.spf import SpfVerdict
from mailsite_ext.reports.aggregate import MOST_RECORDS, Disposition
from mailsite_ext.reports.counted import Counted, of_message, of_session
from mailsite_ext.reports.models import ReportTally
from mailsite_ext.transport_security.mta_sts import Policy
from mailsite_ext.transport_security.tls_results import TlsSession

log = logging.getLogger(__name__)

WRITTEN_EVERY_S = 30.0
MOST_IN_MEMORY = 5_000  # outcomes; what comes on top is not counted
MOST_OF_A_DAY = 200_000  # outcomes, over all domains


class Tally:
    """One for each process that judges mail or sends it; `besides`: domains hosted here, which we need not tell."""

    def __init__(self, public: Database, clock: Clock, besides: Collection[str]) -> None:
        self._public = public
        self._clock = clock
        self._besides = frozenset(besides)
        self._lock = threading.Lock()
        self._counts: Counter[tuple[date, Counted]] = Counter()
        self._ended = threading.Event()
        self._thread = threading.Thread(target=self._write_now_and_then, name="tally", daemon=True)

    def __enter__(self) -> Tally:
        self._thread.start()
        return self

    def __exit__(self, kind: type[BaseException] | None, error: BaseException | None, at: TracebackType | None) -> None:
        self._ended.set()
        self._thread.join()
        self.write()

    def note(
        self,
        verdict: DmarcVerdict,
        spf: SpfVerdict | None,
        dkim: Sequence[DkimVerdict],
        *,
        source_ip: str,
        envelope_from: str,
        disposition: Disposition,
    ) -> None:
        """A message from outside was judged; see counted.of_message.  Never waits."""
        self._count(
            of_message(verdict, spf, dkim, source_ip=source_ip, envelope_from=envelope_from, disposition=disposition)
        )

    def note_sessions(self, domain: str, policy: Policy | None, sessions: Sequence[TlsSession]) -> None:
        """Mail servers of `domain` were talked to.  Never waits."""
        for session in sessions:
            self._count(of_session(domain, policy, session))

    def _count(self, counted: Counted | None) -> None:
        if counted is None or counted.domain in self._besides:
            return
        key = (self._clock.now().date(), counted)
        with self._lock:
            if key in self._counts or len(self._counts) < MOST_IN_MEMORY:
                self._counts[key] += 1

    def _write_now_and_then(self) -> None:
        while not self._ended.wait(WRITTEN_EVERY_S):
            self.write()

    def write(self) -> None:
        """What was counted since the last time."""
        with self._lock:
            counts, self._counts = self._counts, Counter()
        if not counts:
            return
        try:
            with self._public.session() as db:
                add(db, counts)
        except SQLAlchemyError:
            log.warning("what was counted for reports is lost: the database does not answer", exc_info=True)


def add(db: Session, counts: Counter[tuple[date, Counted]]) -> None:
    """Commits once for what is there already, and once for each that is new."""
    new = {key: number for key, number in counts.items() if not _added(db, *key, number)}
    db.commit()
    for (day, counted), number in new.items():
        if _has_room(db, day, counted):
            _begin(db, day, counted, number)


def _added(db: Session, day: date, counted: Counted, number: int) -> bool:
    row = (
        ReportTally.kind == counted.kind,
        ReportTally.day == day,
        ReportTally.domain == counted.domain,
        ReportTally.digest == counted.digest,
    )
    return row_count(db.execute(update(ReportTally).where(*row).values(number=ReportTally.number + number))) > 0


def _begin(db: Session, day: date, counted: Counted, number: int) -> None:
    db.add(
        ReportTally(
            kind=counted.kind, day=day, domain=counted.domain, digest=counted.digest, head=counted.head,
            line=counted.line, number=number,
        )
    )  # fmt: skip
    try:
        db.commit()
    except IntegrityError:  # another process counted it first, just now
        db.rollback()
        _added(db, day, counted, number)
        db.commit()


def _has_room(db: Session, day: date, counted: Counted) -> bool:
    """A forger may make up any number of outcomes: those beyond what one report holds are not counted."""
    of_kind = select(func.count()).select_from(ReportTally).where(ReportTally.kind == counted.kind)
    of_day = of_kind.where(ReportTally.day == day)
    of_domain = of_day.where(ReportTally.domain == counted.domain)
    return (db.scalar(of_domain) or 0) < MOST_RECORDS and (db.scalar(of_day) or 0) < MOST_OF_A_DAY
