"""What is counted for the reports we send, and those reports made of it: domains and servers, never people.  Pure."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import asdict, dataclass
from datetime import UTC, date, datetime, timedelta
from itertools import groupby
from typing import Any

from mailsite_ext.authentication.dkim import DkimVerdict
from mailsite_ext.authentication.dmarc import DmarcResult, DmarcVerdict
from mailsite_ext.authentication.spf import SpfVerdict
from mailsite_ext.reports.aggregate import (
    AggregateReport,
    Disposition,
    DkimSaid,
    Override,
    Published,
    Record,
    SpfSaid,
)
from mailsite_ext.reports.attached import Kind
from mailsite_ext.reports.destinations import dmarc_destinations
from mailsite_ext.reports.tls_report import NO_POLICY, STS, TlsFailure, TlsPolicy, TlsReport
from mailsite_ext.transport_security.mta_sts import Policy, policy_text
from mailsite_ext.transport_security.tls_results import TlsSession

MOST_SIGNATURES = 5  # told of one message
SETTLED = timedelta(minutes=5)  # after midnight all that was counted before it is written
JITTER = timedelta(hours=4)


@dataclass(frozen=True, slots=True)
class Counted:
    """One outcome of mail or of sessions: `head` and `line` are JSON, see ReportTally."""

    kind: Kind
    domain: str
    head: str
    line: str

    @property
    def digest(self) -> str:
        return hashlib.sha256(f"{self.head}\n{self.line}".encode()).hexdigest()


# Counting


def of_message(
    verdict: DmarcVerdict,
    spf: SpfVerdict | None,
    dkim: Sequence[DkimVerdict],
    *,
    source_ip: str,
    envelope_from: str,
    disposition: Disposition,
) -> Counted | None:
    """One message that was judged; None where its author's domain asks for no reports.

    `envelope_from` is the domain of MAIL FROM, empty for none; `disposition`: what was done with it.
    """
    record = verdict.record
    if record is None or not dmarc_destinations(record.rua):
        return None
    published = Published(
        domain=verdict.policy_domain,
        p=record.policy,
        sp=record.subdomain_policy or "",
        np=record.missing_policy or "",
        adkim=record.dkim_alignment,
        aspf=record.spf_alignment,
        testing="y" if record.is_testing else "n",
        discovery="treewalk",
    )
    passed = verdict.result is DmarcResult.PASS and disposition is Disposition.NONE
    line = Record(
        source_ip=source_ip,
        messages=0,
        disposition=Disposition.PASS if passed else disposition,
        dkim=bool(verdict.dkim_aligned),
        spf=verdict.spf_aligned,
        header_from=verdict.domain,
        envelope_from=envelope_from,
        dkim_said=tuple(DkimSaid(each.domain, each.selector, each.result) for each in dkim[:MOST_SIGNATURES]),
        spf_said=(SpfSaid(spf.domain, spf.result),) if spf and spf.domain else (),
        overrides=_overrides(verdict, disposition),
    )
    head = _json({"rua": record.rua, **asdict(published)})
    return Counted(Kind.DMARC, verdict.policy_domain, head, _json(asdict(line)))


def _overrides(verdict: DmarcVerdict, disposition: Disposition) -> tuple[Override, ...]:
    """Why less was done than was asked for, which is our choice where nothing else says it (RFC 9990 §3.1)."""
    if verdict.override:
        return (Override(verdict.override),)
    return (Override("local_policy"),) if verdict.disposition.value != disposition.value else ()


def of_session(domain: str, policy: Policy | None, session: TlsSession) -> Counted:
    """One connection on the way to `domain`."""
    head: dict[str, Any] = {"type": NO_POLICY}
    if policy is not None:
        head = {"type": STS, "lines": policy_text(policy).split("\r\n")[:-1], "mx_hosts": list(policy.mx)}
    line = asdict(session) if session.failure else {}
    return Counted(Kind.TLS, domain, _json(head), _json(line))


def _json(found: Mapping[str, Any]) -> str:
    return json.dumps(found, sort_keys=True, separators=(",", ":"))


# Reports made of what was counted


@dataclass(frozen=True, slots=True)
class Submitter:
    """We, as reports name us."""

    domain: str
    address: str


def report_id(domain: str, day: date, head: str = "") -> str:
    """The same for the same, so that nobody counts it twice."""
    digest = hashlib.sha256(f"{domain} {day} {head}".encode()).hexdigest()
    return f"{day:%Y%m%d}.{digest[:20]}"


def bounds_of(day: date) -> tuple[int, int]:
    """Its first and last second in UTC."""
    begin = int(datetime.combine(day, datetime.min.time(), UTC).timestamp())
    return begin, begin + 86_399


def due_at(kind: Kind, domain: str, day: date) -> datetime:
    """Some time after the midnight that ends it: not all of the world reports in the same minute (RFC 8460 §4.1)."""
    share = int.from_bytes(hashlib.sha256(f"{kind} {domain} {day}".encode()).digest()[:4]) / 2**32
    return datetime.combine(day + timedelta(days=1), datetime.min.time(), UTC) + SETTLED + (JITTER - SETTLED) * share


def rua_of(head: str) -> str:
    return str(json.loads(head)["rua"])


def aggregate_report(by: Submitter, head: str, lines: Iterable[tuple[str, int]], day: date) -> AggregateReport:
    """`lines` are those of one head, each with its number of messages."""
    published = json.loads(head)
    del published["rua"]
    begin, end = bounds_of(day)
    return AggregateReport(
        org_name=by.domain,
        email=by.address,
        report_id=report_id(published["domain"], day, head),
        begin=begin,
        end=end,
        published=Published(**published),
        records=tuple(_record(line, number) for line, number in lines),
    )


def _record(line: str, messages: int) -> Record:
    found = json.loads(line)
    kinds = {"dkim_said": DkimSaid, "spf_said": SpfSaid, "overrides": Override}
    several = {name: tuple(kind(**one) for one in found[name]) for name, kind in kinds.items()}
    return Record(**found | several | {"messages": messages, "disposition": Disposition(found["disposition"])})


def tls_report(by: Submitter, domain: str, counted: Iterable[tuple[str, str, int]], day: date) -> TlsReport:
    """`counted`: (head, line, sessions), sorted by head."""
    begin, end = bounds_of(day)
    grouped = groupby(counted, key=lambda one: one[0])
    return TlsReport(
        organization=by.domain,
        contact=by.address,
        report_id=report_id(domain, day),
        begin=begin,
        end=end,
        policies=tuple(_tls_policy(domain, head, [one[1:] for one in lines]) for head, lines in grouped),
    )


def _tls_policy(domain: str, head: str, lines: Sequence[tuple[str, int]]) -> TlsPolicy:
    policy = json.loads(head)
    failures = [(json.loads(line), number) for line, number in lines if line != "{}"]
    return TlsPolicy(
        type=policy["type"],
        domain=domain,
        lines=tuple(policy.get("lines", ())),
        mx_hosts=tuple(policy.get("mx_hosts", ())),
        successes=sum(number for line, number in lines if line == "{}"),
        failures=tuple(_tls_failure(found, number) for found, number in failures),
        failed=sum(number for _, number in failures),
    )


def _tls_failure(found: Mapping[str, str], sessions: int) -> TlsFailure:
    return TlsFailure(
        result_type=found["failure"],
        sessions=sessions,
        mx_host=found["host"],
        receiving_ip=found["address"],
        reason=found["reason"],
    )
