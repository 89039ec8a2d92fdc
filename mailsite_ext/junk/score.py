"""How much a message looks like junk, from the words it has and how often they were seen.  Pure.

Gary Robinson's way: each word has a probability, drawn towards one half while little is known of it; Fisher's method
asks of the telling words together how surprising they would be in junk, and how surprising in good mail.  A message
that is like both, or like neither, comes out in the middle, and is no junk.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from math import exp, frexp, log

STRENGTH = 0.45
"""How many messages the assumption that a word tells nothing weighs (Robinson's s)."""
TELLING = 0.3
"""Further from one half than this, or a word is not counted."""
FEWEST_TELLING = 5
"""With fewer a message is not judged: one word seen in one message convicts nobody."""
MOST_TELLING = 150
JUNK_FROM = 0.8
FEWEST = 20
"""Messages of each kind a filter has learned before it says anything."""
STRONGEST = 10


@dataclass(frozen=True, slots=True)
class Learned:
    """How many messages of each kind had a word, or were learned in all."""

    good: int
    junk: int

    @property
    def is_enough(self) -> bool:
        return min(self.good, self.junk) >= FEWEST


@dataclass(frozen=True, slots=True)
class Evidence:
    """A word, and the probability that a message with it is junk."""

    word: str
    probability: float


@dataclass(frozen=True, slots=True)
class Judgement:
    """`score` from 0, good, to 1, junk; `strongest`: the words that weighed most, whichever way."""

    score: float
    strongest: tuple[Evidence, ...]

    @property
    def is_junk(self) -> bool:
        return self.score >= JUNK_FROM


def judge(words: Mapping[str, Learned], total: Learned) -> Judgement | None:
    """`words`: those of the message that are known.  None: too little was learned to say anything."""
    if not total.is_enough:
        return None
    telling = _telling(words, total)
    return Judgement(_combined([each.probability for each in telling]), tuple(telling[:STRONGEST]))


def _telling(words: Mapping[str, Learned], total: Learned) -> list[Evidence]:
    """Strongest first; of equal ones by the word, so that the same message is always judged the same."""
    found = [Evidence(word, _probability(seen, total)) for word, seen in words.items()]
    strong = [each for each in found if abs(each.probability - 0.5) >= TELLING]
    return sorted(strong, key=lambda each: (-abs(each.probability - 0.5), each.word))[:MOST_TELLING]


def _probability(seen: Learned, total: Learned) -> float:
    good, junk = min(1.0, seen.good / total.good), min(1.0, seen.junk / total.junk)
    if not good + junk:
        return 0.5
    count = seen.good + seen.junk
    return (STRENGTH * 0.5 + count * junk / (good + junk)) / (STRENGTH + count)


def _combined(probabilities: Iterable[float]) -> float:
    probabilities = list(probabilities)
    if len(probabilities) < FEWEST_TELLING:
        return 0.5
    like_junk = 1 - _surprise([1 - each for each in probabilities])
    like_good = 1 - _surprise(probabilities)
    return (like_junk - like_good + 1) / 2


def _surprise(probabilities: list[float]) -> float:
    """Fisher: the chance of a product as small as this one, were the probabilities drawn at random."""
    return _chi2(-2 * _log_product(probabilities), len(probabilities))


def _log_product(values: Iterable[float]) -> float:
    """One logarithm for all of them: mantissas are multiplied, exponents added."""
    mantissa, exponent = 1.0, 0
    for value in values:
        mantissa, shift = frexp(mantissa * value)
        exponent += shift
    return log(mantissa) + exponent * log(2)


def _chi2(chi: float, half_freedom: int) -> float:
    """The chance that chi-squared with 2 * `half_freedom` degrees of freedom is at least `chi`."""
    half = chi / 2
    term = total = exp(-half)
    for step in range(1, half_freedom):
        term *= half / step
        total += term
    return min(total, 1.0)
