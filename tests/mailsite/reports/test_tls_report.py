"""SMTP TLS reports read and written (RFC 8460 §4)."""

from __future__ import annotations

import json
from contextlib import suppress
from datetime import date

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from mailsite_ext.reports.faults import BadReport, Fault
from mailsite_ext.reports.tls_report import (
    MOST_JSON_OCTETS,
    TlsFailure,
    TlsPolicy,
    TlsReport,
    read_tls_report,
    write_tls_report,
)
from tests.mailsite.reports.samples import TLS

JSON = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | st.text(max_size=10),
    lambda some: st.lists(some, max_size=3) | st.dictionaries(st.text(max_size=10), some, max_size=3),
)


def test_a_report():
    report = read_tls_report(TLS)
    assert (report.organization, report.day) == ("There Ltd.", date(2026, 11, 23))
    sts, none = report.policies
    assert (sts.type, sts.domain, sts.successes, sts.failed) == ("sts", "example.org", 5326, 303)
    assert sts.failures == (
        TlsFailure(result_type="certificate-expired", sessions=100, mx_host="mail.example.org", sending_ip="192.0.2.3"),
        TlsFailure(
            result_type="starttls-not-supported", sessions=203, mx_host="mail.example.org", receiving_ip="192.0.2.4"
        ),
    )
    assert none == TlsPolicy(type="no-policy-found", domain="example.org", mx_hosts=("mail.example.org",), successes=2)


def changed(**values):
    return json.dumps(json.loads(TLS) | values).encode()


def with_policy(**values):
    policies = json.loads(TLS)["policies"]
    return changed(policies=[policies[0] | values])


@pytest.mark.parametrize(
    ("octets", "fault", "detail"),
    [
        (b"", Fault.NOT_JSON, ""),
        (b"[" * 200_000, Fault.NOT_JSON, ""),
        (b"9" * 5_000, Fault.NOT_JSON, ""),
        (b"[]", Fault.MISSING, "report"),
        (changed(**{"report-id": ""}), Fault.MISSING, "report-id"),
        (changed(**{"report-id": 7}), Fault.MISSING, "report-id"),
        (changed(**{"organization-name": None}), Fault.MISSING, "organization-name"),
        (changed(**{"date-range": "today"}), Fault.MISSING, "date-range"),
        (changed(**{"date-range": {"start-datetime": "x", "end-datetime": "y"}}), Fault.BAD_VALUE, "start-datetime"),
        (
            changed(**{"date-range": {"start-datetime": "2026-11-24", "end-datetime": "2026-11-23"}}),
            Fault.BAD_VALUE,
            "date-range",
        ),
        (
            changed(**{"date-range": {"start-datetime": "0001-01-01T00:00:00+14:00", "end-datetime": "2026-11-23"}}),
            Fault.BAD_VALUE,
            "start-datetime",
        ),
        (changed(policies={}), Fault.MISSING, "policies"),
        (changed(policies=[[]]), Fault.MISSING, "policies"),
        (changed(policies=[{}] * 101), Fault.TOO_MANY, "policies"),
        (with_policy(policy=None), Fault.MISSING, "policy"),
        (with_policy(policy={"policy-type": "sts"}), Fault.MISSING, "policy-domain"),
        (with_policy(summary=[1]), Fault.MISSING, "summary"),
        (
            with_policy(summary={"total-successful-session-count": -1}),
            Fault.BAD_VALUE,
            "total-successful-session-count",
        ),
        (
            with_policy(summary={"total-successful-session-count": 1e400}),
            Fault.BAD_VALUE,
            "total-successful-session-count",
        ),
        (with_policy(**{"failure-details": 5}), Fault.MISSING, "failure-details"),
        (with_policy(**{"failure-details": ["x"]}), Fault.MISSING, "failure-details"),
        (with_policy(**{"failure-details": [{}] * 10_001}), Fault.TOO_MANY, "failure-details"),
        (b" " * (MOST_JSON_OCTETS + 1), Fault.TOO_LARGE, ""),
    ],
)
def test_what_is_no_report(octets, fault, detail):
    with pytest.raises(BadReport) as raised:
        read_tls_report(octets)
    assert (raised.value.fault, raised.value.detail) == (fault, detail)


@settings(derandomize=True, deadline=None)
@given(JSON, st.sampled_from(["report-id", "date-range", "policies", "contact-info"]))
def test_anything_is_read_or_refused(found, name):
    for octets in (json.dumps(found).encode(), changed(**{name: found}), with_policy(policy=found, summary=found)):
        with suppress(BadReport):
            assert read_tls_report(octets).report_id


def test_what_was_written_is_read():
    report = read_tls_report(TLS)
    assert read_tls_report(write_tls_report(report)) == report


def test_little_is_written_of_little():
    report = TlsReport(
        organization="here.example", contact="", report_id="1", begin=0, end=1,
        policies=(TlsPolicy(type="no-policy-found", domain="there.example", failed=1,
                            failures=(TlsFailure(result_type="validation-failure", sessions=1),)),),
    )  # fmt: skip
    written = json.loads(write_tls_report(report))["policies"][0]
    assert written["policy"] == {"policy-type": "no-policy-found", "policy-domain": "there.example"}
    assert written["failure-details"] == [{"result-type": "validation-failure", "failed-session-count": 1}]
