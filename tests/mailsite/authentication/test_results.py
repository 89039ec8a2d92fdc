"""Authentication-Results: what is written can be read by others, what is forged goes (RFC 8601)."""

from __future__ import annotations

import re
import time

import authres
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from mailsite_ext.authentication import dkim, results
from mailsite_ext.authentication.raw_message import split_fields
from mailsite_ext.authentication.results import Finding
from mailsite_ext.authentication.spf import SpfVerdict
from mailsite_ext.authentication.spf_record import SpfResult

US = {"mx.example.org"}
PASSED = dkim.DkimVerdict(
    dkim.DkimResult.PASS, "", "example.com", "sel", "@example.com", "rsa-sha256", "ab/+cd12", 2048
)


def test_what_is_written():
    findings = [
        results.spf_finding(SpfVerdict(SpfResult.FAIL, "example.com", "mailfrom", "-all of example.com")),
        *results.dkim_findings([PASSED]),
    ]
    assert results.results_field("mx.example.org", findings) == (
        b"Authentication-Results: mx.example.org;\r\n"
        b'\tspf=fail reason="-all of example.com" smtp.mailfrom=example.com;\r\n'
        b"\tdkim=pass header.d=example.com header.i=@example.com header.s=sel\r\n"
        b'\theader.a=rsa-sha256 header.b="ab/+cd12"\r\n'
    )


@pytest.mark.parametrize(
    ("findings", "text"),
    [
        ([], b"Authentication-Results: mx.example.org; none\r\n"),
        (results.dkim_findings([]), b"Authentication-Results: mx.example.org;\r\n\tdkim=none\r\n"),
        (
            [Finding("spf", "none", properties=(("smtp.helo", '[1.2.3.4]"; dkim=pass\r\nX: y'),))],
            b'Authentication-Results: mx.example.org;\r\n\tspf=none smtp.helo="[1.2.3.4]\\"; dkim=pass??X: y"\r\n',
        ),
        (
            [Finding("dkim", "fail", properties=(("header.i", "jörg@example.org"),))],
            b'Authentication-Results: mx.example.org;\r\n\tdkim=fail header.i="j?rg@example.org"\r\n',
        ),
    ],
)
def test_strangers_words_stay_in_their_place(findings, text):
    assert results.results_field("mx.example.org", findings) == text


@settings(derandomize=True, deadline=None, max_examples=300)
@given(st.text(), st.text())
def test_nobody_writes_another_field(reason, domain):
    findings = [Finding("spf", "fail", reason, (("smtp.mailfrom", domain),)), *results.dkim_findings([PASSED])]
    field = results.results_field("mx.example.org", findings)
    assert [one.octets for one in split_fields(field)] == [field]
    assert max(len(line) for line in field.split(b"\r\n")) < 998


@pytest.mark.parametrize(
    ("field", "ours"),
    [
        (b"Authentication-Results: mx.example.org; spf=pass", True),
        (b"authentication-RESULTS : MX.Example.ORG; spf=pass", True),
        (b"Authentication-Results:mx.example.org.;spf=pass", True),
        (b"Authentication-Results: mx.example.org 1; spf=pass", True),
        (b"Authentication-Results:\r\n\tmx.example.org;\r\n\tspf=pass", True),
        (b'Authentication-Results: "mx.exa\\mple.org"; spf=pass', True),
        (b"Authentication-Results: (a (b\\) c) d) mx.example.org(x); spf=pass", True),
        (b"Authentication-Results: (a) (b)\r\n (c)mx.example.org; spf=pass", True),
        (b"Authentication-Results: (never ends mx.other.example; spf=pass", True),
        (b"Authentication-Results: ; spf=pass", True),
        (b"Authentication-Results:", True),
        (b"Authentication-Results: mx.other.example; spf=pass", False),
        (b"Authentication-Results: (mx.example.org) mx.other.example; spf=pass", False),
        (b"Authentication-Results: mx.example.org.other.example; spf=pass", False),
        (b"ARC-Authentication-Results: i=1; mx.example.org; spf=pass", False),
        (b"Subject: Authentication-Results: mx.example.org; spf=pass", False),
    ],
)
def test_forged_results_are_taken_away(field, ours):
    before, after = b"Subject: a\r\nX: " + field.replace(b"\r\n", b"") + b"\r\n", b"no field\r\nTo: b\r\n"
    header = before + field + b"\r\n" + after
    assert results.without_forged(header, US) == (before + after if ours else header)


def test_all_forged_ones_go():
    forged = b"Authentication-Results: mx.example.org; dkim=pass\r\n"
    assert results.without_forged(forged + b"A: b\r\n" + forged * 3, US) == b"A: b\r\n"


@pytest.mark.parametrize("value", [b"(" * 100_000, b"()" * 50_000, b"(\\" * 50_000, b'"\\' * 50_000, b" " * 100_000])
def test_hostile_values_cost_little(value):
    began = time.process_time()
    results.without_forged(b"Authentication-Results: " + value + b"\r\n", US)
    assert time.process_time() - began < 1.0


@pytest.mark.parametrize("reason", ["", "the body was changed", 'says "x"; and (y) \\ z'])
def test_another_reader_understands_it(reason):
    findings = [Finding("spf", "fail", reason, (("smtp.mailfrom", "example.com"),)), *results.dkim_findings([PASSED])]
    field = results.results_field("mx.example.org", findings).decode().replace("\r\n", "").strip()
    told = authres.AuthenticationResultsHeader.parse(field)
    assert (told.authserv_id, [one.method for one in told.results]) == ("mx.example.org", ["spf", "dkim"])
    assert [one.result for one in told.results] == ["fail", "pass"]
    assert re.sub(r"\\(.)", r"\1", told.results[0].reason or "") == reason  # it leaves quoted pairs as they are
    assert told.results[1].properties[0].value == "example.com"


def test_what_is_written_is_taken_for_ours():
    field = results.results_field("mx.example.org", [])
    assert results.without_forged(field, US) == b""
