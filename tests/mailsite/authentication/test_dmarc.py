"""DMARC against the suites of others, and RFC 9989's own rules."""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from app.resolver import Outcome, ZoneResolver
from mailsite_ext.authentication import dmarc
from mailsite_ext.authentication.authors import author_domains
from mailsite_ext.authentication.budget import DnsBudget
from mailsite_ext.authentication.dkim import DkimResult, DkimVerdict
from mailsite_ext.authentication.dmarc import DmarcResult, Policy, Why
from mailsite_ext.authentication.raw_message import split_fields
from mailsite_ext.authentication.spf import SpfVerdict
from mailsite_ext.authentication.spf_record import SpfResult
from tests.conftest import FakeClock
from tests.mailsite.authentication.zones import corpus

PASS, FAIL, NONE = DmarcResult.PASS, DmarcResult.FAIL, DmarcResult.NONE
TEMPERROR, PERMERROR = DmarcResult.TEMPERROR, DmarcResult.PERMERROR


def signed(domain: str, result: str = "pass") -> DkimVerdict:
    return DkimVerdict(DkimResult(result), domain=domain)


def sent(domain: str, result: str = "pass", identity: str = "mailfrom") -> SpfVerdict:
    return SpfVerdict(SpfResult(result), domain, identity)


class Zone:
    """TXT at _dmarc.<domain>; what is asked is kept."""

    def __init__(
        self, records: Mapping[str, str | Sequence[str]], silent: Sequence[str] = (), hosts: Sequence[str] = ()
    ):
        found = {(f"_dmarc.{name}", "TXT"): [text] if isinstance(text, str) else text for name, text in records.items()}
        self._zone = ZoneResolver(found | {(host, "A"): ["192.0.2.1"] for host in hosts}, silent)
        self.asked: list[str] = []

    def lookup(self, name: str, record_type: str, *, timeout_s: float = 5.0) -> Any:
        self.asked.append(name)
        return self._zone.lookup(name, record_type)


def judge(
    zone: Any, author: str | Sequence[str], spf: SpfVerdict | None = None, *dkim: DkimVerdict
) -> dmarc.DmarcVerdict:
    authors = [author] if isinstance(author, str) else author
    return dmarc.evaluate(authors, spf, dkim, DnsBudget(zone, FakeClock()))


# The suites of others


OWN_ORGANIZATION = {  # theirs is always that of the list; RFC 9989 §4.10.2 takes the one with a record
    "Should report the author domain as header.d when it publishes its own record": "mail.example.com"
}


@pytest.mark.corpora
def test_the_answers_of_another_verifier():
    cases = json.loads(corpus("dmarc/mailauth-verify.give.json"))
    wrong = [case["test"] for case in cases if not agrees(case)]
    assert wrong == []


def agrees(case: Mapping[str, Any]) -> bool:
    wanted = case["result"]
    verdict = judge(mailauth_zone(case["dns"]), case["input"]["headerFrom"].rpartition("@")[2], *identifiers(case))
    organizational = next((ours for test, ours in OWN_ORGANIZATION.items() if test in case["test"]), wanted["domain"])
    facts: list[tuple[Any, Any]] = [(verdict.result, wanted["result"]), (verdict.organizational_domain, organizational)]
    if "policy" in wanted:
        facts += [(verdict.asked, wanted["policy"])]
        facts += [(verdict.record.policy, wanted["p"]), (verdict.record.for_subdomains, wanted["sp"])]
        facts += [(verdict.spf_aligned, "result" in wanted["alignment"]["spf"])]
        facts += [(bool(verdict.dkim_aligned), "result" in wanted["alignment"]["dkim"])]
        facts += [(verdict.record.dkim_alignment == "s", wanted["alignment"]["dkim"]["strict"])]
        facts += [(verdict.record.spf_alignment == "s", wanted["alignment"]["spf"]["strict"])]
    return all(got == said for got, said in facts)


