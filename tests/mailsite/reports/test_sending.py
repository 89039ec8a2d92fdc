"""Counting into SQL, and a day's reports to whom asks for them; on both databases."""

from __future__ import annotations

import gzip
from collections import Counter
from dataclasses import replace
from datetime import timedelta
from threading import Event

import pytest
from cryptography.hazmat.primitives.asymmetric.rsa import generate_private_key
from sqlalchemy import func, select

from app.errors import MailError
from app.resolver import ZoneResolver
from mailsite_ext.authentication import dkim
from mailsite_ext.authentication.budget import DnsBudget
from mailsite_ext.authentication.dkim_sign import SigningKey
from mailsite_ext.authentication.signing_keys import SigningKeys, public_of
from mailsite_ext.delivery import queue
from mailsite_ext.delivery.models import QueuedMessage, QueuedRecipient
from mailsite_ext.reports import tally as module
from mailsite_ext.reports import worker
from mailsite_ext.reports.aggregate_reader import read_aggregate
from mailsite_ext.reports.attached import find_attached
from mailsite_ext.reports.counted import of_session
from mailsite_ext.reports.models import ReportTally, ReportTurn
from mailsite_ext.reports.sending import Sending
from mailsite_ext.reports.tally import Tally, add
from mailsite_ext.reports.tls_report import read_tls_report
from mailsite_ext.reports.worker import Worker, working
from mailsite_ext.settings.values import Settings
from mailsite_ext.transport_security.tls_results import TlsSession
from tests.conftest import START
from tests.mailsite.reports.test_counted import RECORD, VERDICT, count

KEY = SigningKey("here.example", "s1", generate_private_key(65537, 1024))
ZONE = {
    ("_dmarc.there.example", "TXT"): ["v=DMARC1; p=reject; rua=mailto:d@there.example"],
    ("_smtp._tls.there.example", "TXT"): ["v=TLSRPTv1; rua=mailto:t@there.example,https://there.example/r"],
    ("there.example._report._dmarc.else.example", "TXT"): ["v=DMARC1"],
}
TOMORROW = START + timedelta(days=1)
SESSION = TlsSession("mx.there.example", "192.0.2.1")


class Posted(list):
    fails = False

    def __call__(self, url, octets, media_type):
        if self.fails:
            raise MailError("the server answered 503")
        self.append((url, octets, media_type))


@pytest.fixture
def posted():
    return Posted()


@pytest.fixture
def send(db, clock, posted):
    def send(now=TOMORROW, zone=ZONE, silent=()):
        db.rollback()
        resolver = ZoneResolver(zone, silent)
        return Sending("here.example", KEY, lambda: DnsBudget(resolver, clock), posted).send_due(db, now)

    return send


def tallied(db, *counted, number=1):
    add(db, Counter({(START.date(), one): number for one in counted}))


def with_rua(rua):
    return count(replace(VERDICT, record=replace(RECORD, rua=rua)))


def queued(db, parts):
    db.rollback()
    rows = db.execute(select(QueuedMessage, QueuedRecipient).join(QueuedRecipient)).all()
    return {row[1].address: b"".join(queue.read_blocks(parts.public, row[0].id)) for row in rows}


def left(db):
    db.rollback()
    return db.scalar(select(func.count()).select_from(ReportTally))


def test_counts_add_up(parts, clock, db):
    with Tally(parts.public, clock, ["here.example"]) as one, Tally(parts.public, clock, []) as two:
        for each in (one, two, two):
            each.note_sessions("there.example", None, [SESSION, SESSION])
        one.note_sessions("here.example", None, [SESSION])
    db.rollback()
    assert db.scalars(select(ReportTally.number)).all() == [6]


def test_what_two_begin_at_once_is_counted_for_both(db, monkeypatch):
    tallied(db, count(), number=2)
    looked = []

    def overlooked_at_first(*asked, added=module._added):
        looked.append(asked)
        return len(looked) > 1 and added(*asked)

    monkeypatch.setattr(module, "_added", overlooked_at_first)
    tallied(db, count(), number=3)
    assert db.scalars(select(ReportTally.number)).all() == [5]


def test_nobody_fills_the_table(parts, clock, db, monkeypatch):
    monkeypatch.setattr(module, "MOST_RECORDS", 3)
    monkeypatch.setattr(module, "MOST_IN_MEMORY", 5)
    with Tally(parts.public, clock, []) as tally:
        for number in range(9):
            tally.note_sessions("there.example", None, [TlsSession("mx", f"192.0.2.{number}", "x")])
    assert left(db) == 3


