"""Running a target on many inputs: those that reach lines not reached before are worth changing further."""

from __future__ import annotations

import random
import resource
import sys
import time
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from functools import cache
from pathlib import Path
from types import CodeType, FrameType
from typing import Any

from tests.fuzz.mutate import Mutator

CORPUS = Path(__file__).parent / "corpus"
LONGEST_S = 0.5  # CPU time for one input
MOST_KIB = 65_536  # by which one input may raise the process's memory
OURS = tuple(str(Path(__file__).parents[2] / folder) for folder in ("app/", "mailsite_ext/"))


@dataclass(frozen=True)
class Target:
    """Something that reads.  `read` raises where an input broke a promise; the declared errors it keeps to itself."""

    name: str
    read: Callable[[bytes], object]
    seeds: Sequence[bytes]
    dictionary: Sequence[bytes] = ()


class Broken(Exception):
    """An input took too long, or too much memory."""


def check(target: Target, octets: bytes) -> None:
    """Raises what the target raised, or Broken."""
    before_kib = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
    began_s = time.process_time()
    target.read(octets)
    took_s = time.process_time() - began_s
    if took_s > LONGEST_S and (took_s := _seconds(target, octets)) > LONGEST_S:  # twice: once may be the collector
        raise Broken(f"{took_s:.2f} s for {len(octets)} octets")
    grown_kib = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss - before_kib
    if grown_kib > MOST_KIB:
        raise Broken(f"{grown_kib} KiB for {len(octets)} octets")


def _seconds(target: Target, octets: bytes) -> float:
    began_s = time.process_time()
    target.read(octets)
    return time.process_time() - began_s


def kept(target: Target) -> dict[str, bytes]:
    """The inputs in the tree, by name: seeds worth keeping, and every input that broke something once."""
    return {path.name: path.read_bytes() for path in sorted((CORPUS / target.name).glob("*"))}


def inputs(target: Target, chance: random.Random, pool: Sequence[bytes]) -> Iterator[bytes]:
    """Without end; `pool` may grow meanwhile."""
    mutator = Mutator(chance, target.dictionary)
    while True:
        yield mutator.mutated(chance.choice(pool), chance.choice(pool))


class Explorer:
    """Looks for inputs that break a target, led by the lines they reach."""

    def __init__(self, target: Target, seed: int) -> None:
        self.target = target
        self.tried = 0
        self._pool = [*target.seeds, *kept(target).values()]
        self._inputs = inputs(target, random.Random(seed), self._pool)
        self._seen: set[tuple[CodeType, int, int]] = set()

    @property
    def reached(self) -> int:
        """Steps from one line to another seen so far."""
        return len(self._seen)

    def run(self, seconds: float) -> tuple[bytes, BaseException] | None:
        """The first input that breaks something, and how."""
        ends_at = time.monotonic() + seconds
        for octets in [*self._pool]:
            if fault := self._try(octets):
                return octets, fault
        while time.monotonic() < ends_at:
            octets = next(self._inputs)
            if fault := self._try(octets):
                return octets, fault
        return None

    def _try(self, octets: bytes) -> BaseException | None:
        self.tried += 1
        before = len(self._seen)
        try:
            check(self.target, octets)  # untraced: it keeps the time
            forget_all()
            with_lines(self.target.read, octets, self._seen)
        except Exception as fault:
            return fault
        if len(self._seen) > before:
            self._pool.append(octets)
        return None


def forget_all() -> None:
    """Whatever was remembered of an input, so that it is read again."""
    for remembering in remembering_functions():
        remembering.cache_clear()


@cache
def remembering_functions() -> list[Any]:
    ours = [module for name, module in sorted(sys.modules.items()) if name.startswith(("app.", "mailsite_ext."))]
    return [value for module in ours for value in vars(module).values() if hasattr(value, "cache_clear")]


def with_lines(read: Callable[[bytes], object], octets: bytes, seen: set[tuple[CodeType, int, int]]) -> None:
    """Read, and note in `seen` which steps from line to line of our code are taken."""

    def enter(frame: FrameType, _event: str, _argument: Any) -> Callable[..., Any] | None:
        if not frame.f_code.co_filename.startswith(OURS):
            return None
        frame.f_trace_opcodes, code, last = False, frame.f_code, 0

        def step(frame: FrameType, event: str, _argument: Any) -> Callable[..., Any]:
            nonlocal last
            if event == "line":
                seen.add((code, last, frame.f_lineno))
                last = frame.f_lineno
            return step

        return step

    sys.settrace(enter)
    try:
        read(octets)
    finally:
        sys.settrace(None)


def smallest(target: Target, octets: bytes, kind: type[BaseException]) -> bytes:
    """An input as small as leaving pieces out makes it that breaks the target in the same way."""
    size = max(len(octets) // 2, 1)
    while size:
        at = 0
        while at < len(octets):
            shorter = octets[:at] + octets[at + size :]
            if _breaks(target, shorter, kind):
                octets = shorter
            else:
                at += size
        size //= 2
    return octets


def _breaks(target: Target, octets: bytes, kind: type[BaseException]) -> bool:
    try:
        check(target, octets)
    except Exception as fault:
        return type(fault) is kind
    return False
