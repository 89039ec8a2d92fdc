"""Reports in mail: found by what they are, and written so that we find them ourselves."""

from __future__ import annotations

import base64
import gzip
from contextlib import suppress

import pytest

from mailsite_ext.protocol.smtp_address import Address
from mailsite_ext.reports.aggregate_reader import read_aggregate
from mailsite_ext.reports.attached import MOST_MAIL_OCTETS, Kind, find_attached, is_bounce
from mailsite_ext.reports.faults import BadReport, Fault
from mailsite_ext.reports.tls_report import read_tls_report
from mailsite_ext.reports.written import Written, file_name, mail_of, packed
from tests.conftest import START
from tests.mailsite.reports.samples import BOUNCE, NEW, OLD, TLS, mail, zipped


@pytest.mark.parametrize(
    ("octets", "media_type", "kind", "found"),
    [
        (gzip.compress(OLD), "application/gzip", Kind.DMARC, OLD),
        (gzip.compress(OLD), "application/octet-stream; name=x.gz", Kind.DMARC, OLD),
        (zipped(NEW), "application/zip", Kind.DMARC, NEW),
        (OLD, "text/xml", Kind.DMARC, OLD),
        (TLS, "application/tlsrpt+json", Kind.TLS, TLS),
        (gzip.compress(TLS), "application/tlsrpt+gzip", Kind.TLS, TLS),
        (gzip.compress(TLS), "application/gzip", Kind.TLS, TLS),
    ],
)
def test_a_report_is_found_by_its_content(octets, media_type, kind, found):
    attached = find_attached(mail(octets, media_type))
    assert (attached.kind, attached.octets) == (kind, found)


def test_a_mail_that_is_a_report_and_nothing_else():
    octets = base64.encodebytes(gzip.compress(OLD))
    head = b"From: a@b.example\r\nContent-Type: application/gzip\r\nContent-Transfer-Encoding: base64\r\n\r\n"
    assert find_attached(head + octets).octets == OLD


@pytest.mark.parametrize(
    ("octets", "fault"),
    [
        (b"", Fault.NOT_A_REPORT),
        (b"Subject: Hello\r\n\r\n<feedback/>\r\n", Fault.NOT_A_REPORT),
        (mail(b"a picture", "image/png"), Fault.NOT_A_REPORT),
        (mail(b"\x1f\x8bx"), Fault.BADLY_PACKED),
        (mail(gzip.compress(b"\0" * (2 << 20))), Fault.BOMB),
        (b"x" * (MOST_MAIL_OCTETS + 1), Fault.TOO_LARGE),
    ],
)
def test_what_has_none(octets, fault):
    with pytest.raises(BadReport) as raised:
        find_attached(octets)
    assert raised.value.fault is fault


@pytest.mark.parametrize(("octets", "answer"), [(BOUNCE, True), (mail(), False), (b"", False)])
def test_bounces_are_known(octets, answer):
    assert is_bounce(octets) is answer


@pytest.mark.parametrize(("kind", "octets"), [(Kind.DMARC, OLD), (Kind.TLS, TLS)])
def test_what_we_write_we_can_read(kind, octets):
    report = Written(
        kind=kind, domain="there.example", submitter="here.example", author="dmarc-reports@here.example",
        report_id="1a2b", begin=10, end=20, packed=packed(octets),
    )  # fmt: skip
    written = mail_of(report, Address("rua", "there.example"), START)
    assert find_attached(written).octets == octets
    assert written.isascii()
    assert max(map(len, written.split(b"\r\n"))) < 200
    assert b"Subject: Report Domain: there.example Submitter: here.example Report-ID: <1a2b>\r\n" in written
    assert file_name(report).startswith("here.example!there.example!10!20!1a2b.")
    assert written == mail_of(report, Address("rua", "there.example"), START)
    assert (b"TLS-Report-Domain: there.example\r\n" in written) is (kind is Kind.TLS)


def test_the_samples_are_reports():
    assert [len(read_aggregate(octets).records) for octets in (OLD, NEW)] == [2, 1]


@pytest.mark.corpora
def test_mail_of_others_is_a_report_or_is_not(corpora):
    """Nothing but a fault with a name, whatever real mail looks like."""
    files = sorted(path for path in (corpora / "messages").rglob("*") if path.is_file())
    assert len(files) > 100
    for path in files:
        octets = path.read_bytes()
        is_bounce(octets)
        with suppress(BadReport):
            found = find_attached(octets)
            read_aggregate(found.octets) if found.kind is Kind.DMARC else read_tls_report(found.octets)
