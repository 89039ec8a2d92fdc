"""Does a domain that answers for a message speak for its author? (RFC 9989 §4.4, §4.10.2)  Pure but for DNS."""

from __future__ import annotations

from dataclasses import dataclass

from mailsite_ext.authentication.budget import DnsBudget
from mailsite_ext.authentication.dmarc_record import Alignment
from mailsite_ext.authentication.organizational_domain import Walk, is_within, walk_up
from mailsite_ext.authentication.public_suffixes import is_public_suffix


@dataclass(frozen=True, slots=True)
class Author:
    """Whom others are compared with."""

    walk: Walk

    @property
    def domain(self) -> str:
        return self.walk.start

    def is_spoken_for_by(self, identifier: str, mode: Alignment, dns: DnsBudget) -> bool | None:
        """None: DNS does not say.  A public suffix speaks for nobody but itself, and only where it has a record."""
        if identifier == self.domain:
            return identifier in self.walk.records or not is_public_suffix(identifier)
        organizational = self.walk.organizational_domain
        if mode is Alignment.STRICT or not is_within(identifier, organizational):
            return False
        walk = walk_up(identifier, dns)
        if walk.organizational_domain == organizational:
            return True
        return False if walk.is_whole and self.walk.is_whole else None
