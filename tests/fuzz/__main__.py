"""python -m tests.fuzz [--seconds 60] [--seed N] [target …]: what breaks is kept, and then fails every test run."""

from __future__ import annotations

import argparse
import hashlib
import secrets
import sys
import traceback

from tests.fuzz.explore import CORPUS, Explorer, smallest
from tests.fuzz.targets import TARGETS


def main() -> int:
    parser = argparse.ArgumentParser(prog="python -m tests.fuzz", description=__doc__)
    parser.add_argument("--seconds", type=float, default=60, help="for each target")
    parser.add_argument("--seed", type=int, default=secrets.randbelow(1_000_000))
    parser.add_argument("targets", nargs="*", help=f"of {', '.join(TARGETS)}; all without")
    given = parser.parse_args()
    unknown = set(given.targets) - set(TARGETS)
    if unknown:
        parser.error(f"no target {', '.join(sorted(unknown))}")
    print(f"Seed {given.seed}; {given.seconds:g} s for each target")
    return sum([explore(name, given.seconds, given.seed) for name in given.targets or TARGETS]) and 1


def explore(name: str, seconds: float, seed: int) -> bool:
    """Whether something broke; it is then printed, made small and kept."""
    explorer = Explorer(TARGETS[name], seed)
    broken = explorer.run(seconds)
    print(f"{name:20} {explorer.tried:8,} inputs  {explorer.reached:6,} steps  {'BROKEN' if broken else 'good'}")
    if broken:
        keep(name, *broken)
    return bool(broken)


def keep(name: str, octets: bytes, fault: BaseException) -> None:
    small = smallest(TARGETS[name], octets, type(fault))
    folder = CORPUS / name
    folder.mkdir(parents=True, exist_ok=True)
    file = folder / f"broke-{hashlib.sha256(small).hexdigest()[:12]}"
    file.write_bytes(small)
    traceback.print_exception(fault)
    print(f"\nKept as {file}:\n{small[:500]!r}\n")


if __name__ == "__main__":
    sys.exit(main())
