"""What was found out of a message from outside, and what it says of its author.  Pure."""

from __future__ import annotations

from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass, field
from enum import StrEnum

from app.extension_api import Standing
from mailsite_ext.authentication.arc import ArcResult, ArcVerdict
from mailsite_ext.authentication.dkim import DkimVerdict
from mailsite_ext.authentication.dmarc import DmarcResult, DmarcVerdict, Policy
from mailsite_ext.authentication.results import Finding, dkim_findings, dmarc_finding, results_field, spf_finding
from mailsite_ext.authentication.spf import SpfVerdict
from mailsite_ext.junk.score import Judgement


class Trust(StrEnum):
    """T6: is the author on a recipient's list of trusted senders?"""

    NONE = "none"
    HONOURED = "honoured"
    UNPROVEN = "unproven"  # it is, but anybody could have written that From: its domain could prove it, and does not


@dataclass(frozen=True, slots=True, kw_only=True)
class Findings:
    """One value a message, whoever its recipients are; each check fills its own part."""

    spf: SpfVerdict
    dkim: Sequence[DkimVerdict]
    arc: ArcVerdict
    dmarc: DmarcVerdict
    trusted_by: Collection[int] = ()  # ids of recipients who trust its one author; asked where that may count
    junk: Mapping[str, Judgement] = field(default_factory=dict)  # by mailbox: what its filter says
    author_publishes: bool = True  # SPF or DMARC, or DNS does not say that it publishes neither
    takes_no_mail: bool = False  # a null MX at the domain of MAIL FROM (RFC 7505): no answer would ever arrive

    @property
    def standing(self) -> Standing:
        if self.dmarc.is_authenticated and self.dmarc.result is not DmarcResult.PERMERROR:
            return Standing.VERIFIED
        is_disowned = self.dmarc.result is DmarcResult.FAIL and self.dmarc.disposition is not Policy.NONE
        return Standing.FORGED if is_disowned else Standing.UNPROVEN

    def trust(self, user_id: int) -> Trust:
        if user_id not in self.trusted_by:
            return Trust.NONE
        is_open = not self.author_publishes or self.dmarc.is_authenticated
        return Trust.HONOURED if is_open else Trust.UNPROVEN

    def results_field(self, host: str) -> bytes:
        """Authentication-Results (RFC 8601), in the name of `host`."""
        found = [spf_finding(self.spf), *dkim_findings(self.dkim), dmarc_finding(self.dmarc)]
        if self.arc.result is not ArcResult.NONE:
            found.append(Finding("arc", self.arc.result, self.arc.reason))  # RFC 8617 §10.2
        return results_field(host, found)
