"""CPU of judging and signing one message: `python -m bench.authentication`, dkimpy beside it."""

from __future__ import annotations

import time
from collections.abc import Callable, Collection, Mapping, Sequence
from datetime import UTC, datetime

import dkim as dkimpy
from cryptography.hazmat.primitives import serialization

from app.clock import SystemClock
from app.resolver import ZoneResolver
from bench.report import head, row
from mailsite_ext.authentication import dkim, dmarc, spf
from mailsite_ext.authentication.budget import DnsBudget
from mailsite_ext.authentication.signing_keys import make_rsa_key, public_of
from mailsite_ext.delivery.header import Origin
from mailsite_ext.delivery.inbound import Arrival
from mailsite_ext.junk.score import Judgement
from mailsite_ext.protocol.smtp_address import Address
from mailsite_ext.protocol.smtp_grammar import MailFrom
from mailsite_ext.reception.examine import Examiner

OCTETS = (4_096, 102_400)
RUNS = 200
HERE = "mx.here.example"
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
    return spf.check_sender("192.0.2.1", "mail.example.org", sender, dns, received_by=HERE, at=NOW)


class Nobody:
    """Trusts no sender, and has no junk filter."""

    def trusting(self, _people: Collection[int], _author: Address) -> Collection[int]:
        return ()

    def judge(self, _mailboxes: Collection[str], _message: bytes) -> Mapping[str, Judgement]:
        return {}


def judge(message: bytes, zone: ZoneResolver) -> bytes:
    """All that reception asks about one message from outside, and what is written on it."""
    examiner = Examiner(zone, SystemClock(), HERE, Nobody(), Nobody())
    origin = Origin("192.0.2.1", "mail.example.org", extended=True)
    arrival = Arrival(MailFrom(Address("alice", DOMAIN)), [], origin, "1", NOW)
    return examiner.examine(arrival, lambda: [message]).results_field(HERE)


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
