"""DKIM signatures of others, verified: made by dkimpy, and those of its own test data."""

from __future__ import annotations

import hashlib
import re
import time
from datetime import timedelta

import dkim as dkimpy
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from app.resolver import ZoneResolver
from mailsite_ext.authentication import dkim
from mailsite_ext.authentication.budget import DnsBudget
from mailsite_ext.authentication.canonical import BodyHash, Form
from tests.conftest import CORPORA, FakeClock
from tests.mailsite.authentication.letters import (
    LETTER,
    NOW,
    crlf,
    ed25519_seed,
    keys_of,
    pem,
    published,
    published_of,
    rsa_key,
    zone,
)
from tests.mailsite.authentication.zones import corpus

FORMS = [(header, body) for header in ("simple", "relaxed") for body in ("simple", "relaxed")]
BODIES = [b"", b"\r\n", b"\r\n\r\n", b"x", b" \r\n", b"a \t b\r\n \r\n\r\n", b"\ra\r\r\n", b"a\r\n.\r\n \tb  \r\n"]


def signed(message: bytes = LETTER, **options) -> bytes:
    """By dkimpy, with the key "rsa" of example.org unless told otherwise."""
    given = {"selector": b"rsa", "domain": b"example.org", "privkey": pem(rsa_key())} | options
    field: bytes = dkimpy.sign(message, **given)
    return field + message


def results(message: bytes, dns=None, now=NOW) -> list[str]:
    return [str(verdict.result) for verdict in dkim.verify([message], dns or zone(), now)]


def reason(message: bytes, dns=None, now=NOW) -> str:
    return dkim.verify([message], dns or zone(), now)[0].reason


def altered(message: bytes, old: bytes, new: bytes) -> bytes:
    assert old in message
    return message.replace(old, new, 1)


@pytest.mark.parametrize("forms", FORMS)
@pytest.mark.parametrize("body", BODIES)
def test_every_canonical_form(forms, body):
    message = LETTER.partition(b"\r\n\r\n")[0] + b"\r\n\r\n" + body
    whole = signed(message, canonicalize=tuple(form.encode() for form in forms))
    blocks = [whole[at : at + 1] for at in range(len(whole))]
    assert [verdict.result for verdict in dkim.verify(blocks, zone(), NOW)] == ["pass"]


@pytest.mark.parametrize("forms", FORMS)
def test_ed25519(forms):
    message = signed(
        selector=b"ed",
        privkey=ed25519_seed(),
        signature_algorithm=b"ed25519-sha256",
        canonicalize=tuple(form.encode() for form in forms),
    )
    assert results(message) == ["pass"]
    assert results(altered(message, b"five.", b"six.")) == ["fail"]


@settings(derandomize=True, deadline=None, max_examples=300)
@given(
    st.lists(st.sampled_from([b"\r\n", b"\r", b"\n", b" ", b"\t", b"a", b".", b"  \r\n\r\n"]), max_size=40), st.data()
)
def test_a_body_in_blocks_hashes_as_in_one(pieces, data):
    body = b"".join(pieces)
    for form in Form:
        whole, parts = BodyHash(form), BodyHash(form)
        whole.feed(body)
        at = 0
        while at < len(body):
            size = data.draw(st.integers(1, 5))
            parts.feed(body[at : at + size])
            at += size
        assert whole.digest() == parts.digest() == by_the_letter(body, form)


def by_the_letter(body: bytes, form: Form) -> bytes:
    """RFC 6376 §3.4.3, §3.4.4, line by line."""
    lines = body.split(b"\r\n")
    if form is Form.RELAXED:
        lines = [re.sub(rb"[ \t]+", b" ", line).rstrip(b" ") for line in lines]
    while lines and not lines[-1]:
        lines.pop()
    ended = b"".join(line + b"\r\n" for line in lines)
    return hashlib.sha256(ended or (b"\r\n" if form is Form.SIMPLE else b"")).digest()


