"""Writing DMARC aggregate reports (RFC 9990 §3.1, Appendix A).  Pure."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from xml.sax.saxutils import escape

from mailsite_ext.reports.aggregate import AggregateReport, Published, Record

NAMESPACE = "urn:ietf:params:xml:ns:dmarc-2.0"
GENERATOR = "Satchel"


def write_aggregate(report: AggregateReport) -> bytes:
    """The report in UTF-8; what XML cannot say of a text is left out of it."""
    return "\n".join(_lines(report)).encode() + b"\n"


def _lines(report: AggregateReport) -> Iterator[str]:
    yield '<?xml version="1.0" encoding="UTF-8"?>'
    yield f'<feedback xmlns="{NAMESPACE}">'
    yield "<version>1.0</version>"
    yield "<report_metadata>"
    yield _element("org_name", report.org_name)
    yield _element("email", report.email)
    yield _element("report_id", report.report_id)
    yield f"<date_range>{_element('begin', str(report.begin))}{_element('end', str(report.end))}</date_range>"
    yield _element("generator", GENERATOR)
    yield "</report_metadata>"
    yield _published(report.published)
    for record in report.records:
        yield _record(record)
    yield "</feedback>"


def _published(policy: Published) -> str:
    texts = {
        "domain": policy.domain, "p": policy.p, "sp": policy.sp, "np": policy.np, "adkim": policy.adkim,
        "aspf": policy.aspf, "discovery_method": policy.discovery, "testing": policy.testing,
    }  # fmt: skip
    return _group("policy_published", (_element(name, text) for name, text in texts.items() if text))


def _record(record: Record) -> str:
    evaluated = [
        _element("disposition", record.disposition),
        _element("dkim", "pass" if record.dkim else "fail"),
        _element("spf", "pass" if record.spf else "fail"),
        *(_group("reason", [_element("type", one.type), _element("comment", one.comment)]) for one in record.overrides),
    ]
    row = [
        _element("source_ip", record.source_ip),
        _element("count", str(record.messages)),
        _group("policy_evaluated", evaluated),
    ]
    identifiers = [_element("header_from", record.header_from)]
    if record.envelope_from:
        identifiers.insert(0, _element("envelope_from", record.envelope_from))
    return _group("record", [_group("row", row), _group("identifiers", identifiers), _results(record)])


def _results(record: Record) -> str:
    dkim = [
        _group("dkim", [_element("domain", one.domain), _element("selector", one.selector),
                        _element("result", one.result)])
        for one in record.dkim_said
    ]  # fmt: skip
    spf = [
        _group("spf", [_element("domain", one.domain), _element("scope", "mfrom"), _element("result", one.result)])
        for one in record.spf_said
    ]
    return _group("auth_results", [*dkim, *spf])


def _group(name: str, elements: Iterable[str]) -> str:
    return f"<{name}>{''.join(elements)}</{name}>"


def _element(name: str, text: str) -> str:
    return f"<{name}>{escape(''.join(char for char in text if _may_stand(char)))}</{name}>"


def _may_stand(char: str) -> bool:
    """Char of XML 1.0 §2.2, without the controls it allows."""
    return " " <= char <= "\ud7ff" or "\ue000" <= char <= "\ufffd" or char >= "\U00010000"
