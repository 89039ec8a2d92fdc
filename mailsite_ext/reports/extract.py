"""What of a report is kept: counts by source and outcome, or by failure and host; nothing else."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from datetime import date

from mailsite_ext.reports.aggregate import AggregateReport
from mailsite_ext.reports.aggregate_reader import read_aggregate
from mailsite_ext.reports.attached import Attached, Kind
from mailsite_ext.reports.models import ReportedSessions, ReportedSource
from mailsite_ext.reports.tls_report import TlsReport, read_tls_report

Rows = Sequence[ReportedSource] | Sequence[ReportedSessions]


@dataclass(frozen=True, slots=True, kw_only=True)
class Extract:
    """`rows` have no report yet."""

    kind: Kind
    domain: str  # hosted here
    about: str  # the domain itself, or one below it
    reporter: str
    report_id: str
    day: date
    policy: str
    rows: Rows


def find_hosted(domain: str, hosted: Sequence[str]) -> str:
    """The hosted domain that `domain` is, or is below; empty: none."""
    found = [one for one in hosted if domain == one or domain.endswith(f".{one}")]
    return max(found, key=len, default="")


def extract(attached: Attached, hosted: Sequence[str]) -> Extract:
    """Of a domain that is not hosted here `domain` is empty.  Raises BadReport."""
    if attached.kind is Kind.DMARC:
        return _of_aggregate(read_aggregate(attached.octets), hosted)
    return _of_tls(read_tls_report(attached.octets), hosted)


def _of_aggregate(report: AggregateReport, hosted: Sequence[str]) -> Extract:
    about = report.published.domain
    return Extract(
        kind=Kind.DMARC,
        domain=find_hosted(about, hosted),
        about=about,
        reporter=report.org_name,
        report_id=report.report_id,
        day=report.day,
        policy=report.published.p,
        rows=list(_sources(report)),
    )


def _sources(report: AggregateReport) -> Iterator[ReportedSource]:
    """Records that differ in nothing that is kept are one."""
    counts: Counter[tuple[str, bool, bool, str, str]] = Counter()
    for one in report.records:
        counts[one.source_ip, one.dkim, one.spf, one.vouched_by, one.disposition.value] += one.messages
    for number, ((source_ip, dkim, spf, vouched_by, disposition), messages) in enumerate(counts.items()):
        yield ReportedSource(
            number=number,
            source_ip=source_ip,
            dkim=dkim,
            spf=spf,
            vouched_by=vouched_by,
            disposition=disposition,
            messages=messages,
        )


def _of_tls(report: TlsReport, hosted: Sequence[str]) -> Extract:
    """One report is about one domain (RFC 8460 §4.2); of several the first that is hosted here counts."""
    named = [policy.domain for policy in report.policies]
    about = next((domain for domain in named if find_hosted(domain, hosted)), next(iter(named), ""))
    return Extract(
        kind=Kind.TLS,
        domain=find_hosted(about, hosted),
        about=about,
        reporter=report.organization,
        report_id=report.report_id,
        day=report.day,
        policy=next((policy.type for policy in report.policies if policy.domain == about), ""),
        rows=list(_sessions(report, about)),
    )


def _sessions(report: TlsReport, about: str) -> Iterator[ReportedSessions]:
    counts: Counter[tuple[str, str, str]] = Counter()
    for policy in report.policies:
        if policy.domain == about:
            counts[policy.type[:40], "", ""] += policy.successes
            for one in policy.failures:
                counts[policy.type[:40], one.result_type[:80], one.mx_host[:255]] += one.sessions
    for number, ((kind, failure, host), sessions) in enumerate(counts.items()):
        yield ReportedSessions(number=number, policy_type=kind, failure=failure, mx_host=host, sessions=sessions)
