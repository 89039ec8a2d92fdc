"""SORT (RFC 5256 §3, RFC 5957) out of stored ENVELOPE octets, and what THREAD shares with it: base subjects.  Pure."""

from __future__ import annotations

import re
from collections.abc import Sequence
from email.utils import mktime_tz, parsedate_tz
from functools import partial
from typing import Any, NamedTuple

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


class SortKeys(NamedTuple):
    """What a message is sorted by, each in the form in which it is compared."""

    sent_s: int
    received_s: int
    octets: int
    base_subject: str
    first_from: str
    first_to: str
    first_cc: str
    shown_from: str
    shown_to: str


PLACES: dict[SortKey, int] = {
    SortKey.DATE: 0,
    SortKey.ARRIVAL: 1,
    SortKey.SIZE: 2,
    SortKey.SUBJECT: 3,
    SortKey.FROM: 4,
    SortKey.TO: 5,
    SortKey.CC: 6,
    SortKey.DISPLAY_FROM: 7,
    SortKey.DISPLAY_TO: 8,
}
"""Of the criteria in SortKeys."""
LATEST_S = 1 << 62


def sort_keys(envelope: bytes, received_s: int, octets: int) -> SortKeys:
    """Out of an ENVELOPE as it is stored; all fit a database: no half surrogate pairs, numbers of 64 bits."""
    fields = read_envelope(envelope)
    words = (
        base_subject(subject_of(fields))[0],
        *[_mailbox(fields[place]) for place in (2, 5, 6)],
        *[_display(fields[place]) for place in (2, 5)],
    )
    sent = max(-LATEST_S, min(sent_s(fields, received_s), LATEST_S))
    return SortKeys(sent, received_s, octets, *[word.encode("utf-8", "replace").decode() for word in words])


def sorted_uids(criteria: Sequence[Criterion], rows: list[tuple[Any, ...]]) -> list[int]:
    """`rows` are a UID and its keys, one for each criterion, the UIDs ascending.

    The first criterion counts most; equal ones stay in the order of their numbers (RFC 5256 §3).
    """
    for place in range(len(criteria), 0, -1):
        rows.sort(key=partial(_ordered, place), reverse=criteria[place - 1].is_reverse)
    return [row[0] for row in rows]


def _ordered(place: int, row: tuple[Any, ...]) -> Any:
    """Texts in capitals: `_` and `[` come after the letters (RFC 5051 §2, RFC 5256 §3)."""
    key = row[place]
    return key.upper() if isinstance(key, str) else key


def read_envelope(envelope: bytes) -> list[Value]:
    """Its ten fields; empty ones where the octets are none."""
    try:
        value = read_value(envelope)
    except ValueError:
        value = None
    return value if isinstance(value, list) and len(value) == 10 else [None] * 10