def test_a_days_reports_are_sent_once_it_is_over(send, db, parts, posted):
    tallied(db, count(), number=4)
    tallied(db, of_session("there.example", None, SESSION), number=2)
    assert send(START) == 0
    assert (send(), send()) == (2, 0)
    mails = queued(db, parts)
    assert set(mails) == {"d@there.example", "t@there.example"}
    report = read_aggregate(find_attached(mails["d@there.example"]).octets)
    assert [(record.source_ip, record.messages) for record in report.records] == [("192.0.2.1", 4)]
    assert read_tls_report(find_attached(mails["t@there.example"]).octets).policies[0].successes == 2
    ((url, octets, media_type),) = posted
    assert (url, media_type) == ("https://there.example/r", "application/tlsrpt+gzip")
    assert read_tls_report(gzip.decompress(octets)).organization == "here.example"
    assert left(db) == 0


def test_reports_are_signed_and_nobody_hears_of_their_fate(send, db, parts, clock):
    tallied(db, count())
    send()
    zone = {("s1._domainkey.here.example", "TXT"): [f"v=DKIM1; p={public_of(KEY.private)}"]}
    verdicts = dkim.verify([queued(db, parts)["d@there.example"]], DnsBudget(ZoneResolver(zone), clock), TOMORROW)
    assert [verdict.result for verdict in verdicts] == [dkim.DkimResult.PASS]
    assert db.scalars(select(QueuedRecipient.notify)).all() == ["NEVER"]
    assert db.scalars(select(QueuedMessage.sender)).all() == ["dmarc-reports@here.example"]


def test_a_crash_after_queueing_sends_none_twice(send, db, parts):
    for _ in range(2):
        tallied(db, count())
        send()
    assert len(queued(db, parts)) == 1


@pytest.mark.parametrize(
    ("rua", "reached"),
    [
        ("mailto:d@reports.there.example", ["d@reports.there.example"]),  # of the same organization
        ("mailto:d@else.example", ["d@else.example"]),  # says that it takes them
        ("mailto:d@victim.example", []),
        ("mailto:d@victim.example,mailto:d@there.example", ["d@there.example"]),
        ("mailto:d@there.example!1k", []),  # more than it takes
        ("mailto:d@there.example!10m", ["d@there.example"]),
    ],
)
def test_who_gets_reports(send, db, parts, rua, reached):
    tallied(db, with_rua(rua))
    assert send() == 1
    assert list(queued(db, parts)) == reached


def test_what_changed_during_the_day_is_reported_apart(send, db, parts):
    tallied(db, count(), with_rua("mailto:e@there.example"))
    send()
    assert set(queued(db, parts)) == {"d@there.example", "e@there.example"}


@pytest.mark.parametrize(
    ("rua", "silent"), [("mailto:d@victim.example", ["there.example._report._dmarc.victim.example"])]
)
def test_dns_that_does_not_answer_is_asked_again_for_two_days(send, db, rua, silent):
    tallied(db, with_rua(rua))
    assert (send(silent=silent), left(db)) == (0, 1)
    assert (send(TOMORROW + timedelta(days=2), silent=silent), left(db)) == (1, 0)


def test_a_server_that_takes_no_report_is_asked_again(send, db, posted):
    posted.fails = True
    tallied(db, of_session("there.example", None, SESSION))
    assert (send(), left(db)) == (0, 1)
    posted.fails = False
    assert (send(), left(db), len(posted)) == (1, 0, 1)


def test_who_asks_for_no_tls_report_gets_none(send, db, parts):
    tallied(db, of_session("quiet.example", None, SESSION))
    assert (send(), queued(db, parts), left(db)) == (1, {}, 0)


# The worker

HOSTING = {"domains": ("here.example",)}


@pytest.fixture
def due(db, parts, clock):
    SigningKeys(parts.config, clock).generate("here.example")
    tallied(db, count())
    clock.advance(86_400)


@pytest.mark.parametrize(
    ("settings", "sent"),
    [
        (Settings(**HOSTING), 1),
        (Settings(**HOSTING, send_reports=False), 0),
        (Settings(domains=("else.example",)), 0),  # it has no key to sign with
        (Settings(), 0),
    ],
)
def test_reports_are_sent_where_they_are_wanted_and_can_be_signed(due, db, parts, settings, sent):
    made = Worker(parts, settings, "mx.here.example")
    made.round()
    made.round()
    assert (len(queued(db, parts)), left(db)) == (sent, 0)


def test_one_process_at_a_time(due, db, parts, clock):
    db.add(ReportTurn(id=1, until=clock.now() + timedelta(minutes=1)))
    db.commit()
    made = Worker(parts, Settings(**HOSTING), "mx.here.example")
    made.round()
    assert left(db) == 1
    clock.advance(61)
    made.round()
    assert left(db) == 0
    db.rollback()
    assert db.get(ReportTurn, 1).until == clock.now(), "the turn is over"


def test_it_works_until_it_is_told_to_end(parts, monkeypatch):
    worked = Event()

    class Round:
        def round(self):
            worked.set()
            raise ValueError("a fault of ours ends no thread")

    monkeypatch.setattr(worker, "EVERY_S", 0.001)
    with working(Round()):
        assert worked.wait(10)
