"""The page of reports: what is counted, charted and advised; whose it is; what strangers wrote is text."""

from __future__ import annotations

import re
from datetime import timedelta

import pytest

from app.mail_services.modes import Mode
from mailsite_ext.reports import queries
from mailsite_ext.reports.advice import Advice, advice
from mailsite_ext.reports.aggregate import Disposition
from mailsite_ext.reports.attached import Kind
from mailsite_ext.reports.chart import Day, bars, days_of
from mailsite_ext.reports.faults import Fault
from mailsite_ext.reports.models import ReceivedReport, ReportedSessions, ReportedSource, ReportMail
from mailsite_ext.settings.service import store_settings
from mailsite_ext.settings.values import Settings
from tests.conftest import START

TODAY = START.date()
SPAN = queries.Span(end=TODAY, days=30)
HOSTILE = "<script>alert(1)</script>"


def report(db, *rows, kind=Kind.DMARC, days_ago=1, domain="example.org", reporter="there.example"):
    number = len(db.new) + db.query(ReceivedReport).count()
    head = ReceivedReport(
        kind=kind, domain=domain, reporter=reporter, author="there.example", report_id=f"r{number}",
        day=TODAY - timedelta(days=days_ago), policy="none", received_at=START,
    )  # fmt: skip
    db.add(head)
    db.flush()
    for position, row in enumerate(rows):
        row.report_id, row.number = head.id, position
    db.add_all(rows)
    db.commit()


def source(ip="192.0.2.1", messages=1, dkim=True, spf=True, vouched_by="", disposition=Disposition.NONE):
    return ReportedSource(
        source_ip=ip, messages=messages, dkim=dkim, spf=spf, vouched_by=vouched_by, disposition=disposition
    )


def session(sessions, failure="", host=""):
    return ReportedSessions(policy_type="sts", failure=failure, mx_host=host, sessions=sessions)


@pytest.mark.parametrize(
    ("numbers", "vouched_by", "is_ours", "advised"),
    [
        ((10, 10, 10, 0), "example.org", False, Advice.NOTHING),
        ((10, 10, 9, 0), "example.org", False, Advice.NOTHING),
        ((10, 9, 9, 1), "example.org", False, Advice.NOTHING),
        ((10, 10, 0, 0), "example.org", False, Advice.ADD_TO_SPF),
        ((10, 0, 10, 0), "example.org", False, Advice.SIGN),
        ((10, 0, 0, 10), "service.example", False, Advice.ALIGN),
        ((10, 0, 0, 10), "", False, Advice.UNKNOWN),
        ((10, 0, 0, 10), "", True, Advice.OWN_SERVER),
        ((10, 10, 10, 0), "", True, Advice.NOTHING),
        ((0, 0, 0, 0), "", False, Advice.NOTHING),
    ],
)
def test_what_to_do_about_a_source(numbers, vouched_by, is_ours, advised):
    messages, dkim, spf, failed = numbers
    assert advice(messages, dkim, spf, failed, vouched_by, is_ours=is_ours) is advised


@pytest.mark.parametrize(
    ("counts", "days", "step", "found"),
    [
        ({}, 2, 1, [(0, 0), (0, 0)]),
        ({TODAY: (3, 1)}, 2, 1, [(0, 0), (3, 1)]),
        ({TODAY: (3, 1), TODAY - timedelta(days=1): (1, 0)}, 4, 2, [(0, 0), (4, 1)]),
        ({TODAY - timedelta(days=9): (3, 1)}, 2, 1, [(0, 0), (0, 0)]),
    ],
)
def test_days_without_reports_are_days_too(counts, days, step, found):
    assert [(day.passed, day.failed) for day in days_of(counts, TODAY, days, step)] == found


@pytest.mark.parametrize("days", [[], [Day(TODAY, 0, 0)], [Day(TODAY, 10**9, 1), Day(TODAY, 0, 5), Day(TODAY, 3, 0)]])
def test_bars_stay_in_the_picture_and_show_what_is_not_nothing(days):
    for bar in bars(days, 720, 140):
        assert 0 <= bar.failed_y <= bar.passed_y <= 140
        assert bar.failed_y + bar.failed_height <= 140.1
        assert 0 <= bar.x <= bar.x + bar.width <= 720
        assert (bar.passed_height > 0, bar.failed_height > 0) == (bar.day.passed > 0, bar.day.failed > 0)


