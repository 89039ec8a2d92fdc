"""What is found out of a message from outside, and what it says of its author (A1, A3, A4, T6)."""

from __future__ import annotations

import pytest

from app.extension_api import Standing
from app.resolver import ZoneResolver
from mailsite_ext.authentication.raw_message import split_fields
from mailsite_ext.reception.examine import find_author
from mailsite_ext.reception.findings import Trust
from tests.mailsite.reception.letters import HOST, WORLD, People, arrival, domain, examiner, letter, signed

ELSEWHERE = "192.0.2.66"


def examined(message, people=None, resolver=None, **envelope):
    return examiner(people, resolver).examine(arrival(**envelope), lambda: [message[:100], message[100:]])


@pytest.mark.parametrize(
    ("message", "envelope", "spf", "dkim", "dmarc", "standing"),
    [
        (letter(), {}, "pass", "none", "none", Standing.VERIFIED),  # no policy, but its own server sent it
        (letter(), {"peer": ELSEWHERE}, "fail", "none", "none", Standing.UNPROVEN),
        (letter("a@open.example"), {"sender": "a@open.example"}, "none", "none", "none", Standing.UNPROVEN),
        (signed(letter("a@none.example"), "none.example"), {}, "pass", "pass", "pass", Standing.VERIFIED),
        (signed(letter("a@reject.example"), "open.example"), {}, "pass", "pass", "fail", Standing.FORGED),
        (signed(letter("a@reject.example"), "reject.example") + b"x", {}, "pass", "fail", "fail", Standing.FORGED),
        (letter("a@none.example"), {}, "pass", "none", "fail", Standing.UNPROVEN),  # it asks for nothing
        (letter("a@quarantine.example"), {}, "pass", "none", "fail", Standing.FORGED),
        (letter("a@testing.example"), {}, "pass", "none", "fail", Standing.FORGED),  # t=y: quarantine
        (letter("a@bank.example"), {"sender": "", "hello": "bank.example"}, "pass", "none", "pass", Standing.VERIFIED),
        (letter("a@bank.example"), {"sender": "", "hello": "nobody.example"}, "none", "none", "fail", Standing.FORGED),
        (letter("a@silent.example"), {}, "pass", "none", "temperror", Standing.UNPROVEN),
        (letter("a@plain.example, b@reject.example"), {}, "pass", "none", "fail", Standing.FORGED),
        (letter(more="From: b@reject.example\r\n"), {}, "pass", "none", "fail", Standing.FORGED),
        (letter("nobody"), {}, "pass", "none", "permerror", Standing.UNPROVEN),
        (letter(", ".join(f"a@{n}.example" for n in range(9))), {}, "pass", "none", "permerror", Standing.UNPROVEN),
    ],
)
def test_each_message_has_its_findings(message, envelope, spf, dkim, dmarc, standing):
    found = examined(message, **envelope)
    results = [one.result.value for one in found.dkim] or ["none"]
    assert (found.spf.result, results[0], found.dmarc.result) == (spf, dkim, dmarc)
    assert found.standing is standing


def test_they_are_written_for_readers():
    field = examined(signed(letter("a@none.example"), "none.example")).results_field(HOST).decode()
    assert field.startswith("Authentication-Results: mx.example.org;")
    for words in ("spf=pass", "smtp.mailfrom=plain.example", "dkim=pass", "header.d=none.example", "dmarc=pass",
                  "header.from=none.example"):  # fmt: skip
        assert words in field
    assert "\tarc=" not in field


@pytest.mark.parametrize(
    ("sender", "author", "trust"),
    [
        ("a@open.example", "a@open.example", Trust.HONOURED),  # it publishes nothing: all there is is its word
        ("ann@plain.example", "ann@plain.example", Trust.HONOURED),  # SPF passes and aligns
        ("ann@bank.example", "ann@plain.example", Trust.UNPROVEN),  # it publishes SPF, and something else passes
        ("a@open.example", "a@none.example", Trust.UNPROVEN),  # it publishes DMARC
        ("a@open.example", "a@silent.example", Trust.UNPROVEN),  # nobody knows
        ("a@open.example", "other@open.example", Trust.NONE),
        ("a@open.example", "a@open.example, b@open.example", Trust.NONE),  # which of them?
    ],
)
def test_a_trusted_sender_is_believed_unless_their_domain_could_prove_it(sender, author, trust):
    """T6."""
    people = People({2: {"a@open.example", "ann@plain.example", "a@none.example", "a@silent.example"}})
    found = examined(letter(author), people, sender=sender)
    assert found.trust(2) is trust
    assert found.trust(1) is Trust.NONE  # each person has a list of their own


def test_a_trusted_sender_who_signs_is_believed():
    people = People({2: {"a@reject.example"}})
    message = signed(letter("a@reject.example"), "reject.example")
    assert examined(message, people, sender="a@open.example").trust(2) is Trust.HONOURED


@pytest.mark.parametrize(
    ("sender", "records", "takes_none"),
    [
        ("a@nomail.example", {}, True),
        ("a@plain.example", {}, False),
        ("a@other.example", {("other.example", "MX"): ["0 .", "10 mx.other.example."]}, False),
        ("a@silent.example", {}, False),  # who does not answer may take mail
        ("", {}, False),
    ],
)
def test_a_sender_whom_no_answer_reaches(sender, records, takes_none):
    """RFC 7505 §4.2."""
    resolver = ZoneResolver({**WORLD, **records}, ["silent.example"])
    assert examined(letter(), resolver=resolver, sender=sender).takes_no_mail is takes_none


def test_a_strangers_slow_dns_uses_up_no_ones_policy():
    """SPF's worst case is asked last: what the author's domain asks for is known by then."""
    chain = {(f"n{n}.evil.example", "TXT"): [f"v=spf1 include:n{n + 1}.evil.example -all"] for n in range(200)}
    evil = {("evil.example", "TXT"): ["v=spf1 " + "a:x.evil.example " * 9 + "include:n0.evil.example -all"]}
    resolver = ZoneResolver({**domain("reject.example", "reject"), **chain, **evil})
    found = examined(letter("a@reject.example"), resolver=resolver, sender="a@evil.example")
    assert found.standing is Standing.FORGED


@pytest.mark.parametrize(
    ("fields", "author"),
    [
        (b"From: Ann <ann@plain.example>\r\n", "ann@plain.example"),
        (b"from:ann@PLAIN.example\r\n", "ann@plain.example"),
        ("From: ann@pläin.example\r\n".encode(), "ann@xn--plin-moa.example"),
        (b"From: a@b.example, c@d.example\r\n", None),
        (b"From: a@b.example\r\nFrom: a@b.example\r\n", None),
        (b"From: group:;\r\n", None),
        (b"From: <a@[127.0.0.1\r\n", None),
        (b"Sender: a@b.example\r\n", None),
    ],
)
def test_the_one_author(fields, author):
    found = find_author(split_fields(fields))
    assert (str(found) if found else None) == author
