"""GET through the guard: pinned, verified, bounded."""

import ssl
import time

import pytest

from app.accounts.addresses import GuardPolicy
from app.accounts.fetch import Bounds, guarded_get, guarded_post, parse_url
from app.errors import AddressRefused, BadInput, MailError, NameNotFound, ProtocolError, TimedOut, TlsFailed
from app.resolver import ZoneResolver
from tests.servers import http
from tests.servers.http import Reply

HOME = GuardPolicy.of("127.0.0.1\n::1", "")
ZONE = ZoneResolver({("web.example", "A"): ["127.0.0.1"], ("inner.example", "A"): ["10.0.0.1"]})
XML = Bounds(max_octets=1_000, timeout_s=5, types=("text/xml", "image/"), redirects=2)
TEXT_XML = {"Content-Type": "text/xml; charset=utf-8"}


def get(url, bounds=XML, policy=HOME, context=None):
    return guarded_get(policy, ZONE, url, bounds, ssl_context=context or ssl.create_default_context())


def test_what_is_there_is_fetched(authority):
    with http.serve(authority.issue("web.example")) as web:
        web.pages["/a"] = Reply(body=b"<x/>", headers=TEXT_XML)
        found = get(web.url("/a?b=c%20d", "web.example"), context=authority.client_context())
        assert (found.status, found.content_type, found.body) == (200, "text/xml", b"<x/>")
        (asked,) = web.requests
        assert asked.query == {"b": "c d"}
        assert asked.headers["host"] == f"web.example:{web.port}"
        assert "cookie" not in asked.headers


def post(url, context=None, policy=HOME):
    context = context or ssl.create_default_context()
    bounds = Bounds(0, 5, schemes=("https",))
    return guarded_post(policy, ZONE, url, b"a=b", "text/x", bounds, ssl_context=context)


@pytest.mark.parametrize("status", [200, 204, 302, 503])
def test_what_is_posted_arrives_and_its_status_is_told(authority, status):
    with http.serve(authority.issue("web.example")) as web:
        web.pages["/a"] = Reply(status, b"x" * 100, {"Location": "/elsewhere"})
        assert post(web.url("/a", "web.example"), authority.client_context()) == status
        (asked,) = web.requests
        assert (asked.method, asked.form, asked.headers["content-type"]) == ("POST", {"a": "b"}, "text/x")


@pytest.mark.parametrize(
    ("url", "error"),
    [
        ("https://10.0.0.1/", AddressRefused),
        ("https://inner.example/", AddressRefused),
        ("http://web.example/", BadInput),
    ],
)
def test_where_nothing_is_posted(url, error):
    with pytest.raises(error):
        post(url)


def test_nothing_is_posted_to_who_cannot_prove_its_name(authority):
    with http.serve(authority.issue("other.example")) as web:
        with pytest.raises(TlsFailed):
            post(web.url("/", "web.example"), authority.client_context())
        assert web.requests == []


def test_the_environments_proxies_are_not_asked(monkeypatch):
    monkeypatch.setenv("http_proxy", "http://127.0.0.1:1")
    with http.serve() as web:
        web.pages["/"] = Reply(body=b"x", headers=TEXT_XML)
        assert get(web.url()).body == b"x"


def test_the_certificate_must_be_the_names(authority):
    with http.serve(authority.issue("other.example")) as web, pytest.raises(TlsFailed):
        get(web.url("/", "web.example"), context=authority.client_context())


@pytest.mark.parametrize(
    ("url", "error"),
    [
        ("http://10.0.0.1/", AddressRefused),
        ("http://inner.example/", AddressRefused),
        ("http://2852039166/latest/meta-data/", AddressRefused),  # 169.254.169.254
        ("http://[::ffff:169.254.169.254]/", AddressRefused),
        ("http://nowhere.example/", NameNotFound),
        ("ftp://web.example/", BadInput),
        ("file:///etc/passwd", BadInput),
        ("http://user:pw@web.example/", BadInput),
        ("http://web.example:99999/", BadInput),
        ("http://web.example/a\r\nHost: b", BadInput),
        ("//web.example/", BadInput),
        ("http:///a", BadInput),
    ],
)
def test_what_is_never_asked(url, error):
    with pytest.raises(error):
        get(url)


def test_a_redirect_is_followed_and_checked_again():
    with http.serve() as web:
        web.pages["/a"] = Reply(302, headers={"Location": "/b"})
        web.pages["/b"] = Reply(body=b"there", headers=TEXT_XML)
        web.pages["/c"] = Reply(302, headers={"Location": "http://10.0.0.1/"})
        web.pages["/d"] = Reply(301, headers={"Location": "/d"})
        web.pages["/e"] = Reply(302, headers={"Location": "file:///etc/passwd"})
        assert get(web.url("/a")).body == b"there"
        for path, error in (("/c", AddressRefused), ("/d", ProtocolError), ("/e", BadInput)):
            with pytest.raises(error):
                get(web.url(path))


def test_no_redirect_where_none_is_allowed():
    with http.serve() as web:
        web.pages["/a"] = Reply(302, headers={"Location": "/b"})
        with pytest.raises(ProtocolError):
            get(web.url("/a"), Bounds(max_octets=10, timeout_s=5))
        assert [request.path for request in web.requests] == ["/a"]


@pytest.mark.parametrize(
    ("reply", "error"),
    [
        (Reply(body=b"x" * 1_001, headers=TEXT_XML), ProtocolError),
        (Reply(body=b"x", headers={"Content-Type": "text/html"}), ProtocolError),
        (Reply(body=b"x" * 1_500, headers={**TEXT_XML, "Content-Length": "20"}), None),  # only what was announced
        (Reply(body=b"x", headers={**TEXT_XML, "Content-Length": "900"}), MailError),  # ends early
        (Reply(404, body=b"gone"), None),
    ],
)
def test_an_answer_is_bounded(reply, error):
    with http.serve() as web:
        web.pages["/"] = reply
        web.released.set()
        if error is None:
            assert len(get(web.url()).body) <= 20
            return
        with pytest.raises(error):
            get(web.url(), Bounds(max_octets=1_000, timeout_s=1, types=XML.types))


def test_a_peer_that_stalls_costs_no_more_than_the_time_allowed():
    with http.serve() as web:
        web.pages["/"] = Reply(body=b"x", headers={**TEXT_XML, "Content-Length": "900"}, stall=True)
        began = time.monotonic()
        with pytest.raises(TimedOut):
            get(web.url(), Bounds(max_octets=1_000, timeout_s=0.3, types=XML.types))
        assert time.monotonic() - began < 5


def test_image_types_match_by_their_beginning():
    with http.serve() as web:
        web.pages["/"] = Reply(body=b"GIF", headers={"Content-Type": "image/gif"})
        assert get(web.url()).content_type == "image/gif"


def test_a_port_is_kept():
    assert parse_url("https://web.example:8443/x").port == 8443
