"""What an account does when: names and due times."""

from __future__ import annotations

from datetime import datetime

from app.clock import Clock


class Timetable:
    """Each name is due once; planning it again moves it.  Any thread may plan, the engine's loop collects."""

    def __init__(self, clock: Clock) -> None:
        self._clock = clock
        self._due: dict[str, float] = {}

    def plan(self, what: str, in_s: float) -> None:
        self._due[what] = self._clock.monotonic_s() + in_s

    def plan_at(self, what: str, at: datetime | None) -> None:
        """The same by the calendar; None plans nothing."""
        if at is not None:
            self.plan(what, (at - self._clock.now()).total_seconds())

    def collect(self) -> list[str]:
        """What is due by now; it is no longer planned."""
        now_s = self._clock.monotonic_s()
        due = [what for what, due_s in list(self._due.items()) if due_s <= now_s]
        for what in due:
            self._due.pop(what, None)
        return due
