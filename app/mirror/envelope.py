"""What the mirror reads from a message's raw header fields.

Pure, and it never raises: the fields come from anybody.  Lengths are bounded, so that a message takes about 2 KiB of
the mirror whatever it holds.
"""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta, timezone
from email.utils import parsedate_tz
from functools import lru_cache
from typing import NamedTuple

from app.messages import decode
from app.mirror.conversations import hash_octets, id_hash, links_of, message_ids

MAX_HEADER_OCTETS = 65_536  # read of a message's fields
MAX_FIELD_OCTETS = 2_000  # a longer field is not kept: better none than half of one
MAX_KEPT_OCTETS = 4_096
MAX_LIST_OCTETS = 4_000  # of To and Cc, read for the list
MAX_SUBJECT_CHARS = 250
MAX_NAME_CHARS = 100
MAX_ADDRESS_CHARS = 254
MAX_RECIPIENTS = 10
MAX_ID_CHARS = 998  # a line, RFC 5322 §2.1.1
REMEMBERED_OCTETS = 200

FOLD = re.compile(rb"\r?\n(?=[ \t])")
# The pieces of an address list; the bounds keep a hostile one linear.
QUOTED = r'"(?:[^"\\]|\\.){0,300}+"'
COMMENT = r"\((?:[^()\\]|\\.){0,300}+\)"
ADDRESSES = re.compile(rf'(?:{QUOTED}|<[^<>]{{0,320}}>|{COMMENT}|[^,;"<(]|["<(])++', re.DOTALL)
USUAL_MAILBOX = re.compile(r"([A-Za-z0-9 .'-]{0,100}?) ?<([A-Za-z0-9.!#$%&'*+/=?^_{|}~-]{1,64}@[A-Za-z0-9.-]{1,189})>")
GROUP_NAME = re.compile(r'^[^"<(@:]{0,200}:')
ANGLE = re.compile(r"<([^<>]{0,320})>")
COMMENTED = re.compile(rf"{COMMENT}", re.DOTALL)
ESCAPED = re.compile(r"\\(.)", re.DOTALL)
WORD = re.compile(r"[^\s<>]{1,998}")
FIELD = re.compile(rb"^([^:\r\n]+):([^\r\n]*)", re.MULTILINE)
# The usual form of RFC 5322 §3.3, read at once; anything else goes the long way.
USUAL_DATE = re.compile(
    r"(?:[A-Za-z]{3}, )?([0-9]{1,2} [A-Z][a-z]{2} [0-9]{4}) "
    r"([01][0-9]|2[0-3]):([0-5][0-9]):([0-5][0-9]|60) ([+-][0-9]{4})\b"
)
MONTH_NAMES = ("Jan", "Feb", "Mar", "Apr", "May", "Jun", "Jul", "Aug", "Sep", "Oct", "Nov", "Dec")
MONTHS = {name: number for number, name in enumerate(MONTH_NAMES, 1)}


@dataclass(frozen=True, slots=True)
class Mailbox:
    """A name and an address (RFC 5322 §3.4), either possibly empty."""

    name: str
    address: str

    @property
    def shown(self) -> str:
        return self.name or self.address


class Envelope(NamedTuple):
    """The header fields of a message, as the mirror's columns; `links` are for its conversation."""

    subject: str
    from_name: str
    from_address: str
    recipients: str
    sent_at: datetime | None
    message_id: str
    message_id_hash: int
    links: tuple[int, ...]
    header: bytes


def read_envelope(header: bytes) -> Envelope:
    fields = split_fields(header)
    message_id = read_message_id(fields.get(b"message-id", b""))
    own = id_hash(message_id) if message_id else hash_octets(header)
    author = _author(fields)
    return Envelope(
        subject=shown(fields.get(b"subject", b""))[:MAX_SUBJECT_CHARS],
        from_name=author.name,
        from_address=author.address,
        recipients=_recipients(fields.get(b"to", b""), fields.get(b"cc", b"")),
        sent_at=parse_date(_ascii(fields.get(b"date", b""))),
        message_id=message_id,
        message_id_hash=own,
        links=links_of(own, _named_ids(fields)),
        header=kept(header),
    )


def shown_author(header: bytes) -> str:
    """The address a message is shown to be from; empty for none."""
    return _author(split_fields(header)).address


def _author(fields: Mapping[bytes, bytes]) -> Mailbox:
    return first_mailbox(fields.get(b"from", b"") or fields.get(b"sender", b""))


def split_fields(header: bytes) -> Mapping[bytes, bytes]:
    """The fields by lower-case name, unfolded; of several with one name, the first."""
    text = header[:MAX_HEADER_OCTETS]
    if b"\n " in text or b"\n\t" in text:
        text = FOLD.sub(b"", text)
    return {name.rstrip().lower(): value.strip() for name, value in reversed(FIELD.findall(text))}


def kept(header: bytes) -> bytes:
    """The fields worth storing: whole ones only, none longer than MAX_FIELD_OCTETS, MAX_KEPT_OCTETS in all."""
    if len(header) <= MAX_FIELD_OCTETS:
        return header
    fields = re.split(rb"\r?\n(?![ \t])", header[:MAX_HEADER_OCTETS])
    text = b""
    for field in fields:
        if len(field) <= MAX_FIELD_OCTETS and len(text) + len(field) + 2 <= MAX_KEPT_OCTETS and field.strip():
            text += field + b"\r\n"
    return text


def shown(value: bytes) -> str:
    """A field's value for people.  Nearly all are plain ASCII, which needs no decoding."""
    if b"=?" not in value and value.isascii():
        text = value.decode("ascii")
        if text.isprintable():
            return text
    return decode.header(value)


