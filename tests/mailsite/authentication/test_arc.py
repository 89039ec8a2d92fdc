"""ARC chains: the suite of those who drafted it, and chains sealed by dkimpy."""

from __future__ import annotations

import time

import dkim as dkimpy
import pytest
import yaml

from mailsite_ext.authentication import arc
from tests.mailsite.authentication.letters import LETTER, crlf, keys_of, pem, rsa_key, zone
from tests.mailsite.authentication.zones import corpus

RESULTS = b"Authentication-Results: %s; arc=%s; spf=pass smtp.mailfrom=a@example.com\r\n"


@pytest.mark.corpora
def test_the_suite_of_its_authors():
    wrong, seen = [], 0
    for scenario in yaml.safe_load_all(corpus("arc/arc-draft-validation-tests.give.yml")):
        records = scenario["txt-records"] or {}
        for name, case in scenario["tests"].items():
            verdict = arc.verify_chain([crlf(case["message"].encode())], zone(records))
            wanted = str(case["cv"]).lower() or "fail"  # nothing: the last seal says so itself
            seen += 1
            if verdict.result != wanted:
                wrong.append((name, wanted, verdict.result, verdict.reason))
    assert not wrong
    assert seen > 30


def sealed(message: bytes, domain: str = "one.example") -> bytes:
    """By dkimpy, as a list at `domain` that had found what RESULTS says."""
    with_results = RESULTS % (domain.encode(), b"pass" if b"ARC-Seal" in message else b"none") + message
    names = [b"from", b"to", b"subject", b"date", b"message-id"]
    fields = dkimpy.arc_sign(
        with_results, b"rsa", domain.encode(), pem(rsa_key()), domain.encode(), include_headers=names, timestamp="12345"
    )
    assert len(fields) == 3
    return b"".join(fields) + with_results


def judged(message: bytes, records=None) -> arc.ArcVerdict:
    found = records if records is not None else keys_of("one.example") | keys_of("two.example")
    return arc.verify_chain([message], zone(found))


def test_who_sealed_and_what_they_had_found():
    verdict = judged(sealed(sealed(LETTER), "two.example"))
    assert (verdict.result, [seal.domain for seal in verdict.seals]) == ("pass", ["one.example", "two.example"])
    assert "spf=pass smtp.mailfrom=a@example.com" in verdict.seals[0].results
    assert verdict.seals[0].results.startswith("one.example;")


def test_a_list_may_change_what_it_seals_anew():
    changed = sealed(sealed(LETTER).replace(b"Subject:  Tea", b"Subject: [list] Tea"), "two.example")
    assert judged(changed).result == "pass"
    assert judged(sealed(LETTER).replace(b"Subject:  Tea", b"Subject: [list] Tea")).result == "fail"


@pytest.mark.parametrize(
    ("old", "new"),
    [
        (b"spf=pass", b"spf=fail"),
        (b"five.", b"six."),
        (b"Subject:  Tea", b"Subject: Gin"),
        (b"cv=none", b"cv=pass"),
        (b"cv=pass", b"cv=fail"),
        (b"cv=pass", b"cv=none"),
        (b"i=2", b"i=3"),
        (b"i=1", b"i=0"),
        (b"ARC-Seal", b"X-Seal"),
        (b"ARC-Message-Signature", b"X-Signature"),
        (b"a=rsa-sha256", b"a=rsa-sha1"),
        (b"d=two.example", b"d=one.example\n."),
        (b"h=", b"h=arc-seal:"),
        (b"bh=", b"l=3; bh="),
    ],
)
def test_a_broken_chain_fails(old, new):
    message = sealed(sealed(LETTER), "two.example")
    assert old in message
    verdict = judged(message.replace(old, new, 1))
    assert (verdict.result, verdict.seals) == ("fail", ())


@pytest.mark.parametrize("instance", [b"51", b"999", b"1e1", b"-1", b""])
def test_instances_that_are_none(instance):
    assert judged(sealed(LETTER).replace(b"i=1", b"i=" + instance)).result == "fail"


def test_keys_that_are_not_there_now_or_ever():
    message = sealed(LETTER)
    silent = zone({}, silent=("rsa._domainkey.one.example",))
    assert arc.verify_chain([message], silent).result == "temperror"
    assert judged(message, {}).result == "fail"


def test_no_chain():
    assert judged(LETTER).result == judged(b"").result == "none"


def test_a_long_chain_costs_little():
    one = b"ARC-Seal: i=%d; cv=pass; a=rsa-sha256; d=one.example; s=rsa; b=AA==\r\n"
    two = b"ARC-Message-Signature: i=%d; a=rsa-sha256; d=one.example; s=rsa; h=from; bh=AA==; b=AA==\r\n"
    three = b"ARC-Authentication-Results: i=%d; " + b"x" * 1_500 + b"\r\n"
    message = b"".join(field % number for number in range(1, 200) for field in (one, two, three)) + LETTER
    began = time.process_time()
    assert judged(message).result == "fail"
    assert time.process_time() - began < 1.0
