"""Messages from outside are examined in threads of their own: whoever's DNS is slow keeps nobody else waiting."""

from __future__ import annotations

from collections.abc import Callable, Iterable
from concurrent.futures import ThreadPoolExecutor
from dataclasses import replace
from functools import partial
from typing import Protocol

from mailsite_ext.delivery.inbound import Arrival
from mailsite_ext.limits import Limits
from mailsite_ext.listeners.peers import network_of
from mailsite_ext.listeners.turns import Turns
from mailsite_ext.protocol.smtp_address import Address
from mailsite_ext.reception.findings import Findings


class Examines(Protocol):
    """mailsite_ext.reception.examine.Examiner."""

    def examine(self, arrival: Arrival, blocks: Callable[[], Iterable[bytes]]) -> Findings: ...


class Admits(Protocol):
    """mailsite_ext.reception.door.Door."""

    def admit(self, peer: str, sender: Address | None, recipient: Address) -> None:
        """May wait.  Raises PeerListed, ComeAgainLater."""
        ...


class Examining:
    """One for each listener.  So many at a time, and of one peer fewer: the others wait, with what they sent."""

    def __init__(self, examiner: Examines, limits: Limits, door: Admits | None = None) -> None:
        """`door` None: anybody's mail is taken."""
        self._examiner = examiner
        self._door = door
        self._turns = Turns(ThreadPoolExecutor(limits.examinations, "examining"), limits.examinations_per_peer)

    async def admit(self, peer: str, sender: Address | None, recipient: Address) -> None:
        """Raises PeerListed, ComeAgainLater."""
        if self._door is not None:
            await self._turns.run(network_of(peer), partial(self._door.admit, peer, sender, recipient))

    async def examined(self, arrival: Arrival, blocks: Callable[[], Iterable[bytes]]) -> Arrival:
        """`arrival` with its findings."""
        work = partial(self._examiner.examine, arrival, blocks)
        return replace(arrival, findings=await self._turns.run(network_of(arrival.origin.peer), work))
