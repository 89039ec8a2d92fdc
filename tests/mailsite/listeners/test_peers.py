"""Connections counted over all processes of a service, and those of the dead forgotten."""

from __future__ import annotations

from contextlib import closing

import pytest

from mailsite_ext.errors import CannotBind
from mailsite_ext.limits import Limits
from mailsite_ext.listeners import peers as module
from mailsite_ext.listeners.peers import Peers, network_of


@pytest.fixture
def enter(tmp_path):
    """Peers of the same folder, as one process each: a lock belongs to who opened the file."""
    entered = []

    def enter(**limits) -> Peers:
        entered.append(Peers(Limits(**limits), tmp_path / "peers"))
        return entered[-1]

    yield enter
    for each in entered:
        if not each._table.closed:
            each.close()


def die(peers: Peers) -> None:
    """End as a killed process does: the locks are free, what is written stays."""
    written = peers._table[:]
    path = peers._folder / f"table-{peers._limits.connections}"
    peers.close()
    path.write_bytes(written)


def test_all_together_have_so_many_connections(enter):
    first, second = enter(connections=2), enter(connections=2)
    assert [each.admit(f"192.0.2.{n}") for n, each in enumerate((first, second, first, second))] == [
        True, True, False, False,
    ]  # fmt: skip
    first.leave("192.0.2.0")
    assert second.admit("192.0.2.9")


def test_one_address_has_so_many_over_all_processes(enter):
    first, second = enter(connections_per_address=2), enter(connections_per_address=2)
    assert first.admit("2001:db8::1")
    assert second.admit("2001:db8::2")  # the same /64
    assert not first.admit("2001:db8::3")
    assert not second.admit("2001:db8::3")
    assert first.admit("2001:db8:0:1::1")
    second.leave("2001:db8::2")
    assert first.admit("2001:db8::3")
    assert not first.admit("2001:db8::4")


def test_connections_of_the_dead_do_not_count(enter):
    first, second = enter(connections=2), enter(connections=2)
    assert second.admit("192.0.2.1")
    assert second.admit("192.0.2.2")
    assert not first.admit("192.0.2.3")
    die(second)
    assert first.admit("192.0.2.3")
    assert first.admit("192.0.2.4")
    assert not first.admit("192.0.2.5")


def test_who_takes_the_seat_of_a_dead_one_takes_none_of_its_connections(enter):
    gone = enter(connections=1)
    assert gone.admit("192.0.2.1")
    die(gone)
    assert enter(connections=1).admit("192.0.2.2")


def test_who_ends_takes_its_connections_along(enter):
    first, second = enter(connections=1), enter(connections=1)
    with closing(first):
        assert first.admit("192.0.2.1")
    assert second.admit("192.0.2.2")


def test_there_are_so_many_seats(enter, monkeypatch):
    monkeypatch.setattr(module, "SEATS", range(1, 2))
    enter()
    with pytest.raises(CannotBind):
        enter()


@pytest.mark.parametrize(
    ("peer", "network"),
    [("192.0.2.1", "192.0.2.1"), ("2001:db8::1", "2001:db8::/64"), ("2001:db8::ffff:1", "2001:db8::/64")],
)
def test_what_counts_as_one_peer(peer, network):
    assert network_of(peer) == network
