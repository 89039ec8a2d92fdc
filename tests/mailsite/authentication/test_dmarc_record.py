"""What a DMARC record says, and the walk that finds it."""

from __future__ import annotations

import importlib
import json
import sys

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

import mailsite_ext
from app.resolver import ZoneResolver
from mailsite_ext.authentication.budget import DnsBudget
from mailsite_ext.authentication.dmarc_record import BadDmarcRecord, DmarcRecord, Policy, is_dmarc, parse_record
from mailsite_ext.authentication.organizational_domain import names_to_ask, walk_up
from mailsite_ext.authentication.public_suffixes import is_public_suffix, registrable_domain
from mailsite_ext.errors import BadDomain
from mailsite_ext.protocol.smtp_address import canonical_domain
from tests.conftest import FakeClock
from tests.mailsite.authentication.zones import corpus

RUA = "rua=mailto:a@example.com"


def is_valid(text: str) -> bool:
    try:
        parse_record(text)
    except BadDmarcRecord:
        return False
    return True


@pytest.mark.corpora
def test_the_records_of_a_mail_server():
    rows = json.loads(corpus("dmarc/mox-parse.give.json"))
    assert [(row["input"], is_valid(row["input"])) for row in rows] == [(row["input"], row["valid"]) for row in rows]


@pytest.mark.parametrize(
    ("text", "said"),
    [
        ("v=DMARC1;p=reject", ("reject", None, None, "r", "r", "u", False)),
        ("v = DMARC1 ; p = Reject ; ", ("reject", None, None, "r", "r", "u", False)),
        ("v=DMARC1;; p=none;;", ("none", None, None, "r", "r", "u", False)),
        ("v=DMARC1; sp=none; p=reject; np=QUARANTINE", ("reject", "none", "quarantine", "r", "r", "u", False)),
        ("v=DMARC1; p=none; adkim=S; aspf=s; psd=Y; t=Y", ("none", None, None, "s", "s", "y", True)),
        ("v=DMARC1; p=none; adkim=x; aspf=; psd=maybe; t=1", ("none", None, None, "r", "r", "u", False)),
        ("v=DMARC1; p=reject; pct=0; rf=x; ri=-1; later=1", ("reject", None, None, "r", "r", "u", False)),
        (f"v=DMARC1; p=rejected; sp=reject; {RUA}", ("none", None, None, "r", "r", "u", False)),
        (f"v=DMARC1; p=reject; np=rejected; {RUA}", ("none", None, None, "r", "r", "u", False)),
        (f"v=DMARC1; psd=y; {RUA}", ("none", None, None, "r", "r", "y", False)),
    ],
)
def test_a_record_says(text, said):
    record = parse_record(text)
    assert said == (
        record.policy,
        record.subdomain_policy,
        record.missing_policy,
        record.dkim_alignment,
        record.spf_alignment,
        record.psd,
        record.is_testing,
    )


@pytest.mark.parametrize(
    "text",
    [
        "",
        "p=reject",
        "p=reject; v=DMARC1",
        "v=DMARC1 p=reject",
        "v=DMARC2; p=reject",
        "V=DMARC1; p=reject",
        "v=DMARC1; p=reject; sp=x",
        "v=DMARC1; p=none; p=none",
        "v=DMARC1; v=DMARC1; p=none",
        "v=DMARC1; p=none; bogus",
        "v=DMARC1; p=reject;" + " x=y;" * 200,
        "\udce9v=DMARC1; p=none",
    ],
)
def test_a_record_that_is_none(text):
    assert not is_valid(text)


def test_where_reports_go_is_kept_as_written():
    record = parse_record(f"v=DMARC1; p=none; {RUA}!10m, x:y; ruf=mailto:b@example.com; fo=1:d")
    assert (record.rua, record.ruf, record.fo) == ("mailto:a@example.com!10m, x:y", "mailto:b@example.com", "1:d")


