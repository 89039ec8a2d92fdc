"""What one message may cost in DNS: questions and seconds, shared by all who judge it (RFC 7208 §4.6.4, §11.1)."""

from __future__ import annotations

import re

from app.extension_api import Answer, Clock, Outcome, Resolver

MOST_LOOKUPS = 150
"""Of one message: SPF at its worst (10 terms, each MX with 10 hosts) ends there, and nothing honest comes near."""
LONGEST_S = 20.0
ONE_ANSWER_S = 5.0

_LABEL = r"[ -\-/-\[\]-~]{1,63}"  # printable ASCII; no dot, nor the backslash of presentation form
_NAME = re.compile(rf"{_LABEL}(?:\.{_LABEL})+\.?")
LONGEST_NAME = 253


class DnsBudget:
    """A Resolver for one message: asks each question once, and answers NO_ANSWER when its budget is spent.

    What is not known is a temporary error, whoever is to blame: the message is judged without it, or comes again.
    A name that cannot be asked for (an empty or too long label, RFC 1035 §2.3.4) has no record.
    """

    def __init__(
        self, resolver: Resolver, clock: Clock, *, lookups: int = MOST_LOOKUPS, seconds: float = LONGEST_S
    ) -> None:
        self._resolver = resolver
        self._clock = clock
        self._left = lookups
        self._until_s = clock.monotonic_s() + seconds
        self._known: dict[tuple[str, str], Answer] = {}

    def lookup(self, name: str, record_type: str, *, timeout_s: float = ONE_ANSWER_S) -> Answer:
        if not is_askable(name):
            return Answer(Outcome.NO_NAME)
        question = (name.rstrip(".").lower(), record_type)
        if question not in self._known:
            self._known[question] = self._ask(question, timeout_s)
        return self._known[question]

    def _ask(self, question: tuple[str, str], timeout_s: float) -> Answer:
        left_s = self._until_s - self._clock.monotonic_s()
        if self._left <= 0 or left_s <= 0:
            return Answer(Outcome.NO_ANSWER)
        self._left -= 1
        return self._resolver.lookup(*question, timeout_s=min(timeout_s, left_s))


def is_askable(name: str) -> bool:
    """Can DNS be asked for `name`?  It has two labels or more, each of 1 to 63 octets."""
    return len(name.rstrip(".")) <= LONGEST_NAME and _NAME.fullmatch(name) is not None
