"""What people type into the search field, as terms.  Pure.

kitchen "oak table"          words and phrases, anywhere; all of them must be there
from:ines to:me subject:…    in one field; body: looks at the text alone
before:2026-03-01 after:… on:… older_than:2m newer_than:7d
larger:5M smaller:100k
is:unread is:read is:starred is:answered has:attachment
in:receipts                  in a folder of this name
-from:ines                   not
"""

from __future__ import annotations

import re
import unicodedata
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from datetime import date, timedelta

from app.sources import SearchField, SearchTerm

MAX_CHARS = 500
MAX_TERMS = 10
PIECE = re.compile(r'(?P<not>-?)(?:(?P<name>[A-Za-z_]{2,12}):)?(?:"(?P<phrase>[^"]*)"?|(?P<word>[^\s"]+))')
DAY = re.compile(r"(\d{4})[-/.](\d{1,2})[-/.](\d{1,2})", re.ASCII)
AGE = re.compile(r"(\d{1,4})([dwmy])", re.ASCII)
SIZE = re.compile(r"(\d{1,7})([kmg]?)b?", re.ASCII | re.IGNORECASE)
DAYS = {"d": 1, "w": 7, "m": 30, "y": 365}
UNITS = {"": 1, "k": 1_024, "m": 1_048_576, "g": 1_073_741_824}


@dataclass(frozen=True, slots=True)
class Query:
    """All terms must hold; `folder` is a name to look for, `not_understood` what made no sense."""

    terms: Sequence[SearchTerm] = ()
    folder: str = ""
    not_understood: Sequence[str] = ()

    @property
    def is_empty(self) -> bool:
        return not self.terms and not self.folder

    @property
    def is_decidable_here(self) -> bool:
        """Whether envelopes tell: of bodies only the first words are known."""
        return not any(
            term.field is SearchField.BODY or (term.field is SearchField.ANY and term.negated) for term in self.terms
        )


def parse(text: str, today: date) -> Query:
    """Never raises: what is no operator is a word, what cannot be one is told in `not_understood`."""
    terms: list[SearchTerm] = []
    strange: list[str] = []
    folder = ""
    for piece in PIECE.finditer(clean(text)):
        name = (piece["name"] or "").lower()
        value = piece["phrase"] if piece["phrase"] is not None else piece["word"]
        if name == "in" and not piece["not"]:
            folder = value
            continue
        found = _terms_of(name, value, piece.group(), today) if value else ()
        if found is None:
            strange.append(piece.group())
        else:
            terms.extend(_negated(term) if piece["not"] else term for term in found)
    return Query(tuple(terms[:MAX_TERMS]), folder, tuple(strange))


def clean(text: str) -> str:
    """One line without control characters, of bounded length."""
    printable = (char if unicodedata.category(char) not in ("Cc", "Cs", "Zl", "Zp") else " " for char in text)
    return "".join(printable)[:MAX_CHARS].strip()


def _negated(term: SearchTerm) -> SearchTerm:
    return SearchTerm(term.field, term.value, not term.negated)


def _terms_of(name: str, value: str, whole: str, today: date) -> Sequence[SearchTerm] | None:
    """The terms of one piece; None for an operator whose value makes no sense."""
    if not name:
        return (SearchTerm(SearchField.ANY, value),)
    if name in TEXT_FIELDS:
        return (SearchTerm(TEXT_FIELDS[name], value),)
    reader = READERS.get(name)
    if reader is None:
        return (SearchTerm(SearchField.ANY, whole.lstrip("-")),)  # a word with a colon in it
    return tuple(reader(value.lower(), today)) or None


TEXT_FIELDS: Mapping[str, SearchField] = {
    "from": SearchField.FROM,
    "to": SearchField.TO,
    "cc": SearchField.TO,
    "subject": SearchField.SUBJECT,
    "body": SearchField.BODY,
}
IS: Mapping[str, SearchTerm] = {
    "unread": SearchTerm(SearchField.UNREAD),
    "read": SearchTerm(SearchField.UNREAD, negated=True),
    "starred": SearchTerm(SearchField.STARRED),
    "flagged": SearchTerm(SearchField.STARRED),
    "answered": SearchTerm(SearchField.ANSWERED),
    "replied": SearchTerm(SearchField.ANSWERED),
}


def _is(value: str, _today: date) -> Iterator[SearchTerm]:
    if value in IS:
        yield IS[value]


def _has(value: str, _today: date) -> Iterator[SearchTerm]:
    if value in ("attachment", "attachments"):
        yield SearchTerm(SearchField.ATTACHMENT)


def _before(value: str, _today: date) -> Iterator[SearchTerm]:
    if day := _day(value):
        yield SearchTerm(SearchField.BEFORE, day)


def _after(value: str, _today: date) -> Iterator[SearchTerm]:
    if day := _day(value):
        yield SearchTerm(SearchField.SINCE, day)


def _on(value: str, _today: date) -> Iterator[SearchTerm]:
    if (day := _day(value)) and day < date.max:
        yield SearchTerm(SearchField.SINCE, day)
        yield SearchTerm(SearchField.BEFORE, day + timedelta(days=1))


def _older_than(value: str, today: date) -> Iterator[SearchTerm]:
    if day := _ago(value, today):
        yield SearchTerm(SearchField.BEFORE, day)


def _newer_than(value: str, today: date) -> Iterator[SearchTerm]:
    if day := _ago(value, today):
        yield SearchTerm(SearchField.SINCE, day)


def _larger(value: str, _today: date) -> Iterator[SearchTerm]:
    if found := SIZE.fullmatch(value):
        yield SearchTerm(SearchField.LARGER, _octets(found))


def _smaller(value: str, _today: date) -> Iterator[SearchTerm]:
    if found := SIZE.fullmatch(value):
        yield SearchTerm(SearchField.SMALLER, _octets(found))


READERS: Mapping[str, Callable[[str, date], Iterator[SearchTerm]]] = {
    "is": _is,
    "has": _has,
    "before": _before,
    "after": _after,
    "since": _after,
    "on": _on,
    "older_than": _older_than,
    "newer_than": _newer_than,
    "larger": _larger,
    "smaller": _smaller,
}


def _day(value: str) -> date | None:
    found = DAY.fullmatch(value)
    try:
        return date(*map(int, found.groups())) if found else None
    except ValueError:
        return None


def _ago(value: str, today: date) -> date | None:
    found = AGE.fullmatch(value)
    try:
        return today - timedelta(days=int(found[1]) * DAYS[found[2]]) if found else None
    except OverflowError:
        return None


def _octets(found: re.Match[str]) -> int:
    return min(int(found[1]) * UNITS[found[2].lower()], 2**31 - 1)
