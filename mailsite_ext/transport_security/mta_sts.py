"""MTA-STS without I/O: what a domain says about TLS to its mail servers, read and written (RFC 8461)."""

from __future__ import annotations

import hashlib
import re
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from enum import StrEnum

LONGEST_MAX_AGE_S = 31_557_600  # RFC 8461 §3.2: about a year
LONGEST_POLICY_OCTETS = 65_536
MOST_HOSTS = 100

_LABEL = "[a-z0-9](?:[a-z0-9-]{0,61}[a-z0-9])?"
_HOST = re.compile(rf"(?:\*\.)?(?=.{{1,253}}$){_LABEL}(?:\.{_LABEL})*", re.IGNORECASE)
_NAME = re.compile(r"[A-Za-z0-9][A-Za-z0-9_.-]{0,31}")
_ID = re.compile(r"[A-Za-z0-9]{1,32}")
_RECORD_VALUE = re.compile(r"[\x21-\x3a\x3c\x3e-\x7e]+")
_AGE = re.compile(r"[0-9]{1,10}")


class BadPolicy(ValueError):
    """The text is no policy, or no record of one; the words say why."""


class Mode(StrEnum):
    """RFC 8461 §3.2, the weakest first (§5)."""

    NONE = "none"
    TESTING = "testing"
    ENFORCE = "enforce"


@dataclass(frozen=True, slots=True)
class Policy:
    """What a domain asks of those who send to it.  `mx` are A-labels, the leftmost perhaps "*"."""

    mode: Mode
    mx: tuple[str, ...]
    max_age_s: int

    def allows(self, host: str) -> bool:
        """Is `host`, an A-label, one of the domain's servers?  "*" stands for exactly one label (RFC 8461 §4.1)."""
        name = host.rstrip(".").lower()
        parent = name.partition(".")[2]
        return any(pattern in (name, f"*.{parent}") for pattern in self.mx)


# The TXT record at _mta-sts


def record_id(texts: Iterable[str]) -> str | None:
    """The id among the TXT records of a name; None unless exactly one is MTA-STS's and well formed (RFC 8461 §3.1)."""
    ours = [text for text in texts if text.startswith("v=STSv1")]
    if len(ours) != 1:
        return None
    try:
        return parse_record(ours[0])
    except BadPolicy:
        return None


def parse_record(text: str) -> str:
    """The id in one record (RFC 8461 §3.1).  Raises BadPolicy."""
    version, *fields = re.split(r"[ \t]*;[ \t]*", text)
    if version.rstrip() != "v=STSv1":
        raise BadPolicy("the record does not begin with v=STSv1")
    if fields and not fields[-1]:
        fields.pop()  # a semicolon may end it
    found = dict(_record_field(field) for field in reversed(fields))  # of several the first counts
    if not _ID.fullmatch(found.get("id", "")):
        raise BadPolicy("the record has no id of 1 to 32 letters and digits")
    return found["id"]


def _record_field(field: str) -> tuple[str, str]:
    name, equals, value = field.partition("=")
    if not (equals and _NAME.fullmatch(name) and _RECORD_VALUE.fullmatch(value)):
        raise BadPolicy("a field of the record is malformed")
    return name, value


def record_text(policy: Policy) -> str:
    """The TXT record to publish beside a policy."""
    return f"v=STSv1; id={policy_id(policy)};"


# The policy at https://mta-sts.<domain>/.well-known/mta-sts.txt


def parse_policy(octets: bytes) -> Policy:
    """A policy as it was served (RFC 8461 §3.2).  Raises BadPolicy.

    Of a key that comes twice the first counts, `mx` apart; unknown keys are passed over.
    """
    if len(octets) > LONGEST_POLICY_OCTETS:
        raise BadPolicy("the policy is too long")
    fields = list(_fields(octets))
    found = dict(reversed(fields))
    if found.get("version") != "STSv1":
        raise BadPolicy("the policy has no version STSv1")
    mode = _mode(found)
    mx = tuple(_mx(value) for key, value in fields if key == "mx")
    if mode is not Mode.NONE and not 1 <= len(mx) <= MOST_HOSTS:
        raise BadPolicy("the policy names no mail server, or too many")
    return Policy(mode, mx, _max_age_s(found))


def _fields(octets: bytes) -> Iterable[tuple[str, str]]:
    try:
        lines = octets.decode("utf-8").split("\n")
    except UnicodeDecodeError:
        raise BadPolicy("the policy is not UTF-8") from None
    for line in lines:
        if text := line.strip(" \t\r"):
            key, colon, value = text.partition(":")
            if not (colon and _NAME.fullmatch(key) and value.strip(" \t")):
                raise BadPolicy("a line of the policy is malformed")
            yield key, value.strip(" \t")


def _mode(found: Mapping[str, str]) -> Mode:
    try:
        return Mode(found.get("mode", ""))
    except ValueError:
        raise BadPolicy("the policy has no mode enforce, testing or none") from None


def _mx(value: str) -> str:
    if not _HOST.fullmatch(value):
        raise BadPolicy("the policy names a mail server that is no host name")
    return value.lower()


def _max_age_s(found: Mapping[str, str]) -> int:
    if not _AGE.fullmatch(found.get("max_age", "")):
        raise BadPolicy("the policy has no max_age in seconds")
    return min(int(found["max_age"]), LONGEST_MAX_AGE_S)


def policy_text(policy: Policy) -> str:
    """As it is served: CRLF ends each line (RFC 8461 §3.2, T1)."""
    lines = ["version: STSv1", f"mode: {policy.mode}", *(f"mx: {host}" for host in policy.mx)]
    return "".join(f"{line}\r\n" for line in [*lines, f"max_age: {policy.max_age_s}"])


def policy_id(policy: Policy) -> str:
    """A decimal number of at most 19 digits that changes with the policy's text, and with nothing else (D4)."""
    digest = hashlib.sha256(policy_text(policy).encode()).digest()
    return str(int.from_bytes(digest[:8]) >> 1)


def weakest(modes: Sequence[Mode]) -> Mode:
    """What all of several hold to; `modes` has at least one."""
    return min(modes, key=list(Mode).index)
