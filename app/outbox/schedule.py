"""When a message may be sent later, in the time of whoever wrote it.  Pure."""

from __future__ import annotations

from datetime import UTC, datetime, time, timedelta, tzinfo
from enum import StrEnum

MORNING = time(8)
AFTERNOON = time(13)
FURTHEST = timedelta(days=366)
MONDAY = 0


class Later(StrEnum):
    """The times people choose most."""

    TOMORROW_MORNING = "tomorrow-morning"
    TOMORROW_AFTERNOON = "tomorrow-afternoon"
    MONDAY_MORNING = "monday-morning"


def offered(now: datetime, zone: tzinfo) -> dict[Later, datetime]:
    """The moments the names stand for, in `zone`; where tomorrow is Monday, Monday is a week further."""
    today = now.astimezone(zone).date()
    tomorrow = today + timedelta(days=1)
    to_monday = (MONDAY - tomorrow.weekday() - 1) % 7 + 1
    return {
        Later.TOMORROW_MORNING: datetime.combine(tomorrow, MORNING, zone),
        Later.TOMORROW_AFTERNOON: datetime.combine(tomorrow, AFTERNOON, zone),
        Later.MONDAY_MORNING: datetime.combine(tomorrow + timedelta(days=to_monday), MORNING, zone),
    }


def moment_of(text: str, now: datetime, zone: tzinfo) -> datetime | None:
    """The moment a name of Later or a local date and time ("2026-12-24T08:00") means; None for anything else.

    A time the clock skips in spring is the one an hour later; of a time it shows twice the first is meant.
    """
    if text in set(Later):
        return offered(now, zone)[Later(text)].astimezone(UTC)
    try:
        return datetime.fromisoformat(text).replace(tzinfo=zone).astimezone(UTC)
    except (ValueError, OverflowError):
        return None
