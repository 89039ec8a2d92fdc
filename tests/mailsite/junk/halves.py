"""A corpus cut in halves by seed: one is learned, the other judged."""

from __future__ import annotations

import random
from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

from mailsite_ext.junk.score import Learned, judge
from mailsite_ext.junk.words import words_of


@dataclass(frozen=True, slots=True)
class Letter:
    is_junk: bool
    words: frozenset[str]


@dataclass(frozen=True, slots=True)
class Rates:
    """Of the half that was not learned, what goes to Junk."""

    junk: float
    good: float


def read_corpus(folder: Path) -> Sequence[Letter]:
    return [Letter(path.name.startswith("spam"), words_of(path.read_bytes())) for path in sorted(folder.glob("*.eml"))]


def judge_half(letters: Sequence[Letter], seed: int) -> Rates:
    mixed = list(letters)
    random.Random(seed).shuffle(mixed)
    learned, judged = mixed[: len(mixed) // 2], mixed[len(mixed) // 2 :]
    good, junk = (
        Counter(word for one in learned if one.is_junk is kind for word in one.words) for kind in (False, True)
    )
    total = Learned(sum(not one.is_junk for one in learned), sum(one.is_junk for one in learned))
    filed = {True: [], False: []}
    for one in judged:
        known = {word: Learned(good[word], junk[word]) for word in one.words if good[word] + junk[word]}
        filed[one.is_junk].append(judge(known, total).is_junk)
    return Rates(*(sum(filed[kind]) / len(filed[kind]) for kind in (True, False)))