def test_mail_is_added_up_by_day_and_source(db):
    report(db, source(messages=5), source(messages=2, dkim=False), source("192.0.2.9", 3, dkim=False, spf=False,
                                                                       disposition=Disposition.REJECT))  # fmt: skip
    report(db, source(messages=4), days_ago=2, reporter="else.example")
    report(db, source(messages=100), days_ago=31)
    report(db, source(messages=100), domain="example.net")
    report(db, session(100), kind=Kind.TLS)
    mail = queries.find_mail(db, "example.org", SPAN, ["192.0.2.9"])
    assert (mail.passed, mail.failed, mail.further) == (11, 3, 0)
    assert [(day.passed, day.failed) for day in mail.days[-3:]] == [(4, 0), (7, 3), (0, 0)]
    first, second = mail.sources
    assert (first.messages, first.dkim, first.spf, first.failed, first.stopped) == (11, 9, 11, 0, 0)
    assert (second.failed, second.stopped, second.advice) == (3, 3, Advice.OWN_SERVER)
    assert [day.failed for day in second.days[-3:]] == [0, 3, 0]
    assert mail.reporters == ["else.example", "there.example"]


def test_sources_with_the_most_mail_are_listed(db, monkeypatch):
    monkeypatch.setattr(queries, "MOST_SOURCES", 2)
    report(db, *(source(f"192.0.2.{number}", number) for number in range(1, 6)))
    mail = queries.find_mail(db, "example.org", SPAN, [])
    assert ([one.source_ip for one in mail.sources], mail.further) == (["192.0.2.5", "192.0.2.4"], 3)


def test_a_long_time_is_shown_by_weeks(db):
    report(db, source(messages=5), days_ago=399)
    mail = queries.find_mail(db, "example.org", queries.Span(end=TODAY, days=400), [])
    assert (len(mail.days), mail.passed) == (58, 5)


def test_sessions_are_added_up_by_day_and_failure(db):
    report(db, session(10), session(2, "certificate-expired", "mx.example.org"), kind=Kind.TLS)
    report(db, session(5, "certificate-expired", "mx.example.org"), kind=Kind.TLS, days_ago=3)
    found = queries.find_sessions(db, "example.org", SPAN)
    assert (found.passed, found.failed) == (10, 7)
    assert found.failures == [queries.Failure("certificate-expired", "sts", "mx.example.org", 7)]


@pytest.fixture
def page(db, admin, browser_of, set_mode):
    set_mode(Mode.BOTH)
    store_settings(db, Settings(domains=("example.org", "example.net")))
    db.commit()
    browser = browser_of(admin)

    def page(path="/admin/reports/example.org", status=200):
        answer = browser.get(path)
        assert answer.status_code == status
        return answer.text

    return page


def test_the_page_without_any_report(page):
    text = page("/admin/reports")
    assert text.count("No report yet") == 2
    assert "Not taken" not in text


def test_the_page_says_what_to_do(page, db):
    report(db, source(messages=1234), source("192.0.2.9", 3, dkim=False, spf=False, vouched_by="service.example"))
    report(db, session(77), session(2, "certificate-expired", "mx.example.org"), kind=Kind.TLS)
    text = page()
    for words in ("192.0.2.9", "1234", "Nothing to do", "Answered for by another domain", "service.example",
                  "The certificate had expired.", "mx.example.org", "Reported by there.example."):  # fmt: skip
        assert words in text, words
    assert "No report yet" not in text
    assert "192.0.2.9" not in page("/admin/reports/example.net")


@pytest.mark.parametrize("path", ["/admin/reports/else.example", "/admin/reports/localhost", "/admin/reports/x%0Ay"])
def test_a_domain_that_is_not_hosted_is_not_found(page, path):
    page(path, 404)


@pytest.mark.parametrize("days", ["7", "400", "0", "-1", "9999999999", "x", ""])
def test_any_time_can_be_asked_for(page, db, days):
    report(db, source())
    assert "192.0.2.1" in page(f"/admin/reports/example.org?days={days}")


def test_what_strangers_wrote_is_text(page, db):
    report(db, source(vouched_by=HOSTILE), reporter=HOSTILE)
    report(db, session(1, HOSTILE, HOSTILE), kind=Kind.TLS, reporter=HOSTILE)
    db.add(ReportMail(address=HOSTILE, peer="192.0.2.1", hello="x", sender=HOSTILE, size_octets=0, octets=b"",
                      received_at=START, next_at=START, fault=Fault.BAD_VALUE, detail=HOSTILE))  # fmt: skip
    db.commit()
    text = page()
    assert HOSTILE not in text
    assert text.count("&lt;script&gt;") >= 8
    assert not re.search(r'style="|\son\w+="', text)


def test_every_fault_has_words(page, db):
    for fault in Fault:
        db.add(ReportMail(address="a", peer="", hello="", sender="", size_octets=0, octets=b"", received_at=START,
                          next_at=START, fault=fault, detail=""))  # fmt: skip
    db.commit()
    assert page().count("nobody (a notice)") == len(Fault)


def test_reports_that_wait_for_a_service_that_does_not_run(page, db):
    db.add(ReportMail(address="a", peer="", hello="", sender="", size_octets=1, octets=b"x", received_at=START,
                      next_at=START))  # fmt: skip
    db.commit()
    assert "It reads reports: 1 waits." in page()
