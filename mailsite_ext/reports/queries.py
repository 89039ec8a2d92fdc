"""What the page of reports shows: mail in a domain's name, sessions with its servers, and what was no report."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass
from datetime import date, timedelta

from sqlalchemy import ColumnElement, case, func, or_, select
from sqlalchemy.orm import InstrumentedAttribute, Session

from mailsite_ext.reports.advice import Advice, advice
from mailsite_ext.reports.aggregate import Disposition
from mailsite_ext.reports.attached import Kind
from mailsite_ext.reports.chart import Day, days_of
from mailsite_ext.reports.models import ReceivedReport, ReportedSessions, ReportedSource, ReportMail

MOST_SOURCES = 50
MOST_FAILURES = 50
MOST_REFUSED = 50
WEEKLY_FROM = 91  # days: a chart of more shows weeks
PASSES = or_(ReportedSource.dkim, ReportedSource.spf)


@dataclass(frozen=True, slots=True, kw_only=True)
class Span:
    """So many days that end with `end`."""

    end: date
    days: int

    @property
    def begin(self) -> date:
        return self.end - timedelta(days=self.days - 1)

    @property
    def step(self) -> int:
        return 7 if self.days >= WEEKLY_FROM else 1

    def of(self, counts: Mapping[date, tuple[int, int]]) -> Sequence[Day]:
        """Whole steps: of weeks the last one ends today."""
        return days_of(counts, self.end, -(-self.days // self.step) * self.step, self.step)


@dataclass(frozen=True, slots=True, kw_only=True)
class Source:
    source_ip: str
    messages: int
    dkim: int  # aligned passes, as `spf`
    spf: int
    failed: int
    stopped: int  # put into Junk, or refused
    vouched_by: str
    advice: Advice
    days: Sequence[Day]


@dataclass(frozen=True, slots=True, kw_only=True)
class Mail:
    """In a domain's name."""

    days: Sequence[Day]
    sources: Sequence[Source]
    further: int  # sources that are not listed
    reporters: Sequence[str]

    @property
    def passed(self) -> int:
        return sum(day.passed for day in self.days)

    @property
    def failed(self) -> int:
        return sum(day.failed for day in self.days)


@dataclass(frozen=True, slots=True)
class Failure:
    """Sessions that were not encrypted as wanted."""

    type: str
    policy: str
    host: str
    sessions: int


@dataclass(frozen=True, slots=True, kw_only=True)
class Sessions:
    """With a domain's mail servers."""

    days: Sequence[Day]
    failures: Sequence[Failure]
    reporters: Sequence[str]

    @property
    def passed(self) -> int:
        return sum(day.passed for day in self.days)

    @property
    def failed(self) -> int:
        return sum(day.failed for day in self.days)


def _in(domain: str, kind: Kind, span: Span) -> tuple[ColumnElement[bool], ...]:
    day = ReceivedReport.day
    return ReceivedReport.domain == domain, ReceivedReport.kind == kind, day >= span.begin, day <= span.end


def _split(
    condition: ColumnElement[bool] | InstrumentedAttribute[bool], column: InstrumentedAttribute[int]
) -> tuple[ColumnElement[int], ColumnElement[int]]:
    """The sum where it holds, and where it does not."""
    return func.sum(case((condition, column), else_=0)), func.sum(case((condition, 0), else_=column))


def find_mail(db: Session, domain: str, span: Span, ours: Collection[str]) -> Mail:
    """`ours`: addresses of machines here."""
    here = _in(domain, Kind.DMARC, span)
    own = ReportedSource.report_id == ReceivedReport.id
    by_day = select(ReceivedReport.day, *_split(PASSES, ReportedSource.messages)).where(own, *here)
    counts = {day: (int(good), int(bad)) for day, good, bad in db.execute(by_day.group_by(ReceivedReport.day))}
    number = select(func.count(func.distinct(ReportedSource.source_ip))).where(own, *here)
    sources = _sources(db, span, (own, *here), ours)
    return Mail(
        days=span.of(counts),
        sources=sources,
        further=(db.scalar(number) or 0) - len(sources),
        reporters=_reporters(db, here),
    )


