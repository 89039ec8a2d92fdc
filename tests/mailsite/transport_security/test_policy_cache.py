"""Policies of others, from servers on loopback: had, kept, refreshed, never lost by a fault."""

from __future__ import annotations

from dataclasses import replace

import pytest
from sqlalchemy import select

from app import runtime
from app.resolver import DnsResolver
from mailsite_ext.transport_security.models import KeptPolicy
from mailsite_ext.transport_security.mta_sts import LONGEST_POLICY_OCTETS, Mode, Policy
from mailsite_ext.transport_security.policy_cache import (
    BACK_OFF,
    PATH,
    REFRESHED_AFTER,
    UNUSED,
    PolicyCache,
    PolicyFetcher,
)
from tests.servers import http, name_server

DOMAIN = "example.net"
MAX_AGE_S = 3 * 86_400
DAY_S = 86_400


def text(mode="enforce", mx="mx.example.net", max_age_s=MAX_AGE_S):
    return f"version: STSv1\r\nmode: {mode}\r\nmx: {mx}\r\nmax_age: {max_age_s}\r\n".encode()


def page(body=None, status=200, **headers):
    return http.Reply(status, text() if body is None else body, {"Content-Type": "text/plain", **headers})


ENFORCED = Policy(Mode.ENFORCE, ("mx.example.net",), MAX_AGE_S)


@pytest.fixture
def zone():
    return name_server.Zone(
        {("_mta-sts.example.net", "TXT"): ['"v=STSv1; id=1;"'], ("mta-sts.example.net", "A"): ["127.0.0.1"]}
    )


@pytest.fixture
def web(authority):
    with http.serve(authority.issue("mta-sts.example.net")) as web:
        web.pages[PATH] = page()
        yield web


@pytest.fixture
def parts(config, authority, clock, zone):
    with name_server.serve(zone) as address:
        config = replace(config, tls_ca_file=str(authority.ca))
        built = runtime.build(config, clock=clock, resolver=DnsResolver(address))
        yield built
        built.dispose()


@pytest.fixture
def cache(parts, web):
    return PolicyCache(parts, PolicyFetcher(parts, reaches_private=True, port=web.port, timeout_s=10))


def rename(zone, policy_id):
    zone.records[("_mta-sts.example.net", "TXT")] = [f'"v=STSv1; id={policy_id};"']


def test_a_policy_is_fetched_once_and_kept(cache, web):
    assert [cache.policy_of(DOMAIN) for _ in range(3)] == [ENFORCED] * 3
    assert [request.path for request in web.requests] == [PATH]


def test_it_is_fetched_again_when_its_id_changes(cache, web, zone):
    cache.policy_of(DOMAIN)
    web.pages[PATH] = page(text(mx="new.example.net"))
    assert cache.policy_of(DOMAIN) == ENFORCED, "what the record does not announce is not looked for"
    rename(zone, 2)
    assert cache.policy_of(DOMAIN) == replace(ENFORCED, mx=("new.example.net",))


def test_it_is_fetched_again_each_day(cache, web, clock):
    cache.policy_of(DOMAIN)
    clock.advance(REFRESHED_AFTER.total_seconds())
    cache.policy_of(DOMAIN)
    clock.advance(REFRESHED_AFTER.total_seconds() - 1)
    cache.policy_of(DOMAIN)
    assert len(web.requests) == 2


