"""Who wrote a report: the domain of its From, if SPF or DKIM answers for it (RFC 9990 §5, RFC 8460 §5.3)."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime

from app.extension_api import MailError
from mailsite_ext.authentication import dkim, dmarc, spf
from mailsite_ext.authentication.budget import DnsBudget
from mailsite_ext.delivery.header import authors, read_header
from mailsite_ext.errors import HeaderTooLarge
from mailsite_ext.protocol.smtp_address import parse_address
from mailsite_ext.reports.faults import BadReport, Fault

HEADER_OCTETS = 128 * 1024
TEMPORARY = "temperror"  # of any of them, RFC 8601 §2.7


class NotKnownYet(Exception):
    """DNS did not answer: it is asked again another time."""


@dataclass(frozen=True, slots=True)
class Delivered:
    """How a mail came in; `sender` of its envelope is empty for none."""

    octets: bytes
    peer: str
    hello: str
    sender: str
    received_by: str
    at: datetime


def proven_author(mail: Delivered, dns: DnsBudget) -> str:
    """Raises BadReport for UNPROVEN, NotKnownYet."""
    author = _author_domain(mail.octets)
    try:
        signed = dkim.verify([mail.octets], dns, mail.at)
    except HeaderTooLarge:
        raise BadReport(Fault.TOO_LARGE) from None
    sent = _check_sender(mail, dns)
    verdict = dmarc.evaluate([author], sent, signed, dns)
    if verdict.is_authenticated:
        return author
    if TEMPORARY in {verdict.result.value, sent.result.value, *(each.result.value for each in signed)}:
        raise NotKnownYet
    raise BadReport(Fault.UNPROVEN, author)


def _author_domain(octets: bytes) -> str:
    try:
        header = read_header(octets[:HEADER_OCTETS], is_whole=len(octets) <= HEADER_OCTETS)
        return parse_address(authors(header)[0], utf8=True).domain
    except MailError:
        raise BadReport(Fault.MISSING, "From") from None


def _check_sender(mail: Delivered, dns: DnsBudget) -> spf.SpfVerdict:
    sender = parse_address(mail.sender, utf8=True) if mail.sender else None
    return spf.check_sender(mail.peer, mail.hello, sender, dns, received_by=mail.received_by, at=mail.at)