def _sources(db: Session, span: Span, here: tuple[ColumnElement[bool], ...], ours: Collection[str]) -> Sequence[Source]:
    """Those with the most mail."""
    source, messages = ReportedSource, ReportedSource.messages
    stops = source.disposition.in_([Disposition.QUARANTINE, Disposition.REJECT])

    each = [_split(condition, messages)[0] for condition in (source.dkim, source.spf, ~PASSES, stops)]
    sums = [func.sum(messages), *each]
    found = select(source.source_ip, *sums, func.max(source.vouched_by)).where(*here).group_by(source.source_ip)
    ordered = found.order_by(func.sum(messages).desc(), source.source_ip).limit(MOST_SOURCES)
    rows = [tuple(row) for row in db.execute(ordered)]
    days = _days_of_sources(db, here, [row[0] for row in rows])
    return [_source(row[0], [int(number) for number in row[1:6]], row[6], days[row[0]], span, ours) for row in rows]


def _source(
    address: str, numbers: Sequence[int], vouched_by: str, days: Mapping[date, tuple[int, int]], span: Span,
    ours: Collection[str],
) -> Source:  # fmt: skip
    messages, dkim, spf, failed, stopped = numbers
    return Source(
        source_ip=address,
        messages=messages,
        dkim=dkim,
        spf=spf,
        failed=failed,
        stopped=stopped,
        vouched_by=vouched_by,
        advice=advice(messages, dkim, spf, failed, vouched_by, is_ours=address in ours),
        days=span.of(days),
    )


def _days_of_sources(
    db: Session, here: tuple[ColumnElement[bool], ...], addresses: Sequence[str]
) -> Mapping[str, dict[date, tuple[int, int]]]:
    source = ReportedSource
    found = select(source.source_ip, ReceivedReport.day, *_split(PASSES, source.messages))
    found = found.where(*here, source.source_ip.in_(addresses))
    days: defaultdict[str, dict[date, tuple[int, int]]] = defaultdict(dict)
    for address, day, good, bad in db.execute(found.group_by(source.source_ip, ReceivedReport.day)):
        days[address][day] = int(good), int(bad)
    return days


def find_sessions(db: Session, domain: str, span: Span) -> Sessions:
    here = _in(domain, Kind.TLS, span)
    own, sessions = ReportedSessions.report_id == ReceivedReport.id, ReportedSessions.sessions
    good = ReportedSessions.failure == ""
    by_day = select(ReceivedReport.day, *_split(good, sessions)).where(own, *here).group_by(ReceivedReport.day)
    kinds = (ReportedSessions.failure, ReportedSessions.policy_type, ReportedSessions.mx_host)
    worst = select(*kinds, func.sum(sessions)).where(own, *here, ~good).group_by(*kinds)
    rows = db.execute(worst.order_by(func.sum(sessions).desc(), *kinds).limit(MOST_FAILURES))
    return Sessions(
        days=span.of({day: (int(works), int(fails)) for day, works, fails in db.execute(by_day)}),
        failures=[Failure(row[0], row[1], row[2], int(row[3])) for row in rows],
        reporters=_reporters(db, here),
    )


def _reporters(db: Session, here: tuple[ColumnElement[bool], ...]) -> Sequence[str]:
    found = select(ReceivedReport.reporter).where(*here).group_by(ReceivedReport.reporter)
    return db.scalars(found.order_by(func.count().desc(), ReceivedReport.reporter).limit(10)).all()


def list_refused(db: Session) -> Sequence[ReportMail]:
    """What came to a report address and was none, the newest first."""
    refused = select(ReportMail).where(ReportMail.fault.is_not(None))
    return db.scalars(refused.order_by(ReportMail.id.desc()).limit(MOST_REFUSED)).all()


def count_waiting(db: Session) -> int:
    return db.scalar(select(func.count()).select_from(ReportMail).where(ReportMail.fault.is_(None))) or 0
