"""What an agent does next, as a table."""

from __future__ import annotations

from math import inf

import pytest
from hypothesis import given
from hypothesis import strategies as st

from app.machines.reconcile import (
    Actual,
    Deed,
    Phase,
    Slot,
    Step,
    Wanted,
    deaths_in_a_row,
    reconcile,
    wait_before_retry_s,
)

A, B = Slot("smtp", 0), Slot("smtp", 1)
RUNS, STOPS = Wanted(running=True), Wanted(running=False)
FORBIDDEN = Wanted(running=True, may_start=False)


@pytest.mark.parametrize(("wanted", "actual", "steps"), [
    # nothing there
    (RUNS, {}, [(Deed.START, A)]),
    (STOPS, {}, []),
    (FORBIDDEN, {}, []),
    (Wanted(running=True, processes=2), {}, [(Deed.START, A), (Deed.START, B)]),
    (None, {}, []),
    # it runs
    (RUNS, {A: Actual(Phase.RUNNING)}, []),
    (RUNS, {A: Actual(Phase.STARTING)}, []),
    (STOPS, {A: Actual(Phase.RUNNING)}, [(Deed.END, A)]),
    (STOPS, {A: Actual(Phase.STARTING)}, [(Deed.END, A)]),
    (FORBIDDEN, {A: Actual(Phase.RUNNING)}, []),  # M5: a change of mode ends nothing
    (None, {A: Actual(Phase.RUNNING)}, [(Deed.END, A)]),  # nobody knows its kind any more
    (RUNS, {A: Actual(Phase.RUNNING), B: Actual(Phase.RUNNING)}, [(Deed.END, B)]),  # one process too many
    (Wanted(running=True, generation=2), {A: Actual(Phase.RUNNING, 1)}, [(Deed.END, A)]),  # restart
    # it ends
    (RUNS, {A: Actual(Phase.ENDING, due_s=101)}, []),  # none starts beside one that finishes
    (STOPS, {A: Actual(Phase.ENDING, due_s=100)}, [(Deed.KILL, A)]),
    (STOPS, {A: Actual(Phase.ENDING, due_s=inf)}, []),  # killed once is enough
    # it died
    (RUNS, {A: Actual(Phase.WAITING, due_s=101)}, []),
    (RUNS, {A: Actual(Phase.WAITING, due_s=100)}, [(Deed.START, A)]),
    (Wanted(running=True, generation=1), {A: Actual(Phase.WAITING, due_s=101)}, [(Deed.START, A)]),  # start pressed
    (STOPS, {A: Actual(Phase.WAITING, due_s=101)}, [(Deed.FORGET, A)]),
    (FORBIDDEN, {A: Actual(Phase.WAITING, due_s=100)}, [(Deed.FORGET, A)]),
])  # fmt: skip
def test_the_next_steps(wanted, actual, steps):
    desired = {} if wanted is None else {"smtp": wanted}
    assert reconcile(desired, actual, 100) == [Step(*step) for step in steps]


def test_ends_come_before_starts():
    desired = {"imap": RUNS, "smtp": STOPS}
    steps = reconcile(desired, {A: Actual(Phase.RUNNING)}, 0)
    assert [step.deed for step in steps] == [Deed.END, Deed.START]


PHASES = st.builds(Actual, st.sampled_from(Phase), st.integers(0, 2), st.sampled_from([50.0, 150.0]))
WISHES = st.builds(Wanted, st.booleans(), st.integers(0, 2), st.integers(1, 3), st.booleans())


@given(
    st.dictionaries(st.sampled_from(["a", "b"]), WISHES),
    st.dictionaries(st.builds(Slot, st.sampled_from(["a", "b", "c"]), st.integers(0, 3)), PHASES),
)
def test_no_slot_gets_two_steps_and_none_starts_where_a_process_lives(desired, actual):
    steps = reconcile(desired, actual, 100)
    assert len({step.slot for step in steps}) == len(steps)
    for step in steps:
        if step.deed is Deed.START:
            assert step.slot not in actual or actual[step.slot].phase is Phase.WAITING
            assert desired[step.slot.kind].running
            assert desired[step.slot.kind].may_start


def test_waits_grow_and_end_at_five_minutes():
    assert [wait_before_retry_s(deaths) for deaths in (1, 2, 3, 8, 9, 10, 10_000)] == [1, 2, 4, 128, 256, 300, 300]


@pytest.mark.parametrize(("before", "lived_s", "deaths"), [(0, 1, 1), (3, 59, 4), (3, 60, 1)])
def test_a_minute_of_good_work_is_a_new_beginning(before, lived_s, deaths):
    assert deaths_in_a_row(before, lived_s) == deaths