@pytest.mark.parametrize(
    ("old", "new", "result"),
    [
        (b"come at", b"come  at", "pass"),  # relaxed
        (b"Subject:  Tea", b"subject : Tea", "pass"),
        (b"bob@example.com,\r\n\t", b"bob@example.com, ", "pass"),
        (b"five.", b"six.", "fail"),
        (b"Tea", b"Gin", "fail"),
        (b"Dear", b"\r\nDear", "fail"),
        (b"Message-ID", b"X-Added: y\r\nMessage-ID", "pass"),
        (b"From: Alice", b"From: Eve <eve@example.org>\r\nFrom: Alice", "policy"),  # whoever shows the first is fooled
        (b"Subject:", b"Subject: Gin\r\nSubject:", "policy"),
    ],
)
def test_what_is_changed_on_the_way(old, new, result):
    names = [b"from", b"to", b"subject", b"date", b"message-id"]
    message = signed(canonicalize=(b"relaxed", b"relaxed"), include_headers=names)
    head, colon, rest = message.partition(b"From: Alice")
    assert results(head + altered(colon + rest, old, new)) == [result]


def test_the_subject_must_be_signed():
    assert results(signed(include_headers=[b"from", b"date"])) == ["policy"]


def test_repeated_fields_are_taken_from_below():
    message = b"X-Tag: new\r\nX-Tag: old\r\n" + LETTER
    names = [b"from", b"subject", b"x-tag"]
    whole = signed(message, include_headers=names)
    assert results(whole.replace(b"X-Tag: new", b"X-Tag: any")) == ["pass"]
    assert results(whole.replace(b"X-Tag: old", b"X-Tag: any")) == ["fail"]


@pytest.mark.parametrize(
    ("old", "new", "why"),
    [
        (b"v=1;", b"v=2;", "not of version 1"),
        (b" d=example.org;", b"", "d= is missing"),
        (b"d=example.org", b"d=org", "d= or i= names no domain"),
        (b"d=example.org", b"d=[127.0.0.1]", "d= or i= names no domain"),
        (b"i=@example.org", b"i=@other.example", "i= is not of d="),
        (b"i=@example.org", b"i=@notexample.org", "i= is not of d="),
        (b"q=dns/txt", b"q=carrier/pigeon", "no query method known"),
        (b"s=rsa", b"s=../rsa", "s= is no selector"),
        (b"h=from : ", b"h=to; y=", "From is not signed"),
        (b"h=from", b"h=" + b"to:" * 256 + b"from", "h= is too long"),
        (b"c=relaxed/simple", b"c=loose", "c= names no known form"),
        (b"bh=", b"bh=AAAA;zz=", "bh= is no hash"),
        (b"bh=", b"bh=!", "not base64"),
        (b"t=", b"t=-", "t= is no time"),
        (b"v=1;", b"v=1; v=1;", "tag 'v' is doubled or cannot be read"),
        (b"v=1;", b"v=1;" + b" z=1;" * 70, "too many tags"),
        (b"v=1;", b"v=1; z=" + b"z" * 20_000 + b";", "signature too long"),
        (b"rsa-sha256", b"rsa-sha1", "signed with an algorithm that is not trusted"),
        (b"rsa-sha256", b"rsa-md5", "signed with an algorithm that is not trusted"),
        (b"t=", b"x=5; t=", "expires before it was made"),
        (b"s=rsa", b"s=none", "no key published"),
        (b"s=rsa", b"s=ed", "key of kind 'ed25519' is not for this algorithm"),
    ],
)
def test_signatures_that_can_never_pass(old, new, why):
    message = altered(signed(identity=b"@example.org", include_headers=[b"from", b"subject"]), old, new)
    assert (results(message), reason(message)) == (["permerror"], why)


@pytest.mark.parametrize(
    ("record", "result", "why"),
    [
        ("v=DKIM1; k=rsa; p=", "permerror", "key revoked"),
        ("v=DKIM2; p={key}", "permerror", "key record of another version"),
        ("p={key}; v=DKIM1", "permerror", "key record of another version"),
        ("v=DKIM1; k=dsa; p={key}", "permerror", "key of kind 'dsa' is not for this algorithm"),
        ("v=DKIM1; h=sha1; p={key}", "permerror", "key not for sha256"),
        ("v=DKIM1; h=sha1:sha256; p={key}", "pass", ""),
        ("v=DKIM1; s=tlsrpt; p={key}", "permerror", "key not for mail"),
        ("v=DKIM1; s=email:x; p={key}", "pass", ""),
        ("v=DKIM1; t=s; p={key}", "pass", ""),
        ("v=DKIM1; t=y; p={key}", "pass", ""),
        ("p={key}", "pass", ""),
        ("v=DKIM1; p=AAAA", "permerror", "key cannot be read"),
        ("v=DKIM1; p=!", "permerror", "key record cannot be read"),
        ("v=DKIM1; p={key}; p={key}", "permerror", "key record cannot be read"),
        ("v=spf1 -all", "permerror", "key record cannot be read"),
        ("v=DKIM1; p={weak}", "policy", "key of 1000 bits not accepted"),
        ("v=DKIM1; p={huge}", "policy", "key of 4104 bits not accepted"),
        ("v=DKIM1; p={other}", "fail", "the header was changed, or the key is another"),
        ("v=DKIM1; t=y; p={other}", "neutral", "the header was changed, or the key is another; the domain is testing"),
    ],
)
def test_key_records(record, result, why):
    keys = {"key": published(rsa_key()), "weak": published_of(1000), "huge": published_of(4104)}
    record = record.format(**keys, other=published_of(2048))
    dns = zone({"rsa._domainkey.example.org": record})
    assert (results(signed(), dns), reason(signed(), dns)) == ([result], why)