def identifiers(case: Mapping[str, Any]) -> Sequence[Any]:
    """SPF, then DKIM: only what passed is in the cases."""
    spf = [sent(one["domain"]) for one in case["input"]["spfDomains"]]
    names = [one if isinstance(one, str) else one["domain"] for one in case["input"]["dkimDomains"]]
    return [spf[0] if spf else None, *map(signed, names)]


def mailauth_zone(dns: Mapping[str, Any]) -> ZoneResolver:
    texts = {question.split(" ")[1]: answer for question, answer in dns.items() if isinstance(answer, list)}
    return ZoneResolver({(name, "TXT"): ["".join(chunks) for chunks in records] for name, records in texts.items()})


@pytest.mark.corpora
def test_the_lookups_of_a_mail_server():
    suite = json.loads(corpus("dmarc/mox-lookup.give.json"))
    zone = ZoneResolver({(name, "TXT"): texts for name, texts in suite["zone_txt"].items()}, suite["servfail"])
    seen = [(domain, found_in(judge(zone, domain))) for domain, _, _ in suite["cases"]]
    assert seen == [
        (domain, {"none": where, "permerror": "permerror", "temperror": "temperror"}[status])
        for domain, status, where in suite["cases"]
    ]


def found_in(verdict: dmarc.DmarcVerdict) -> str:
    """In the suite's words; it has one for no record, and another for several."""
    if verdict.result in (TEMPERROR, PERMERROR):
        return str(verdict.result)
    if verdict.record is None:
        return {"multiple.example": "multiple records: no policy"}.get(verdict.domain, "no record")
    inherited = verdict.policy_domain != verdict.domain
    return f"{verdict.policy_domain} (organizational domain)" if inherited else verdict.policy_domain


# Whose policy, and which

ORG = {"example.com": "v=DMARC1; p=reject; sp=quarantine; np=none"}
MILD_BANK = {"example.bank": "v=DMARC1; p=none"}


@pytest.mark.parametrize(
    ("records", "author", "policy_domain", "asked"),
    [
        (ORG, "example.com", "example.com", "reject"),
        (ORG, "is.example.com", "example.com", "quarantine"),
        (ORG, "is-not.example.com", "example.com", "none"),
        ({"example.com": "v=DMARC1; p=reject; np=none"}, "is.example.com", "example.com", "reject"),
        ({"example.com": "v=DMARC1; p=none; sp=reject"}, "is-not.example.com", "example.com", "reject"),
        (ORG | {"is.example.com": "v=DMARC1; p=none; sp=reject"}, "is.example.com", "is.example.com", "none"),
        (ORG | {"b.example.com": "v=DMARC1; p=none"}, "a.b.example.com", "example.com", "none"),  # not the one between
        (ORG | {"b.example.com": "v=DMARC1; p=none; psd=n"}, "a.b.example.com", "b.example.com", "none"),
        ({"bank": "v=DMARC1; p=reject; psd=y"}, "example.bank", "bank", "reject"),  # of the suffix
        ({"bank": "v=DMARC1; p=reject; psd=y; np=none"}, "example.bank", "bank", "none"),
        ({"bank": "v=DMARC1; p=reject; psd=y"}, "a.example.bank", "bank", "reject"),
        ({"bank": "v=DMARC1; p=reject; psd=y"} | MILD_BANK, "a.example.bank", "example.bank", "none"),
        ({"co.uk": "v=DMARC1; p=reject"}, "example.co.uk", "co.uk", "reject"),  # listed, though it does not say so
        ({"co.uk": "v=DMARC1; p=reject; sp=none"}, "co.uk", "co.uk", "reject"),  # suffixes are not exempt (§5.3.1)
        ({"example.com": "v=DMARC1; rua=mailto:a@example.com"}, "example.com", "example.com", "none"),
        ({"example.com": ["v=spf1 -all", "v=DMARC1; p=reject"]}, "example.com", "example.com", "reject"),
    ],
)  # fmt: skip
def test_the_policy_that_applies(records, author, policy_domain, asked):
    verdict = judge(Zone(records, hosts=["is.example.com"]), author)
    assert (verdict.result, verdict.policy_domain, verdict.asked, verdict.disposition) == (
        FAIL, policy_domain, asked, asked
    )  # fmt: skip


