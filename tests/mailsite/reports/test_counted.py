"""What is counted of mail and sessions, and the reports made of it."""

from __future__ import annotations

import ssl
from dataclasses import replace
from datetime import date, timedelta

import pytest

from mailsite_ext.authentication.dkim import DkimResult, DkimVerdict
from mailsite_ext.authentication.dmarc import DmarcResult, DmarcVerdict, Policy, Why
from mailsite_ext.authentication.dmarc_record import DmarcRecord
from mailsite_ext.authentication.spf import SpfVerdict
from mailsite_ext.authentication.spf_record import SpfResult
from mailsite_ext.reports.aggregate import Disposition, DkimSaid, Override, SpfSaid
from mailsite_ext.reports.attached import Kind
from mailsite_ext.reports.counted import (
    JITTER,
    SETTLED,
    Submitter,
    aggregate_report,
    bounds_of,
    due_at,
    of_message,
    of_session,
    report_id,
    rua_of,
    tls_report,
)
from mailsite_ext.transport_security.mta_sts import Mode
from mailsite_ext.transport_security.mta_sts import Policy as StsPolicy
from mailsite_ext.transport_security.tls_results import TlsSession, result_type

DAY = date(2026, 11, 23)
WE = Submitter("here.example", "dmarc-reports@here.example")
RECORD = DmarcRecord(policy=Policy.REJECT, subdomain_policy=Policy.QUARANTINE, rua="mailto:d@there.example")
VERDICT = DmarcVerdict(
    result=DmarcResult.PASS, why=Why.ALIGNED, domain="mail.there.example", policy_domain="there.example", record=RECORD,
    dkim_aligned=("there.example",),
)  # fmt: skip
SPF = SpfVerdict(SpfResult.SOFTFAIL, "bounce.example", "mailfrom")
DKIM = [DkimVerdict(DkimResult.PASS, domain="there.example", selector="s1")]


def count(verdict=VERDICT, disposition=Disposition.NONE, **values):
    named = {"source_ip": "192.0.2.1", "envelope_from": "bounce.example"} | values
    return of_message(verdict, SPF, DKIM, disposition=disposition, **named)


def test_a_message_that_passed():
    counted = count()
    assert (counted.kind, counted.domain, rua_of(counted.head)) == (
        Kind.DMARC, "there.example", "mailto:d@there.example",
    )  # fmt: skip
    report = aggregate_report(WE, counted.head, [(counted.line, 7)], DAY)
    assert (report.published.domain, report.published.p, report.published.sp) == (
        "there.example", "reject", "quarantine",
    )  # fmt: skip
    assert (report.begin, report.end, report.day) == (*bounds_of(DAY), DAY)
    (record,) = report.records
    assert (record.messages, record.disposition, record.dkim, record.spf) == (7, Disposition.PASS, True, False)
    assert (record.header_from, record.envelope_from) == ("mail.there.example", "bounce.example")
    assert record.dkim_said == (DkimSaid("there.example", "s1", "pass"),)
    assert record.spf_said == (SpfSaid("bounce.example", "softfail"),)


@pytest.mark.parametrize(
    ("changes", "disposition", "told", "overrides"),
    [
        ({"result": DmarcResult.FAIL, "disposition": Policy.REJECT}, Disposition.REJECT, Disposition.REJECT, ()),
        ({"result": DmarcResult.FAIL, "disposition": Policy.QUARANTINE}, Disposition.QUARANTINE,
         Disposition.QUARANTINE, ()),
        ({"result": DmarcResult.FAIL}, Disposition.NONE, Disposition.NONE, ()),
        ({"result": DmarcResult.FAIL, "disposition": Policy.REJECT}, Disposition.NONE, Disposition.NONE,
         (Override("local_policy"),)),  # it is not enforced
        ({"result": DmarcResult.FAIL, "override": "trusted_forwarder"}, Disposition.NONE, Disposition.NONE,
         (Override("trusted_forwarder"),)),
    ],
)  # fmt: skip
def test_what_was_done(changes, disposition, told, overrides):
    counted = count(replace(VERDICT, **changes), disposition)
    (record,) = aggregate_report(WE, counted.head, [(counted.line, 1)], DAY).records
    assert (record.disposition, record.overrides) == (told, overrides)


@pytest.mark.parametrize("record", [None, replace(RECORD, rua=""), replace(RECORD, rua="https://there.example/")])
def test_who_asks_for_nothing_is_not_counted(record):
    assert count(replace(VERDICT, record=record)) is None


def test_no_address_of_a_person_is_kept():
    counted = count()
    assert "@" not in counted.line
    assert counted.head.count("@") == 1, "that of the report itself"


def test_the_same_is_counted_as_the_same():
    assert count() == count()
    assert count().digest == count().digest != count(source_ip="192.0.2.2").digest


def test_sessions_by_policy():
    sts = StsPolicy(Mode.ENFORCE, ("mx.there.example",), 86_400)
    counted = [
        (of_session("there.example", sts, TlsSession("mx.there.example", "192.0.2.1")), 5),
        (of_session("there.example", sts, TlsSession("mx.there.example", "192.0.2.1", "certificate-expired", "x")), 2),
        (of_session("there.example", None, TlsSession("mx.there.example", "192.0.2.1")), 1),
    ]
    lines = sorted((one.head, one.line, number) for one, number in counted)
    report = tls_report(WE, "there.example", lines, DAY)
    by_type = {policy.type: policy for policy in report.policies}
    assert (by_type["sts"].successes, by_type["sts"].failed, by_type["no-policy-found"].successes) == (5, 2, 1)
    assert by_type["sts"].lines[:2] == ("version: STSv1", "mode: enforce")
    assert by_type["sts"].mx_hosts == ("mx.there.example",)
    assert [(one.result_type, one.sessions) for one in by_type["sts"].failures] == [("certificate-expired", 2)]


def test_reports_are_due_some_time_after_midnight():
    times = {due_at(Kind.TLS, f"d{number}.example", DAY) for number in range(50)}
    midnight = due_at(Kind.TLS, "x", DAY).replace(hour=0, minute=0, second=0, microsecond=0)
    assert len(times) > 40
    assert all(midnight + SETTLED <= one < midnight + JITTER for one in times)
    assert midnight.date() == DAY + timedelta(days=1)


def test_a_report_has_one_name():
    assert report_id("there.example", DAY) == report_id("there.example", DAY)
    assert report_id("there.example", DAY) != report_id("there.example", DAY + timedelta(days=1))


def _certificate_error(code):
    error = ssl.SSLCertVerificationError("no")
    error.verify_code = code
    return error


@pytest.mark.parametrize(
    ("cause", "word"),
    [
        (_certificate_error(10), "certificate-expired"),
        (_certificate_error(62), "certificate-host-mismatch"),
        (_certificate_error(64), "certificate-host-mismatch"),
        (_certificate_error(18), "certificate-not-trusted"),
        (ssl.SSLError("x"), "validation-failure"),
        (None, "validation-failure"),
    ],
)
def test_the_words_of_failures(cause, word):
    assert result_type(cause) == word
