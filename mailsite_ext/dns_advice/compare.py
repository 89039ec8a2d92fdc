"""What the world sees of a record, held against what is wanted (D6).  Pure: answers are passed in."""

from __future__ import annotations

import re
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass
from enum import StrEnum
from typing import TypeAlias

from app.extension_api import Answer, Outcome
from mailsite_ext.authentication.dkim_key import BadKey, is_key_record, parse_key_record
from mailsite_ext.authentication.tag_list import BadTagList, parse_tags
from mailsite_ext.dns_advice.records import Obstacle, Record, Row
from mailsite_ext.transport_security.mta_sts import record_id

Question: TypeAlias = tuple[str, str]
Answers: TypeAlias = Mapping[Question, Answer]
ADDRESSES = ("A", "AAAA")
MOST_SHOWN = 5
LONGEST_SHOWN = 600


class State(StrEnum):
    RIGHT = "right"
    MISSING = "missing"
    WRONG = "wrong"
    SEVERAL = "several"  # of a kind that counts as none unless it is alone
    CANNOT_TELL = "cannot-tell"  # the resolver fails
    WAITS = "waits"  # not to be published yet


@dataclass(frozen=True, slots=True)
class Check:
    record: Record
    state: State
    found: tuple[str, ...] = ()  # others' text: shown, never trusted

    @property
    def is_to_do(self) -> bool:
        if self.state is State.WAITS:
            return self.record.obstacle is Obstacle.NO_KEY
        return self.state in (State.MISSING, State.WRONG, State.SEVERAL)


def questions(record: Record) -> Sequence[Question]:
    """What to ask DNS about a record."""
    if record.obstacle is not None:
        return []
    if record.kind != "CNAME":
        return [(record.name, record.kind)]
    return [(record.name, "CNAME"), *((name, kind) for name in (record.name, _target(record)) for kind in ADDRESSES)]


def check(record: Record, answers: Answers) -> Check:
    """The verdict; `answers` has one for each of `questions`."""
    if record.obstacle is not None:
        return Check(record, State.WAITS)
    if record.kind == "CNAME":
        return _check_host(record, answers)
    answer = answers[record.name, record.kind]
    if answer.outcome is Outcome.NO_ANSWER:
        return Check(record, State.CANNOT_TELL)
    found = [text for text in answer.records if _is_meant(record.row, text)]
    return Check(record, _state(record, found), _shown(found))


def find_next(checks: Iterable[Check]) -> Check | None:
    """The first that is to be done, in the order of the panel (D0)."""
    return next((one for one in checks if one.is_to_do), None)


def _state(record: Record, found: Sequence[str]) -> State:
    if not found:
        return State.MISSING
    if record.row in BEGINNINGS or record.row is Row.DKIM:
        if len(found) > 1:
            return State.SEVERAL
        return State.RIGHT if AGREES[record.row](record, found[0]) else State.WRONG
    return State.RIGHT if MATCHES[record.row](record, found) else State.WRONG


def _shown(found: Iterable[str]) -> tuple[str, ...]:
    """As much of others' records as a page wants, with nothing in it that prints oddly."""
    return tuple(
        "".join(c if c.isprintable() else "�" for c in text[:LONGEST_SHOWN]) for text in list(found)[:MOST_SHOWN]
    )


# Which TXT records are meant as one of the row


BEGINNINGS = {
    Row.SPF: re.compile(r"v=spf1(?: |$)", re.IGNORECASE),  # RFC 7208 §4.5
    Row.DMARC: re.compile(r"v[ \t]*=[ \t]*DMARC1[ \t]*(?:;|$)"),  # RFC 9989 §4.7
    Row.MTA_STS: re.compile(r"v=STSv1"),  # RFC 8461 §3.1
    Row.TLS_RPT: re.compile(r"v=TLSRPTv1"),  # RFC 8460 §3
}


def _is_meant(row: Row, text: str) -> bool:
    if row is Row.DKIM:
        return is_key_record(text)
    return row not in BEGINNINGS or BEGINNINGS[row].match(text) is not None