FAULTS = {
    "not found": page(status=404),
    "an error": page(status=500),
    "a redirect": page(status=302, Location="https://mta-sts.example.net/other"),
    "no text": http.Reply(200, text(), {"Content-Type": "text/html"}),
    "no policy": page(b"<html>"),
    "too large": page(text() + b"x: y\r\n" * (LONGEST_POLICY_OCTETS // 6)),
}


@pytest.mark.parametrize("fault", FAULTS)
def test_a_fetch_that_fails_leaves_what_is_kept_and_waits(cache, web, zone, clock, fault):
    cache.policy_of(DOMAIN)
    rename(zone, 2)
    web.pages = {PATH: FAULTS[fault], "/other": page(text(mode="none"))}
    assert cache.policy_of(DOMAIN) == ENFORCED
    assert cache.policy_of(DOMAIN) == ENFORCED
    assert len(web.requests) == 2, "within the back-off nobody is asked again"
    web.pages[PATH] = page(text(mode="testing"))
    clock.advance(BACK_OFF.total_seconds())
    assert cache.policy_of(DOMAIN) == replace(ENFORCED, mode=Mode.TESTING)


@pytest.mark.parametrize("fault", FAULTS)
def test_without_one_to_keep_a_fault_is_no_policy(cache, web, fault):
    web.pages = {PATH: FAULTS[fault], "/other": page()}
    assert cache.policy_of(DOMAIN) is None
    assert cache.policy_of(DOMAIN) is None
    assert len(web.requests) == 1


@pytest.mark.parametrize("silence", ["record gone", "no name", "server failing", "record doubled"])
def test_who_silences_dns_does_not_switch_it_off(cache, zone, web, clock, silence):
    cache.policy_of(DOMAIN)
    name = ("_mta-sts.example.net", "TXT")
    if silence == "record gone":
        zone.records[name] = ['"something else"']
    elif silence == "no name":
        del zone.records[name]
    elif silence == "server failing":
        zone.failing = ["_mta-sts.example.net"]
    else:
        zone.records[name] = ['"v=STSv1; id=2;"', '"v=STSv1; id=3;"']
    clock.advance(MAX_AGE_S - 1)
    assert cache.policy_of(DOMAIN) == ENFORCED
    clock.advance(1)
    assert cache.policy_of(DOMAIN) is None, "its max_age has passed"
    assert len(web.requests) == 1


@pytest.mark.parametrize("issued", ["other name", "expired", "self-signed"])
def test_the_certificate_must_be_good_for_the_name(parts, authority, issued):
    certificate = {
        "other name": authority.issue("example.net"),
        "expired": authority.issue("mta-sts.example.net", expired=True),
        "self-signed": authority.issue("mta-sts.example.net", self_signed=True),
    }[issued]
    with http.serve(certificate) as web:
        web.pages[PATH] = page()
        fetch = PolicyFetcher(parts, reaches_private=True, port=web.port, timeout_s=10)
        assert PolicyCache(parts, fetch).policy_of(DOMAIN) is None
        assert web.requests == []


def test_outside_test_mail_mode_only_public_addresses_are_asked(parts, web):
    fetch = PolicyFetcher(parts, reaches_private=False, port=web.port, timeout_s=10)
    assert PolicyCache(parts, fetch).policy_of(DOMAIN) is None
    assert web.requests == []


@pytest.mark.parametrize("domain", ["localhost", "[192.0.2.1]", "a" * 250 + ".example", "unknown.example"])
def test_what_has_no_record_is_not_fetched_and_leaves_no_row(cache, web, db, domain):
    assert cache.policy_of(domain) is None
    assert web.requests == []
    assert db.scalars(select(KeptPolicy)).all() == []


def test_what_nobody_wrote_to_for_long_is_dropped(cache, web, zone, db, clock):
    cache.policy_of(DOMAIN)
    clock.advance(UNUSED.total_seconds() - 2 * DAY_S)
    cache.policy_of(DOMAIN)  # used: it stays
    zone.records |= {
        ("_mta-sts.other.example", "TXT"): ['"v=STSv1; id=1;"'],
        ("mta-sts.other.example", "A"): ["127.0.0.1"],
    }
    clock.advance(3 * DAY_S)
    cache.policy_of("other.example")
    assert set(db.scalars(select(KeptPolicy.domain))) == {DOMAIN, "other.example"}
    db.rollback()
    clock.advance(UNUSED.total_seconds() - DAY_S)
    cache.policy_of("other.example")
    assert set(db.scalars(select(KeptPolicy.domain))) == {"other.example"}
