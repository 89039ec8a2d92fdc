"""SORT (RFC 5256 §3, RFC 5957) out of stored ENVELOPE octets, and what THREAD shares with it: base subjects.  Pure."""

from __future__ import annotations

import re
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass
from email.utils import mktime_tz, parsedate_tz
from typing import Any

from app.extension_api import decode
from mailsite_ext.protocol.imap_commands import Criterion, SortKey
from mailsite_ext.protocol.message_text import folded
from mailsite_ext.protocol.wire_values import Value, read_value

SUBJECT_CHARS = 1_000

SPACES = re.compile(r"[ \t]+")
TRAILER = re.compile(r"(?:\(fwd\)|[ \t])\Z", re.IGNORECASE)
BLOB = r"\[[^\[\]]*\][ \t]*"
LEADER = re.compile(rf"(?:{BLOB})*(?:re|fwd?)[ \t]*(?:{BLOB})?:[ \t]*|[ \t]+", re.IGNORECASE)
LEADING_BLOB = re.compile(BLOB)
FORWARDED = re.compile(r"\[fwd:(.*)\]", re.IGNORECASE | re.DOTALL)


@dataclass(frozen=True, slots=True)
class Sortable:
    """A message to sort; `envelope` as stored."""

    number: int
    uid: int
    received_s: int
    size_octets: int
    envelope: bytes


def base_subject(subject: str) -> tuple[str, bool]:
    """RFC 5256 §2.1: `subject` (decoded) without Re:, Fwd:, list marks, in one case; and whether it is an answer."""
    text = SPACES.sub(" ", subject[:SUBJECT_CHARS])
    is_answer = False
    while True:
        text, trimmed = _without_trailers(text)
        text, led = _without_leaders(text)
        is_answer = is_answer or trimmed or led
        wrapped = FORWARDED.fullmatch(text)
        if wrapped is None:
            return folded(text), is_answer
        text, is_answer = wrapped[1], True


def _without_trailers(text: str) -> tuple[str, bool]:
    is_forwarded = False
    while match := TRAILER.search(text, max(0, len(text) - 5)):
        is_forwarded = is_forwarded or match[0] not in (" ", "\t")
        text = text[: match.start()]
    return text, is_forwarded


def _without_leaders(text: str) -> tuple[str, bool]:
    """Steps 3 to 5: leaders go, then a mark in brackets if something is left behind it."""
    at, is_answer = 0, False
    while True:
        if leader := LEADER.match(text, at):
            is_answer = is_answer or not leader[0].isspace()
            at = leader.end()
        elif (blob := LEADING_BLOB.match(text, at)) and blob.end() < len(text):
            at = blob.end()
        else:
            return text[at:], is_answer


def sent_s(envelope: Sequence[Value], received_s: int) -> int:
    """When it was sent, in Unix time; a missing or wrong Date gives way to INTERNALDATE (RFC 5256 §2.2)."""
    date = envelope[0]
    parsed = parsedate_tz(date.decode("ascii", "replace")) if isinstance(date, bytes) else None
    if parsed is None:
        return received_s
    try:
        return int(mktime_tz(parsed))
    except (ValueError, OverflowError):
        return received_s


def subject_of(envelope: Sequence[Value]) -> str:
    subject = envelope[1]
    return decode.header(subject) if isinstance(subject, bytes) else ""


def _mailbox(value: Value) -> str:
    """The local part of the first address, groups by their name (RFC 5256 §3)."""
    first = _first(value)
    return folded(_text(first[2])) if first else ""


def _display(value: Value) -> str:
    """The name of the first address as people see it, else the address (RFC 5957 §3)."""
    first = _first(value)
    if not first:
        return ""
    if first[0]:
        return folded(decode.header(_octets(first[0])))
    return folded(f"{_text(first[2])}@{_text(first[3])}" if first[3] else _text(first[2]))


def _first(value: Value) -> list[Value]:
    if not isinstance(value, list) or not value:
        return []
    first = value[0]
    return first if isinstance(first, list) and len(first) == 4 else []


def _octets(value: Value) -> bytes:
    return value if isinstance(value, bytes) else b""


def _text(value: Value) -> str:
    return decode.text(_octets(value))


ORDERS: dict[SortKey, Callable[[Sortable, Sequence[Value]], Any]] = {
    SortKey.ARRIVAL: lambda message, _: message.received_s,
    SortKey.SIZE: lambda message, _: message.size_octets,
    SortKey.DATE: lambda message, envelope: sent_s(envelope, message.received_s),
    SortKey.SUBJECT: lambda _, envelope: base_subject(subject_of(envelope))[0],
    SortKey.FROM: lambda _, envelope: _mailbox(envelope[2]),
    SortKey.TO: lambda _, envelope: _mailbox(envelope[5]),
    SortKey.CC: lambda _, envelope: _mailbox(envelope[6]),
    SortKey.DISPLAY_FROM: lambda _, envelope: _display(envelope[2]),
    SortKey.DISPLAY_TO: lambda _, envelope: _display(envelope[5]),
}
WITHOUT_ENVELOPE = frozenset((SortKey.ARRIVAL, SortKey.SIZE))


def sort_messages(criteria: Sequence[Criterion], messages: Iterable[Sortable]) -> list[Sortable]:
    """In the order of the criteria, the first counting most; equal ones by sequence number (RFC 5256 §3)."""
    reads = any(criterion.key not in WITHOUT_ENVELOPE for criterion in criteria)
    keyed = [(message, _keys(criteria, message, reads=reads)) for message in messages]
    keyed.sort(key=lambda pair: pair[0].number)
    for place in range(len(criteria) - 1, -1, -1):
        keyed.sort(key=lambda pair, place=place: pair[1][place], reverse=criteria[place].is_reverse)  # type: ignore[misc]
    return [message for message, _ in keyed]


def _keys(criteria: Sequence[Criterion], message: Sortable, *, reads: bool) -> tuple[Any, ...]:
    envelope = read_envelope(message.envelope) if reads else []
    return tuple([ORDERS[criterion.key](message, envelope) for criterion in criteria])


def read_envelope(envelope: bytes) -> list[Value]:
    """Its ten fields; empty ones where the octets are none."""
    try:
        value = read_value(envelope)
    except ValueError:
        value = None
    return value if isinstance(value, list) and len(value) == 10 else [None] * 10