@pytest.mark.parametrize(
    ("records", "author", "result", "why"),
    [
        ({}, "example.com", NONE, Why.NO_POLICY),
        ({"example.com": ["v=DMARC1; p=reject", "v=DMARC1; p=none"]}, "example.com", NONE, Why.NO_POLICY),
        ({"example.com": "v=DMARC1; p=rejected"}, "example.com", PERMERROR, Why.BAD_RECORD),
        ({"example.com": "v=DMARC1; p=rejected"}, "a.example.com", PERMERROR, Why.BAD_RECORD),
        ({"example.com": "v=DMARC1; p=none; p=reject"}, "example.com", PERMERROR, Why.BAD_RECORD),
        (ORG | {"a.example.com": "v=DMARC1; p="}, "a.example.com", PERMERROR, Why.BAD_RECORD),
        ({"bank": "v=DMARC1; p=reject; psd=y"} | {"x.bank": "v=DMARC1; p=?"}, "x.bank", PERMERROR, Why.BAD_RECORD),
        ({"example.com": "v=DMARC1; p=reject"}, "[192.0.2.1]", PERMERROR, Why.NO_AUTHOR),
        ({"example.com": "v=DMARC1; p=reject"}, [], PERMERROR, Why.NO_AUTHOR),
        ({"example.com": "v=DMARC1; p=reject"}, ["exam ple.com", "", ".", "\x00"], PERMERROR, Why.NO_AUTHOR),
        ({"localhost": "v=DMARC1; p=reject; psd=n"}, "example.com", NONE, Why.NO_POLICY),
    ],
)
def test_no_policy_applies(records, author, result, why):
    verdict = judge(Zone(records), author, sent("other.example"))
    assert (verdict.result, verdict.why, verdict.disposition) == (result, why, Policy.NONE)


@pytest.mark.parametrize(
    ("asked", "lowered"), [("none", "none"), ("quarantine", "none"), ("reject", "quarantine")]
)  # §4.7
def test_a_policy_that_is_tested_counts_one_level_less(asked, lowered):
    verdict = judge(Zone({"example.com": f"v=DMARC1; p={asked}; t=y"}), "example.com")
    override = "" if asked == "none" else "policy_test_mode"
    assert (verdict.result, verdict.asked, verdict.disposition, verdict.override) == (FAIL, asked, lowered, override)


# Alignment


