"""A chart of days as rectangles, for an SVG: what passed below, what failed on top of it.  Pure."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import date, timedelta

LEAST_HEIGHT = 1.5  # of what is not nothing


@dataclass(frozen=True, slots=True)
class Day:
    """One day, or as many as `begin` of the next says."""

    begin: date
    passed: int
    failed: int

    @property
    def total(self) -> int:
        return self.passed + self.failed


@dataclass(frozen=True, slots=True)
class Bar:
    day: Day
    x: float
    width: float
    passed_y: float
    passed_height: float
    failed_y: float
    failed_height: float


def days_of(counts: Mapping[date, tuple[int, int]], end: date, days: int, step: int = 1) -> Sequence[Day]:
    """The `days` that end with `end`, by groups of `step`; `counts`: (passed, failed) of each day."""
    begin = end - timedelta(days=days - 1)
    found = []
    for first in range(0, days, step):
        of_group = [counts.get(begin + timedelta(days=first + number), (0, 0)) for number in range(step)]
        passed, failed = (sum(column) for column in zip(*of_group, strict=True))
        found.append(Day(begin + timedelta(days=first), passed, failed))
    return found


def bars(days: Sequence[Day], width: float, height: float) -> Sequence[Bar]:
    """The largest day is as high as there is room; a day without anything has no height."""
    most = max((day.total for day in days), default=0) or 1
    each = width / max(len(days), 1)
    return [_bar(day, number * each, each * 0.8, height, most) for number, day in enumerate(days)]


def _bar(day: Day, x: float, width: float, height: float, most: int) -> Bar:
    passed, failed = (_height(part, height, most) for part in (day.passed, day.failed))
    passed = min(passed, height - failed)
    passed_y = height - passed
    return Bar(day, round(x, 2), round(width, 2), round(passed_y, 2), round(passed, 2), round(passed_y - failed, 2),
               round(failed, 2))  # fmt: skip


def _height(part: int, height: float, most: int) -> float:
    return max(part * height / most, LEAST_HEIGHT) if part else 0.0
