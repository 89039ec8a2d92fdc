"""Who comes first, whatever the day; and what somebody is found by."""

from __future__ import annotations

from datetime import timedelta
from functools import reduce

import pytest

from app.people.ranking import GOT_FROM, HALF_LIFE_DAYS, WROTE_TO, terms_of, together, weight_of, words_of
from tests.conftest import START


def _weight(*messages: tuple[int, float]) -> float:
    """Of messages as days ago and points."""
    return reduce(together, (weight_of(START - timedelta(days=days), points) for days, points in messages))


@pytest.mark.parametrize(("better", "worse"), [
    ([(0, GOT_FROM)], [(1, GOT_FROM)]),  # lately
    ([(5, GOT_FROM)] * 2, [(5, GOT_FROM)]),  # often
    ([(5, WROTE_TO)], [(5, GOT_FROM)] * 3),  # whom one wrote to counts more
    ([(0, GOT_FROM)] * 3, [(2 * HALF_LIFE_DAYS + 1, WROTE_TO)] * 2),  # what is long ago fades
])  # fmt: skip
def test_the_better_known_weighs_more(better, worse):
    assert _weight(*better) > _weight(*worse)


def test_order_of_arrival_is_no_matter():
    messages = [(0, GOT_FROM), (30, WROTE_TO), (400, GOT_FROM)]
    assert _weight(*messages) == pytest.approx(_weight(*reversed(messages)))


@pytest.mark.parametrize(("name", "address", "words"), [
    ("Ines Vidal", "i.vidal@Orchard.example", ("i.vidal@orchard.example", "ines", "vidal", "i", "orchard", "example")),
    ("", "a@b.example", ("a@b.example", "a", "b", "example")),
    ("Straße", "x@y.example", ("x@y.example", "strasse", "x", "y", "example")),
    ("Jürgen", "j@y.example", ("j@y.example", "jurgen", "j", "y", "example")),
    ("A\0B", "x" * 60 + "@y", ("x" * 40, "a", "b", "y")),
])  # fmt: skip
def test_somebody_is_found_by_every_word(name, address, words):
    assert words_of(name, address) == words


@pytest.mark.parametrize(("query", "terms"), [
    ("", ()), ("  ,;", ()), ("In", ("in",)), ("v ines", ("ines", "v")), ("Jür", ("jur",)),
    ("i.vidal@Or", ("i.vidal@or",)), ("Ines <i.vidal@", ("i.vidal@", "ines")),
    ('"Vidal, I', ("vidal", "i")), ("a\0b", ("a", "b")), ("\0@", ("@",)), ("x" * 5_000, ("x" * 40,)),
])  # fmt: skip
def test_what_is_typed_becomes_beginnings_of_words(query, terms):
    assert terms_of(query) == terms
