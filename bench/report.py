"""Percentiles and the table that is printed."""

from __future__ import annotations

import time
from collections.abc import Callable, Sequence


def percentile(values: Sequence[float], share: float) -> float:
    """The value below which `share` of `values` lie (nearest rank)."""
    ordered = sorted(values)
    return ordered[min(len(ordered) - 1, int(len(ordered) * share))]


def time_ms(operation: Callable[[], object], runs: int) -> list[float]:
    """Milliseconds of each of `runs` calls, after one that warms."""
    operation()
    taken = []
    for _ in range(runs):
        begun = time.perf_counter()
        operation()
        taken.append((time.perf_counter() - begun) * 1000)
    return taken


def row(*cells: object) -> None:
    """One line of a Markdown table, printed at once."""
    print(
        "| " + " | ".join(f"{cell:.1f}" if isinstance(cell, float) else str(cell) for cell in cells) + " |", flush=True
    )


def head(*names: str) -> None:
    print()
    row(*names)
    row(*("---" for _ in names))
