"""Forwarders an admin trusts, and the results of others read."""

from __future__ import annotations

import time

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from mailsite_ext.authentication import results
from mailsite_ext.authentication.arc import ArcResult, ArcVerdict, Sealed
from mailsite_ext.authentication.dmarc import DmarcResult, DmarcVerdict, Policy, Why
from mailsite_ext.authentication.dmarc_record import DmarcRecord
from mailsite_ext.authentication.override import by_forwarders
from mailsite_ext.authentication.results_reader import read_findings

FAILED = DmarcVerdict(
    result=DmarcResult.FAIL,
    why=Why.NOT_ALIGNED,
    domain="bank.example",
    record=DmarcRecord(policy=Policy.REJECT),
    asked=Policy.REJECT,
    disposition=Policy.REJECT,
)
HAD_PASSED = "mx.list.example; spf=pass smtp.mailfrom=a@bank.example; dmarc=pass (p=reject) header.from=bank.example"
LIST = Sealed("list.example", HAD_PASSED)
THEIRS = {"list.example", "forward.example"}


def chain(*seals: Sealed, result: ArcResult = ArcResult.PASS) -> ArcVerdict:
    return ArcVerdict(result, "", seals)


def is_spared(verdict: DmarcVerdict, arc: ArcVerdict) -> bool:
    """Or left as it was, whole."""
    after = by_forwarders(verdict, arc, THEIRS)
    spared = (after.result, after.disposition, after.why, after.override) == (
        DmarcResult.FAIL,
        Policy.NONE,
        Why.TRUSTED_FORWARDER,
        "trusted_forwarder",
    )
    assert spared or after == verdict
    return spared


@pytest.mark.parametrize(
    ("seals", "spared"),
    [
        ([LIST], True),
        ([Sealed("mail.list.example", HAD_PASSED)], True),
        ([LIST, Sealed("forward.example", "mx; dmarc=fail header.from=bank.example")], True),
        ([Sealed("evil.example", "mx; dmarc=fail header.from=bank.example"), LIST], True),  # what the list saw counts
        ([], False),
        ([Sealed("evil.example", HAD_PASSED)], False),
        ([Sealed("notlist.example", HAD_PASSED)], False),
        ([LIST, Sealed("evil.example", HAD_PASSED)], False),  # it may have been changed since
        ([Sealed("evil.example", HAD_PASSED), Sealed("list.example", "mx; arc=pass; dmarc=fail")], False),
        ([Sealed("list.example", "mx; dmarc=pass header.from=other.example")], False),
        ([Sealed("list.example", "mx; dmarc=pass header.from=bank.example.evil.example")], False),
        ([Sealed("list.example", "mx; dmarc=pass")], False),
        ([Sealed("list.example", "dmarc=pass header.from=bank.example")], False),  # the place of the server's name
        ([Sealed("list.example", 'mx; spf=fail smtp.mailfrom="x; dmarc=pass header.from=bank.example"')], False),
        ([Sealed("list.example", "mx; spf=fail (; dmarc=pass header.from=bank.example)")], False),
        ([Sealed("list.example", "mx; DMARC = Pass header.from = BANK.example.")], True),
    ],
)
def test_a_trusted_forwarder_spares_what_had_passed(seals, spared):
    assert is_spared(FAILED, chain(*seals)) is spared


@pytest.mark.parametrize("result", [ArcResult.NONE, ArcResult.FAIL, ArcResult.TEMPERROR])
def test_a_chain_that_does_not_pass_spares_nothing(result):
    assert not is_spared(FAILED, chain(LIST, result=result))


@pytest.mark.parametrize(
    "verdict",
    [
        DmarcVerdict(result=DmarcResult.PASS, why=Why.ALIGNED, domain="bank.example"),
        DmarcVerdict(result=DmarcResult.PERMERROR, why=Why.TOO_MANY_AUTHORS, disposition=Policy.REJECT),
        DmarcVerdict(
            result=DmarcResult.FAIL,
            why=Why.NOT_ALIGNED,
            domain="bank.example",
            is_one_of_several=True,  # of the others nothing is said
            disposition=Policy.REJECT,
        ),
    ],
)
def test_other_verdicts_are_left_alone(verdict):
    assert not is_spared(verdict, chain(LIST))


@pytest.mark.parametrize(
    ("text", "found"),
    [
        ("mx; none", []),
        ("", []),
        ("mx", []),
        ("mx 1; spf=pass; dkim=fail", [("spf", "pass"), ("dkim", "fail")]),
        ("mx; dkim/1 = pass header.d=x", [("dkim", "pass")]),
        ("mx (a (b;c) d);spf=pass(;)x=y;dkim=none", [("spf", "pass"), ("dkim", "none")]),
        ('mx; spf=pass (it says 5") x=y; dkim=fail z=";dmarc=pass"', [("spf", "pass"), ("dkim", "fail")]),
        (r'mx; spf=pass x="a\";dmarc=pass y=\""; dkim=none', [("spf", "pass"), ("dkim", "none")]),
        ('mx; spf=pass x="; dmarc=pass', [("spf", "pass")]),  # quotes without end
        ("mx; spf=pass (; dmarc=pass", []),  # a comment without end, and all that it may belong to
        ("mx; junk dmarc=pass; =pass; spf=", []),
        ('mx; "x" dmarc=pass', []),
        ('mx; "dmarc=pass"', []),
    ],
)
def test_what_others_found(text, found):
    assert [(one.method, one.result) for one in read_findings(text)] == found


def test_what_we_write_is_read():
    written = [
        results.Finding("spf", "fail", 'a "b" (c); d', (("smtp.mailfrom", "x y"),)),
        results.dmarc_finding(FAILED),
    ]
    field = results.results_field("mx.example.org", written).decode().partition(":")[2]
    first, second = read_findings(field)
    assert (first.result, first.reason, first.properties[1]) == ("fail", 'a "b" (c); d', ("smtp.mailfrom", "x y"))
    assert (second.result, dict(second.properties)["header.from"]) == ("fail", "bank.example")
    assert dict(second.properties)["policy.dmarc"] == "reject"


@pytest.mark.parametrize(
    "text", ["a" * 60_000, '"' * 60_000, "()" * 30_000, "()a" * 20_000, "(" * 60_000, "a =" * 20_000]
)
def test_hostile_results_cost_little(text):
    began = time.process_time()
    read_findings(f"mx; {text}")
    assert time.process_time() - began < 1.0
    assert read_findings("mx; spf=pass; " + " " * 70_000) == []


@given(st.text('abc=;"\\() .dmarcpass', max_size=60))
@settings(derandomize=True, max_examples=300, deadline=None)
def test_any_text_is_read(text):
    assert all(one.method and one.result for one in read_findings(text))