def _ascii(value: bytes) -> str:
    """Without NUL, which no header may hold (RFC 5322 §2.2) and PostgreSQL does not store."""
    return value.decode("utf-8", "replace").replace("\0", "")


def read_message_id(value: bytes) -> str:
    """The id without angle brackets; one that lacks them is taken as it is."""
    text = _ascii(value[: MAX_ID_CHARS + 2])
    found = message_ids(text)
    word = WORD.search(text)
    return found[0] if found else word[0] if word else ""


def _named_ids(fields: Mapping[bytes, bytes]) -> Sequence[str]:
    """The ids a message refers to (RFC 5322 §3.6.4)."""
    return [
        name
        for field in (b"references", b"in-reply-to")
        if (value := fields.get(field))
        for name in message_ids(_ascii(value))
    ]


def first_mailbox(value: bytes) -> Mailbox:
    """The first address of a list."""
    return next(iter(mailboxes(value, limit=1)), Mailbox("", ""))


def mailboxes(value: bytes, *, limit: int) -> Sequence[Mailbox]:
    """The first addresses of a list (RFC 5322 §3.4), at most `limit`, read leniently; groups are taken apart."""
    return _remembered_mailboxes(value, limit) if len(value) <= REMEMBERED_OCTETS else _mailboxes(value, limit)


@lru_cache(2048)
def _remembered_mailboxes(value: bytes, limit: int) -> Sequence[Mailbox]:
    """The same people write again and again, to the same ones."""
    return _mailboxes(value, limit)


def _mailboxes(value: bytes, limit: int) -> Sequence[Mailbox]:
    if not value or not limit:
        return ()
    text = decode.text(value[:MAX_LIST_OCTETS]) if not value.isascii() else value[:MAX_LIST_OCTETS].decode("ascii")
    if usual := USUAL_MAILBOX.fullmatch(text):
        return (Mailbox(usual[1].strip(), usual[2]),)
    found: list[Mailbox] = []
    for piece in ADDRESSES.finditer(text):
        text = piece[0].strip()
        mailbox = _remembered_mailbox(text) if len(text) <= REMEMBERED_OCTETS else _mailbox(text)
        if mailbox.name or mailbox.address:
            found.append(mailbox)
        if len(found) == limit:
            break
    return tuple(found)


@lru_cache(2048)
def _remembered_mailbox(text: str) -> Mailbox:
    return _mailbox(text)


def _mailbox(text: str) -> Mailbox:
    if ":" in text and (group := GROUP_NAME.match(text)):
        text = text[group.end() :].strip()
    for angle in list(ANGLE.finditer(text))[-1:]:  # one in the quoted name is none
        return Mailbox(_phrase(text[: angle.start()]), _address(angle[1]))
    comment = COMMENTED.search(text)
    if comment:
        return Mailbox(_phrase(comment[0][1:-1]), _address(text[: comment.start()]))
    return Mailbox("", _address(text)) if "@" in text else Mailbox(_phrase(text), "")


def _phrase(text: str) -> str:
    """A display name: quotes taken off, encoded words decoded."""
    text = text.strip()
    if len(text) > 1 and text[0] == text[-1] == '"':
        text = ESCAPED.sub(r"\1", text[1:-1])
    if "=?" not in text and text.isprintable():
        return text[:MAX_NAME_CHARS].strip()
    return decode.header(text)[:MAX_NAME_CHARS].strip()


def _address(text: str) -> str:
    return decode.printable(text).replace(" ", "")[:MAX_ADDRESS_CHARS]


def _recipients(to: bytes, cc: bytes) -> str:
    """To and Cc as the lists of Sent and Drafts show them."""
    short = len(to) + len(cc) <= REMEMBERED_OCTETS
    return _remembered_recipients(to, cc) if short else _listed_recipients(to, cc)


@lru_cache(2048)
def _remembered_recipients(to: bytes, cc: bytes) -> str:
    return _listed_recipients(to, cc)


def _listed_recipients(to: bytes, cc: bytes) -> str:
    main = mailboxes(to, limit=MAX_RECIPIENTS)
    copied = mailboxes(cc, limit=MAX_RECIPIENTS - len(main))
    return ", ".join(mailbox.shown for mailbox in (*main, *copied))


def parse_date(text: str) -> datetime | None:
    """The moment a Date field names, in UTC; None if it names none."""
    usual = USUAL_DATE.match(text)
    try:
        return _usual_date(usual) if usual else _any_date(text[:100])
    except (ValueError, TypeError, IndexError, OverflowError, KeyError):
        return None


def _usual_date(match: re.Match[str]) -> datetime:
    day, hour, minute, second, zone = match.groups()
    return _midnight(day, zone) + timedelta(0, int(hour) * 3600 + int(minute) * 60 + min(int(second), 59))


@lru_cache(4096)
def _midnight(day: str, zone: str) -> datetime:
    """The beginning of a day ("24 Nov 2026") somewhere ("+0100"), in UTC."""
    number, month, year = day.split(" ")
    offset = timedelta(hours=int(zone[1:3]), minutes=int(zone[3:]))
    local = datetime(int(year), MONTHS[month], int(number), tzinfo=UTC)
    return local - offset if zone.startswith("+") else local + offset


def _any_date(text: str) -> datetime | None:
    found = parsedate_tz(text)
    if found is None:
        return None
    zone = timezone(timedelta(seconds=found[9] or 0))
    return datetime(*found[:5], min(found[5], 59), tzinfo=zone).astimezone(UTC)