# Whether the one that was found does what is wanted


def _spf_agrees(_record: Record, text: str) -> bool:
    """The domain's own servers pass, and whatever else was listed; strangers do not (RFC 7208 §4.6)."""
    terms = text.lower().split()[1:]
    if not terms or terms[-1] not in ("~all", "-all"):
        return False
    return any(term in ("mx", "+mx") for term in terms)


def _key_agrees(record: Record, text: str) -> bool:
    try:
        found, wanted = parse_key_record(text), parse_key_record(record.value)
    except BadKey:
        return False
    return (found.kind, found.key) == (wanted.kind, wanted.key) and bool({"*", "email"} & set(found.services))


def _dmarc_agrees(_record: Record, text: str) -> bool:
    """Any policy that says where reports go: from none over quarantine to reject is the domain's own way."""
    try:
        tags = parse_tags(text)
    except BadTagList:
        return False
    return tags.get("p", "").lower() in ("none", "quarantine", "reject") and _is_mail(tags.get("rua", ""))


def _tls_rpt_agrees(_record: Record, text: str) -> bool:
    try:
        return bool(parse_tags(text).get("rua"))
    except BadTagList:
        return False


def _is_mail(addresses: str) -> bool:
    return any(one.strip().lower().startswith("mailto:") for one in addresses.split(","))


def _mta_sts_agrees(record: Record, text: str) -> bool:
    return record_id([text]) == record_id([record.value])


AGREES: Mapping[Row, Callable[[Record, str], bool]] = {
    Row.SPF: _spf_agrees,
    Row.DKIM: _key_agrees,
    Row.DMARC: _dmarc_agrees,
    Row.MTA_STS: _mta_sts_agrees,
    Row.TLS_RPT: _tls_rpt_agrees,
}


# Records of which there may be several


def _mx_matches(record: Record, found: Sequence[str]) -> bool:
    """Ours is preferred, others may stand in for it (RFC 5321 §5.1)."""
    hosts = [_fields(text, 2) for text in found]
    best = min(int(preference) for preference, _ in hosts)
    return (str(best), _host(record.value)) in {(preference, _host(host)) for preference, host in hosts}


def _address_matches(record: Record, found: Sequence[str]) -> bool:
    return not record.values or bool(set(record.values) & set(found))


def _name_matches(record: Record, found: Sequence[str]) -> bool:
    return _host(record.value) in map(_host, found)


def _service_matches(record: Record, found: Sequence[str]) -> bool:
    return _fields(record.value, 4)[2:] in [_fields(text.lower(), 4)[2:] for text in found]


MATCHES: Mapping[Row, Callable[[Record, Sequence[str]], bool]] = {
    Row.MX: _mx_matches,
    Row.ADDRESS: _address_matches,
    Row.REVERSE: _name_matches,
    Row.SRV: _service_matches,
}


def _fields(text: str, count: int) -> tuple[str, ...]:
    return tuple(text.split(" ", count - 1))


def _host(text: str) -> str:
    return text.rpartition(" ")[2].rstrip(".").lower()


# Names that stand for another host


def _target(record: Record) -> str:
    return record.value.rstrip(".")


def _check_host(record: Record, answers: Answers) -> Check:
    """It is right by CNAME, or by an address of the host it stands for."""
    named = answers[record.name, "CNAME"]
    if _name_matches(record, named.records):
        return Check(record, State.RIGHT, _shown(named.records))
    ours, wanted = _addresses(record.name, answers), _addresses(_target(record), answers)
    if set(ours) & set(wanted):
        return Check(record, State.RIGHT, _shown(ours))
    if any(answers[question].outcome is Outcome.NO_ANSWER for question in questions(record)):
        return Check(record, State.CANNOT_TELL)
    found = [*named.records, *ours]
    return Check(record, State.WRONG if found else State.MISSING, _shown(found))


def _addresses(name: str, answers: Answers) -> Sequence[str]:
    return [text for kind in ADDRESSES for text in answers[name, kind].records]
