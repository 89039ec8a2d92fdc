"""Who may say that mail had passed DMARC before they changed it: forwarders an admin trusts (RFC 8617 §7.2).  Pure.

A mailing list that adds a footer breaks the author's signature, and RFC 9989 §7.4 wants such mail spared.
"""

from __future__ import annotations

from collections.abc import Collection, Iterator
from dataclasses import replace
from itertools import takewhile

from mailsite_ext.authentication.arc import ArcResult, ArcVerdict, Sealed
from mailsite_ext.authentication.authors import comparable_domain
from mailsite_ext.authentication.dmarc import DmarcResult, DmarcVerdict, Policy, Why
from mailsite_ext.authentication.organizational_domain import is_within
from mailsite_ext.authentication.results_reader import read_findings


def by_forwarders(verdict: DmarcVerdict, chain: ArcVerdict, forwarders: Collection[str]) -> DmarcVerdict:
    """The verdict, spared of its policy where one of `forwarders`, domains in A-labels, had found that it passes.

    It must still have been in their hands: nobody else sealed it later.  The results of others before them count for
    nothing: whoever forges a letter can forge the beginning of a chain.
    """
    if verdict.result is not DmarcResult.FAIL or verdict.is_one_of_several or chain.result is not ArcResult.PASS:
        return verdict
    if not any(_had_passed(sealed, verdict.domain) for sealed in _trusted(chain, forwarders)):
        return verdict
    return replace(verdict, disposition=Policy.NONE, why=Why.TRUSTED_FORWARDER, override="trusted_forwarder")


def _trusted(chain: ArcVerdict, forwarders: Collection[str]) -> Iterator[Sealed]:
    """From the last seal back, as long as they are trusted."""
    return takewhile(lambda sealed: _is_trusted(sealed.domain, forwarders), reversed(chain.seals))


def _is_trusted(domain: str, forwarders: Collection[str]) -> bool:
    """Theirs are the domains below it too."""
    return any(is_within(domain, forwarder) for forwarder in forwarders)


def _had_passed(sealed: Sealed, author: str) -> bool:
    """Does it say so of this author?"""
    return any(
        (found.method, found.result) == ("dmarc", "pass")
        and comparable_domain(dict(found.properties).get("header.from", "")) == author
        for found in read_findings(sealed.results)
    )
