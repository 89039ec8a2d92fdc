"""Waits after failures."""

from __future__ import annotations

import pytest

from app.engine.backoff import wait_s
from app.errors import ConnectionLost, GrantRevoked, LoginRefused, MailError, TimedOut, TooManyConnections


@pytest.mark.parametrize(("error", "failures", "expected"), [
    (ConnectionLost(), 1, 1),
    (ConnectionLost(), 2, 2),
    (TimedOut(), 5, 16),
    (TimedOut(), 100, 300),  # five minutes, however long it is away
    (TooManyConnections(), 1, 30),  # the server counts dead connections for a while
    (TooManyConnections(), 10, 600),
    (LoginRefused(), 1, 300),  # many tries lock accounts out
    (GrantRevoked(), 1, 300),  # a kind of refused login
    (LoginRefused(), 10, 3_600),
    (MailError(), 1, 1),
])  # fmt: skip
def test_waits_grow_to_a_bound(error: MailError, failures: int, expected: float) -> None:
    assert wait_s(error, failures) == expected


def test_nothing_failed_is_a_mistake() -> None:
    with pytest.raises(ValueError):
        wait_s(MailError(), 0)
