"""Listeners that ask nothing about mail from outside, to be measured beside those that do."""

from __future__ import annotations

from collections.abc import Callable, Iterable

from mailsite_ext.delivery.inbound import Arrival
from mailsite_ext.listeners import __main__ as listeners
from mailsite_ext.listeners.examining import Examining


async def as_it_came(_examining: Examining, arrival: Arrival, _blocks: Callable[[], Iterable[bytes]]) -> Arrival:
    return arrival


if __name__ == "__main__":
    Examining.examined = as_it_came  # type: ignore[assignment, method-assign]
    listeners.main()
