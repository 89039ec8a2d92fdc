"""How much a message looks like junk."""

from __future__ import annotations

import pytest

from mailsite_ext.junk.explained import field_of, read_field
from mailsite_ext.junk.score import FEWEST, STRONGEST, Evidence, Judgement, Learned, judge

TOTAL = Learned(good=100, junk=100)
JUNKY, GOOD, PLAIN = Learned(0, 40), Learned(40, 0), Learned(50, 50)


def words(count: int, seen: Learned, name: str) -> dict[str, Learned]:
    return {f"{name}{number}": seen for number in range(count)}


@pytest.mark.parametrize(
    ("known", "low", "high"),
    [
        ({}, 0.5, 0.5),
        (words(20, PLAIN, "plain"), 0.5, 0.5),
        (words(20, JUNKY, "junk"), 0.999, 1),
        (words(20, GOOD, "good"), 0, 0.001),
        (words(20, JUNKY, "junk") | words(20, GOOD, "good"), 0.4, 0.6),  # like both: not judged
        (words(1, Learned(0, 1), "once"), 0.5, 0.5),  # one word seen once convicts nobody
    ],
)
def test_scores(known, low, high):
    assert low <= judge(known, TOTAL).score <= high


@pytest.mark.parametrize("total", [Learned(FEWEST - 1, 500), Learned(500, FEWEST - 1), Learned(0, 0)])
def test_who_learned_too_little_says_nothing(total):
    assert judge(words(20, JUNKY, "junk"), total) is None


def test_it_explains_itself_by_its_strongest_words():
    judged = judge(words(12, JUNKY, "junk") | {"weak": Learned(10, 30), "plain": PLAIN}, TOTAL)
    assert judged.is_junk
    assert len(judged.strongest) == STRONGEST
    assert {each.word[:4] for each in judged.strongest} == {"junk"}


@pytest.mark.parametrize("count", [1, 100, 1_500])
def test_counts_that_make_no_sense_break_nothing(count):
    judged = judge(words(count, Learned(10**6, 10**6), "many") | words(count, Learned(0, 0), "none"), TOTAL)
    assert judged.score == 0.5


@pytest.mark.parametrize("word", ["click here", "from:a@x.org", "無料", "a=b, c;d", "x" * 100, "100%\r\nBcc: x"])
def test_a_field_says_it_in_ascii_and_is_read_back(word):
    judged = Judgement(0.987, (Evidence(word, 0.99), Evidence("plain", 0.02)))
    field = field_of(judged)
    name, _colon, value = field.partition(":")
    assert name == "X-Satchel-Junk"
    assert field.isascii()
    assert all(line.startswith("\t") for line in field.split("\r\n")[1:])
    assert max(map(len, field.split("\r\n"))) < 998
    assert read_field(value) == judged


@pytest.mark.parametrize("value", ["", "x", "0.9", "9.9; a=0.5", "0.5e9; a=0.5", "nan; a=1.0"])
def test_what_is_no_such_field_says_nothing(value):
    assert read_field(value) is None


def test_of_a_hostile_field_only_so_much_is_read():
    assert len(read_field("0.5;" + "a=0.5," * 50_000).strongest) == STRONGEST
    assert read_field("0.5; a=, =, %ff=0.10, b").strongest == (Evidence("\ufffd", 0.1),)