@pytest.mark.parametrize(
    ("records", "author", "identifier", "aligned"),
    [
        (ORG, "example.com", "example.com", True),
        (ORG, "example.com", "EXAMPLE.com.", True),
        (ORG, "example.com", "a.b.example.com", True),
        (ORG, "a.example.com", "b.example.com", True),
        (ORG, "a.example.com", "notexample.com", False),
        (ORG, "example.com", "example.com.evil.example", False),
        (ORG, "example.com", "com", False),
        (ORG, "example.com", "", False),
        (ORG, "example.com", "[192.0.2.1]", False),
        (ORG | {"a.example.com": "v=DMARC1; p=reject; psd=n"}, "a.example.com", "example.com", False),
        (ORG | {"a.example.com": "v=DMARC1; p=reject; psd=n"}, "a.example.com", "b.a.example.com", True),
        (ORG | {"a.example.com": "v=DMARC1; p=reject; psd=n"}, "example.com", "a.example.com", False),
        ({"a.example.com": "v=DMARC1; p=reject"}, "a.example.com", "example.com", False),  # it is its own organization
        ({"example.com": "v=DMARC1; p=reject; adkim=s; aspf=s"}, "example.com", "a.example.com", False),
        ({"example.com": "v=DMARC1; p=reject; adkim=s; aspf=s"}, "a.example.com", "example.com", False),
        ({"example.com": "v=DMARC1; p=reject; adkim=s; aspf=s"}, "a.example.com", "a.example.com", True),
        ({"uk.com": "v=DMARC1; p=reject"}, "bank.uk.com", "evil.uk.com", False),  # neighbours below a suffix
        ({"uk.com": "v=DMARC1; p=reject"}, "bank.uk.com", "uk.com", False),
        ({"uk.com": "v=DMARC1; p=reject"}, "bank.uk.com", "mail.bank.uk.com", True),
        ({"uk.com": "v=DMARC1; p=reject"}, "uk.com", "evil.uk.com", False),
        ({"uk.com": "v=DMARC1; p=reject"}, "uk.com", "uk.com", True),  # it sends mail itself
        ({"bank": "v=DMARC1; p=reject; psd=y"}, "example.bank", "evil.bank", False),
        ({"bank": "v=DMARC1; p=reject; psd=y"}, "example.bank", "bank", False),
        ({"xn--bcher-kva.example": "v=DMARC1; p=reject"}, "bücher.example", "xn--bcher-kva.example", True),
        ({"a.b.c.d.e.f.g.example.com": "v=DMARC1; p=none"} | ORG, "z.a.b.c.d.e.f.g.example.com", "example.com", True),
    ],
)  # fmt: skip
def test_who_speaks_for_an_author(records, author, identifier, aligned):
    by_dkim = judge(Zone(records), author, None, signed(identifier))
    by_spf = judge(Zone(records), author, sent(identifier))
    assert (by_dkim.result, by_spf.result) == ((PASS, PASS) if aligned else (FAIL, FAIL))
    assert (bool(by_dkim.dkim_aligned), by_spf.spf_aligned) == (aligned, aligned)


@pytest.mark.parametrize(
    ("author", "identifier", "aligned"),
    [
        ("a.example.co.uk", "b.example.co.uk", True),
        ("bank.com.au", "evil.com.au", False),
        ("bank.co.uk", "co.uk", False),
        ("co.uk", "co.uk", False),  # a suffix without a record
        ("a.example.unlisted", "b.example.unlisted", True),  # A5: the last two labels
        ("a.example.unlisted", "a.other.unlisted", False),
    ],
)
def test_without_any_record_the_list_says_who_belongs_together(author, identifier, aligned):
    verdict = judge(Zone({}), author, sent(identifier))
    assert (verdict.result, verdict.is_authenticated) == (NONE, aligned)


def test_modes_are_of_each_mechanism():
    zone = Zone({"example.com": "v=DMARC1; p=reject; adkim=s"})
    assert judge(zone, "example.com", None, signed("a.example.com")).result is FAIL
    verdict = judge(zone, "example.com", sent("a.example.com"), signed("a.example.com"))
    assert (verdict.result, verdict.spf_aligned, verdict.dkim_aligned) == (PASS, True, ())


@pytest.mark.parametrize("result", ["none", "fail", "policy", "neutral", "permerror"])
def test_a_signature_that_does_not_pass_counts_for_nothing(result):
    assert judge(Zone(ORG), "example.com", None, signed("example.com", result)).result is FAIL


@pytest.mark.parametrize("result", ["none", "neutral", "fail", "softfail", "permerror"])
def test_a_host_that_may_not_send_counts_for_nothing(result):
    assert judge(Zone(ORG), "example.com", sent("example.com", result)).result is FAIL


def test_one_signature_of_many_is_enough():
    broken = [signed("example.com", "fail"), signed("list.example"), signed("mail.example.com")]
    verdict = judge(Zone(ORG), "example.com", sent("list.example"), *broken)
    assert (verdict.result, verdict.why, verdict.dkim_aligned) == (PASS, Why.ALIGNED, ("mail.example.com",))


def test_of_a_null_sender_the_greeting_counts():
    hello = sent("Mail.Example.Com", identity="helo")
    assert judge(Zone(ORG), "example.com", hello).result is PASS


