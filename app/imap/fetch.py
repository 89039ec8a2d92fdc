"""FETCH responses (RFC 9051 §7.5.2) by regular expressions: half the time of a first sync is spent here.  Pure.

Values are kept as they stood on the wire; only what the mirror stores is decoded.
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from datetime import UTC, datetime, timedelta
from functools import lru_cache

from app.errors import ProtocolError
from app.imap import names
from app.imap.tokens import MAX_NESTING, parse, shown, unescape
from app.imap.uids import MAX_UID
from app.sources import HEADER_FIELDS, FlagState, GmailIds, RemoteMessage

Items = Mapping[bytes, bytes]
"""Data items by their names in capitals; strings without quotes, numbers and lists as written, NIL as b""."""

MAX_HEADER_OCTETS = 65_536
MAX_STRUCTURE_OCTETS = 65_536
LARGEST_NUMBER = 2**63 - 1
UNKNOWN_DATE = datetime(1970, 1, 1, tzinfo=UTC)

START = re.compile(rb"\* \d+ FETCH \(", re.IGNORECASE)
ITEM = re.compile(rb" ?([A-Z0-9][A-Z0-9.-]*(?:\[[^\]]*\](?:<\d+>)?)?) ", re.IGNORECASE)
ATOM = re.compile(rb'[^\s()"{]+')
LITERAL = re.compile(rb"~?\{(\d{1,10})\}\r\n")
QUOTED = re.compile(rb'"([^"\\]*(?:\\.[^"\\]*)*)"', re.DOTALL)
STRING = rb'"[^"\\]*+(?:\\.[^"\\]*+)*+"'
SHALLOW = 8


def _list_pattern(depth: int) -> bytes:
    """Lists without literals, nested up to `depth`: read at once, in time linear in their length."""
    plain = rb'[^()"{]++|' + STRING
    pattern = rb"\((?:%b)*+\)" % plain
    for _ in range(depth):
        pattern = rb"\((?:%b|%b)*+\)" % (plain, pattern)
    return pattern


SHALLOW_LIST = re.compile(_list_pattern(SHALLOW), re.DOTALL)
# Up to the next parenthesis or literal that is not inside a quoted string.
NEXT_BRACKET = re.compile(rb'[^()"{]*(?:"[^"\\]*(?:\\.[^"\\]*)*"[^()"{]*)*([(){])', re.DOTALL)
DATE = re.compile(rb"([ \d]\d-[A-Za-z]{3}-\d{4}) ([01]\d|2[0-3]):([0-5]\d):([0-5]\d|60) ([+-]\d{4})")
MONTHS = {month: number for number, month in enumerate(b"jan feb mar apr may jun jul aug sep oct nov dec".split(), 1)}
SYSTEM_FLAGS = {flag.lower(): flag for flag in ("\\Seen", "\\Answered", "\\Flagged", "\\Deleted", "\\Draft")}

# What nearly every server answers to MESSAGE_ITEMS: the items in the order they were asked for.
USUAL_START = re.compile(
    rb'\* \d+ FETCH \(UID (\d{1,9}) FLAGS (\([^()"{]*\))(?: MODSEQ \((\d{1,18})\))? INTERNALDATE "([^"\\]*)"'
    rb" RFC822\.SIZE (\d{1,18}) (BODY\[[^\]]*\]) \{(\d{1,5})\}\r\n"
)
USUAL_END = re.compile(rb" BODYSTRUCTURE (%b)\)" % SHALLOW_LIST.pattern, re.DOTALL)

HEADER_SECTION = f"HEADER.FIELDS ({' '.join(HEADER_FIELDS)})".encode()
HEADER_ITEM = b"BODY[" + HEADER_SECTION.upper() + b"]"


def is_fetch(response: bytes) -> bool:
    return START.match(response) is not None


def items_of(response: bytes) -> Items:
    """The data items of one FETCH response.  Raises ProtocolError if it is malformed."""
    start = START.match(response)
    if start is None:
        raise ProtocolError(f"unreadable answer: {shown(response[:60])}")
    position, items = start.end(), dict[bytes, bytes]()
    while name := ITEM.match(response, position):
        value, position = _value(response, name.end())
        items[_plain_name(name[1])] = value
    if response[position : position + 1] != b")":
        raise ProtocolError(f"unreadable answer: {shown(response[position : position + 60])}")
    return items


@lru_cache(256)
def _plain_name(written: bytes) -> bytes:
    """In capitals, and header names without the quotation marks some servers put around them."""
    return written.upper().replace(b'"', b"")


def _value(text: bytes, position: int) -> tuple[bytes, int]:
    """The value at `position` and where it ends."""
    kind = text[position : position + 1]
    if kind == b"(":
        shallow = SHALLOW_LIST.match(text, position)
        end = shallow.end() if shallow else _end_of_list(text, position)
        return text[position:end], end
    if kind == b'"':
        if found := QUOTED.match(text, position):
            return unescape(found[1]), found.end()
    elif kind in (b"{", b"~"):
        if found := LITERAL.match(text, position):
            end = found.end() + int(found[1])
            return text[found.end() : end], end
    elif found := ATOM.match(text, position):
        return b"" if found[0] in (b"NIL", b"nil") else found[0], found.end()
    raise ProtocolError(f"unreadable answer: {shown(text[position : position + 60])}")


def _end_of_list(text: bytes, position: int) -> int:
    """Behind the list that begins at `position`."""
    depth = 0
    while found := NEXT_BRACKET.match(text, position):
        position = found.end()
        bracket = found[1]
        if bracket == b"(":
            depth += 1
            if depth > MAX_NESTING:
                break
        elif bracket == b")":
            depth -= 1
            if not depth:
                return position
        else:
            position = _behind_literal(text, position - 1)
    raise ProtocolError("a list in an answer does not end or is nested too deeply")


def _behind_literal(text: bytes, position: int) -> int:
    found = LITERAL.match(text, position)
    if found is None:
        raise ProtocolError(f"unreadable answer: {shown(text[position : position + 60])}")
    return found.end() + int(found[1])


def number(value: bytes | None, largest: int = LARGEST_NUMBER) -> int:
    """A number that fits into `largest`, parenthesised or not (MODSEQ is).  Raises ProtocolError."""
    digits = (value or b"").strip(b"()")
    if not digits.isdigit() or len(digits) > 20 or int(digits) > largest:
        raise ProtocolError(f"not a number: {shown((value or b'')[:60])}")
    return int(digits)


def uid_of(items: Items) -> int | None:
    """The UID; None in a FETCH the server sends on its own, which may have none."""
    return number(items[b"UID"], MAX_UID) if b"UID" in items else None


@lru_cache(2048)
def flags_of(value: bytes) -> frozenset[str]:
    """Flags of "(\\Seen $Forwarded)"; system flags in their usual spelling, \\Recent left out: it is gone anyway."""
    words = value.strip(b"()").decode("utf-8", "replace").split()
    return frozenset(SYSTEM_FLAGS.get(word.lower(), word) for word in words if word.lower() != "\\recent")


@lru_cache(4096)
def _midnight(day: bytes, zone: bytes) -> datetime:
    """The beginning of a day somewhere, in UTC; the days of a mailbox come again and again."""
    number, month, year = day.split(b"-")
    offset = timedelta(hours=int(zone[1:3]), minutes=int(zone[3:]))
    if offset >= timedelta(days=1):
        offset = timedelta()
    local = datetime(int(year), MONTHS[month.lower()], int(number), tzinfo=UTC)
    return local + offset if zone.startswith(b"-") else local - offset


def date_of(value: bytes) -> datetime:
    """INTERNALDATE in UTC; the epoch for what is no date, so that the message can still be read."""
    match = DATE.fullmatch(value)
    if match is None:
        return UNKNOWN_DATE
    day, hour, minute, second, zone = match.groups()
    try:
        return _midnight(day, zone) + timedelta(0, int(hour) * 3600 + int(minute) * 60 + min(int(second), 59))
    except (ValueError, KeyError, OverflowError):
        return UNKNOWN_DATE


def labels_of(value: bytes) -> tuple[str, ...]:
    """X-GM-LABELS: "(\\Inbox Travel &AMQ-rger)" as names."""
    values = parse(value)
    listed = values[0] if values and isinstance(values[0], tuple) else ()
    raw = [label for label in listed if isinstance(label, bytes)]
    return tuple(sorted(names.decode(label) or label.decode("utf-8", "replace") for label in raw))


def modseq_of(items: Items) -> int | None:
    return number(items[b"MODSEQ"]) if b"MODSEQ" in items else None


def flag_state(items: Items) -> FlagState:
    labels = labels_of(items[b"X-GM-LABELS"]) if b"X-GM-LABELS" in items else None
    return FlagState(flags_of(items.get(b"FLAGS", b"")), modseq_of(items), labels)


def usual_message(response: bytes) -> RemoteMessage | None:
    """The message of a response that answers MESSAGE_ITEMS the usual way; None: `items_of` may still read it."""
    start = USUAL_START.match(response)
    if start is None:
        return None
    uid, flags, modseq, received_at, octets, section, length = start.groups()
    header_at = start.end()
    header_end = header_at + int(length)
    end = USUAL_END.fullmatch(response, header_end)
    if end is None or _plain_name(section) != HEADER_ITEM:
        return None
    structure = end[1]
    return RemoteMessage(
        int(uid),
        flags_of(flags),
        date_of(received_at),
        int(octets),
        response[header_at : min(header_end, header_at + MAX_HEADER_OCTETS)],
        structure if len(structure) <= MAX_STRUCTURE_OCTETS else b"",
        int(modseq) if modseq else None,
    )


def remote_message(items: Items) -> RemoteMessage:
    """The message of a FETCH that answered MESSAGE_ITEMS.  Raises ProtocolError if something needed is missing."""
    structure = items.get(b"BODYSTRUCTURE", b"")
    return RemoteMessage(
        uid=number(items.get(b"UID"), MAX_UID),
        flags=flags_of(items.get(b"FLAGS", b"")),
        received_at=date_of(items.get(b"INTERNALDATE", b"")),
        size_octets=number(items.get(b"RFC822.SIZE")),
        header=items.get(HEADER_ITEM, b"")[:MAX_HEADER_OCTETS],
        bodystructure=structure if len(structure) <= MAX_STRUCTURE_OCTETS else b"",
        modseq=modseq_of(items),
        gmail=_gmail_ids(items),
    )


def _gmail_ids(items: Items) -> GmailIds | None:
    """The numbers are unsigned 64 bits; the mirror keeps 63."""
    if b"X-GM-MSGID" not in items or b"X-GM-THRID" not in items:
        return None
    msgid, thrid = (number(items[name], 2**64 - 1) & LARGEST_NUMBER for name in (b"X-GM-MSGID", b"X-GM-THRID"))
    return GmailIds(msgid, thrid, labels_of(items.get(b"X-GM-LABELS", b"()")))
