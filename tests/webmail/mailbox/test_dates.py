from datetime import UTC, datetime, timedelta
from zoneinfo import ZoneInfo

import pytest

from app.web.filters import Calendar, file_size, hue, initials, zone_of

NOW = datetime(2026, 11, 24, 8, 0, tzinfo=UTC)  # a Tuesday
BERLIN = ZoneInfo("Europe/Berlin")


def at(text: str) -> datetime:
    return datetime.fromisoformat(text).replace(tzinfo=UTC)


@pytest.mark.parametrize(("when", "short", "in_list", "heading"), [
    ("2026-11-24T07:57", "08:57", "08:57", "Today"),
    ("2026-11-23T23:30", "00:30", "00:30", "Today"),  # past midnight in Berlin, not yet in UTC
    ("2026-11-23T22:30", "Yesterday", "23:30", "Yesterday"),
    ("2026-11-22T12:00", "Sun", "Sun", "Last week"),
    ("2026-11-18T12:00", "Wed", "Wed", "Last week"),
    ("2026-11-17T12:00", "17 Nov", "17 Nov", "Last week"),
    ("2026-11-12T12:00", "12 Nov", "12 Nov", "November 2026"),
    ("2025-12-31T12:00", "Dec 2025", "Dec 2025", "December 2025"),
    ("2026-11-25T12:00", "25 Nov", "25 Nov", "Today"),  # a sender's clock ahead of ours
])  # fmt: skip
def test_dates_in_berlin_on_a_tuesday(when, short, in_list, heading):
    calendar = Calendar(NOW, BERLIN)
    assert calendar.short(at(when)) == short
    assert calendar.in_list(at(when)) == in_list
    assert calendar.heading(at(when)) == heading


def test_earlier_this_week_begins_on_monday():
    friday = NOW + timedelta(days=3)
    assert Calendar(friday).heading(NOW) == "Earlier this week"
    assert Calendar(friday).heading(NOW - timedelta(days=2)) == "Last week"


def test_long_dates_name_the_day_and_follow_the_language():
    assert Calendar(NOW, BERLIN).long(NOW) == "Tuesday, 24 November 2026, 09:00"
    assert Calendar(NOW, BERLIN, "de").short(at("2026-11-12T12:00")) == "12. Nov."
    assert Calendar(NOW, BERLIN).date_and_time(at("2026-11-22T17:40")) == "Sun 18:40"
    assert Calendar(NOW, BERLIN).date_and_time(at("2025-11-12T17:40")) == "12 Nov 2025 18:40"


@pytest.mark.parametrize("name", ["", "Nowhere/Nothing", "../../etc/passwd", "x\0y"])
def test_an_unknown_time_zone_is_utc(name):
    assert zone_of(name) is UTC


@pytest.mark.parametrize(("name", "letters"), [
    ("Maren Holt", "MH"), ("maren@holt.example", "MH"), ("", "?"), ("«»", "?"), ("Ö. Ünal", "ÖÜ"),
])  # fmt: skip
def test_initials(name, letters):
    assert initials(name) == letters


def test_a_name_has_the_same_hue_everywhere():
    assert hue("Maren Holt") == hue("Maren Holt")


@pytest.mark.parametrize(("octets", "words"), [
    (0, "0 B"), (999, "999 B"), (1_000, "1.0 KB"), (48_200, "48 KB"), (3_240_000, "3.2 MB"), (7_000_000_000, "7.0 GB"),
])  # fmt: skip
def test_file_size(octets, words):
    assert file_size(octets) == words