def test_a_strict_key_is_for_the_domain_itself():
    dns = zone({"rsa._domainkey.example.org": f"v=DKIM1; t=s; p={published(rsa_key())}"})
    message = signed(identity=b"alice@sub.example.org")
    assert (results(message), results(message, dns)) == (["pass"], ["permerror"])


def test_keys_beside_other_records():
    key = f"v=DKIM1; p={published(rsa_key())}"
    assert results(signed(), zone({"rsa._domainkey.example.org": ["v=spf1 -all", key]})) == ["pass"]
    assert results(signed(), zone({"rsa._domainkey.example.org": [key, key]})) == ["temperror"]


def test_no_answer_is_a_temporary_error():
    assert results(signed(), zone({}, silent=("rsa._domainkey.example.org",))) == ["temperror"]


def test_a_body_length_is_not_trusted():
    message = signed(length=True)
    assert results(message) == results(message + b"Buy gin.\r\n") == ["policy"]


def test_expiry():
    field = signed().partition(b"From: Alice")[0]
    made = int(field.partition(b" t=")[2].partition(b";")[0])
    assert results(altered(signed(), b"t=", b"x=%d; t=" % (made + 60)), now=NOW + timedelta(days=9_000)) == ["fail"]
    assert "expired" in reason(altered(signed(), b"t=", b"x=%d; t=" % (made + 60)), now=NOW + timedelta(days=9_000))


def test_each_signature_is_judged_alone():
    once = signed()
    broken = altered(once, b"bh=", b"bh=A")
    twice = broken.partition(b"From: Alice")[0] + signed(once, selector=b"rsa", domain=b"other.example")
    dns = zone(keys_of("example.org") | keys_of("other.example"))
    verdicts = dkim.verify([twice], dns, NOW)
    assert [(str(verdict.result), verdict.domain) for verdict in verdicts] == [
        ("permerror", ""),
        ("pass", "other.example"),
        ("pass", "example.org"),
    ]


def test_no_more_than_eight_are_tried():
    field = signed().partition(b"From: Alice")[0]
    assert results(field * 50 + LETTER) == ["pass"] * 8


def test_what_strangers_dns_uses_up_is_not_missing_for_the_author():
    once = signed()
    stranger = signed(domain=b"slow.example").partition(b"From: Alice")[0]
    records = {(name, "TXT"): [text] for name, text in keys_of("example.org").items()}
    dns = DnsBudget(ZoneResolver(records), FakeClock(), lookups=1)
    verdicts = dkim.verify([stranger * 3 + once], dns, NOW)
    assert [(verdict.domain, str(verdict.result)) for verdict in verdicts] == [
        ("slow.example", "temperror"),
        ("slow.example", "temperror"),
        ("slow.example", "temperror"),
        ("example.org", "pass"),
    ]


def test_a_thousand_signatures_cost_little():
    field = signed().partition(b"From: Alice")[0]
    began = time.process_time()
    assert len(results(field * 1_500 + LETTER)) == 8
    assert time.process_time() - began < 1.0


def test_a_message_without_signature_or_without_anything():
    assert results(LETTER) == results(b"") == results(b"\r\n") == results(b"no field\r\n\r\n") == []


