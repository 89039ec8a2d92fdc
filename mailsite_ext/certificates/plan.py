"""When a certificate is ordered, for which names, and when a failed order is tried again.  Pure."""

from __future__ import annotations

from collections.abc import Collection, Iterable, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta

MOST_NAMES = 100  # authorities take no more in one certificate
PREFIXES = ("mta-sts", "autoconfig", "autodiscover")
LOOKED_AT_EVERY = timedelta(days=1)  # names come and go
FIRST_WAIT = timedelta(hours=1)
LONGEST_WAIT = timedelta(days=1)
LONGEST_ASKED = timedelta(days=7)
BY_HAND_AFTER = timedelta(minutes=15)  # an hour has five failures before an authority refuses a name
RENEWED_AFTER = 2 / 3  # of its life
SPREAD = 0.05  # of its life, earlier: not all installations at once


@dataclass(frozen=True, slots=True)
class Held:
    """The certificate that was had last."""

    names: Collection[str]
    directory: str
    renew_at: datetime
    refused: Collection[str] = ()  # asked for with it, and not verified


def candidates(host: str, domains: Iterable[str]) -> Sequence[str]:
    """Names that the certificate should cover where they lead here, the mail host first."""
    further = (f"{prefix}.{domain}" for domain in domains for prefix in PREFIXES)
    return list(dict.fromkeys([host, *further]))[:MOST_NAMES]


def is_due(held: Held | None, names: Collection[str], directory: str, now: datetime) -> bool:
    """Is another certificate wanted?  Names that have gone stay in until it is renewed."""
    if held is None or held.directory != directory:
        return True
    return now >= held.renew_at or not set(names) <= {*held.names, *held.refused}


def renewal(begins_at: datetime, ends_at: datetime, chance: float) -> datetime:
    """At two thirds of its life, or a little before; `chance` from 0 to 1."""
    return begins_at + (ends_at - begins_at) * (RENEWED_AFTER - SPREAD * chance)


def next_look(renew_at: datetime, now: datetime) -> datetime:
    return min(renew_at, now + LOOKED_AT_EVERY)


def next_try(failures: int, now: datetime, chance: float, asked_to_wait: timedelta) -> datetime:
    """After `failures` failed orders: an hour, 2, 4 … at most a day, and a tenth of that more; never before the
    authority lets us (Retry-After, RFC 8555 §6.6)."""
    wait: timedelta = min(FIRST_WAIT * 2 ** min(failures - 1, 10), LONGEST_WAIT)
    return now + max(wait * (1 + chance / 10), min(asked_to_wait, LONGEST_ASKED))


def may_ask(failures: int, tried_at: datetime | None, now: datetime) -> bool:
    """May an admin have it tried at once?"""
    return not failures or tried_at is None or now >= tried_at + BY_HAND_AFTER
