"""Reports of strangers, and where they want ours."""

from __future__ import annotations

import gzip
from contextlib import suppress

from mailsite_ext.reports.aggregate_reader import read_aggregate
from mailsite_ext.reports.aggregate_writer import write_aggregate
from mailsite_ext.reports.attached import Kind, find_attached, is_bounce
from mailsite_ext.reports.destinations import ByMail, dmarc_destinations, gives_permission, tls_destinations
from mailsite_ext.reports.faults import BadReport
from mailsite_ext.reports.tls_report import read_tls_report, write_tls_report
from mailsite_ext.reports.unpack import MOST_OCTETS
from tests.mailsite.reports import samples

AGGREGATES = (samples.OLD, samples.NEW)
AGGREGATE_WORDS = (
    b"<!DOCTYPE a [<!ENTITY b 'c'>]>", b"&b;", b"<feedback>", b"</record>", b"<record>", b"<count>", b"<![CDATA[",
    b"]]>", b'<?xml version="1.0" encoding="utf-16"?>', b"<dkim>", b"<!--", b"-->", b"&#0;", b"&#x10FFFF;", b"xmlns=",
)  # fmt: skip
TLS_REPORTS = (samples.TLS,)
TLS_WORDS = (b"[", b"{", b'"', b"null", b"1e999", b"-1", b'"policies":', b"\\ud800", b"NaN", b"9" * 30, b"Z", b"+25:00")
MAILS = (
    samples.mail(),
    samples.mail(samples.zipped(samples.NEW), "application/zip"),
    samples.mail(samples.TLS, "application/tlsrpt+json"),
    samples.mail(gzip.compress(b"\0" * (2 << 20))),
    samples.BOUNCE,
)
MAIL_WORDS = (
    b"PK\x03\x04",
    b"H4sIA",
    b"UEsDB",
    b"--b\r\n",
    b"--b--",
    b"Content-Type: ",
    b"base64",
    b"8bit",
    b"\r\n\r\n",
)
RUAS = (b"mailto:a@x.example!10m,https://x.example/r?a=b", b"v=TLSRPTv1; rua=mailto:a%2Bb@x.example?x", b"v=DMARC1;")
RUA_WORDS = (b"mailto:", b"https://", b",", b"!", b"10m", b"%0A", b"@", b"[::1]", b";", b"rua=")


def aggregate(octets: bytes) -> None:
    """What is understood is written as it was understood."""
    with suppress(BadReport):
        report = read_aggregate(octets)
        assert read_aggregate(write_aggregate(report)) == report


def tls(octets: bytes) -> None:
    with suppress(BadReport):
        report = read_tls_report(octets)
        assert read_tls_report(write_tls_report(report)) == report


def mail(octets: bytes) -> None:
    """However it is wrapped, no more comes out than is allowed."""
    is_bounce(octets)
    with suppress(BadReport):
        found = find_attached(octets)
        assert len(found.octets) <= MOST_OCTETS
        aggregate(found.octets) if found.kind is Kind.DMARC else tls(found.octets)


def destinations(octets: bytes) -> None:
    """An address found is one line of text."""
    text = octets.decode("utf-8", "surrogateescape")
    gives_permission([text])
    for found in [*dmarc_destinations(text), *tls_destinations([text])]:
        assert (str(found.address) if isinstance(found, ByMail) else found.url).isprintable()
