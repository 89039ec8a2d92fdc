"""A judgement as a field on top of a message, so that whoever reads it can see which words decided.  Pure."""

from __future__ import annotations

import re
from collections.abc import Iterator
from urllib.parse import quote, unquote

from mailsite_ext.junk.score import STRONGEST, Evidence, Judgement

FIELD = "X-Satchel-Junk"
LONGEST_VALUE = 10_000
SAFE = ":@.'-*!?$/"
SCORE = re.compile(r"0\.\d{1,4}|1\.0{1,4}")


def field_of(judgement: Judgement) -> str:
    """`X-Satchel-Junk: 0.997; click%20here=0.98,` and so on, a word a line, all ASCII (RFC 5322 §2.2.3)."""
    words = ",\r\n\t".join(f"{quote(each.word, safe=SAFE)}={each.probability:.2f}" for each in judgement.strongest)
    return f"{FIELD}: {judgement.score:.3f};\r\n\t{words}" if words else f"{FIELD}: {judgement.score:.3f};"


def read_field(value: str) -> Judgement | None:
    """What `field_of` wrote; None for anything else."""
    score, semicolon, words = value[:LONGEST_VALUE].strip(" \t\r\n").partition(";")
    if not semicolon or not SCORE.fullmatch(score):
        return None
    return Judgement(float(score), tuple(_evidence(words)))


def _evidence(words: str) -> Iterator[Evidence]:
    for each in words.split(",")[:STRONGEST]:
        word, equals, probability = each.strip().rpartition("=")
        if equals and SCORE.fullmatch(probability):
            yield Evidence(unquote(word), float(probability))
