"""Greylisting and block lists at the door, on both databases (RFC 6647)."""

from __future__ import annotations

from dataclasses import replace
from datetime import timedelta

import pytest
from sqlalchemy import select, text

from app.resolver import ZoneResolver
from mailsite_ext.errors import ComeAgainLater, PeerListed
from mailsite_ext.protocol.smtp_address import Address
from mailsite_ext.reception import greylist
from mailsite_ext.reception.door import REMEMBERED_S, TIDIED_S, Door
from mailsite_ext.reception.greylist import Fate, decide, network_of
from mailsite_ext.reception.models import Greylisted
from mailsite_ext.replies import smtp_reply
from tests.conftest import START

PEER, NEIGHBOUR, STRANGER = "8.9.10.11", "8.9.10.200", "9.9.9.9"
SENDER, ALICE = Address("a", "x.example"), Address("alice", "example.org")
DAY = timedelta(days=1)


@pytest.mark.parametrize(
    ("three", "network", "fate"),
    [
        (None, None, Fate.NEW),
        ((0, 0, 0), None, Fate.EARLY),
        ((299, 299, 0), None, Fate.EARLY),
        ((300, 300, 0), None, Fate.PASSED),
        ((86_400, 86_400, 0), None, Fate.PASSED),
        ((86_401, 86_401, 0), None, Fate.NEW),  # too late
        ((99 * 86_400, 35 * 86_400, 3), None, Fate.PASSED),
        ((99 * 86_400, 35 * 86_400 + 1, 3), None, Fate.NEW),
        (None, (0, 0, 5), Fate.KNOWN),
        (None, (0, 0, 4), Fate.NEW),
        (None, (0, 35 * 86_400 + 1, 9), Fate.NEW),
    ],
)
def test_fates(three, network, fate):
    """Each row: seconds since it began, since it was seen, and how often it passed."""

    def row(values):
        begun, seen, passed = values
        ago = START - timedelta(seconds=begun), START - timedelta(seconds=seen)
        return Greylisted(name="", begun_at=ago[0], seen_at=ago[1], passed=passed)

    assert decide(three and row(three), network and row(network), START) is fate


@pytest.mark.parametrize(
    ("peer", "network"), [(PEER, "8.9.10.0/24"), ("2a00:1:2:3:4::5", "2a00:1:2:3::/64"), (NEIGHBOUR, "8.9.10.0/24")]
)
def test_networks(peer, network):
    assert network_of(peer) == network


@pytest.fixture
def door(parts):
    return Door(parts, blocklists=(), greylists=True)


def comes_in(door, peer=PEER, sender=SENDER, recipient=ALICE):
    try:
        door.admit(peer, sender, recipient)
    except ComeAgainLater:
        return False
    return True


def test_the_first_mail_waits_five_minutes_and_then_all_of_it_comes_in(door, clock):
    assert not comes_in(door)
    clock.advance(299)
    assert not comes_in(door)
    clock.advance(1)
    assert comes_in(door, NEIGHBOUR)  # another server of the same sender
    assert comes_in(door)
    clock.advance(34 * 86_400)
    assert comes_in(door)
    clock.advance(36 * 86_400)
    assert not comes_in(door)


@pytest.mark.parametrize(
    "other", [{"peer": STRANGER}, {"sender": Address("b", "x.example")}, {"sender": None}, {"recipient": SENDER}]
)
def test_another_network_sender_or_recipient_is_new(door, clock, other):
    comes_in(door)
    clock.advance(300)
    assert not comes_in(door, **other)
    assert comes_in(door)


def test_a_network_whose_mail_came_again_five_times_is_known(door, clock):
    senders = [Address(f"a{number}", "x.example") for number in range(6)]
    for sender in senders[:5]:
        comes_in(door, sender=sender)
    clock.advance(300)
    for sender in senders[:4]:
        assert comes_in(door, sender=sender)
    assert comes_in(door, sender=senders[0])  # the same once more is not another
    assert not comes_in(door, sender=senders[5])
    assert comes_in(door, sender=senders[4])
    assert comes_in(door, sender=senders[5])
    assert not comes_in(door, STRANGER, senders[5])


def test_of_two_processes_one_counts_a_pass(door, parts, db, clock):
    comes_in(door)
    clock.advance(300)
    network = network_of(PEER)
    three = db.get(Greylisted, greylist.name_of(network, SENDER, ALICE))
    for _process in range(2):
        with parts.public.session() as other:
            greylist._pass(other, three, network, clock.now())
            other.commit()
    assert db.get(Greylisted, network).passed == 1


@pytest.mark.parametrize("peer", ["127.0.0.1", "::1", "10.0.0.7", "fd00::1"])
def test_peers_of_this_machine_and_its_networks_never_wait(door, peer):
    assert comes_in(door, peer)


def test_what_is_old_is_forgotten(door, db, clock):
    comes_in(door)
    comes_in(door, STRANGER)
    clock.advance(300)
    comes_in(door)
    clock.advance(max(TIDIED_S, 2 * DAY.total_seconds()))
    comes_in(door, "7.7.7.7")
    assert {row.passed for row in db.scalars(select(Greylisted))} == {0, 1}
    assert len(db.scalars(select(Greylisted)).all()) == 3  # the three, its network, and the new one
    greylist.forget_old(db, clock.now() + 40 * DAY)
    assert not db.scalars(select(Greylisted)).all()


def test_a_fault_of_the_database_refuses_nobody(door, db):
    db.execute(text("DROP TABLE mailsite_greylisted"))
    db.commit()
    assert comes_in(door)


# Block lists
class Counting:
    def __init__(self, inner):
        self.inner, self.asked = inner, []

    def lookup(self, name, record_type, *, timeout_s=5.0):
        self.asked.append(name)
        return self.inner.lookup(name, record_type)


def listing_door(parts, zone, silent=()):
    dns = Counting(ZoneResolver(zone, silent))
    return Door(replace(parts, resolver=dns), blocklists=("list.example",), greylists=False), dns


NAME = "11.10.9.8.list.example"


def test_who_is_listed_is_refused_in_the_lists_words(parts):
    door, _dns = listing_door(parts, {(NAME, "A"): ["127.0.0.2"], (NAME, "TXT"): ["Spam source"]})
    with pytest.raises(PeerListed) as refused:
        door.admit(PEER, SENDER, ALICE)
    reply = smtp_reply(refused.value)
    assert reply.encode() == b"550 5.7.1 8.9.10.11 is listed by list.example: Spam source\r\n"
    door.admit(STRANGER, SENDER, ALICE)


def test_dns_that_does_not_answer_refuses_nobody(parts):
    door, _dns = listing_door(parts, {}, silent=[NAME])
    door.admit(PEER, SENDER, ALICE)


def test_a_peer_is_asked_about_once_in_a_while(parts, clock):
    door, dns = listing_door(parts, {})
    for _recipient in range(50):
        door.admit(PEER, SENDER, ALICE)
    assert dns.asked == [NAME]
    clock.advance(REMEMBERED_S)
    door.admit(PEER, SENDER, ALICE)
    assert dns.asked == [NAME] * 2


def test_with_nothing_turned_on_nothing_is_asked(parts):
    assert Door(parts, blocklists=(), greylists=False).is_open
    assert not Door(parts, blocklists=(), greylists=True).is_open
