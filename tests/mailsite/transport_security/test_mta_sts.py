"""MTA-STS policies and records, read and written (RFC 8461)."""

import json
from datetime import UTC, datetime, timedelta

import pytest
from hypothesis import given
from hypothesis import strategies as st

from mailsite_ext.settings.values import Posture
from mailsite_ext.transport_security import mta_sts
from mailsite_ext.transport_security.mta_sts import BadPolicy, Mode, Policy
from mailsite_ext.transport_security.publishing import (
    MAX_AGE_S,
    Published,
    mode_to_publish,
    policy_to_serve,
    published,
)

NOW = datetime(2026, 3, 1, tzinfo=UTC)
SERVED = b"version: STSv1\r\nmode: enforce\r\nmx: mx1.example.org\r\nmx: *.backup.example.org\r\nmax_age: 86400\r\n"


@pytest.mark.corpora
def test_records_and_policies_of_others(corpora):
    cases = json.loads((corpora / "mta-sts" / "mox-parse.give.json").read_text())
    assert len(cases) > 20
    wrong = [case for case in cases if reads(case["kind"], case["input"]) != case["valid"]]
    assert wrong == []


def reads(kind, text):
    try:
        mta_sts.parse_record(text) if kind == "record" else mta_sts.parse_policy(text.encode())
    except BadPolicy:
        return False
    return True


def test_a_policy_as_it_is_served():
    policy = mta_sts.parse_policy(SERVED)
    assert policy == Policy(Mode.ENFORCE, ("mx1.example.org", "*.backup.example.org"), 86_400)
    assert mta_sts.policy_text(policy).encode() == SERVED


@pytest.mark.parametrize(
    ("host", "allowed"),
    [
        ("mx1.example.org", True),
        ("MX1.Example.ORG.", True),
        ("mx2.example.org", False),
        ("a.backup.example.org", True),
        ("backup.example.org", False),  # "*" is one label, not none
        ("a.b.backup.example.org", False),  # nor two
        ("evil-mx1.example.org", False),
        ("", False),
    ],
)
def test_which_hosts_a_policy_names(host, allowed):
    assert mta_sts.parse_policy(SERVED).allows(host) is allowed


@pytest.mark.parametrize(
    "octets",
    [
        b"",
        b"<html>not found</html>",
        SERVED.replace(b"enforce", b"Enforce"),
        SERVED.replace(b"mx1.example.org", b"mx1.example.org:25"),
        SERVED.replace(b"mx1.example.org", b"192.0.2.1 mx1"),
        SERVED + b"\xff: x\r\n",
        SERVED + b"x: " + b"y" * 65_536,
        b"version: STSv1\nmode: testing\nmax_age: 1\n",
        b"version: STSv1\nmode: testing\nmax_age: 1\n" + b"mx: a.example\n" * 101,
        b"version: STSv1\nmode: none\nmax_age: -1\n",
    ],
)
def test_what_is_no_policy(octets):
    with pytest.raises(BadPolicy):
        mta_sts.parse_policy(octets)


def test_the_first_of_a_key_counts_and_unknown_keys_are_passed_over():
    policy = mta_sts.parse_policy(b"version: STSv1\nmode: none\nmode: enforce\nfuture: yes\nmax_age: 9999999999\n")
    assert policy == Policy(Mode.NONE, (), mta_sts.LONGEST_MAX_AGE_S)


@pytest.mark.parametrize(
    ("texts", "found"),
    [
        (["v=STSv1; id=1;"], "1"),
        (["v=spf1 -all", "v=STSv1;id=20260301"], "20260301"),
        ([], None),
        (["v=STSv1; id=1;", "v=STSv1; id=2;"], None),  # more than one is none (RFC 8461 §3.1)
        (["v=STSv1; id=" + "1" * 33], None),
        (["v=STSv1"], None),
        (["v=STSv1; id=1 2"], None),
        (["v=STSv1; id=1; id=2"], "1"),
    ],
)
def test_the_record_of_a_name(texts, found):
    assert mta_sts.record_id(texts) == found


def test_an_id_is_a_number_of_the_text():
    policy = mta_sts.parse_policy(SERVED)
    name = mta_sts.policy_id(policy)
    assert name.isdigit()
    assert len(name) <= 19
    assert mta_sts.record_id([mta_sts.record_text(policy)]) == name
    assert mta_sts.policy_id(Policy(Mode.TESTING, policy.mx, policy.max_age_s)) != name


@given(st.text(max_size=300) | st.binary(max_size=300))
def test_whatever_is_served_is_a_policy_or_refused(served):
    octets = served.encode("utf-8", "surrogatepass") if isinstance(served, str) else served
    try:
        policy = mta_sts.parse_policy(b"version: STSv1\nmax_age: 1\nmode: none\n" + octets)
    except BadPolicy:
        return
    assert mta_sts.parse_policy(mta_sts.policy_text(policy).encode()) == policy


@pytest.mark.parametrize(
    ("saved", "running", "last", "mode"),
    [
        (Posture.REQUIRE, [Posture.REQUIRE], Mode.NONE, Mode.ENFORCE),
        (Posture.REQUIRE, [Posture.SPAM], Mode.NONE, Mode.TESTING),  # it does not run ahead of the listeners
        (Posture.REQUIRE, [Posture.REQUIRE, Posture.ALLOW], Mode.ENFORCE, Mode.NONE),
        (Posture.SPAM, [Posture.REQUIRE], Mode.ENFORCE, Mode.TESTING),  # nor does it lag behind what was saved
        (Posture.REQUIRE, [], Mode.TESTING, Mode.TESTING),
        (Posture.ALLOW, [], Mode.ENFORCE, Mode.ENFORCE),
    ],
)
def test_the_mode_published_is_one_that_is_kept(saved, running, last, mode):
    assert mode_to_publish(saved, running, last) is mode


def test_a_policy_is_withdrawn_by_none_for_as_long_as_it_may_be_kept():
    last = published(Mode.ENFORCE, None, NOW)
    assert last == Published(Mode.ENFORCE, NOW + timedelta(seconds=MAX_AGE_S))
    assert policy_to_serve(Mode.ENFORCE, "mx.example.org", last, NOW) == Policy(
        Mode.ENFORCE, ("mx.example.org",), MAX_AGE_S
    )
    later = NOW + timedelta(seconds=MAX_AGE_S - 1)
    assert policy_to_serve(Mode.NONE, "mx.example.org", last, later) == Policy(Mode.NONE, (), MAX_AGE_S)
    withdrawn = published(Mode.NONE, last, later)
    assert withdrawn == Published(Mode.NONE, last.until), "it does not prolong itself"
    assert policy_to_serve(Mode.NONE, "mx.example.org", withdrawn, later) == Policy(Mode.NONE, (), MAX_AGE_S)
    assert mode_to_publish(Posture.ALLOW, [], withdrawn.mode) is Mode.NONE, "what was withdrawn stays so"
    assert policy_to_serve(Mode.NONE, "mx.example.org", last, NOW + timedelta(seconds=MAX_AGE_S)) is None
    assert policy_to_serve(Mode.NONE, "mx.example.org", None, NOW) is None
