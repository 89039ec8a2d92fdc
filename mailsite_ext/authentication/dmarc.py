"""Does the author's domain answer for a message, and what does it ask for where it does not?  RFC 9989 (formerly 7489).

Pure but for the DNS passed in.  Ask `find_policy` before SPF and DKIM are judged, on the same budget: what its answer
costs is then there, and a sender whose own DNS is slow cannot use it up.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass, replace
from enum import StrEnum
from itertools import islice

from app.extension_api import Outcome
from mailsite_ext.authentication.alignment import Author
from mailsite_ext.authentication.authors import comparable_domain
from mailsite_ext.authentication.budget import DnsBudget
from mailsite_ext.authentication.dkim import DkimResult, DkimVerdict
from mailsite_ext.authentication.dmarc_record import Alignment, DmarcRecord, Policy
from mailsite_ext.authentication.organizational_domain import Walk, walk_up
from mailsite_ext.authentication.spf import SpfVerdict
from mailsite_ext.authentication.spf_record import SpfResult

__all__ = ["DmarcResult", "DmarcVerdict", "Policy", "Why", "evaluate", "find_policy"]

MOST_AUTHOR_DOMAINS = 4
"""Of one message; each costs up to eight questions.  One that has more hides whom it speaks for."""


class DmarcResult(StrEnum):
    """RFC 9989 §9.3, for Authentication-Results."""

    NONE = "none"
    PASS = "pass"  # noqa: S105 - a word of RFC 9989
    FAIL = "fail"
    TEMPERROR = "temperror"
    PERMERROR = "permerror"


class Why(StrEnum):
    """Keys of the words a reader gets."""

    ALIGNED = "aligned"  # DKIM or SPF passed for the author's organization
    NOT_ALIGNED = "not-aligned"
    NO_POLICY = "no-policy"
    BAD_RECORD = "bad-record"
    NO_ANSWER = "no-answer"  # from DNS
    NO_AUTHOR = "no-author"
    TOO_MANY_AUTHORS = "too-many-authors"
    TRUSTED_FORWARDER = "trusted-forwarder"  # it failed, but one whom an admin trusts says that it had passed


@dataclass(frozen=True, slots=True, kw_only=True)
class DmarcVerdict:
    """On the author's domain; of several domains, on the one that fares worst."""

    result: DmarcResult
    why: Why
    domain: str = ""  # the author's, in A-labels
    is_one_of_several: bool = False
    organizational_domain: str = ""
    policy_domain: str = ""  # where the record is that applies
    record: DmarcRecord | None = None
    asked: Policy = Policy.NONE  # p=, sp= or np=, whichever applies, as published
    disposition: Policy = Policy.NONE  # what is to be done where DMARC is enforced
    dkim_aligned: tuple[str, ...] = ()  # d= of the signatures that pass and align, policy or not
    spf_aligned: bool = False  # it passes and aligns, policy or not
    override: str = ""  # why less is done than asked, a word of RFC 9990 (PolicyOverrideType)

    @property
    def requested(self) -> Policy:
        """For mail that fails: t=y asks for less than the policy says (§4.7)."""
        return self.asked.milder if self.record and self.record.is_testing else self.asked

    @property
    def is_authenticated(self) -> bool:
        """Does the author's organization answer for it, whatever it publishes?"""
        return self.spf_aligned or bool(self.dkim_aligned)


def find_policy(author_domains: Iterable[str], dns: DnsBudget) -> None:
    """Ask for what `evaluate` will need to know of the authors; the budget remembers it."""
    for domain in _readable(_written(author_domains)[:MOST_AUTHOR_DOMAINS]):
        walk_up(domain, dns)


def evaluate(
    author_domains: Iterable[str], spf: SpfVerdict | None, dkim: Sequence[DkimVerdict], dns: DnsBudget
) -> DmarcVerdict:
    """The verdict on a message; `author_domains` are those of every address in every From field, in any writing.

    A null sender counts by its SPF verdict, which is on HELO.  More domains than a few are refused by our own rule.
    """
    written = _written(author_domains)
    if len(written) > MOST_AUTHOR_DOMAINS:
        return DmarcVerdict(
            result=DmarcResult.PERMERROR, why=Why.TOO_MANY_AUTHORS, asked=Policy.REJECT, disposition=Policy.REJECT
        )
    domains = _readable(written)
    if not domains:
        return DmarcVerdict(result=DmarcResult.PERMERROR, why=Why.NO_AUTHOR)
    verdicts = [_judge(domain, spf, dkim, dns) for domain in domains]
    return verdicts[0] if len(verdicts) == 1 else _of_several(verdicts)


def _of_several(verdicts: Sequence[DmarcVerdict]) -> DmarcVerdict:
    """The worst: §5.3.1 exempts mail of several domains, and a forger would name a second.

    Where DNS does not answer for one of them it is suspicious by our own rule: that one may be named to use up what
    the message may cost, before the others are asked about.
    """
    worst = max(verdicts, key=_badness)
    is_unknown = any(verdict.result is DmarcResult.TEMPERROR for verdict in verdicts)
    least = Policy.QUARANTINE if is_unknown else Policy.NONE
    return replace(worst, is_one_of_several=True, disposition=max(worst.disposition, least, key=_POLICIES.index))


