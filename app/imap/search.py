"""A search as the keys of SEARCH (RFC 9051 §6.4.4), with Gmail's own where the server is Gmail.  Pure."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from datetime import date

from app.imap.dialog import astring
from app.sources import SearchField, SearchTerm

MONTHS = ("Jan", "Feb", "Mar", "Apr", "May", "Jun", "Jul", "Aug", "Sep", "Oct", "Nov", "Dec")
KEYS = {
    SearchField.ANY: b"TEXT",
    SearchField.FROM: b"FROM",
    SearchField.SUBJECT: b"SUBJECT",
    SearchField.BODY: b"BODY",
    SearchField.SINCE: b"SINCE",
    SearchField.BEFORE: b"BEFORE",
    SearchField.LARGER: b"LARGER",
    SearchField.SMALLER: b"SMALLER",
    SearchField.UNREAD: b"UNSEEN",
    SearchField.STARRED: b"FLAGGED",
    SearchField.ANSWERED: b"ANSWERED",
}


def needs_charset(terms: Sequence[SearchTerm]) -> bool:
    """Whether a server that was not told to accept UTF-8 must be told of the charset (RFC 3501 §6.4.4)."""
    return any(isinstance(term.value, str) and not term.value.isascii() for term in terms)


def search_keys(terms: Sequence[SearchTerm], *, is_gmail: bool) -> list[bytes]:
    """The keys as pieces of a command, each key with a space before it; ALL where nothing is left to ask."""
    pieces: list[bytes] = []
    for term in terms:
        key = list(_key(term, is_gmail=is_gmail))
        if key:
            pieces += [b" NOT (" if term.negated else b" (", *key, b")"]
    return pieces or [b" ALL"]


def _key(term: SearchTerm, *, is_gmail: bool) -> Iterator[bytes]:
    text = str(term.value)
    match term.field:
        case SearchField.ATTACHMENT:
            if is_gmail:
                yield b'X-GM-RAW "has:attachment"'
        case SearchField.ANY if is_gmail:
            yield b"X-GM-RAW "
            yield astring('"' + text.replace('"', " ") + '"')
        case SearchField.TO:
            yield from (b"OR TO ", astring(text), b" CC ", astring(text))
        case field:
            yield KEYS[field]
            yield from _value(term.value)


def _value(value: str | date | int) -> Iterator[bytes]:
    match value:
        case date():
            yield f" {value.day}-{MONTHS[value.month - 1]}-{value.year:04}".encode()
        case int():
            yield b" %d" % value
        case _ if value:
            yield from (b" ", astring(value))
