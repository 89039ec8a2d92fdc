"""Which strangers mail is taken from at all: DNS block lists and greylisting, each where an admin turned it on."""

from __future__ import annotations

import logging
from collections.abc import Sequence

from app.extension_api import Runtime
from mailsite_ext.authentication.budget import DnsBudget
from mailsite_ext.errors import ComeAgainLater, PeerListed
from mailsite_ext.protocol.smtp_address import Address
from mailsite_ext.reception import greylist
from mailsite_ext.reception.blocklists import Listing, find_listing

log = logging.getLogger(__name__)

REMEMBERED = 1_000
REMEMBERED_S = 300.0
ASKING_S = 5.0
"""For all block lists together; those that do not answer by then list nobody."""
TIDIED_S = 3_600.0


class Door:
    """One for each process; `admit` may wait for DNS and the database, whose faults never refuse anybody."""

    def __init__(self, parts: Runtime, *, blocklists: Sequence[str], greylists: bool) -> None:
        self._parts = parts
        self._blocklists = blocklists
        self._greylists = greylists
        self._listed: dict[str, tuple[float, Listing | None]] = {}
        self._tidy_at_s = parts.clock.monotonic_s() + TIDIED_S

    @property
    def is_open(self) -> bool:
        """Is nothing asked of anybody?"""
        return not self._blocklists and not self._greylists

    def admit(self, peer: str, sender: Address | None, recipient: Address) -> None:
        """Raises PeerListed, ComeAgainLater."""
        listing = self._listing(peer) if self._blocklists else None
        if listing is not None:
            raise PeerListed(f"{peer} is listed by {listing.zone}{': ' if listing.words else ''}{listing.words}")
        if self._greylists and not greylist.is_exempt(peer) and not self._may_come_in(peer, sender, recipient):
            raise ComeAgainLater

    def _listing(self, peer: str) -> Listing | None:
        """Remembered for a while: a message has many recipients."""
        now_s = self._parts.clock.monotonic_s()
        known = self._listed.get(peer)
        if known is not None and now_s - known[0] < REMEMBERED_S:
            return known[1]
        dns = DnsBudget(self._parts.resolver, self._parts.clock, seconds=ASKING_S)
        found = find_listing(peer, self._blocklists, dns)
        if len(self._listed) >= REMEMBERED:
            self._listed.clear()
        self._listed[peer] = now_s, found
        return found

    def _may_come_in(self, peer: str, sender: Address | None, recipient: Address) -> bool:
        try:
            with self._parts.public.session() as db:
                now = self._parts.clock.now()
                if self._parts.clock.monotonic_s() >= self._tidy_at_s:
                    self._tidy_at_s = self._parts.clock.monotonic_s() + TIDIED_S
                    greylist.forget_old(db, now)
                return greylist.admits(db, greylist.network_of(peer), sender, recipient, now)
        except Exception:  # the driver's own among them
            log.exception("greylisting is left out: it cannot be asked")
            return True