@pytest.mark.parametrize(
    "header",
    [
        b"DKIM-Signature:" + b" b=" * 5_000,
        b"DKIM-Signature: " + b";" * 16_000,
        b"DKIM-Signature: v=1; b=" + b" \r\n\t" * 3_000,
        (
            b"DKIM-Signature: v=1; a=rsa-sha256; d=a.b; s=a; bh="
            + b"A" * 43
            + b"=; b=AA==; h="
            + b"from:" * 250
            + b"from\r\n"
        )
        * 8
        + b"From: a\r\n" * 40_000,
    ],
)
def test_hostile_headers_cost_little(header):
    began = time.process_time()
    assert all(result != "pass" for result in results(header + b"\r\n\r\nx"))
    assert time.process_time() - began < 1.5


@settings(derandomize=True, deadline=None, max_examples=300)
@given(st.binary(max_size=300), st.binary(max_size=200))
def test_no_signature_raises_anything(tags, body):
    start = b"DKIM-Signature: v=1; a=rsa-sha256; d=example.org; s=rsa; h=from; bh=AA==; b=AA==; "
    for message in (start + tags, b"DKIM-Signature: " + tags, tags):
        dkim.verify([message, b"\r\n\r\n", body], zone(), NOW)


# The test data of dkimpy: https-free, so its keys are put into a zone here.

DATA = CORPORA / "dkim" / "dkimpy"
RFC_8463_KEY = "v=DKIM1; k=ed25519; p=11qYAYKxCrfVS/7TyWQHOg7hcvPapiMlrwIaaPcHURo="


@pytest.mark.corpora
@pytest.mark.parametrize(
    ("message", "records", "expected"),
    [
        ("rfc6376.signed.msg.eml", {"test": "test.txt", "brisbane": RFC_8463_KEY}, ["pass", "pass"]),
        ("rfc6376.signed.msg.eml", {"test": "test.txt"}, ["permerror", "pass"]),
        ("rfc6376.signed.rsa.msg.eml", {"test": "test.txt"}, ["pass"]),
        ("rfc6376.signed.rsa.msg.eml", {"test": "test2.txt"}, ["pass"]),
        ("rfc6376.signed.rsa.msg.eml", {"test": "test_bad.txt"}, ["permerror"]),
        ("rfc6376.signed.rsa.msg.eml", {"test": "badk.txt"}, ["permerror"]),
        ("rfc6376.signed.rsa.msg.eml", {"test": "badversion.txt"}, ["permerror"]),
        ("rfc6376.signed.rsa.msg.eml", {"test": "test_tlsrpt.txt"}, ["permerror"]),
        ("rfc6376.signed.rsa.msg.eml", {"test": "1024_testkey_wo_markers.pub.txt"}, ["fail"]),
        ("rfc6376.signed.no_t.msg.eml", {"test": "test.txt"}, ["fail"]),
        ("ed25519test2.msg.eml", {"sed": "eximtest.dns.txt"}, ["pass"]),
        ("test.message.baddomain.eml", {"test": "test.txt"}, ["permerror"]),
        ("test.message.eml", {"test": "test.txt"}, []),
        ("test2.message.eml", {"test": "test.txt"}, ["permerror"]),
    ],
)
def test_messages_of_dkimpy(message, records, expected):
    whole = crlf(corpus_bytes(message))
    domains = ("football.example.com", "example.com", "test.ex")
    texts = {selector: corpus_text(value) for selector, value in records.items()}
    found = {f"{name}._domainkey.{domain}": text for name, text in texts.items() for domain in domains}
    assert results(whole, zone(found)) == expected


def corpus_bytes(name: str) -> bytes:
    if not (DATA / name).exists():
        pytest.skip(f"corpora/dkim/dkimpy/{name} is not here")
    return (DATA / name).read_bytes()


def corpus_text(name: str) -> str:
    return corpus(f"dkim/dkimpy/{name}").strip() if name.endswith(".txt") else name


@pytest.mark.corpora
@pytest.mark.parametrize("bits", ["1024", "2048"])
@pytest.mark.parametrize("kind", ["pub", "pub.rsa"])
def test_both_encodings_of_rsa_keys(bits, kind):  # erratum 3017 of RFC 6376
    message = signed(privkey=corpus_bytes(f"{bits}_testkey.key.pem"))
    record = corpus_text(f"{bits}_testkey_wo_markers.{kind}.txt")
    assert results(message, zone({"rsa._domainkey.example.org": record})) == ["pass"]
