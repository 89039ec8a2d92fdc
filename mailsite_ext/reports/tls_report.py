"""SMTP TLS reports: what they say, read and written (RFC 8460 §4).  Pure."""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import UTC, date, datetime
from typing import Any

from mailsite_ext.reports.aggregate import LATEST_S, MOST_MESSAGES, day_of
from mailsite_ext.reports.faults import BadReport, Fault

MOST_JSON_OCTETS = 4 * 1024 * 1024
MOST_POLICIES = 100
MOST_FAILURES = 10_000  # kinds of them, of one report
MAX_TEXT = 500

NO_POLICY = "no-policy-found"
STS = "sts"


@dataclass(frozen=True, slots=True, kw_only=True)
class TlsFailure:
    """Sessions of one kind that failed; what is not known is empty."""

    result_type: str  # §4.3
    sessions: int
    mx_host: str = ""
    sending_ip: str = ""
    receiving_ip: str = ""
    reason: str = ""


@dataclass(frozen=True, slots=True, kw_only=True)
class TlsPolicy:
    """What came of sessions under one policy."""

    type: str  # tlsa, sts, no-policy-found
    domain: str
    lines: tuple[str, ...] = ()  # of the policy
    mx_hosts: tuple[str, ...] = ()
    successes: int = 0
    failures: tuple[TlsFailure, ...] = ()
    failed: int = 0  # as the report sums them up


@dataclass(frozen=True, slots=True, kw_only=True)
class TlsReport:
    organization: str
    contact: str
    report_id: str
    begin: int  # seconds since 1970
    end: int
    policies: tuple[TlsPolicy, ...]

    @property
    def day(self) -> date:
        return day_of(self.begin, self.end)


def read_tls_report(octets: bytes) -> TlsReport:
    """Raises BadReport."""
    if len(octets) > MOST_JSON_OCTETS:
        raise BadReport(Fault.TOO_LARGE)
    try:
        found = json.loads(octets.decode("utf-8-sig"))
    except (ValueError, RecursionError):
        raise BadReport(Fault.NOT_JSON) from None
    report = _mapping(found, "report")
    period = _mapping(report.get("date-range"), "date-range")
    begin, end = _seconds(period, "start-datetime"), _seconds(period, "end-datetime")
    if end < begin:
        raise BadReport(Fault.BAD_VALUE, "date-range")
    policies = _listed(report.get("policies"), "policies", MOST_POLICIES)
    made = tuple(_policy(one) for one in policies)
    if sum(len(one.failures) for one in made) > MOST_FAILURES:
        raise BadReport(Fault.TOO_MANY)
    return TlsReport(
        organization=_needed(report, "organization-name"),
        contact=_text(report, "contact-info"),
        report_id=_needed(report, "report-id"),
        begin=begin,
        end=end,
        policies=made,
    )


def _policy(found: object) -> TlsPolicy:
    one = _mapping(found, "policies")
    policy, summary = _mapping(one.get("policy"), "policy"), _mapping(one.get("summary") or {}, "summary")
    details = _listed(one.get("failure-details") or [], "failure-details", MOST_FAILURES)
    return TlsPolicy(
        type=_needed(policy, "policy-type").lower(),
        domain=_needed(policy, "policy-domain").rstrip(".").lower(),
        lines=_texts(policy.get("policy-string")),
        mx_hosts=_texts(policy.get("mx-host")),
        successes=_count(summary, "total-successful-session-count"),
        failures=tuple(_failure(_mapping(each, "failure-details")) for each in details),
        failed=_count(summary, "total-failure-session-count"),
    )


def _failure(found: Mapping[str, Any]) -> TlsFailure:
    return TlsFailure(
        result_type=_needed(found, "result-type").lower(),
        sessions=_count(found, "failed-session-count"),
        mx_host=_text(found, "receiving-mx-hostname").lower(),
        sending_ip=_text(found, "sending-mta-ip"),
        receiving_ip=_text(found, "receiving-ip"),
        reason=_text(found, "failure-reason-code"),
    )


def _mapping(found: object, name: str) -> Mapping[str, Any]:
    if not isinstance(found, dict):
        raise BadReport(Fault.MISSING, name)
    return found


def _listed(found: object, name: str, most: int) -> Sequence[object]:
    if not isinstance(found, list):
        raise BadReport(Fault.MISSING, name)
    if len(found) > most:
        raise BadReport(Fault.TOO_MANY, name)
    return found


def _text(found: Mapping[str, Any], name: str) -> str:
    text = found.get(name)
    return "".join(char for char in text[:MAX_TEXT] if char.isprintable()) if isinstance(text, str) else ""


def _texts(found: object) -> tuple[str, ...]:
    """Some write one text where a list of them belongs."""
    several = found if isinstance(found, list) else [found]
    return tuple(text[:MAX_TEXT] for text in several[:MOST_POLICIES] if isinstance(text, str))


def _needed(found: Mapping[str, Any], name: str) -> str:
    text = _text(found, name)
    if not text:
        raise BadReport(Fault.MISSING, name)
    return text


def _count(found: Mapping[str, Any], name: str) -> int:
    number = found.get(name, 0)
    if not isinstance(number, int) or not 0 <= number <= MOST_MESSAGES:
        raise BadReport(Fault.BAD_VALUE, name)
    return number


def _seconds(period: Mapping[str, Any], name: str) -> int:
    """RFC 3339; without a zone it is UTC."""
    text = _needed(period, name)
    try:
        found = datetime.fromisoformat(text)
        seconds = int((found if found.tzinfo else found.replace(tzinfo=UTC)).timestamp())
    except (ValueError, OverflowError):
        raise BadReport(Fault.BAD_VALUE, name) from None
    if not 0 <= seconds <= LATEST_S:
        raise BadReport(Fault.BAD_VALUE, name)
    return seconds


def write_tls_report(report: TlsReport) -> bytes:
    """§4.4"""
    found = {
        "organization-name": report.organization,
        "date-range": {"start-datetime": _written(report.begin), "end-datetime": _written(report.end)},
        "contact-info": report.contact,
        "report-id": report.report_id,
        "policies": [_written_policy(policy) for policy in report.policies],
    }
    return json.dumps(found, indent=1).encode()


def _written_policy(policy: TlsPolicy) -> Mapping[str, Any]:
    told: dict[str, Any] = {"policy-type": policy.type, "policy-domain": policy.domain}
    if policy.lines:
        told["policy-string"] = list(policy.lines)
    if policy.mx_hosts:
        told["mx-host"] = list(policy.mx_hosts)
    sums = {"total-successful-session-count": policy.successes, "total-failure-session-count": policy.failed}
    found: dict[str, Any] = {"policy": told, "summary": sums}
    if policy.failures:
        found["failure-details"] = [_written_failure(failure) for failure in policy.failures]
    return found


def _written_failure(failure: TlsFailure) -> Mapping[str, Any]:
    texts = {
        "result-type": failure.result_type,
        "sending-mta-ip": failure.sending_ip,
        "receiving-mx-hostname": failure.mx_host,
        "receiving-ip": failure.receiving_ip,
        "failure-reason-code": failure.reason,
    }
    return {name: text for name, text in texts.items() if text} | {"failed-session-count": failure.sessions}


def _written(seconds: int) -> str:
    return datetime.fromtimestamp(seconds, UTC).strftime("%Y-%m-%dT%H:%M:%SZ")
