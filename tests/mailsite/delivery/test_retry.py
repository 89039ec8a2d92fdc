"""When a message is tried again, and what becomes of it."""

from datetime import UTC, datetime, timedelta

import pytest

from mailsite_ext.delivery.retry import KEPT_FOR, Fate, Outcome, next_try, outcome_of, tells_of_delay
from mailsite_ext.replies import Reply

NOW = datetime(2026, 3, 1, 12, tzinfo=UTC)
OK, LATER, NEVER = Reply(250, "ok"), Reply(451, "4.3.0 later"), Reply(550, "5.1.1 no")


def test_waits_grow_and_are_spread():
    waits = [(next_try(tries, NOW, 0.5) - NOW).total_seconds() / 60 for tries in range(1, 10)]
    assert waits == [2, 5, 15, 30, 60, 120, 240, 240, 240]
    assert next_try(1, NOW, 0.0) == NOW + timedelta(seconds=96)
    assert next_try(1, NOW, 1.0) == NOW + timedelta(seconds=144)


@pytest.mark.parametrize(
    ("reply", "age", "fate"),
    [
        (OK, timedelta(), Fate.DELIVERED),
        (NEVER, timedelta(), Fate.FAILED),
        (LATER, timedelta(), Fate.WAITING),
        (LATER, KEPT_FOR - timedelta(hours=5), Fate.WAITING),
        (LATER, KEPT_FOR - timedelta(hours=1), Fate.FAILED),  # the next try would come after its time
        (OK, KEPT_FOR * 2, Fate.DELIVERED),
    ],
)
def test_what_becomes_of_a_recipient(reply, age, fate):
    found = outcome_of(reply, 7, NOW - age, NOW, 0.5)
    assert found == Outcome(fate, NOW + timedelta(hours=4) if fate is Fate.WAITING else NOW)


def test_a_delay_is_told_once():
    assert not tells_of_delay(NOW - timedelta(hours=3), NOW, told=False)
    assert tells_of_delay(NOW - timedelta(hours=4), NOW, told=False)
    assert not tells_of_delay(NOW - timedelta(hours=4), NOW, told=True)
