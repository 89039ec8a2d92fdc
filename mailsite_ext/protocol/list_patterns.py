"""Folder names against LIST's patterns: `*` and `%` (RFC 9051 §6.3.9), in time linear in both lengths.  Pure."""

from __future__ import annotations

import re
from collections.abc import Iterable

from mailsite_ext.protocol.folder_names import canonical

DELIMITER = "/"
WILDCARDS = re.compile(r"[*%]+")
INBOX_CHARS = len("INBOX")


class Patterns:
    """`Patterns(reference, patterns)(name)`: does any pattern, put behind the reference, match the whole name?

    `*` stands for anything, `%` for anything within one level.  INBOX, also above other folders, matches in any case.
    """

    def __init__(self, reference: str, patterns: Iterable[str]) -> None:
        self._patterns = [_Pattern(canonical(reference + pattern)) for pattern in patterns]

    def __call__(self, name: str) -> bool:
        return any(pattern.matches(name) for pattern in self._patterns)


class _Pattern:
    """All places a match may stand at are the bits of one number; a character moves all of them at once."""

    def __init__(self, pattern: str) -> None:
        joined = WILDCARDS.sub(lambda run: "*" if "*" in run[0] else "%", pattern)
        self._any = joined == "*"
        self._literal = joined if joined == pattern and WILDCARDS.search(pattern) is None else None
        self._end = 1 << len(joined)
        self._moves: dict[str, int] = {}
        self._stars = self._percents = 0
        for place, char in enumerate(joined):
            if char == "*":
                self._stars |= 1 << place
            elif char == "%":
                self._percents |= 1 << place
            else:
                self._moves[char] = self._moves.get(char, 0) | 1 << place

    def matches(self, name: str) -> bool:
        if self._any or name == self._literal:
            return True
        is_inbox = name == "INBOX" or name.startswith("INBOX" + DELIMITER)
        places = self._past_wildcards(1)
        for at, char in enumerate(name):
            moves = self._moves.get(char, 0)
            if is_inbox and at < INBOX_CHARS:
                moves |= self._moves.get(char.lower(), 0)
            waiting = self._stars if char == DELIMITER else self._stars | self._percents
            places = self._past_wildcards((places & moves) << 1 | places & waiting)
            if not places:
                return False
        return bool(places & self._end)

    def _past_wildcards(self, places: int) -> int:
        return places | (places & (self._stars | self._percents)) << 1
