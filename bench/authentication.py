"""CPU of judging and signing one message: `python -m bench.authentication`, dkimpy beside it."""

from __future__ import annotations

import time
from collections.abc import Callable, Sequence
from datetime import UTC, datetime

import dkim as dkimpy
from cryptography.hazmat.primitives import serialization

from app.clock import SystemClock
from app.resolver import ZoneResolver
from bench.report import head, row
from mailsite_ext.authentication import dkim, dmarc, results, spf
from mailsite_ext.authentication.authors import author_domains
from mailsite_ext.authentication.budget import DnsBudget
from mailsite_ext.authentication.raw_message import read_message
from mailsite_ext.authentication.signing_keys import make_rsa_key, public_of
from mailsite_ext.protocol.smtp_address import Address

OCTETS = (4_096, 102_400)
RUNS = 200
DOMAIN, SELECTOR = "example.org", "bench"
NOW = datetime(2026, 1, 1, tzinfo=UTC)
HEADER = (
    b"From: Alice <alice@example.org>\r\nTo: Bob <bob@example.com>\r\nSubject: Figures\r\n"
    b"Date: Thu, 01 Jan 2026 00:00:00 +0000\r\nMessage-ID: <1@example.org>\r\nMIME-Version: 1.0\r\n\r\n"
)
LINE = b"Some words of a letter that somebody wrote to somebody else, and so on.\r\n"


def main() -> None:
    """Milliseconds of CPU: all DNS is answered from memory."""
    key = dkim.SigningKey(DOMAIN, SELECTOR, make_rsa_key())
    zone = ZoneResolver(
        {
            (f"{SELECTOR}._domainkey.{DOMAIN}", "TXT"): [record_of(key)],
            (DOMAIN, "TXT"): ["v=spf1 include:mail.example.org mx -all"],
            (f"_dmarc.{DOMAIN}", "TXT"): [f"v=DMARC1; p=reject; rua=mailto:reports@{DOMAIN}"],
            (f"mail.{DOMAIN}", "TXT"): ["v=spf1 ip4:192.0.2.0/24 ip6:2001:db8::/32 -all"],
        }
    )
    head("CPU of one message, ms", "sign", "DKIM", "SPF", "DMARC", "all, results", "dkimpy signs", "dkimpy verifies")
    for octets in OCTETS:
        letter = HEADER + LINE * ((octets - len(HEADER)) // len(LINE))
        row(f"{octets:,} octets", *(f"{cpu_ms(operation):.2f}" for operation in operations(letter, key, zone)))


def operations(letter: bytes, key: dkim.SigningKey, zone: ZoneResolver) -> Sequence[Callable[[], object]]:
    """One for each column."""
    signed = dkim.sign([letter], key, NOW) + letter
    pem, record = pem_of(key), record_of(key).encode()
    signatures = dkim.verify([signed], budget(zone), NOW)
    return (
        lambda: dkim.sign([letter], key, NOW),
        lambda: dkim.verify([signed], budget(zone), NOW),
        lambda: check_sender(budget(zone)),
        lambda: dmarc.evaluate([DOMAIN], None, signatures, budget(zone)),
        lambda: judge(signed, zone),
        lambda: dkimpy.sign(letter, SELECTOR.encode(), DOMAIN.encode(), pem),
        lambda: dkimpy.verify(signed, dnsfunc=lambda *_name, **_options: record),
    )


def budget(zone: ZoneResolver) -> DnsBudget:
    return DnsBudget(zone, SystemClock())


def check_sender(dns: DnsBudget) -> spf.SpfVerdict:
    sender = Address("alice", DOMAIN)
    return spf.check_sender("192.0.2.1", "mail.example.org", sender, dns, received_by="mx.here.example", at=NOW)


def judge(message: bytes, zone: ZoneResolver) -> bytes:
    """All that is done to one message from outside, and what is written on it."""
    dns = budget(zone)
    fields, _body = read_message([message])
    authors = list(author_domains(fields))
    sent, signatures = check_sender(dns), dkim.verify([message], dns, NOW)
    verdict = dmarc.evaluate(authors, sent, signatures, dns)
    findings = [results.spf_finding(sent), *results.dkim_findings(signatures), results.dmarc_finding(verdict)]
    return results.results_field("mx.here.example", findings)


def cpu_ms(operation: Callable[[], object]) -> float:
    operation()
    begun = time.process_time()
    for _ in range(RUNS):
        operation()
    return (time.process_time() - begun) / RUNS * 1000


def record_of(key: dkim.SigningKey) -> str:
    return f"v=DKIM1; k=rsa; p={public_of(key.private)}"


def pem_of(key: dkim.SigningKey) -> bytes:
    return key.private.private_bytes(
        serialization.Encoding.PEM, serialization.PrivateFormat.TraditionalOpenSSL, serialization.NoEncryption()
    )


if __name__ == "__main__":
    main()
