"""Mail to a report address: taken, proven, read once, kept for 400 days; on both databases."""

from __future__ import annotations

import gzip
from datetime import timedelta

import pytest
from sqlalchemy import func, select
from sqlalchemy.exc import OperationalError

from app.resolver import ZoneResolver
from mailsite_ext.delivery.header import Origin
from mailsite_ext.delivery.inbound import Arrival
from mailsite_ext.domains.directory import Recipient
from mailsite_ext.errors import MessageTooLarge, TooManyReports
from mailsite_ext.protocol.smtp_address import Address
from mailsite_ext.protocol.smtp_grammar import MailFrom
from mailsite_ext.reports import box as module
from mailsite_ext.reports import incoming
from mailsite_ext.reports.aggregate import Disposition
from mailsite_ext.reports.attached import MOST_MAIL_OCTETS, Kind
from mailsite_ext.reports.box import ReportBox
from mailsite_ext.reports.faults import Fault
from mailsite_ext.reports.incoming import Reading, tidy
from mailsite_ext.reports.models import ReceivedReport, ReportedSessions, ReportedSource, ReportMail
from mailsite_ext.storage.values import Content
from tests.conftest import START
from tests.mailsite.reports.samples import BOUNCE, NEW, OLD, TLS, mail

ZONE = {
    ("there.example", "TXT"): ["v=spf1 ip4:192.0.2.1 -all"],
    ("bounces.there.example", "TXT"): ["v=spf1 ip4:192.0.2.1 -all"],
    ("else.example", "TXT"): ["v=spf1 ip4:192.0.2.1 -all"],
}


def arrival(sender="d@there.example", peer="192.0.2.1", hello="mx.there.example"):
    to = Recipient(Address("dmarc-reports", "example.org"), (), takes_reports=True)
    mail_from = MailFrom(Address(*sender.split("@")) if sender else None)
    return Arrival(mail_from, [to], Origin(peer, hello, extended=True), "1", START)


@pytest.fixture
def box(parts):
    made = ReportBox(parts.public)
    yield made
    made._threads.shutdown()


@pytest.fixture
def take(box):
    def take(octets, **envelope):
        return box.take(arrival(**envelope), Content(octets, len(octets)), list).result()

    return take


@pytest.fixture
def read(db, clock):
    def read(zone=ZONE, silent=()):
        db.rollback()
        resolver = ZoneResolver(zone, silent)
        return Reading(resolver, clock, ["example.org", "deep.example.org"], "mx.example.org").read_waiting(db)

    return read


def refused(db):
    db.rollback()
    return [(row.fault, row.detail) for row in db.scalars(select(ReportMail).order_by(ReportMail.id))]


def count(db, table):
    db.rollback()
    return db.scalar(select(func.count()).select_from(table))


def test_a_report_is_kept_by_source(take, read, db):
    take(mail())
    assert read() == 1
    report = db.scalars(select(ReceivedReport)).one()
    assert (report.kind, report.domain, report.reporter, report.author) == (
        Kind.DMARC, "example.org", "there.example", "there.example",
    )  # fmt: skip
    assert (report.day.isoformat(), report.policy, report.received_at) == ("2026-11-23", "none", START)
    rows = db.scalars(select(ReportedSource).order_by(ReportedSource.number)).all()
    assert [(row.source_ip, row.messages, row.dkim, row.spf, row.disposition, row.vouched_by) for row in rows] == [
        ("192.0.2.7", 12, True, True, Disposition.NONE, "example.org"),
        ("2001:db8::1", 3, False, False, Disposition.REJECT, "else.example"),
    ]
    assert count(db, ReportMail) == 0


def test_a_tls_report_is_kept_by_failure(take, read, db):
    take(mail(TLS, "application/tlsrpt+json"))
    read()
    rows = db.scalars(select(ReportedSessions).order_by(ReportedSessions.number)).all()
    assert [(row.policy_type, row.failure, row.mx_host, row.sessions) for row in rows] == [
        ("sts", "", "", 5326),
        ("sts", "certificate-expired", "mail.example.org", 100),
        ("sts", "starttls-not-supported", "mail.example.org", 203),
        ("no-policy-found", "", "", 2),
    ]


def test_the_same_report_counts_once(take, read, db):
    for _ in range(3):
        take(mail())
    take(mail(OLD.replace(b"13190567452861423", b"another")))
    read()
    assert (count(db, ReceivedReport), count(db, ReportMail)) == (2, 0)


def test_records_alike_are_one(take, read, db):
    take(mail(gzip.compress(NEW)))
    one = NEW[NEW.index(b"  <record>") : NEW.index(b"</record>") + 9]
    take(mail(gzip.compress(NEW.replace(one, one * 3).replace(b"<report_id>n1", b"<report_id>n3"))))
    read()
    db.rollback()
    assert sorted(db.scalars(select(ReportedSource.messages))) == [1, 3]


def test_a_report_about_a_domain_below_belongs_to_the_nearest_above(take, read, db):
    for name in (b"a.deep.example.org", b"b.example.org"):
        take(
            mail(
                gzip.compress(OLD.replace(b"<domain>example.org</domain><adkim>", b"<domain>%b</domain><adkim>" % name))
            )
        )
    read()
    db.rollback()
    assert sorted(db.scalars(select(ReceivedReport.domain))) == ["deep.example.org", "example.org"]


