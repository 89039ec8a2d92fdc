"""Flags as they stand in a message row: five columns, and the rest as words (RFC 9051 §2.3.2)."""

from __future__ import annotations

from collections.abc import Iterable
from functools import lru_cache
from typing import NamedTuple

SEEN = "\\Seen"
FLAGGED = "\\Flagged"
ANSWERED = "\\Answered"
FORWARDED = "$Forwarded"
DRAFT = "\\Draft"
DELETED = "\\Deleted"
JUNK = "$Junk"
NOT_JUNK = "$NotJunk"

_COLUMN = {SEEN: "seen", FLAGGED: "flagged", ANSWERED: "answered", FORWARDED: "forwarded", DRAFT: "draft"}
_CANONICAL = {flag.lower(): flag for flag in (*_COLUMN, DELETED, JUNK, NOT_JUNK)}
_SESSION_ONLY = "\\recent"  # says something about the session, not the message (RFC 3501 §2.3.2)
MAX_KEYWORDS = 50


class FlagColumns(NamedTuple):
    """The flags of a message, as columns."""

    seen: bool
    flagged: bool
    answered: bool
    forwarded: bool
    draft: bool
    keywords: str


def normalise(flags: Iterable[str]) -> frozenset[str]:
    """System flags and well-known keywords in their usual spelling (they are case-insensitive); \\Recent dropped."""
    return _normalised(frozenset(flags))


@lru_cache(1024)
def _normalised(flags: frozenset[str]) -> frozenset[str]:
    """A mailbox has few combinations of flags."""
    return frozenset(_CANONICAL.get(flag.lower(), flag) for flag in flags if flag.lower() != _SESSION_ONLY)


def to_columns(flags: Iterable[str]) -> FlagColumns:
    return _columns(normalise(flags))


@lru_cache(1024)
def _columns(known: frozenset[str]) -> FlagColumns:
    words = " ".join(sorted(known - _COLUMN.keys())[:MAX_KEYWORDS])
    return FlagColumns(SEEN in known, FLAGGED in known, ANSWERED in known, FORWARDED in known, DRAFT in known, words)


def from_columns(
    *, seen: bool, flagged: bool, answered: bool, forwarded: bool, draft: bool, keywords: str
) -> frozenset[str]:
    """The flags of a message row."""
    values = {SEEN: seen, FLAGGED: flagged, ANSWERED: answered, FORWARDED: forwarded, DRAFT: draft}
    return frozenset(flag for flag, is_set in values.items() if is_set) | frozenset(keywords.split())
