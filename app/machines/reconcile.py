"""What an agent has to do next, decided from what is wanted and what is.  Pure: no clock, process or database."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from enum import StrEnum
from math import inf
from typing import NamedTuple

FIRST_WAIT_S = 1.0
LONGEST_WAIT_S = 300.0
STEADY_S = 60.0


class Slot(NamedTuple):
    """The place of one process: a kind that runs as two has two."""

    kind: str
    number: int


@dataclass(frozen=True, slots=True)
class Wanted:
    """What is wanted of a kind.  `may_start`: nothing forbids it (the mode, or mail that is kept elsewhere)."""

    running: bool
    generation: int = 0
    processes: int = 1
    may_start: bool = True


class Phase(StrEnum):
    STARTING = "starting"
    RUNNING = "running"
    ENDING = "ending"
    WAITING = "waiting"  # it ended by itself and is tried again later


@dataclass(frozen=True, slots=True)
class Actual:
    """A slot in use.  `due_s`: ENDING, when patience ends; WAITING, when it is tried again; monotonic seconds."""

    phase: Phase
    generation: int = 0
    due_s: float = inf


class Deed(StrEnum):
    START = "start"
    END = "end"  # ask it to finish what it does and go
    KILL = "kill"
    FORGET = "forget"  # no longer wait to try again


class Step(NamedTuple):
    deed: Deed
    slot: Slot


def reconcile(desired: Mapping[str, Wanted], actual: Mapping[Slot, Actual], now_s: float) -> Sequence[Step]:
    """The steps to take now, ends before starts.  Nothing is ended but by what is wanted: not by a change of mode."""
    tended = [Step(deed, slot) for slot, found in actual.items() if (deed := _tend(desired, slot, found, now_s))]
    return [*tended, *(Step(Deed.START, slot) for slot in _missing(desired, actual))]


def _tend(desired: Mapping[str, Wanted], slot: Slot, found: Actual, now_s: float) -> Deed | None:
    wanted = desired.get(slot.kind)
    if found.phase is Phase.ENDING:
        return Deed.KILL if now_s >= found.due_s else None
    stays = wanted is not None and wanted.running and slot.number < wanted.processes
    if found.phase is not Phase.WAITING:
        return None if wanted is not None and stays and found.generation == wanted.generation else Deed.END
    if wanted is None or not stays or not wanted.may_start:
        return Deed.FORGET
    return Deed.START if now_s >= found.due_s or found.generation != wanted.generation else None


def _missing(desired: Mapping[str, Wanted], actual: Mapping[Slot, Actual]) -> Iterator[Slot]:
    for kind, wanted in desired.items():
        if wanted.running and wanted.may_start:
            yield from (slot for number in range(wanted.processes) if (slot := Slot(kind, number)) not in actual)


def deaths_in_a_row(before: int, lived_s: float) -> int:
    """How often it ended by itself, with this time; one that ran well for a minute begins anew."""
    return 1 if lived_s >= STEADY_S else before + 1


def wait_before_retry_s(deaths: int) -> float:
    """Seconds until it is tried again: 1, 2, 4 … and never more than five minutes."""
    return float(min(FIRST_WAIT_S * 2.0 ** min(deaths - 1, 20), LONGEST_WAIT_S))
