"""When a message is tried again, and what becomes of a recipient by an answer (RFC 5321 §4.5.4.1, X4).  Pure."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime, timedelta
from enum import StrEnum

from mailsite_ext.replies import Reply

KEPT_FOR = timedelta(days=5)
TOLD_AFTER = timedelta(hours=4)  # the sender hears of a delay once
WAITS = tuple(timedelta(minutes=minutes) for minutes in (2, 5, 15, 30, 60, 120, 240))
"""Between tries, the last one again and again.  Short at first: greylisting and restarts are over in minutes."""
JITTER = 0.2


class Fate(StrEnum):
    """What is known of one recipient's copy.  Those after HELD are final."""

    WAITING = "waiting"
    HELD = "held"  # by an admin
    DELIVERED = "delivered"  # another server answers for it
    FAILED = "failed"
    DROPPED = "dropped"  # by an admin


FINAL = frozenset({Fate.DELIVERED, Fate.FAILED, Fate.DROPPED})


class Notice(StrEnum):
    """What the sender is told (RFC 3464 §2.3.3)."""

    FAILED = "failed"
    DELAYED = "delayed"
    DELIVERED = "delivered"
    RELAYED = "relayed"  # handed to a server that tells nothing further (RFC 3461 §5.2.2)


@dataclass(frozen=True, slots=True)
class Outcome:
    """`next_at` counts while WAITING."""

    fate: Fate
    next_at: datetime


def next_try(tries: int, now: datetime, chance: float) -> datetime:
    """When to try again after `tries` of them, `chance` in 0..1 spreading what failed together."""
    wait = WAITS[min(max(tries, 1), len(WAITS)) - 1]
    return now + wait * (1 - JITTER + 2 * JITTER * chance)


def outcome_of(reply: Reply, tries: int, queued_at: datetime, now: datetime, chance: float) -> Outcome:
    """What becomes of a recipient that got `reply` at try number `tries`."""
    if 200 <= reply.code < 300:
        return Outcome(Fate.DELIVERED, now)
    again_at = next_try(tries, now, chance)
    if reply.code >= 500 or again_at > queued_at + KEPT_FOR:
        return Outcome(Fate.FAILED, now)
    return Outcome(Fate.WAITING, again_at)


def tells_of_delay(queued_at: datetime, now: datetime, *, told: bool) -> bool:
    return not told and now - queued_at >= TOLD_AFTER
