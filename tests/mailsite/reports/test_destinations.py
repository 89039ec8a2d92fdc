"""Where reports are wanted (RFC 9990 §3.3, §4; RFC 8460 §3)."""

from __future__ import annotations

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from mailsite_ext.protocol.smtp_address import Address
from mailsite_ext.reports.destinations import (
    MOST_DESTINATIONS,
    ByMail,
    ByPost,
    dmarc_destinations,
    gives_permission,
    question_of_permission,
    tls_destinations,
)

A, B = Address("a", "x.example"), Address("b", "y.example")


@pytest.mark.parametrize(
    ("rua", "found"),
    [
        ("mailto:a@x.example", [ByMail(A)]),
        ("mailto:a@x.example, MAILTO:b@Y.example", [ByMail(A), ByMail(B)]),
        ("mailto:a@x.example,mailto:a@x.example", [ByMail(A)]),
        ("mailto:a@x.example!10m", [ByMail(A, 10 * 1024 * 1024)]),
        ("mailto:a@x.example!500", [ByMail(A, 500)]),
        ("mailto:a@x.example!2K", [ByMail(A, 2048)]),
        ("mailto:a@x.example?subject=x", [ByMail(A)]),
        ("mailto:a%2Bb@x.example", [ByMail(Address("a+b", "x.example"))]),
        ("https://x.example/r", []),  # of TLS reports only
        ("a@x.example", []),
        ("mailto:", []),
        ("mailto:a@localhost", []),
        ("mailto:a@[192.0.2.1]", []),
        ("mailto:a%0D%0ABcc:b@x.example", []),
        ("mailto:<a@x.example>", []),
        ("mailto:" + "a" * 600 + "@x.example", []),
        ("", []),
    ],
)
def test_of_a_dmarc_record(rua, found):
    assert dmarc_destinations(rua) == found


def test_only_the_first_few_count():
    assert len(dmarc_destinations(",".join(f"mailto:a{number}@x.example" for number in range(50)))) == MOST_DESTINATIONS


@pytest.mark.parametrize(
    ("records", "found"),
    [
        (["v=TLSRPTv1; rua=mailto:a@x.example"], [ByMail(A)]),
        (["v=TLSRPTv1;rua=https://x.example/r"], [ByPost("https://x.example/r")]),
        (["v=TLSRPTv1 ; rua=mailto:a@x.example,https://x.example/r;"], [ByMail(A), ByPost("https://x.example/r")]),
        (["v=spf1 -all", "v=TLSRPTv1; rua=mailto:a@x.example"], [ByMail(A)]),
        (["v=TLSRPTv1; rua=mailto:a@x.example"] * 2, []),
        (["v=TLSRPTv1"], []),
        (["v=TLSRPTv1;"], []),
        (["v=TLSRPTv2; rua=mailto:a@x.example"], []),
        (["v=TLSRPTv1; rua=http://x.example/r"], []),
        (["v=TLSRPTv1; rua=https://"], []),
        (["v=TLSRPTv1; rua=https://x.example/\xfe"], []),
        (["v=TLSRPTv1; rua=https://x.example/a b"], []),
        (["v=TLSRPTv1; rua=https://[::1/r"], []),
        (["v=TLSRPTv1; rua=mailto:a@x.example; rua=x"], []),
        ([], []),
    ],
)
def test_of_a_tls_record(records, found):
    assert tls_destinations(records) == found


@settings(derandomize=True, deadline=None)
@given(st.text(max_size=60))
def test_anything_may_stand_there(text):
    for found in [*dmarc_destinations(text), *tls_destinations([f"v=TLSRPTv1; rua={text}"])]:
        if isinstance(found, ByMail):
            assert str(found.address).isprintable()


@pytest.mark.parametrize(
    ("records", "answer"),
    [
        (["v=DMARC1"], True),
        (["v=DMARC1; rua=mailto:x@y.example"], True),
        (["v=spf1", " v = DMARC1 ;"], True),
        (["v=DMARC10"], False),
        (["p=none; v=DMARC1"], False),
        ([], False),
    ],
)
def test_who_agrees_to_reports_about_others(records, answer):
    assert gives_permission(records) is answer


def test_what_is_asked():
    assert question_of_permission("here.example", "there.example") == "here.example._report._dmarc.there.example"
