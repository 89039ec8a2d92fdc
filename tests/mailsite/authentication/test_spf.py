"""SPF against the RFC 7208 suite, and what that leaves open."""

from __future__ import annotations

import json
import time
from collections.abc import Mapping, Sequence
from datetime import UTC, datetime
from typing import Any

import pytest
import yaml
from hypothesis import given, settings
from hypothesis import strategies as st

from app.resolver import Answer, Outcome, ZoneResolver
from mailsite_ext.authentication import spf
from mailsite_ext.authentication.budget import DnsBudget
from mailsite_ext.authentication.spf_macros import BadSpfRecord
from mailsite_ext.authentication.spf_record import parse_record
from mailsite_ext.protocol.smtp_address import Address
from tests.conftest import FakeClock
from tests.mailsite.authentication.zones import SuiteZone, corpus

NOW = datetime(2026, 11, 24, 8, 0, tzinfo=UTC)
SUITE = "spf/rfc7208-tests.give.yml"


def sender_of(mail_from: str) -> Address | None:
    local, _, domain = mail_from.rpartition("@")
    return Address(local, domain) if mail_from else None


def check(zone: Any, peer: str, mail_from: str, hello: str = "mail.example.net") -> spf.SpfVerdict:
    dns = DnsBudget(zone, FakeClock())
    return spf.check_sender(peer, hello, sender_of(mail_from), dns, received_by="mx.here.example", at=NOW)


def records(found: Mapping[tuple[str, str], Sequence[str]], silent: Sequence[str] = ()) -> ZoneResolver:
    return ZoneResolver(found, silent)


@pytest.mark.corpora
def test_the_suite_of_rfc_7208():
    wrong, seen = [], 0
    for scenario in yaml.safe_load_all(corpus(SUITE)):
        zone = SuiteZone(scenario["zonedata"])
        for name, case in scenario["tests"].items():
            verdict = check(zone, case["host"], case["mailfrom"], case["helo"])
            allowed = case["result"] if isinstance(case["result"], list) else [case["result"]]
            seen += 1
            if verdict.result not in allowed or not explains(case, verdict):
                wrong.append((name, allowed, case.get("explanation"), verdict))
    assert not wrong
    assert seen > 90


def explains(case: Mapping[str, Any], verdict: spf.SpfVerdict) -> bool:
    wanted = case.get("explanation")
    if wanted is None or (isinstance(case["result"], list) and verdict.result != "fail"):
        return True
    return verdict.explanation == ("" if wanted == "DEFAULT" else wanted)


@pytest.mark.corpora
def test_records_that_are_valid_and_not():
    wrong = [case for case in json.loads(corpus("spf/mox-parse.give.json")) if parses(case["input"]) != case["valid"]]
    assert not wrong


def parses(text: str) -> bool:
    try:
        parse_record(text)
    except BadSpfRecord:
        return False
    return True


@pytest.mark.parametrize(
    ("text", "valid"),
    [
        ("v=spf1 ip4:192.0.2.0/032", False),  # §12: no leading zeros
        ("v=spf1 ip4:192.0.2.1/", False),
        ("v=spf1 ip4:192.0.2", False),
        ("v=spf1 ip4:2001:db8::1", False),
        ("v=spf1 ip6:192.0.2.1", False),
        ("v=spf1 ip6:fe80::1%eth0", False),  # zones are Python's, not the RFC's
        ("v=spf1 ip6:::ffff:192.0.2.1", True),
        ("v=spf1 a:example.org/24//64", True),
        ("v=spf1 a/24/64", False),
        ("v=spf1 a://64", False),
        ("v=spf1 a:", False),
        ("v=spf1 include", False),
        ("v=spf1 exists:%{d999999999999}.example.org", True),
        ("v=spf1 exists:%{d000}.example.org", False),
        ("v=spf1 exists:%{c}.example.org", False),  # §7.2: only in explanations
        ("v=spf1 exists:%{d", False),
        ("v=spf1 exists:%(d).example.org", False),
        ("v=spf1 redirect=a.example redirect=b.example", False),
        ("v=spf1 other=%{q}", False),
        ("v=spf1\tall", False),
        ("v=spf1 a\rptr", False),
        ("v=spf1 " + "a " * 10_000, False),
        ("v=spf10", False),
    ],
)
def test_the_grammar(text, valid):
    assert parses(text) is valid


@pytest.mark.parametrize("target", ["a:museum", "a:museum.", "redirect=museum", "exists:museum"])
def test_a_single_label_is_no_domain(target):
    zone = records({("example.org", "TXT"): [f"v=spf1 {target} ?all"]})
    assert check(zone, "192.0.2.1", "a@example.org").result == "permerror"


