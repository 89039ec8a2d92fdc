"""What SEARCH, SORT and THREAD may ask for (RFC 9051 §6.4.4, RFC 7162 §3.1.5, RFC 5032, RFC 8474, RFC 8514), as a tree.

Pure values; `imap_search.py` evaluates them.
"""

from __future__ import annotations

from dataclasses import dataclass
from datetime import date
from enum import Enum
from typing import TypeAlias

from mailsite_ext.protocol.sequence_sets import SequenceSet


class Day(Enum):
    """Which of a message's dates a key looks at."""

    RECEIVED = "INTERNALDATE"
    SENT = "Date:"
    SAVED = "SAVEDATE"


class Relation(Enum):
    BEFORE = "BEFORE"
    ON = "ON"
    SINCE = "SINCE"  # that day or later


@dataclass(frozen=True, slots=True)
class All: ...


@dataclass(frozen=True, slots=True)
class And:
    keys: tuple[Key, ...]


@dataclass(frozen=True, slots=True)
class Or:
    first: Key
    second: Key


@dataclass(frozen=True, slots=True)
class Not:
    key: Key


@dataclass(frozen=True, slots=True)
class HasFlag:
    """A system flag ("\\\\Seen") or a keyword; "\\\\Recent" too."""

    flag: str


@dataclass(frozen=True, slots=True)
class Header:
    """`text` within a field of that name (lower case), decoded; empty text: the field is there."""

    name: str
    text: str


@dataclass(frozen=True, slots=True)
class Body:
    text: str


@dataclass(frozen=True, slots=True)
class Text:
    """In the header or in the body."""

    text: str


@dataclass(frozen=True, slots=True)
class Dated:
    """By the day alone, time and zone disregarded (RFC 9051 §6.4.4)."""

    day: Day
    relation: Relation
    date: date


@dataclass(frozen=True, slots=True)
class Larger:
    octets: int


@dataclass(frozen=True, slots=True)
class Smaller:
    octets: int


@dataclass(frozen=True, slots=True)
class Older:
    """Received that many seconds ago or earlier (RFC 5032 §3)."""

    seconds: int


@dataclass(frozen=True, slots=True)
class Younger:
    seconds: int


@dataclass(frozen=True, slots=True)
class Numbers:
    """Message sequence numbers; `$` too."""

    numbers: SequenceSet


@dataclass(frozen=True, slots=True)
class Uids:
    uids: SequenceSet


@dataclass(frozen=True, slots=True)
class ModSeq:
    """Changed at this MODSEQ or later (RFC 7162 §3.1.5)."""

    modseq: int


@dataclass(frozen=True, slots=True)
class EmailId:
    id: str


@dataclass(frozen=True, slots=True)
class ThreadId:
    id: str


@dataclass(frozen=True, slots=True)
class SaveDateSupported: ...


Key: TypeAlias = (
    All
    | And
    | Or
    | Not
    | HasFlag
    | Header
    | Body
    | Text
    | Dated
    | Larger
    | Smaller
    | Older
    | Younger
    | Numbers
    | Uids
    | ModSeq
    | EmailId
    | ThreadId
    | SaveDateSupported
)

Known: TypeAlias = HasFlag | Dated | Larger | Smaller | Older | Younger | ModSeq | EmailId | ThreadId
"""What a storage's rows decide alone; of dates those it keeps, RECEIVED and SAVED."""
