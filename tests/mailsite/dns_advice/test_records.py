"""What is suggested, and how it is written: tables."""

from __future__ import annotations

from dataclasses import replace

import pytest

from mailsite_ext.authentication.key_states import KeyEntry, KeyState
from mailsite_ext.dns_advice.records import (
    Facts,
    Obstacle,
    Record,
    Row,
    Service,
    in_pieces,
    public_addresses,
    records_of,
    zone_file,
    zone_lines,
)
from mailsite_ext.transport_security.mta_sts import Mode, Policy
from tests.conftest import START

POLICY = Policy(Mode.ENFORCE, ("mail.example.org",), 604_800)


def key(selector, state=KeyState.SIGNING, public="A" * 392):
    return KeyEntry(selector, state, public, START, START)


FACTS = Facts(
    domain="example.org",
    mail_host="mail.example.org",
    web_host="web.example.org",
    keys=[key("s1")],
    policy=POLICY,
    services=[Service(name="imaps", port=993), Service(name="imap", port=0)],
    addresses=("8.8.4.4", "2a00::1"),
    known_addresses=("8.8.4.4", "2a00::1"),
)


def shown(facts):
    return [
        (record.name, record.kind, record.obstacle.value if record.obstacle else record.values)
        for record in records_of(facts)
    ]


def test_every_record_in_the_order_of_the_work():
    assert shown(FACTS) == [
        ("example.org", "TXT", ("v=spf1 mx ~all",)),
        ("s1._domainkey.example.org", "TXT", ("v=DKIM1; k=rsa; p=" + "A" * 392,)),
        ("_dmarc.example.org", "TXT", ("v=DMARC1; p=none; rua=mailto:dmarc-reports@example.org",)),
        ("_mta-sts.example.org", "TXT", ("v=STSv1; id=7509735752397750867;",)),
        ("mta-sts.example.org", "CNAME", ("web.example.org.",)),
        ("example.org", "MX", ("10 mail.example.org.",)),
        ("mail.example.org", "A", ("8.8.4.4",)),
        ("mail.example.org", "AAAA", ("2a00::1",)),
        ("4.4.8.8.in-addr.arpa", "PTR", ("mail.example.org.",)),
        ("1." + "0." * 29 + "a.2.ip6.arpa", "PTR", ("mail.example.org.",)),
        ("_smtp._tls.example.org", "TXT", ("v=TLSRPTv1; rua=mailto:tls-reports@example.org",)),
        ("_imaps._tcp.example.org", "SRV", ("0 1 993 mail.example.org.",)),
        ("_imap._tcp.example.org", "SRV", ("0 0 0 .",)),
        ("autoconfig.example.org", "CNAME", ("web.example.org.",)),
        ("autodiscover.example.org", "CNAME", ("web.example.org.",)),
    ]


@pytest.mark.parametrize(
    ("change", "row", "obstacles"),
    [
        ({"keys": []}, Row.DKIM, [Obstacle.NO_KEY]),
        ({"keys": [key("s1", KeyState.RETIRED)]}, Row.DKIM, [Obstacle.NO_KEY]),
        ({"keys": None}, Row.DKIM, [Obstacle.KEYS_ELSEWHERE]),
        ({"keys": [key("s1", KeyState.AGING), key("s2")]}, Row.DKIM, [None, None]),  # both are still verified with
        ({"policy": None}, Row.MTA_STS, [Obstacle.NO_POLICY]),
        ({"policy": None}, Row.MTA_STS_HOST, [Obstacle.NO_POLICY]),
        ({"policy": Policy(Mode.NONE, (), 604_800)}, Row.MTA_STS, [None]),  # until it is withdrawn: RFC 8461 §8.3
        ({"addresses": (), "known_addresses": ()}, Row.REVERSE, [Obstacle.NO_ADDRESS]),
        ({"services": ()}, Row.SRV, [Obstacle.NOT_REACHABLE]),
        ({"services": ()}, Row.AUTOCONFIG, [Obstacle.NOT_REACHABLE]),
        ({"services": ()}, Row.AUTODISCOVER, [Obstacle.NOT_REACHABLE]),
    ],
)
def test_what_is_not_yet_to_be_published_says_why(change, row, obstacles):
    assert [one.obstacle for one in records_of(replace(FACTS, **change)) if one.row is row] == obstacles


def test_behind_a_router_no_address_is_named():
    records = records_of(replace(FACTS, addresses=("9.9.9.9",), known_addresses=()))
    assert [(one.kind, one.values) for one in records if one.row is Row.ADDRESS] == [("A", ())]


@pytest.mark.parametrize(
    ("texts", "public"),
    [
        (["8.8.4.4", "2a00::1", "8.8.4.4"], ("8.8.4.4", "2a00::1")),
        (["10.0.0.1", "127.0.0.1", "192.0.2.1", "fe80::1", "x", ""], ()),
        ([], ()),
    ],
)
def test_only_addresses_of_the_world_count(texts, public):
    assert public_addresses(texts) == public


@pytest.mark.parametrize(
    ("text", "written"),
    [
        ("v=spf1 mx ~all", '"v=spf1 mx ~all"'),
        ("", '""'),
        ('a"b\\c', '"a\\"b\\\\c"'),
        ("x" * 255, '"' + "x" * 255 + '"'),
        ("x" * 256, '"' + "x" * 255 + '" "x"'),
        ("x" * 510, '"' + "x" * 255 + '" "' + "x" * 255 + '"'),
    ],
)
def test_a_text_in_pieces(text, written):
    assert in_pieces(text) == written


def test_zone_lines():
    long = Record(row=Row.DKIM, name="s1._domainkey.example.org", kind="TXT", values=("x" * 256,))
    assert zone_lines(long) == f's1._domainkey.example.org. 3600 IN TXT ( "{"x" * 255}" "x" )'
    two = Record(row=Row.ADDRESS, name="mail.example.org", kind="A", values=("8.8.4.4", "8.8.8.8"))
    assert zone_lines(two) == "mail.example.org. 3600 IN A 8.8.4.4\nmail.example.org. 3600 IN A 8.8.8.8"


def test_the_zone_file_leaves_out_what_waits():
    text = zone_file("example.org", records_of(replace(FACTS, keys=[], policy=None, services=())))
    published = [line for line in text.splitlines() if not line.startswith(";")]
    assert [line.split()[0] for line in published] == [
        "example.org.",
        "_dmarc.example.org.",
        "example.org.",
        "mail.example.org.",
        "mail.example.org.",
        "_smtp._tls.example.org.",
    ]
