"""Inputs made of inputs: the same seed of chance gives the same inputs."""

from __future__ import annotations

import random
import re
from collections.abc import Sequence

LONGEST = 32_768
NUMBERS = (b"0", b"-1", b"1", b"255", b"65536", b"2147483648", b"4294967295", b"4294967296", b"9" * 25, b"00000000001")
OCTETS = b"\0\t\r\n \"'()*%,-./:;<=>?@[\\]{}~\x7f\x80\xc3\xe2\xff&+"
PAIRS = ((b"(", b")"), (b"[", b"]"), (b"<", b">"), (b'"', b'"'), (b"{", b"}"), (b"NOT ", b""), (b"<b>", b"</b>"))
NUMBER = re.compile(rb"\d+")


class Mutator:
    """Changes inputs by chance, with words of the target's language (`dictionary`)."""

    def __init__(self, chance: random.Random, dictionary: Sequence[bytes]) -> None:
        self._chance = chance
        self._dictionary = (*dictionary, b"\r\n", b"\0", b"\xff\xfe", b"\xf0\x9f\x93\xae")
        self._ways = (
            self._flip, self._insert_octet, self._insert_word, self._insert_word, self._delete, self._repeat,
            self._cut, self._number, self._splice, self._splice, self._swap, self._nest,
        )  # fmt: skip

    def mutated(self, octets: bytes, other: bytes) -> bytes:
        """`octets` after some changes; `other` is where spliced pieces come from."""
        for _ in range(self._chance.choice((1, 1, 1, 2, 2, 3, 5, 10))):
            octets = self._chance.choice(self._ways)(octets, other)
        return octets[: self._chance.choice((3_000, 3_000, 3_000, LONGEST))]

    def _at(self, octets: bytes) -> int:
        return self._chance.randint(0, len(octets))

    def _span(self, octets: bytes) -> tuple[int, int]:
        start = self._at(octets)
        return start, min(len(octets), start + self._chance.choice((1, 1, 2, 4, 8, 32, 200)))

    def _flip(self, octets: bytes, _other: bytes) -> bytes:
        at = self._at(octets)
        flipped = bytes(each ^ 1 << self._chance.randrange(8) for each in octets[at : at + 1])
        return octets[:at] + flipped + octets[at + 1 :]

    def _insert_octet(self, octets: bytes, _other: bytes) -> bytes:
        at = self._at(octets)
        return octets[:at] + bytes([self._chance.choice(OCTETS)]) + octets[at:]

    def _insert_word(self, octets: bytes, _other: bytes) -> bytes:
        at = self._at(octets)
        return octets[:at] + self._chance.choice(self._dictionary) + octets[at:]

    def _delete(self, octets: bytes, _other: bytes) -> bytes:
        start, end = self._span(octets)
        return octets[:start] + octets[end:]

    def _repeat(self, octets: bytes, _other: bytes) -> bytes:
        """What is quadratic or recursive shows here."""
        start, end = self._span(octets)
        times = self._chance.choice((2, 2, 3, 10, 100, 1_000, 10_000))
        return octets[:start] + octets[start:end] * min(times, LONGEST // max(end - start, 1)) + octets[end:]

    def _cut(self, octets: bytes, _other: bytes) -> bytes:
        return octets[: self._at(octets)]

    def _number(self, octets: bytes, other: bytes) -> bytes:
        found = list(NUMBER.finditer(octets))
        if not found:
            return self._insert_word(octets, other)
        chosen = self._chance.choice(found)
        return octets[: chosen.start()] + self._chance.choice(NUMBERS) + octets[chosen.end() :]

    def _splice(self, octets: bytes, other: bytes) -> bytes:
        start, end = self._span(other)
        at, to = self._span(octets)
        return octets[:at] + other[start:end] + octets[to if self._chance.random() < 0.5 else at :]

    def _swap(self, octets: bytes, _other: bytes) -> bytes:
        lines = octets.split(b"\n")
        a, b = self._chance.randrange(len(lines)), self._chance.randrange(len(lines))
        lines[a], lines[b] = lines[b], lines[a]
        return b"\n".join(lines)

    def _nest(self, octets: bytes, _other: bytes) -> bytes:
        """Openers many deep, closed or not."""
        opener, closer = self._chance.choice(PAIRS)
        start, end = self._span(octets)
        deep = self._chance.choice((1, 3, 50, 101, 1_000))
        closers = closer * self._chance.choice((0, deep))
        return octets[:start] + opener * deep + octets[start:end] + closers + octets[end:]
