"""What DNS block lists say of a peer (RFC 5782)."""

from __future__ import annotations

import pytest

from app.resolver import ZoneResolver
from mailsite_ext.reception.blocklists import LONGEST_WORDS, Listing, find_listing, question

ZONES = ("zen.example", "list.example.org")
PEER, NAME = "8.9.10.11", "11.10.9.8.zen.example"


@pytest.mark.parametrize(
    ("peer", "name"),
    [
        ("192.0.2.99", "99.2.0.192.z"),
        ("::ffff:192.0.2.99", "99.2.0.192.z"),
        ("2001:db8::1", "1." + "0." * 23 + "8.b.d.0.1.0.0.2.z"),
    ],
)
def test_what_is_asked(peer, name):
    assert question(peer, "z") == name


@pytest.mark.parametrize(
    ("records", "is_listed"),
    [
        (["127.0.0.2"], True),
        (["127.0.0.10", "127.0.0.4"], True),
        (["127.255.255.254"], False),  # asked through a public resolver, or too often
        (["127.255.255.252", "127.0.0.2"], True),
        (["203.0.113.7"], False),  # the domain has another owner
        (["nonsense", ""], False),
        ([], False),
    ],
)
def test_which_answers_list_a_peer(records, is_listed):
    assert (find_listing(PEER, ZONES, ZoneResolver({(NAME, "A"): records})) is not None) is is_listed


def test_the_first_list_that_has_it_is_named_with_its_words():
    second = "11.10.9.8.list.example.org"
    dns = ZoneResolver({(second, "A"): ["127.0.0.2"], (second, "TXT"): ["See https://list.example.org/8.9.10.11"]})
    assert find_listing(PEER, ZONES, dns) == Listing("list.example.org", "See https://list.example.org/8.9.10.11")


@pytest.mark.parametrize(
    ("text", "words"),
    [("a\r\nMAIL FROM:<x>", "a MAIL FROM:<x>"), ("é\x00b", "b"), ("y" * 9_000, "y" * LONGEST_WORDS)],
)
def test_its_words_cannot_be_more_than_words(text, words):
    dns = ZoneResolver({(NAME, "A"): ["127.0.0.2"], (NAME, "TXT"): [text]})
    assert find_listing(PEER, ZONES, dns).words == words


@pytest.mark.parametrize("peer", ["127.0.0.1", "10.1.2.3", "::1", "fd00::1", "192.168.1.1"])
def test_private_addresses_are_nobody_elses_business(peer):
    listed = ZoneResolver({(question(peer, zone), "A"): ["127.0.0.2"] for zone in ZONES})
    assert find_listing(peer, ZONES, listed) is None


def test_a_list_that_does_not_answer_lists_nobody():
    assert find_listing(PEER, ZONES, ZoneResolver({}, silent=[NAME])) is None
