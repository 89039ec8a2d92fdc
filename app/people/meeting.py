"""Whom messages name: those they were sent to, and those they came from.  Pure."""

from __future__ import annotations

import re
from collections.abc import Collection, Iterable, Iterator, Mapping
from dataclasses import dataclass, replace
from datetime import datetime
from functools import lru_cache

from app.compose.addresses import Address, parse_addresses
from app.mirror.envelope import Mailbox, mailboxes, split_fields
from app.people.ranking import GOT_FROM, WROTE_TO, together, weight_of

MAX_NAME_CHARS = 200
CONTROLS = re.compile(r"[\x00-\x1f\x7f\u202a-\u202e\u2066-\u2069]+")
MAX_RECIPIENTS = 30  # a message; who writes to more knows them by a list
NOBODY = re.compile(r"(no[-_.]?reply|do[-_.]?not[-_.]?reply|mailer-daemon|postmaster|bounces?)([-+._=].*)?", re.I)


@dataclass(frozen=True, slots=True)
class Letter:
    """What is looked at of a message; `is_sent` says that the person wrote it, which its From alone never shows."""

    from_name: str
    from_address: str
    received_at: datetime
    header: bytes
    is_sent: bool


@dataclass(frozen=True, slots=True)
class Met:
    """Somebody some messages name."""

    name: str
    address: Address
    weight: float


def people_of(letters: Iterable[Letter], own: Collection[str], now: datetime) -> Mapping[str, Met]:
    """Who stands in the letters, by key; none of the person's `own` addresses, and nobody no one can answer.

    A date to come counts as today: nobody comes first by claiming one.
    """
    found: dict[str, Met] = {}
    for letter in letters:
        weight = weight_of(min(letter.received_at, now), WROTE_TO if letter.is_sent else GOT_FROM)
        for mailbox in _named(letter):
            address = _address(mailbox.address)
            if address is not None and address.key not in own:
                _add(found, Met(name_of(mailbox), address, weight))
    return found


def _add(found: dict[str, Met], met: Met) -> None:
    before = found.get(met.address.key)
    if before is not None:
        met = replace(met, name=before.name or met.name, weight=together(before.weight, met.weight))
    found[met.address.key] = met


def _named(letter: Letter) -> Iterator[Mailbox]:
    if not letter.is_sent:
        yield Mailbox(letter.from_name, letter.from_address)
        return
    fields = split_fields(letter.header)
    for field in (b"to", b"cc"):
        yield from mailboxes(fields.get(field, b""), limit=MAX_RECIPIENTS)


@lru_cache(4096)
def _address(text: str) -> Address | None:
    """An address that may be written to; nothing for what is none, and for machines that read no answers."""
    typed = parse_addresses(text)
    if len(typed.addresses) != 1 or typed.bad:
        return None
    address = typed.addresses[0]
    return None if NOBODY.fullmatch(address.address.rpartition("@")[0]) else address


def name_of(mailbox: Mailbox) -> str:
    """The name on one line, without marks that turn other text round.

    None if it claims to be an address: a stranger's that reads like a friend's would deceive.
    """
    name = " ".join(CONTROLS.sub(" ", mailbox.name).split())[:MAX_NAME_CHARS].strip("'\" ")
    return "" if "@" in name else name
