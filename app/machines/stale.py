"""Which settings a service runs with that are others by now.  Pure."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import NamedTuple


class Difference(NamedTuple):
    """A setting by its name; None where one side does not know it."""

    name: str
    running: str | None
    stored: str | None


def differences(running: Mapping[str, str], stored: Mapping[str, str]) -> Sequence[Difference]:
    """The settings that differ, in the order in which they are stored."""
    names = dict.fromkeys([*stored, *running])
    found = (Difference(name, running.get(name), stored.get(name)) for name in names)
    return [difference for difference in found if difference.running != difference.stored]
