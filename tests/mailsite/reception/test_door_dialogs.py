"""Strangers at the door, by dialog, on both databases."""

from __future__ import annotations

from dataclasses import replace

from app.resolver import ZoneResolver
from mailsite_ext.reception.door import Door
from mailsite_ext.reception.findings import Findings
from tests.mailsite.dialogs import DIALOGS, Dialog
from tests.mailsite.listeners.hosting import hosting

PEER = "8.9.10.11"
LISTED = {
    ("11.10.9.8.list.example", "A"): ["127.0.0.2"],
    ("11.10.9.8.list.example", "TXT"): ["Seen sending junk"],
}


class FromAfar:
    """The door, for whom everybody on this machine is a peer far away."""

    def __init__(self, parts):
        self._parts = parts
        self.door = Door(parts, blocklists=(), greylists=True)

    def list_peer(self):
        listing = replace(self._parts, resolver=ZoneResolver(LISTED))
        self.door = Door(listing, blocklists=("silent.example", "list.example"), greylists=True)

    def admit(self, _peer, sender, recipient):
        self.door.admit(PEER, sender, recipient)


class NothingFound:
    def examine(self, _arrival, _blocks) -> Findings | None:
        return None


def test_strangers(parts, clock, tmp_path):
    door = FromAfar(parts)
    deeds = {"five minutes later": lambda: clock.advance(300), "the peer is listed": door.list_peer}
    with hosting(tmp_path / "spool", "open", examiner=NothingFound(), door=door) as host:
        Dialog(host.connect, other=lambda words: deeds[words]()).run((DIALOGS / "door_strangers.txt").read_text())
        assert [letter.mailbox for letter in host.box.letters] == ["bob"]
