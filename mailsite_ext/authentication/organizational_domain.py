"""To which organization a domain belongs, and whose policy is its: the DNS tree walk (RFC 9989 §4.10).

Pure but for the DNS passed in.  Where no record says it, and where DNS does not answer, the public suffix list does.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from functools import cached_property

from app.extension_api import Outcome
from mailsite_ext.authentication.budget import DnsBudget
from mailsite_ext.authentication.dmarc_record import BadDmarcRecord, DmarcRecord, Psd, is_dmarc, parse_record
from mailsite_ext.authentication.public_suffixes import is_public_suffix, registrable_domain

MOST_LABELS = 7  # of the names above the first: eight questions in all


@dataclass(frozen=True)
class Walk:
    """What was found at a domain and the names above it."""

    start: str
    records: Mapping[str, DmarcRecord | None]  # by domain, from the longest; None: one that cannot be read
    is_whole: bool = True  # False: DNS did not answer, and what lies above is not known

    @cached_property
    def organizational_domain(self) -> str:
        """§4.10.2."""
        chosen = ""
        for domain, record in self.records.items():
            if record is None:
                continue
            if record.psd is Psd.NO:
                return domain
            if _is_above(domain, record, self.start):
                return _last_labels(self.start, domain.count(".") + 2)
            chosen = domain
        return (chosen if self.is_whole else "") or registrable_domain(self.start) or self.start

    @property
    def policy_domain(self) -> str | None:
        """Whose record applies: the domain's own, its organization's, or that of the suffix above (§4.10.1)."""
        organizational = self.organizational_domain
        return next(
            (name for name in (self.start, organizational, _parent(organizational)) if name in self.records), None
        )


def walk_up(start: str, dns: DnsBudget) -> Walk:
    """§4.10, from `start`, which is in A-labels and lower case."""
    records: dict[str, DmarcRecord | None] = {}
    for domain in names_to_ask(start):
        answer = dns.lookup(f"_dmarc.{domain}", "TXT")
        if answer.outcome is Outcome.NO_ANSWER:
            return Walk(start, records, is_whole=False)
        texts = [text for text in answer.records if is_dmarc(text)]
        if len(texts) != 1:  # several are none
            continue
        records[domain] = record = _read(texts[0])
        if record is not None and (record.psd is not Psd.UNSAID or _is_above(domain, record, start)):
            break
    return Walk(start, records)


def names_to_ask(start: str) -> Sequence[str]:
    """The domain, and those above it to the top; of a long one only the last seven (§4.10 step 4)."""
    labels = start.count(".") + 1
    return [start, *(_last_labels(start, count) for count in range(min(labels - 1, MOST_LABELS), 0, -1))]


def is_within(domain: str, above: str) -> bool:
    """Is it that domain, or below it?"""
    return domain == above or domain.endswith(f".{above}")


def _is_above(domain: str, record: DmarcRecord, start: str) -> bool:
    """Is it a suffix above `start`?  One that is listed is, though its record does not say so: else those
    who registered names below it could speak for each other."""
    return domain != start and (record.psd is Psd.YES or (record.psd is Psd.UNSAID and is_public_suffix(domain)))


def _read(text: str) -> DmarcRecord | None:
    try:
        return parse_record(text)
    except BadDmarcRecord:
        return None


def _parent(domain: str) -> str:
    return domain.partition(".")[2]


def _last_labels(domain: str, count: int) -> str:
    return ".".join(domain.split(".")[-count:])
