"""What a DMARC aggregate report says (RFC 9990 §3, and RFC 7489 Appendix C before it).  Pure."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import UTC, date, datetime
from enum import StrEnum

MOST_RECORDS = 10_000
MOST_MESSAGES = 1_000_000_000  # of one record
LATEST_S = 4_102_444_800  # 2100: what lies later is no time of a report


class Disposition(StrEnum):
    """What was done with mail, whatever its policy asked for; `pass` and `none` are both delivery (RFC 9990)."""

    NONE = "none"
    PASS = "pass"  # noqa: S105 - a word of RFC 9990
    QUARANTINE = "quarantine"
    REJECT = "reject"


@dataclass(frozen=True, slots=True, kw_only=True)
class Published:
    """The policy as the reporter saw it; texts of the record, empty where it says nothing."""

    domain: str
    p: str = "none"
    sp: str = ""
    np: str = ""
    adkim: str = ""
    aspf: str = ""
    testing: str = ""  # "y" or "n"
    discovery: str = ""  # "psl" or "treewalk"


@dataclass(frozen=True, slots=True, order=True)
class DkimSaid:
    domain: str
    selector: str
    result: str  # of RFC 8601 §2.7.1


@dataclass(frozen=True, slots=True, order=True)
class SpfSaid:
    domain: str
    result: str  # of RFC 8601 §2.7.2


@dataclass(frozen=True, slots=True, order=True)
class Override:
    """Why something else was done than the policy asks for."""

    type: str
    comment: str = ""


@dataclass(frozen=True, slots=True, kw_only=True)
class Record:
    """So many messages of one source with one outcome.  `dkim`, `spf`: passed for a domain that aligns."""

    source_ip: str
    messages: int
    disposition: Disposition
    dkim: bool
    spf: bool
    header_from: str
    envelope_from: str = ""
    dkim_said: tuple[DkimSaid, ...] = ()
    spf_said: tuple[SpfSaid, ...] = ()
    overrides: tuple[Override, ...] = ()

    @property
    def vouched_by(self) -> str:
        """The first domain that answers for it, aligned or not; empty: none does."""
        said = [(one.domain, one.result) for one in self.dkim_said] + [
            (one.domain, one.result) for one in self.spf_said
        ]
        return next((domain for domain, result in said if result == "pass"), "")


@dataclass(frozen=True, slots=True, kw_only=True)
class AggregateReport:
    """`begin` and `end` are seconds since 1970, both included."""

    org_name: str
    email: str
    report_id: str
    begin: int
    end: int
    published: Published
    records: tuple[Record, ...]

    @property
    def day(self) -> date:
        return day_of(self.begin, self.end)


def day_of(begin: int, end: int) -> date:
    """The day in UTC a report is about: that of its middle, since some count days by their own midnight."""
    return datetime.fromtimestamp((begin + end) // 2, UTC).date()
