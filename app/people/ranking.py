"""How well a person is known, as one number that needs no clock to be compared; and the words one is found by."""

from __future__ import annotations

import math
import re
import unicodedata
from datetime import datetime

HALF_LIFE_DAYS = 60
WROTE_TO, GOT_FROM = 4.0, 1.0  # points of a message sent to, or come from, somebody
MAX_WORDS = 12  # an address
MAX_WORD_CHARS = 40
MAX_TERMS = 5
MAX_QUERY_CHARS = 100

SEPARATORS = re.compile(r"[\s.,;:_+\-@\"'()<>/\\\x00-\x1f\x7f]+")

AROUND = re.compile(r"[\s,;:\"()<>\x00-\x1f\x7f]+")  # what an address never begins or ends with


def weight_of(at: datetime, points: float) -> float:
    """The weight of one message of `points` at `at`.

    Points halve every 60 days.  A weight is log2 of a sum of points as seen from 1970, so that it falls for nobody as
    time goes by: two weights compare the same on every later day, and an index may hold them.
    """
    return at.timestamp() / (HALF_LIFE_DAYS * 86_400) + math.log2(points)


def together(one: float, other: float) -> float:
    """The weight of both; in which order they came is no matter."""
    high, low = max(one, other), min(one, other)
    return high + math.log2(1 + 2 ** (low - high))


def fold(text: str) -> str:
    """Without case and accents: who types "jurgen" finds Jürgen."""
    parts = unicodedata.normalize("NFKD", text.casefold())
    return "".join(char for char in parts if not unicodedata.combining(char))


def words_of(name: str, address: str) -> tuple[str, ...]:
    """What a person is found by the beginning of: the whole address, and each word of name and address."""
    words = (fold(address), *SEPARATORS.split(fold(f"{name} {address}")))
    return tuple(dict.fromkeys(word[:MAX_WORD_CHARS] for word in words if word))[:MAX_WORDS]


def terms_of(query: str) -> tuple[str, ...]:
    """What is typed, as beginnings of words, the longest first; a word with an @ is the beginning of an address."""
    text = fold(query[:MAX_QUERY_CHARS])
    pieces = [piece for word in AROUND.split(text) for piece in ([word] if "@" in word else SEPARATORS.split(word))]
    terms = dict.fromkeys(piece[:MAX_WORD_CHARS] for piece in pieces)
    return tuple(sorted(filter(None, terms), key=len, reverse=True))[:MAX_TERMS]