def _written(domains: Iterable[str]) -> Sequence[str]:
    """Each once, as far as needed to see that they are too many."""
    return list(islice(_distinct(domain.lower() for domain in domains), MOST_AUTHOR_DOMAINS + 1))


def _distinct(items: Iterable[str]) -> Iterator[str]:
    seen: set[str] = set()
    for item in items:
        if item not in seen:
            seen.add(item)
            yield item


def _readable(written: Iterable[str]) -> Sequence[str]:
    return list(dict.fromkeys(domain for text in written if (domain := comparable_domain(text))))


_POLICIES = tuple(Policy)
_RESULTS = (DmarcResult.PASS, DmarcResult.NONE, DmarcResult.PERMERROR, DmarcResult.TEMPERROR, DmarcResult.FAIL)


def _badness(verdict: DmarcVerdict) -> tuple[int, int, bool]:
    return _POLICIES.index(verdict.disposition), _RESULTS.index(verdict.result), not verdict.is_authenticated


def _judge(domain: str, spf: SpfVerdict | None, dkim: Sequence[DkimVerdict], dns: DnsBudget) -> DmarcVerdict:
    walk = walk_up(domain, dns)
    policy_domain = walk.policy_domain
    record = walk.records[policy_domain] if policy_domain else None
    answering = _answering(Author(walk), record, spf, dkim, dns)
    result, why = _result(walk, policy_domain, record, answering)
    verdict = DmarcVerdict(
        result=result,
        why=why,
        domain=domain,
        organizational_domain=walk.organizational_domain,
        policy_domain=policy_domain or "",
        record=record,
        asked=_asked(domain, policy_domain, record, dns) if record else Policy.NONE,
        dkim_aligned=answering.dkim,
        spf_aligned=answering.spf,
    )
    return _failed(verdict) if result is DmarcResult.FAIL else verdict


def _failed(verdict: DmarcVerdict) -> DmarcVerdict:
    override = "policy_test_mode" if verdict.requested is not verdict.asked else ""
    return replace(verdict, disposition=verdict.requested, override=override)


@dataclass(frozen=True, slots=True)
class _Answering:
    """Who speaks for the author."""

    dkim: tuple[str, ...]  # domains of signatures that pass
    spf: bool
    may_later: bool  # one of them would, had DNS answered

    def __bool__(self) -> bool:
        return self.spf or bool(self.dkim)


def _answering(
    author: Author, record: DmarcRecord | None, spf: SpfVerdict | None, dkim: Sequence[DkimVerdict], dns: DnsBudget
) -> _Answering:
    """Only what aligns counts, of temporary errors too: else a stranger's signature without an answer would excuse."""
    by_dkim = record.dkim_alignment if record else Alignment.RELAXED
    by_spf = record.spf_alignment if record else Alignment.RELAXED
    signed = [(one, _aligns(author, one.domain, by_dkim, dns)) for one in dkim if one.result in _COUNTED]
    sent = _aligns(author, spf.domain, by_spf, dns) if spf and spf.result in _COUNTED else False
    passing = [one.domain for one, aligned in signed if aligned and one.result is DkimResult.PASS]
    return _Answering(
        dkim=tuple(dict.fromkeys(passing)),
        spf=bool(sent) and spf is not None and spf.result is SpfResult.PASS,
        may_later=sent is not False or any(aligned is not False for _, aligned in signed),
    )


_COUNTED = frozenset({"pass", "temperror"})  # of RFC 8601, SPF and DKIM alike


def _aligns(author: Author, identifier: str, mode: Alignment, dns: DnsBudget) -> bool | None:
    domain = comparable_domain(identifier)
    return author.is_spoken_for_by(domain, mode, dns) if domain else False


def _result(
    walk: Walk, policy_domain: str | None, record: DmarcRecord | None, answering: _Answering
) -> tuple[DmarcResult, Why]:
    """§5.3.5, §5.3.6: what DNS did not answer is never a failure."""
    if policy_domain is None:
        return (DmarcResult.NONE, Why.NO_POLICY) if walk.is_whole else (DmarcResult.TEMPERROR, Why.NO_ANSWER)
    if record is None:
        return DmarcResult.PERMERROR, Why.BAD_RECORD
    if answering:
        return DmarcResult.PASS, Why.ALIGNED
    if answering.may_later or not walk.is_whole:
        return DmarcResult.TEMPERROR, Why.NO_ANSWER
    return DmarcResult.FAIL, Why.NOT_ALIGNED


def _asked(domain: str, policy_domain: str | None, record: DmarcRecord, dns: DnsBudget) -> Policy:
    """§4.10.1.  A domain that DNS does not tell of gets the milder of what may apply."""
    if domain == policy_domain:
        return record.policy
    choices = {record.for_subdomains, record.for_missing}
    if len(choices) == 1:
        return record.for_subdomains
    match dns.lookup(domain, "A").outcome:  # any type does: NXDOMAIN speaks of the name (RFC 8020)
        case Outcome.NO_NAME:
            return record.for_missing
        case Outcome.NO_ANSWER:
            return min(choices, key=_POLICIES.index)
        case _:
            return record.for_subdomains