# What DNS does not answer


@pytest.mark.parametrize(
    ("silent", "spf", "dkim", "result"),
    [
        (["_dmarc.a.example.com"], None, [], TEMPERROR),
        (["_dmarc.example.com"], None, [], TEMPERROR),
        (["_dmarc.example.com"], "a.example.com", [], TEMPERROR),  # it may be none: but see is_authenticated
        (["_dmarc.com"], None, [], TEMPERROR),
        (["_dmarc.com"], "b.example.com", [], PASS),  # what lies above is a suffix
        (["_dmarc.x.example.com"], "x.example.com", [], PASS),  # the list says so too
        ([], None, [("example.com", "temperror")], TEMPERROR),
        ([], None, [("evil.example", "temperror")], FAIL),  # a stranger's trouble excuses nothing
        ([], None, [("example.com", "temperror"), ("example.com", "pass")], PASS),
        (["a.example.com"], None, [], FAIL),  # does it exist?  the milder one applies
    ],
)
def test_what_is_not_answered_is_no_failure(silent, spf, dkim, result):
    zone = Zone({"example.com": "v=DMARC1; p=reject; sp=reject; np=quarantine"}, silent)
    verdict = judge(zone, "a.example.com", sent(spf) if spf else None, *(signed(*one) for one in dkim))
    assert verdict.result is result
    assert verdict.disposition is not Policy.REJECT


def test_a_sender_check_without_answer_is_no_failure():
    assert judge(Zone(ORG), "example.com", sent("example.com", "temperror")).result is TEMPERROR
    assert judge(Zone(ORG), "example.com", sent("evil.example", "temperror")).result is FAIL


def test_what_was_asked_first_is_known_when_the_budget_is_spent():
    """A forger's slow DNS must not take away the policy of the one whose name is forged."""
    zone = Zone(ORG)
    dns = DnsBudget(zone, FakeClock(), lookups=2)
    dmarc.find_policy(["example.com"], dns)
    assert dns.lookup("evil.example", "TXT").outcome is Outcome.NO_ANSWER
    assert dmarc.evaluate(["example.com"], sent("evil.example"), [], dns).disposition is Policy.REJECT


# The From field


@pytest.mark.parametrize(
    ("header", "domains"),
    [
        (b"From: Alice <alice@example.com>\r\n", ["example.com"]),
        (b"from:\r\n\t\"b@bank.example\" <x@evil.example>\r\n", ["evil.example"]),
        (b"From: a@one.example, b@two.example\r\n", ["one.example", "two.example"]),
        (b"From: a@one.example\r\nFROM : b@two.example\r\n", ["one.example", "two.example"]),
        (b"From: friends: a@one.example, b@two.example;\r\n", ["one.example", "two.example"]),
        (b"From: undisclosed:;\r\n", []),
        (b"From: nobody\r\n", []),
        (b"Sender: a@one.example\r\n", ["one.example"]),  # shown where there is no From
        (b"From: a@one.example\r\nSender: b@two.example\r\n", ["one.example"]),
        (b"From: <m@evil.example(a@bank.example\r\n", ["evil.example", "bank.example"]),
        (b"From: <a@bank.example>:m@evil.example\r\n", ["evil.example", "bank.example"]),
        (b"From: m@evil.example\r\n \"a@bank.example\"\r\n", ["evil.example", "bank.example"]),
        (b"From: (a@bank.example\r\n", ["bank.example"]),
        (b"From: @a@bank.example\r\n", ["a@bank.example", "bank.example"]),
        ("From: a@b\u00fccher.example\r\n".encode(), ["b\u00fccher.example"]),
    ],
)  # fmt: skip
def test_the_domains_of_a_from_field(header, domains):
    assert list(author_domains(split_fields(header))) == domains