@pytest.mark.parametrize(
    ("record", "for_subdomains", "for_missing"),
    [
        (DmarcRecord(policy=Policy.REJECT), "reject", "reject"),
        (DmarcRecord(policy=Policy.REJECT, subdomain_policy=Policy.NONE), "none", "none"),
        (DmarcRecord(policy=Policy.NONE, missing_policy=Policy.REJECT), "none", "reject"),
    ],
)
def test_what_is_not_said_is_inherited(record, for_subdomains, for_missing):
    assert (record.for_subdomains, record.for_missing) == (for_subdomains, for_missing)


@given(st.text(max_size=200) | st.text("v=DMARC1;psnrt y\t", max_size=60).map("v=DMARC1;".__add__))
@settings(derandomize=True, max_examples=300, deadline=None)
def test_any_text_is_a_record_or_none(text):
    assert not is_valid(text) or is_dmarc(text)


# The walk


@pytest.mark.parametrize(
    ("start", "names"),
    [
        ("com", ["com"]),
        ("a.mail.example.com", ["a.mail.example.com", "mail.example.com", "example.com", "com"]),
        (
            "a.b.c.d.e.f.g.h.i.j.mail.example.com",  # of RFC 9989 §4.10
            [
                "a.b.c.d.e.f.g.h.i.j.mail.example.com",
                "g.h.i.j.mail.example.com",
                "h.i.j.mail.example.com",
                "i.j.mail.example.com",
                "j.mail.example.com",
                "mail.example.com",
                "example.com",
                "com",
            ],
        ),
        ("1.2.3.4.5.6.7", ["1.2.3.4.5.6.7", "2.3.4.5.6.7", "3.4.5.6.7", "4.5.6.7", "5.6.7", "6.7", "7"]),
        ("1.2.3.4.5.6.7.8", [*(".".join("12345678"[n:]) for n in range(8))]),
    ],
)
def test_the_names_of_a_walk(start, names):
    assert list(names_to_ask(start)) == names


@pytest.mark.parametrize(
    ("records", "organizational"),
    [  # the examples of §4.10.2, from a.mail.example.com
        ({"mail.example.com": "", "example.com": ""}, "example.com"),
        ({"mail.example.com": "psd=n", "example.com": ""}, "mail.example.com"),
        ({"com": "psd=y"}, "example.com"),
        ({"example.com": "psd=y", "com": ""}, "mail.example.com"),
        ({"a.mail.example.com": "psd=y", "example.com": ""}, "a.mail.example.com"),  # the walk stops
        ({"com": ""}, "example.com"),  # a listed suffix that does not say so
        ({"com": "psd=n"}, "com"),  # it says so
        ({"a.mail.example.com": "", "example.com": "p=x"}, "a.mail.example.com"),  # one that cannot be read is none
        ({}, "example.com"),  # of the list
    ],
)
def test_the_organization_of_a_domain(records, organizational):
    texts = {name: f"v=DMARC1; {text}; {'' if 'p=' in text else 'p=none'}" for name, text in records.items()}
    zone = ZoneResolver({(f"_dmarc.{name}", "TXT"): [text] for name, text in texts.items()})
    assert walk_up("a.mail.example.com", DnsBudget(zone, FakeClock())).organizational_domain == organizational


@pytest.mark.corpora
def test_the_cases_of_the_public_suffix_list():
    rows = json.loads(corpus("psl/test_psl.give.json"))
    cases = [(row["domain"], row["registrable"]) for row in rows if row["domain"]]
    assert [(domain, own_registrable(domain)) for domain, _ in cases] == [(one, lowered(two)) for one, two in cases]


def own_registrable(domain: str) -> str | None:
    try:
        return registrable_domain(canonical_domain(domain))
    except BadDomain:
        return None


def lowered(domain: str | None) -> str | None:
    return canonical_domain(domain) if domain else None


@pytest.mark.parametrize(
    ("domain", "suffix"),
    [
        ("com", True),
        ("co.uk", True),
        ("com.au", True),
        ("uk.com", True),
        ("a.uk.com", False),
        ("a.b", False),
        ("b", True),
    ],
)
def test_a_public_suffix(domain, suffix):
    assert is_public_suffix(domain) is suffix


def test_hosting_is_not_offered_without_the_list(monkeypatch):
    monkeypatch.setitem(sys.modules, "publicsuffixlist", None)
    with pytest.raises(ImportError):
        importlib.reload(mailsite_ext)
