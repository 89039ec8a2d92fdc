"""Reception and reports: mail to a report address goes to the box, mail from outside is counted; on both engines."""

from __future__ import annotations

from dataclasses import replace

import pytest
from sqlalchemy import func, select

from mailsite_ext.authentication.arc import ArcResult, ArcVerdict
from mailsite_ext.authentication.dmarc import DmarcResult, Policy
from mailsite_ext.delivery.header import Origin, read_header
from mailsite_ext.delivery.inbound import Arrival, Inbound
from mailsite_ext.domains.directory import Hosted, Recipient
from mailsite_ext.errors import RefusedByPolicy, TooManyReports
from mailsite_ext.limits import Limits
from mailsite_ext.protocol.smtp_address import Address
from mailsite_ext.protocol.smtp_grammar import MailFrom
from mailsite_ext.reception.findings import Findings
from mailsite_ext.reception.seals import Seals
from mailsite_ext.reports import box as module
from mailsite_ext.reports.aggregate import Disposition
from mailsite_ext.reports.box import ReportBox
from mailsite_ext.reports.models import ReportMail
from mailsite_ext.settings.values import Posture
from mailsite_ext.storage.file_mail_storage import FileMailStorage
from mailsite_ext.storage.values import Content
from tests.conftest import START
from tests.mailsite.reports.samples import mail
from tests.mailsite.reports.test_counted import DKIM, SPF, VERDICT

REPORTS = Recipient(Address("dmarc-reports", "example.org"), (), takes_reports=True)
BOB = Recipient(Address("bob", "example.org"), (Hosted(2, "bob", 2),))
FINDINGS = Findings(spf=SPF, dkim=DKIM, arc=ArcVerdict(ArcResult.NONE), dmarc=VERDICT)


@pytest.fixture
def config(sqlite_config):
    """Rows of reports: test_incoming.py, on both databases."""
    return sqlite_config


@pytest.fixture(params=["files", "sql"])
def storage(request, tmp_path, clock):
    if request.param == "sql":
        yield request.getfixturevalue("sql_storage")
        return
    made = FileMailStorage(tmp_path / "mail", clock, machine="here")
    yield made
    made.close()
    made.engine.dispose()


class Noted(list):
    """A tally that remembers what was done with each message."""

    def note(self, verdict, spf, dkim, **values):
        self.append((verdict.policy_domain, values["source_ip"], values["envelope_from"], values["disposition"]))


@pytest.fixture
def noted():
    return Noted()


@pytest.fixture
def deliver(parts, storage, noted):
    box = ReportBox(parts.public)

    def deliver(*recipients, findings=FINDINGS, octets=None, enforces_dmarc=False, path=None):
        octets = octets or mail()
        inbound = Inbound(storage, "mx.example.org", Posture.ALLOW, Limits(), Seals(b"k" * 32),
                          enforces_dmarc=enforces_dmarc, reports=box, tally=noted)  # fmt: skip
        origin = Origin("192.0.2.1", "mx.there.example", extended=True)
        arrival = Arrival(MailFrom(Address("d", "there.example")), recipients, origin, "1", START, findings)
        if path is not None:
            path.write_bytes(octets)
        content = Content(path or octets, len(octets))
        return inbound.deliver(arrival, content, read_header(octets, is_whole=True)).result()

    yield deliver
    box._threads.shutdown()


def waiting(db):
    db.rollback()
    return db.scalar(select(func.count()).select_from(ReportMail))


def kept(storage):
    folder = storage.find_folder("bob", "INBOX")
    return len(storage.uids(folder.id)) if folder else 0


def test_a_report_is_nobodys_mail(deliver, db, storage):
    assert list(deliver(REPORTS)) == []
    row = db.scalars(select(ReportMail)).one()
    assert (row.address, row.peer, row.hello, row.sender, row.octets) == (
        "dmarc-reports@example.org", "192.0.2.1", "mx.there.example", "d@there.example", mail(),
    )  # fmt: skip


def test_a_report_that_came_as_a_file(deliver, db, tmp_path):
    deliver(REPORTS, path=tmp_path / "spooled")
    assert db.scalars(select(ReportMail.octets)).one() == mail()


def test_a_person_beside_it_gets_a_copy(deliver, db, storage):
    deliver(REPORTS, BOB)
    assert (waiting(db), kept(storage)) == (1, 1)


def test_where_it_cannot_be_kept_nobody_has_it(deliver, db, storage, monkeypatch):
    monkeypatch.setattr(module, "MOST_WAITING", 0)
    with pytest.raises(TooManyReports):
        deliver(REPORTS, BOB)
    assert (waiting(db), kept(storage)) == (0, 0)


@pytest.mark.parametrize(
    ("asked", "enforces_dmarc", "done"),
    [
        (Policy.NONE, True, Disposition.NONE),
        (Policy.QUARANTINE, True, Disposition.QUARANTINE),
        (Policy.QUARANTINE, False, Disposition.NONE),
        (Policy.REJECT, False, Disposition.NONE),
    ],
)
def test_what_came_is_counted(deliver, noted, asked, enforces_dmarc, done):
    failed = replace(VERDICT, result=DmarcResult.FAIL, disposition=asked)
    deliver(BOB, findings=replace(FINDINGS, dmarc=failed), enforces_dmarc=enforces_dmarc)
    assert noted == [("there.example", "192.0.2.1", "there.example", done)]


def test_what_is_refused_is_counted_too(deliver, noted):
    failed = replace(VERDICT, result=DmarcResult.FAIL, disposition=Policy.REJECT)
    with pytest.raises(RefusedByPolicy):
        deliver(BOB, findings=replace(FINDINGS, dmarc=failed), enforces_dmarc=True)
    assert [done for *_, done in noted] == [Disposition.REJECT]


def test_what_did_not_come_from_outside_is_not_counted(deliver, noted):
    deliver(BOB, findings=None)
    assert noted == []
