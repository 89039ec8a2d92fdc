"""Every input that once broke something, and a few hundred of chance a target; `make fuzz` goes on from there."""

from __future__ import annotations

import random
import time
from itertools import islice

import pytest

from tests.fuzz.explore import LONGEST_S, Broken, Target, check, inputs, kept, smallest
from tests.fuzz.targets import TARGETS

TRIED = 250  # about two seconds a target at most


@pytest.mark.parametrize("name", TARGETS)
def test_what_is_read_keeps_its_promises(name):
    target = TARGETS[name]
    pool = [*target.seeds, *kept(target).values()]
    for octets in [*pool, *islice(inputs(target, random.Random(1), pool), TRIED)]:
        check(target, octets)


def test_a_target_that_breaks_is_noticed_and_made_small():
    def read(octets: bytes) -> None:
        if b"boom" in octets:
            raise KeyError

    target = Target("broken", read, (b"x" * 50 + b"boom" + b"y" * 50,))
    with pytest.raises(KeyError):
        check(target, target.seeds[0])
    assert smallest(target, target.seeds[0], KeyError) == b"boom"


def test_a_target_that_takes_long_is_noticed():
    def read(octets: bytes) -> None:
        ends_s = time.process_time() + 1.1 * LONGEST_S
        while time.process_time() < ends_s:
            pass

    with pytest.raises(Broken):
        check(Target("slow", read, ()), b"")