@pytest.mark.parametrize(
    ("peer", "result"),
    [("192.0.2.1", "pass"), ("::ffff:192.0.2.1", "pass"), ("2001:db8::1", "pass"), ("2001:db9::1", "fail")],
)
def test_both_families(peer, result):
    zone = records({("example.org", "TXT"): ["v=spf1 ip4:192.0.2.0/24 ip6:2001:db8::/32 -all"]})
    assert check(zone, peer, "a@example.org").result == result


@pytest.mark.parametrize(
    ("mail_from", "hello", "expected"),
    [
        ("a@example.org", "mail.example.org", ("pass", "mailfrom", "example.org")),
        ("", "mail.example.org", ("fail", "helo", "mail.example.org")),  # RFC 7208 §2.4
        ("", "[192.0.2.1]", ("none", "helo", "[192.0.2.1]")),
        ("", "localhost", ("none", "helo", "localhost")),
        ("a@nothing.example", "mail.example.org", ("none", "mailfrom", "nothing.example")),
    ],
)
def test_who_is_judged(mail_from, hello, expected):
    zone = records({("example.org", "TXT"): ["v=spf1 +all"], ("mail.example.org", "TXT"): ["v=spf1 -all"]})
    verdict = check(zone, "192.0.2.1", mail_from, hello)
    assert (verdict.result, verdict.identity, verdict.domain) == expected


@pytest.mark.parametrize(("terms", "result"), [(10, "pass"), (11, "permerror")])
@pytest.mark.parametrize("term", ["a", "mx", "ptr", "include:other.example"])
def test_terms_that_ask_dns(term, terms, result):
    zone: dict[tuple[str, str], Sequence[str]] = {
        ("example.org", "TXT"): [f"v=spf1 {f'{term} ' * terms}ip4:192.0.2.1 -all"],
        ("example.org", "MX"): ["10 example.org."],
        ("example.org", "A"): ["127.0.0.2"],
        ("other.example", "TXT"): ["v=spf1 ip4:198.51.100.1 -all"],
    }
    assert check(records(zone), "192.0.2.1", "a@example.org").result == result


@pytest.mark.parametrize(("hosts", "result"), [(10, "pass"), (11, "permerror")])
def test_hosts_of_one_mx(hosts, result):
    zone: dict[tuple[str, str], Sequence[str]] = {("example.org", "TXT"): ["v=spf1 mx -all"]}
    zone["example.org", "MX"] = [f"{number} mx{number}.example.org." for number in range(hosts)]
    zone["mx9.example.org", "A"] = ["192.0.2.1"]
    assert check(records(zone), "192.0.2.1", "a@example.org").result == result


@pytest.mark.parametrize(("name", "result"), [(9, "pass"), (10, "fail")])
def test_names_of_one_peer_beyond_ten_are_passed_over(name, result):
    zone: dict[tuple[str, str], Sequence[str]] = {("example.org", "TXT"): ["v=spf1 ptr -all"]}
    zone["1.2.0.192.in-addr.arpa", "PTR"] = [f"mx{number}.example.org." for number in range(11)]
    zone[f"mx{name}.example.org", "A"] = ["192.0.2.1"]
    assert check(records(zone), "192.0.2.1", "a@example.org").result == result


@pytest.mark.parametrize(
    ("voids", "result"),
    [(2, "neutral"), (3, "permerror")],  # the third finds the limit passed, not the look-up after it
)
def test_terms_that_find_nothing(voids, result):
    terms = " ".join(f"a:none{number}.example.org" for number in range(voids))
    zone = records({("example.org", "TXT"): [f"v=spf1 {terms} ?all"]})
    assert check(zone, "192.0.2.1", "a@example.org").result == result


def test_a_term_of_many_hosts_without_our_family_is_void_once():
    hosts = [f"{number} mx{number}.example.org." for number in range(10)]
    found = {("example.org", "TXT"): ["v=spf1 mx -all"], ("example.org", "MX"): hosts}
    found |= {(f"mx{number}.example.org", "A"): ["192.0.2.1"] for number in range(10)}
    assert check(records(found), "2001:db8::1", "a@example.org").result == "fail"


@pytest.mark.parametrize("record", ["v=spf1 include:two.example -all", "v=spf1 redirect=two.example"])
def test_a_loop_ends(record):
    zone = records({("one.example", "TXT"): [record], ("two.example", "TXT"): [record.replace("two", "one")]})
    assert check(zone, "192.0.2.1", "a@one.example").result == "permerror"


def test_a_resolver_that_fails_is_a_temporary_error():
    zone = records({("example.org", "TXT"): ["v=spf1 a:slow.example.org -all"]}, silent=["slow.example.org"])
    assert check(zone, "192.0.2.1", "a@example.org").result == "temperror"


