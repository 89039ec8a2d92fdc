"""Batches of UIDs (RFC 10022): each message is in one, none is larger than was asked for."""

from __future__ import annotations

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from mailsite_ext.imap.batches import batches


@pytest.mark.parametrize(
    ("uids", "size", "first", "last", "expected"),
    [
        ([], 500, 1, None, []),
        ([], 500, 1, 9, []),
        ([302], 500, 1, None, [(302, 1)]),  # down to 1: it is the last
        ([1, 2, 3, 4], 2, 1, None, [(4, 3), (2, 1)]),
        ([1, 2, 3, 4, 5], 2, 1, None, [(5, 4), (3, 2), (1, 1)]),
        ([7, 20, 30, 99], 2, 1, None, [(99, 21), (20, 1)]),  # no gap between them
        ([1, 2, 3, 4, 5], 2, 2, 2, [(3, 2)]),
        ([1, 2, 3, 4, 5], 2, 2, 9, [(3, 2), (1, 1)]),  # those there are, RFC 10022 §3.1.5
        ([1, 2, 3, 4, 5], 2, 4, 9, []),  # RFC 10022 §3.1.6
        (range(1, 100_001), 2_000, 10, 20, [(n, n - 1_999) for n in range(82_000, 60_000, -2_000)]),  # §3.1.5
        (range(1, 7_001), 2_000, 1, 5, [(7_000, 5_001), (5_000, 3_001), (3_000, 1_001), (1_000, 1)]),
    ],
)
def test_batches(uids, size, first, last, expected):
    assert batches(uids, size, first, last) == expected


@given(st.sets(st.integers(1, 300), max_size=60).map(sorted), st.integers(1, 70))
@settings(derandomize=True, max_examples=300, deadline=None)
def test_every_message_is_in_one_batch_and_only_the_last_is_smaller(uids, size):
    found = batches(uids, size)
    held = [[uid for uid in uids if low <= uid <= high] for high, low in found]
    assert [len(batch) for batch in held] == [min(size, len(uids) - at) for at in range(0, len(uids), size)]
    assert sorted(uid for batch in held for uid in batch) == uids
