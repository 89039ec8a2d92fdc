"""A DMARC policy record: what a domain asks for where its mail does not pass (RFC 9989 §4.7, §4.8).  Pure."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from enum import StrEnum
from typing import TypeVar

from mailsite_ext.authentication.tag_list import SPACE, BadTagList, has_version, parse_tags
from mailsite_ext.reports.destinations import dmarc_destinations

VERSION = "DMARC1"


class Policy(StrEnum):
    """From the mildest to the harshest."""

    NONE = "none"
    QUARANTINE = "quarantine"
    REJECT = "reject"

    @property
    def milder(self) -> Policy:
        """One level below, as t=y asks."""
        return Policy.QUARANTINE if self is Policy.REJECT else Policy.NONE


class Alignment(StrEnum):
    RELAXED = "r"
    STRICT = "s"


class Psd(StrEnum):
    """Is the domain a suffix under which others have theirs?"""

    YES = "y"
    NO = "n"
    UNSAID = "u"


class BadDmarcRecord(ValueError):
    """It begins as one and asks for nothing that can be read; says why."""


@dataclass(frozen=True, slots=True, kw_only=True)
class DmarcRecord:
    """Without what RFC 9989 took away (pct, rf, ri)."""

    policy: Policy  # p
    subdomain_policy: Policy | None = None  # sp; None: not said, as np
    missing_policy: Policy | None = None  # np, of subdomains that do not exist
    dkim_alignment: Alignment = Alignment.RELAXED
    spf_alignment: Alignment = Alignment.RELAXED
    psd: Psd = Psd.UNSAID
    is_testing: bool = False  # t=y
    rua: str = ""  # as written: `reports.destinations` reads it
    ruf: str = ""
    fo: str = "0"

    @property
    def for_subdomains(self) -> Policy:
        return self.subdomain_policy or self.policy

    @property
    def for_missing(self) -> Policy:
        return self.missing_policy or self.for_subdomains


def is_dmarc(text: str) -> bool:
    """Is it meant as one?  Whether it can be read is another question."""
    return has_version(text, VERSION)


def parse_record(text: str) -> DmarcRecord:
    """The record in a TXT text.

    A value that cannot be read counts as not said, an unknown tag as not there (§4.7); where that is one of the
    policies, or there is no p=, the record asks for reports only, and is none without a destination (§4.10.1).
    Raises BadDmarcRecord for that, for a tag without value and a doubled one (RFC 6376 §3.2).
    """
    if not is_dmarc(text):
        raise BadDmarcRecord("it does not begin with v=DMARC1")
    tags = _tags(text)
    rua = tags.get("rua", "")
    policy, subdomains, missing = (_value(Policy, tags, name) for name in ("p", "sp", "np"))
    is_readable = policy and all(found or name not in tags for name, found in (("sp", subdomains), ("np", missing)))
    if not is_readable and not dmarc_destinations(rua):
        raise BadDmarcRecord("it has no policy that can be read, and no address for reports")
    return DmarcRecord(
        policy=policy if policy and is_readable else Policy.NONE,
        subdomain_policy=subdomains if is_readable else None,
        missing_policy=missing if is_readable else None,
        dkim_alignment=_value(Alignment, tags, "adkim") or Alignment.RELAXED,
        spf_alignment=_value(Alignment, tags, "aspf") or Alignment.RELAXED,
        psd=_value(Psd, tags, "psd") or Psd.UNSAID,
        is_testing=tags.get("t", "").lower() == "y",
        rua=rua,
        ruf=tags.get("ruf", ""),
        fo=tags.get("fo", "0"),
    )


def _tags(text: str) -> Mapping[str, str]:
    """Semicolons that enclose nothing are passed over: they are common."""
    try:
        return parse_tags(";".join(piece for piece in text.split(";") if piece.strip(SPACE)))
    except BadTagList as bad:
        raise BadDmarcRecord(str(bad)) from None


_Word = TypeVar("_Word", bound=StrEnum)


def _value(kind: type[_Word], tags: Mapping[str, str], name: str) -> _Word | None:
    """Of whatever case (§4.8)."""
    try:
        return kind(tags.get(name, "").lower())
    except ValueError:
        return None