@pytest.mark.parametrize(
    ("octets", "envelope", "fault", "detail"),
    [
        (mail(), {"peer": "192.0.2.66"}, Fault.UNPROVEN, "there.example"),
        (mail(), {"sender": "d@else.example"}, Fault.UNPROVEN, "there.example"),
        (mail(), {"sender": ""}, Fault.UNPROVEN, "there.example"),
        (mail(author="d@google.example"), {}, Fault.UNPROVEN, "google.example"),
        (mail().replace(b"From: Reports", b"X: "), {}, Fault.MISSING, "From"),
        (mail(OLD.replace(b"<domain>example.org", b"<domain>example.net")), {}, Fault.OTHER_DOMAIN, "example.net"),
        (mail(OLD.replace(b"<domain>example.org", b"<domain>badexample.org")), {}, Fault.OTHER_DOMAIN,
         "badexample.org"),
        (mail(TLS.replace(b"example.org", b"example.net")), {}, Fault.OTHER_DOMAIN, "example.net"),
        (mail(OLD.replace(b"17953920", b"16953920").replace(b"17954783", b"16954783")), {}, Fault.BAD_VALUE,
         "2023-09-23"),
        (mail(OLD.replace(b"17953920", b"17963920").replace(b"17954783", b"17964783")), {}, Fault.BAD_VALUE,
         "2026-12-05"),
        (mail(OLD[:-30]), {}, Fault.NOT_XML, None),
        (b"From: a@there.example\r\n\r\nHello\r\n", {}, Fault.NOT_A_REPORT, ""),
    ],
)  # fmt: skip
def test_what_is_not_taken_is_named(take, read, db, octets, envelope, fault, detail):
    take(octets, **envelope)
    read()
    ((found, said),) = refused(db)
    assert found is fault
    assert detail in (None, said)
    assert count(db, ReceivedReport) == 0
    assert read() == 0, "it is looked at once"
    assert db.scalars(select(ReportMail.octets)).all() == [b""]


def test_a_sender_below_the_author_proves_it(take, read, db):
    take(mail(), sender="x@bounces.there.example")
    read()
    assert count(db, ReceivedReport) == 1


def test_bounces_of_our_own_are_let_go(take, read, db):
    take(BOUNCE, sender="")
    read()
    assert (count(db, ReportMail), count(db, ReceivedReport)) == (0, 0)


def test_dns_that_does_not_answer_is_asked_again(take, read, db, clock):
    take(mail())
    assert read(silent=["there.example"]) == 1
    assert read() == 0, "not at once"
    clock.advance(incoming.ASKED_AGAIN.total_seconds())
    assert (read(), count(db, ReceivedReport)) == (1, 1)


def test_dns_that_never_answers_leaves_it_unproven(take, read, db, clock):
    take(mail())
    for _ in range(incoming.MOST_TRIES):
        assert read(silent=["there.example"]) == 1
        clock.advance(incoming.ASKED_AGAIN.total_seconds())
    assert refused(db) == [(Fault.UNPROVEN, "")]


def test_one_that_trips_us_up_keeps_no_other_waiting(take, read, db, clock, monkeypatch):
    monkeypatch.setattr(incoming, "is_bounce", lambda octets: b"poison" in octets and 1 / 0)
    take(b"poison")
    take(mail())
    for _ in range(incoming.MOST_TRIES):
        read()
        clock.advance(incoming.ASKED_AGAIN.total_seconds())
    assert count(db, ReceivedReport) == 1
    assert refused(db) == [(Fault.NOT_A_REPORT, "")]


def test_a_header_without_end_is_none(take, read, db):
    take(b"From: d@there.example\r\n" + b"X-Long: x\r\n" * 100_000 + b"\r\n" + mail())
    read()
    assert refused(db) == [(Fault.MISSING, "From")]


def test_a_disk_cannot_be_filled(take, read, db, monkeypatch):
    monkeypatch.setattr(module, "MOST_WAITING", 2)
    take(mail())
    take(mail())
    with pytest.raises(TooManyReports):
        take(mail())
    read()
    take(mail())
    monkeypatch.setattr(module, "MOST_WAITING_OCTETS", 10)
    with pytest.raises(TooManyReports):
        take(mail())


def test_a_mail_too_large_is_refused_at_once(box):
    with pytest.raises(MessageTooLarge):
        box.take(arrival(), Content(b"", MOST_MAIL_OCTETS + 1), list)


def test_a_database_that_is_away_refuses_for_now(box, parts, monkeypatch):
    def fail(_db):
        raise OperationalError("", {}, Exception())

    monkeypatch.setattr(module, "_check_room", fail)
    with pytest.raises(TooManyReports):
        box.take(arrival(), Content(b"x", 1), lambda: pytest.fail("nothing else is done")).result()


def test_old_reports_and_old_lines_go(take, read, db, monkeypatch):
    monkeypatch.setattr(incoming, "MOST_REFUSED", 2)
    take(mail())
    for _ in range(4):
        take(b"From: a@there.example\r\n\r\nHello\r\n")
    read()
    tidy(db, START + timedelta(days=398))
    assert (count(db, ReceivedReport), count(db, ReportMail)) == (1, 2)
    tidy(db, START + timedelta(days=401))
    assert (count(db, ReceivedReport), count(db, ReportedSource)) == (0, 0)
