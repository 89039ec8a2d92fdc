"""Asking everybody at once: within its time, each attempt recorded, with real sockets on loopback."""

from __future__ import annotations

import threading
import time
from dataclasses import replace

import pytest

from app import runtime
from app.accounts import lookup
from app.accounts.addresses import GuardPolicy
from app.accounts.discovery import Origin
from app.accounts.endpoint import Endpoint, Tls
from app.accounts.lookup import Source, search
from app.errors import AddressRefused, NameNotFound, ProtocolError, TimedOut
from app.resolver import Answer, Outcome, ZoneResolver
from tests.servers import http
from tests.servers.http import Reply

HOME = GuardPolicy.of("127.0.0.1", "")


@pytest.fixture
def parts_with(sqlite_config, clock, authority):
    """A runtime on a zone, which trusts the test authority."""
    built = []

    def parts_with(resolver):
        config = replace(sqlite_config, tls_ca_file=str(authority.ca))
        built.append(runtime.build(config, clock=clock, resolver=resolver))
        return built[-1]

    yield parts_with
    for parts in built:
        parts.dispose()


@pytest.fixture(autouse=True)
def no_guesses(monkeypatch):
    monkeypatch.setattr(lookup, "guesses", lambda domain: ((), ()))
    monkeypatch.setattr(lookup, "autoconfig_urls", lambda domain, address: ())


def attempt(found, source):
    return next(attempt for attempt in found.attempts if attempt.source is source)


def test_a_known_provider_asks_nobody(parts_with):
    found = search(parts_with(ZoneResolver({}, silent=["gmail.com"])), HOME, "a@gmail.com")
    assert [attempt.source for attempt in found.attempts] == [Source.PRESET]
    assert found.found.preset is not None
    assert found.found.preset.key == "gmail"


def test_srv_records_are_found(parts_with):
    zone = {
        ("_imaps._tcp.holt.example", "SRV"): ["0 1 993 mail.holt.example."],
        ("_submissions._tcp.holt.example", "SRV"): ["0 1 465 mail.holt.example."],
        ("_imap._tcp.holt.example", "SRV"): ["0 0 0 ."],
    }
    found = search(parts_with(ZoneResolver(zone)), HOME, "maren@holt.example")
    assert found.found.is_whole
    assert found.found.imap is not None
    assert (found.found.imap.endpoint.host, found.found.imap.origin) == ("mail.holt.example", Origin.SRV)
    told = {attempt.subject: attempt.found for attempt in found.attempts if attempt.source is Source.SRV}
    assert told["_imaps._tcp.holt.example"] == "mail.holt.example, 993"
    assert told["_imap._tcp.holt.example"] == "."


def test_mx_tells_the_provider(parts_with):
    zone = {("fernhill.example", "MX"): ["1 aspmx.l.google.com."]}
    found = search(parts_with(ZoneResolver(zone)), HOME, "hello@fernhill.example").found
    assert found.preset is not None
    assert found.preset.key == "gmail"
    assert found.smtp is not None
    assert found.smtp.username == "hello@fernhill.example"


@pytest.mark.parametrize(
    ("reply", "error"),
    [
        (Reply(404), ProtocolError),
        (Reply(body=b"<!DOCTYPE a><a/>", headers={"Content-Type": "text/xml"}), ProtocolError),
        (Reply(body=b"<html/>", headers={"Content-Type": "text/html"}), ProtocolError),
        (Reply(302, headers={"Location": "https://10.0.0.1/"}), AddressRefused),
        (Reply(body=b"<clientConfig/>", headers={"Content-Type": "text/xml"}), None),
    ],
)
def test_autoconfig_that_gives_nothing(parts_with, monkeypatch, authority, reply, error):
    with http.serve(authority.issue()) as web:
        web.pages["/"] = reply
        monkeypatch.setattr(lookup, "autoconfig_urls", lambda domain, address: (web.url("/?emailaddress=x"),))
        found = search(parts_with(ZoneResolver({})), HOME, "a@holt.example")
    tried = attempt(found, Source.AUTOCONFIG)
    assert type(tried.error) is (error or type(None))
    assert tried.subject == web.url("/")
    assert tried.found == ""
    assert not found.found.is_whole


def test_a_likely_host_counts_once_it_answers(parts_with, monkeypatch, smtp_sink, free_port):
    open_door = Endpoint("localhost", smtp_sink.port, Tls.STARTTLS)
    closed = Endpoint("localhost", free_port())
    monkeypatch.setattr(lookup, "guesses", lambda domain: ((closed,), (closed, open_door)))
    found = search(parts_with(ZoneResolver({})), HOME, "a@holt.example").found
    assert found.imap is None
    assert found.smtp is not None
    assert (found.smtp.endpoint, found.smtp.origin) == (open_door, Origin.GUESS)


class SlowResolver:
    """Answers MX at once and keeps everything else waiting."""

    def __init__(self) -> None:
        self.release = threading.Event()

    def lookup(self, name: str, record_type: str, *, timeout_s: float = 5.0) -> Answer:
        if record_type == "MX":
            return Answer(Outcome.FOUND, ["1 in1-smtp.messagingengine.com."])
        self.release.wait(10)
        return Answer(Outcome.NO_ANSWER)


def test_the_search_ends_in_its_time_with_what_is_there(parts_with):
    resolver = SlowResolver()
    began = time.monotonic()
    found = search(parts_with(resolver), HOME, "a@holt.example", time_limit_s=0.3)
    took = time.monotonic() - began
    resolver.release.set()
    assert took < 3
    assert found.found.preset is not None
    assert found.found.preset.key == "fastmail"
    assert isinstance(attempt(found, Source.SRV).error, TimedOut)


def test_the_silent_and_the_missing_are_told_apart(parts_with):
    silent = search(parts_with(ZoneResolver({}, silent=["holt.example"])), HOME, "a@holt.example")
    assert isinstance(attempt(silent, Source.MX).error, TimedOut)
    missing = search(parts_with(ZoneResolver({})), HOME, "a@holt.example")
    assert isinstance(attempt(missing, Source.MX).error, NameNotFound)


@pytest.mark.parametrize(
    ("address", "quoted"),
    [("a@b.example", "a@b.example"), ("a&x=1#@b.example", "ax1@b.example"), ("ä@b.example", "@b.example")],
)
def test_an_address_in_a_url_carries_nothing_else(monkeypatch, address, quoted):
    monkeypatch.undo()
    urls = lookup.autoconfig_urls("b.example", address)
    assert urls[0] == f"https://autoconfig.b.example/mail/config-v1.1.xml?emailaddress={quoted}"
    assert all(url.startswith("https://") for url in urls)


def test_what_is_no_address(parts_with):
    with pytest.raises(ValueError):
        search(parts_with(ZoneResolver({})), HOME, "no address")