def test_nobody_is_asked_about_what_is_no_domain():
    zone = SuiteZone({})
    for sender in ("a@[192.0.2.1]", "a@localhost", "a@two..dots"):
        assert check(zone, "192.0.2.1", sender).result == "none"
    assert zone.asked == []


def test_a_local_part_beyond_ascii_matches_no_term_that_names_it():  # RFC 8616 §4
    zone = records(
        {("example.org", "TXT"): ["v=spf1 exists:%{l}.example.org -all"], ("jörg.example.org", "A"): ["127.0.0.2"]}
    )
    assert check(zone, "192.0.2.1", "jörg@example.org").result == "fail"


def test_an_explanation_is_printable():
    zone = records(
        {
            ("example.org", "TXT"): ["v=spf1 -all exp=why.example.org"],
            ("why.example.org", "TXT"): ["%{c} is not %{d}; said by %{r} at %{t}, hello %{h}"],
        }
    )
    verdict = check(zone, "192.0.2.1", "a@example.org", "evil\r\nX: y")
    assert (
        verdict.explanation == "192.0.2.1 is not example.org; said by mx.here.example at 1795507200, hello evil??X: y"
    )


class SlowZone(ZoneResolver):
    def __init__(self, clock: FakeClock, zone: Mapping[tuple[str, str], Sequence[str]]) -> None:
        super().__init__(zone)
        self._clock = clock

    def lookup(self, name: str, record_type: str, *, timeout_s: float = 5.0) -> Answer:
        self._clock.advance(timeout_s)
        return super().lookup(name, record_type, timeout_s=timeout_s)


def test_a_message_has_so_many_seconds():
    clock = FakeClock()
    terms = " ".join(f"a:host{number}.example.org" for number in range(9))
    zone: dict[tuple[str, str], Sequence[str]] = {("example.org", "TXT"): [f"v=spf1 {terms} -all"]}
    zone |= {(f"host{number}.example.org", "A"): ["198.51.100.1"] for number in range(9)}
    dns = DnsBudget(SlowZone(clock, zone), clock, seconds=20)
    verdict = spf.check_sender("192.0.2.1", "h", Address("a", "example.org"), dns, received_by="h", at=NOW)
    assert (verdict.result, clock.monotonic_s()) == ("temperror", 20.0)


def test_a_message_has_so_many_questions_and_none_is_asked_twice():
    zone = SuiteZone({"a.example": [{"A": "192.0.2.1"}], "b.example": [{"A": "192.0.2.1"}]})
    dns = DnsBudget(zone, FakeClock(), lookups=1)
    first = [dns.lookup(name, "A").outcome for name in ("a.example", "A.example.", "b.example")]
    assert first == [Outcome.FOUND, Outcome.FOUND, Outcome.NO_ANSWER]
    assert zone.asked == [("a.example", "A")]


@pytest.mark.parametrize(
    ("name", "asked"),
    [
        ("a.example", True),
        ("a..example", False),
        (f"{'a' * 64}.example", False),
        ("a\\.b.example", False),
        ("@", False),
    ],
)
def test_names_that_cannot_be_asked_have_no_record(name, asked):
    zone = SuiteZone({})
    assert DnsBudget(zone, FakeClock()).lookup(name, "A").outcome is Outcome.NO_NAME
    assert bool(zone.asked) is asked


TERMS = st.text(alphabet="abeilmnoprtx%{}:/=.-+~?0123456789 shd", max_size=120)


@settings(derandomize=True, deadline=None, max_examples=300)
@given(TERMS, st.text(max_size=40), st.text(max_size=40))
def test_no_record_raises_anything(terms, local, hello):
    zone = records({("example.org", "TXT"): [f"v=spf1 {terms}"], ("example.com", "TXT"): [terms]})
    dns = DnsBudget(zone, FakeClock())
    verdict = spf.check_sender("192.0.2.1", hello, Address(local, "example.org"), dns, received_by="h", at=NOW)
    assert verdict.reason.isprintable()


@pytest.mark.parametrize(
    "record",
    [
        "v=spf1 " + "a:" + "/1" * 8_000,
        "v=spf1 exists:" + "%{l}" * 4_000 + ".x.example",
        "v=spf1 " + "ip4:192.0.2.1 " * 1_100,
        "v=spf1 exists:" + "a-" * 8_000,
        "v=spf1 exists:" + "1" * 16_000,
    ],
)
def test_long_records_cost_little(record):
    began = time.process_time()
    check(records({("example.org", "TXT"): [record]}), "198.51.100.1", f"{'l' * 64}@example.org")
    assert time.process_time() - began < 1.0
