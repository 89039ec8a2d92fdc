"""The deciders through the real resolver, with a name server on loopback."""

from __future__ import annotations

from collections.abc import Iterator

import pytest

from app.clock import SystemClock
from app.resolver import DnsResolver, Outcome
from mailsite_ext.authentication import dkim, spf
from mailsite_ext.authentication.budget import DnsBudget
from mailsite_ext.protocol.smtp_address import Address
from tests.mailsite.authentication.letters import LETTER, NOW, published, rsa_key
from tests.servers import name_server

LONG_KEY = published(rsa_key())
ZONE = {
    ("example.org", "TXT"): ['"v=spf1 include:spf.example.org" " exists:%{ir}.list.example.org -all"', '"other"'],
    ("example.org", "MX"): ["10 mx.example.org."],
    ("spf.example.org", "TXT"): ['"v=spf1 mx:example.org a:alias.example.org ip6:2001:db8::/32 ptr:example.org ~all"'],
    ("mx.example.org", "A"): ["192.0.2.1"],
    ("mx.example.org", "AAAA"): ["2001:db9::1"],
    ("alias.example.org", "CNAME"): ["host.example.org."],
    ("host.example.org", "A"): ["192.0.2.2"],
    ("loop.example.org", "CNAME"): ["loop.example.org."],
    ("4.2.0.192.in-addr.arpa", "PTR"): ["named.example.org."],
    ("named.example.org", "A"): ["192.0.2.4"],
    ("3.2.0.192.list.example.org", "A"): ["127.0.0.2"],
    ("fails.example.org", "TXT"): ['"v=spf1 a:broken.example.org -all"'],
    ("rsa._domainkey.example.org", "TXT"): [f'"v=DKIM1; p={LONG_KEY[:200]}" "{LONG_KEY[200:]}"'],
    ("large.example.org", "TXT"): [f'"{"x" * 200}{number}"' for number in range(20)],
    ("latin.example.org", "TXT"): ['"v=spf1 \\228 -all"'],
}


@pytest.fixture(scope="module")
def dns() -> Iterator[DnsBudget]:
    zone = name_server.Zone(ZONE, failing=["broken.example.org"], silent=["silent.example.org"])
    with name_server.serve(zone) as address:
        yield DnsBudget(DnsResolver(address), SystemClock(), seconds=100)


@pytest.mark.parametrize(
    ("name", "kind", "outcome"),
    [
        ("mx.example.org", "A", Outcome.FOUND),
        ("alias.example.org", "A", Outcome.FOUND),
        ("mx.example.org", "TXT", Outcome.NO_RECORD),
        ("alias.example.org", "TXT", Outcome.NO_RECORD),
        ("none.example.org", "A", Outcome.NO_NAME),
        ("broken.example.org", "A", Outcome.NO_ANSWER),
        ("loop.example.org", "A", Outcome.NO_ANSWER),
        ("large.example.org", "TXT", Outcome.FOUND),  # by TCP
    ],
)
def test_answers_are_told_apart(dns, name, kind, outcome):
    assert dns.lookup(name, kind).outcome is outcome


def test_silence_is_no_answer(dns):
    assert dns.lookup("silent.example.org", "A", timeout_s=0.3).outcome is Outcome.NO_ANSWER


@pytest.mark.parametrize(
    ("peer", "domain", "result"),
    [
        ("192.0.2.1", "example.org", "pass"),  # mx
        ("192.0.2.2", "example.org", "pass"),  # a, by a CNAME
        ("192.0.2.3", "example.org", "pass"),  # exists with a macro
        ("192.0.2.4", "example.org", "pass"),  # ptr
        ("192.0.2.5", "example.org", "fail"),
        ("2001:db8::1", "example.org", "pass"),
        ("2001:db9::1", "example.org", "pass"),
        ("2001:dba::1", "example.org", "fail"),
        ("192.0.2.1", "fails.example.org", "temperror"),
        ("192.0.2.1", "latin.example.org", "permerror"),
        ("192.0.2.1", "mx.example.org", "none"),
    ],
)
def test_spf(dns, peer, domain, result):
    verdict = spf.check_sender(peer, "h", Address("a", domain), dns, received_by="mx.here.example", at=NOW)
    assert verdict.result == result


def test_a_key_of_two_strings(dns):
    signed = dkim.sign([LETTER], dkim.SigningKey("example.org", "rsa", rsa_key()), NOW) + LETTER
    assert [verdict.result for verdict in dkim.verify([signed], dns, NOW)] == ["pass"]
