"""Reports as mail (RFC 9990 §3.4, RFC 8460 §5.3).  Pure."""

from __future__ import annotations

import base64
import gzip
from dataclasses import dataclass
from datetime import datetime
from email.utils import format_datetime

from mailsite_ext.protocol.smtp_address import Address
from mailsite_ext.reports.attached import Kind

MEDIA_TYPES = {Kind.DMARC: "application/gzip", Kind.TLS: "application/tlsrpt+gzip"}
WRAPPINGS = {Kind.DMARC: "multipart/mixed", Kind.TLS: 'multipart/report; report-type="tlsrpt"'}
ENDINGS = {Kind.DMARC: "xml.gz", Kind.TLS: "json.gz"}
OWN_REPORT = {Kind.DMARC: "report:dmarc:", Kind.TLS: "report:tls:"}
"""How the queue's token of a report begins."""
WORDS = {
    Kind.DMARC: "what became of mail that named {domain} as its author's domain",
    Kind.TLS: "how the way to the mail servers of {domain} was encrypted",
}


@dataclass(frozen=True, slots=True, kw_only=True)
class Written:
    """A report ready to go, but for where to."""

    kind: Kind
    domain: str  # it is about
    submitter: str  # our domain
    author: str  # our address
    report_id: str
    begin: int  # seconds since 1970, as end
    end: int
    packed: bytes


def packed(octets: bytes) -> bytes:
    """gzip, the same for the same report."""
    return gzip.compress(octets, mtime=0)


def file_name(report: Written) -> str:
    """receiver!domain!begin!end!id, as both formats have it."""
    parts = (report.submitter, report.domain, str(report.begin), str(report.end), report.report_id)
    return f"{'!'.join(parts)}.{ENDINGS[report.kind]}"


def mail_of(report: Written, to: Address, now: datetime) -> bytes:
    """The whole message with CRLF, in ASCII."""
    boundary = f"report-{report.report_id}"
    about = WORDS[report.kind].format(domain=report.domain)
    header = [
        f"From: {report.author}",
        f"To: {to}",
        f"Subject: Report Domain: {report.domain} Submitter: {report.submitter} Report-ID: <{report.report_id}>",
        f"Date: {format_datetime(now)}",
        f"Message-ID: <{report.report_id}.{report.kind}@{report.submitter}>",
        "Auto-Submitted: auto-generated",
        "MIME-Version: 1.0",
        f'Content-Type: {WRAPPINGS[report.kind]}; boundary="{boundary}"',
    ]
    if report.kind is Kind.TLS:
        header += [f"TLS-Report-Domain: {report.domain}", f"TLS-Report-Submitter: {report.submitter}"]
    lines = [
        *header,
        "",
        f"--{boundary}",
        "Content-Type: text/plain; charset=us-ascii",
        "",
        f"This is a report of {report.submitter} on {about}.",
        "A program wrote it, and programs read it.",
        f"--{boundary}",
        f"Content-Type: {MEDIA_TYPES[report.kind]}",
        f'Content-Disposition: attachment; filename="{file_name(report)}"',
        "Content-Transfer-Encoding: base64",
        "",
        *base64.encodebytes(report.packed).decode().splitlines(),
        f"--{boundary}--",
    ]
    return "".join(f"{line}\r\n" for line in lines).encode()
