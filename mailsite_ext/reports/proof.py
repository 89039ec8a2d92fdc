"""Who wrote a report: the domain of its From, if SPF or DKIM answers for it (RFC 9990 §5, RFC 8460 §5.3)."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime

from app.extension_api import MailError
from mailsite_ext.authentication import dkim, spf
from mailsite_ext.authentication.budget import DnsBudget
from mailsite_ext.authentication.spf_record import SpfResult
from mailsite_ext.delivery.header import authors, read_header
from mailsite_ext.protocol.smtp_address import parse_address
from mailsite_ext.reports.faults import BadReport, Fault

TEMPORARY = (dkim.DkimResult.TEMPERROR, SpfResult.TEMPERROR)


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
    results = []
    for verdict in dkim.verify([mail.octets], dns, mail.at):
        if verdict.result is dkim.DkimResult.PASS and is_aligned(verdict.domain, author):
            return author
        results.append(verdict.result.value)
    sent = _check_sender(mail, dns)
    if sent.result is SpfResult.PASS and is_aligned(sent.domain, author):
        return author
    if set(TEMPORARY) & {*results, sent.result.value}:
        raise NotKnownYet
    raise BadReport(Fault.UNPROVEN, author)


def _author_domain(octets: bytes) -> str:
    try:
        return parse_address(authors(read_header(octets, is_whole=True))[0], utf8=True).domain
    except MailError:
        raise BadReport(Fault.MISSING, "From") from None


def _check_sender(mail: Delivered, dns: DnsBudget) -> spf.SpfVerdict:
    sender = parse_address(mail.sender, utf8=True) if mail.sender else None
    return spf.check_sender(mail.peer, mail.hello, sender, dns, received_by=mail.received_by, at=mail.at)


def is_aligned(domain: str, author: str) -> bool:
    """Is one the other or below it?  A suffix that many share signs nothing and sends nothing."""
    domain, author = domain.lower(), author.lower()
    return domain == author or domain.endswith(f".{author}") or author.endswith(f".{domain}")