@pytest.mark.parametrize(
    ("authors", "result", "disposition", "domain"),
    [
        (["strict.example", "strict.example", "STRICT.example"], PASS, "none", "strict.example"),
        (["strict.example", "bank.example"], FAIL, "reject", "bank.example"),
        (["bank.example", "strict.example"], FAIL, "reject", "bank.example"),
        (["strict.example", "without.example"], NONE, "none", "without.example"),
        (["strict.example", "mild.example"], FAIL, "quarantine", "mild.example"),
        (["mild.example", "bank.example"], FAIL, "reject", "bank.example"),
        (["a.example", "b.example", "c.example", "strict.example", "bank.example"], PERMERROR, "reject", ""),
    ],
)
def test_of_several_authors_the_worst_counts(authors, result, disposition, domain):
    zone = Zone(
        {
            "strict.example": "v=DMARC1; p=reject",
            "bank.example": "v=DMARC1; p=reject",
            "mild.example": "v=DMARC1; p=quarantine",
        }
    )
    verdict = judge(zone, authors, sent("strict.example"))
    assert (verdict.result, verdict.disposition, verdict.domain) == (result, disposition, domain)


@pytest.mark.parametrize(
    ("authors", "disposition"),
    [
        (["slow.example"], "none"),  # never, of one
        (["slow.example", "example.com"], "reject"),
        (["slow.example", "without.example"], "quarantine"),
        (["slow.example", "mild.example"], "quarantine"),
    ],
)
def test_several_authors_are_suspicious_where_dns_does_not_answer_for_one(authors, disposition):
    zone = Zone(ORG | {"mild.example": "v=DMARC1; p=none"}, ["_dmarc.slow.example"])
    assert judge(zone, authors).disposition == disposition


def test_a_second_author_with_slow_dns_does_not_hide_the_first():
    dns = DnsBudget(Zone(ORG), FakeClock(), lookups=5)  # spent on the first
    assert dmarc.evaluate(["a.b.c.forger.example", "example.com"], None, [], dns).disposition is Policy.QUARANTINE


def test_a_strangers_identifiers_cost_no_questions():
    zone = Zone(ORG)
    judge(zone, "example.com", sent("a.b.c.evil.example"), *(signed(f"x{n}.evil.example") for n in range(8)))
    assert zone.asked == ["_dmarc.example.com", "_dmarc.com"]


def test_a_thousand_authors_cost_no_questions():
    zone = Zone({})
    assert judge(zone, [f"{n}.example" for n in range(1_000)]).why is Why.TOO_MANY_AUTHORS
    assert not zone.asked


NAMES = st.sampled_from(
    ["example.com", "a.example.com", "com", "bank", "x.bank", "co.uk", "a.co.uk", "é.uk.com", "", ".", "a..b"]
)
TAGS = ["v=DMARC1", "p=reject", "p=x", "sp=none", "np=quarantine", "psd=y", "psd=n", "adkim=s", "t=y", ""]
RECORDS = st.lists(st.sampled_from(TAGS), max_size=5).map("; ".join)


@given(
    st.dictionaries(NAMES, st.lists(RECORDS | st.text(), max_size=2), max_size=4),
    st.lists(NAMES | st.text(), max_size=6),
    NAMES | st.text(),
    st.lists(st.tuples(NAMES, st.sampled_from(["pass", "fail", "temperror"])), max_size=3),
    st.sets(NAMES, max_size=2),
)
@settings(derandomize=True, max_examples=300, deadline=None)
def test_anything_gets_a_verdict(records, authors, sender, signatures, silent):
    zone = Zone(records, [f"_dmarc.{name}" for name in silent])
    verdict = judge(zone, authors, sent(sender), *(signed(*one) for one in signatures))
    assert verdict.disposition is not Policy.REJECT or verdict.result in (FAIL, PERMERROR)
    assert verdict.disposition is Policy.NONE or verdict.result is FAIL or len(set(authors)) > 1
    assert verdict.result is not PASS or verdict.is_authenticated
    assert len(set(zone.asked)) <= dmarc.MOST_AUTHOR_DOMAINS * 9 + 8 * 4  # each author, and A; each identifier
