"""Moments to send later."""

from datetime import UTC, datetime
from zoneinfo import ZoneInfo

import pytest
from hypothesis import given
from hypothesis import strategies as st

from app.outbox.schedule import Later, moment_of, offered

BERLIN, CHATHAM = ZoneInfo("Europe/Berlin"), ZoneInfo("Pacific/Chatham")
SUNDAY_NIGHT = datetime(2026, 11, 22, 23, 30, tzinfo=UTC)  # in Berlin it is Monday already


@pytest.mark.parametrize(
    ("now", "zone", "moments"),
    [
        (datetime(2026, 11, 24, 10, tzinfo=UTC), UTC, ("2026-11-25T08:00", "2026-11-25T13:00", "2026-11-30T08:00")),
        (SUNDAY_NIGHT, BERLIN, ("2026-11-24T08:00", "2026-11-24T13:00", "2026-11-30T08:00")),
        (SUNDAY_NIGHT, UTC, ("2026-11-23T08:00", "2026-11-23T13:00", "2026-11-30T08:00")),
    ],
)
def test_what_is_offered(now, zone, moments):
    assert tuple(f"{moment:%Y-%m-%dT%H:%M}" for moment in offered(now, zone).values()) == moments
    assert all(moment > now for moment in offered(now, zone).values())


@pytest.mark.parametrize(
    ("text", "zone", "moment"),
    [
        ("2026-12-24T08:00", BERLIN, datetime(2026, 12, 24, 7, tzinfo=UTC)),
        ("2026-07-01T08:00", BERLIN, datetime(2026, 7, 1, 6, tzinfo=UTC)),
        ("2026-03-29T02:30", BERLIN, datetime(2026, 3, 29, 1, 30, tzinfo=UTC)),  # skipped
        ("2026-10-25T02:30", BERLIN, datetime(2026, 10, 25, 0, 30, tzinfo=UTC)),  # shown twice
        ("2026-12-24T08:00", CHATHAM, datetime(2026, 12, 23, 18, 15, tzinfo=UTC)),
        ("tomorrow-morning", BERLIN, datetime(2026, 11, 24, 7, tzinfo=UTC)),
        ("", UTC, None),
        ("soon", UTC, None),
        ("2026-13-01T00:00", UTC, None),
        ("0001-01-01T00:00", CHATHAM, None),
    ],
)
def test_what_was_meant(text, zone, moment):
    assert moment_of(text, SUNDAY_NIGHT, zone) == moment


@given(st.text(max_size=40), st.sampled_from([UTC, BERLIN, CHATHAM]))
def test_any_text_is_a_moment_or_none(text, zone):
    moment = moment_of(text, SUNDAY_NIGHT, zone)
    assert moment is None or moment.tzinfo is UTC


def test_names_are_the_only_words():
    assert {moment_of(name, SUNDAY_NIGHT, UTC) is not None for name in Later} == {True}
