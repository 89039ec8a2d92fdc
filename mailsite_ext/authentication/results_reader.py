"""Authentication-Results that others wrote, read: quotes and comments hold what strangers chose (RFC 8601).  Pure."""

from __future__ import annotations

import re
from collections.abc import Iterator, Sequence

from mailsite_ext.authentication.results import Finding, after_comments, unquoted

LONGEST_TEXT = 64 * 1024
MOST_FINDINGS = 100

_TOKEN = re.compile(r'"(?:[^"\\]|\\.)*+(?:"|\\?\Z)|[^";(]+|.', re.DOTALL)
_PAIR = re.compile(
    r'"(?:[^"\\]|\\.)*+"?'  # what belongs to no name is passed over whole
    r"|(?<![A-Za-z0-9_.-])(?P<name>[A-Za-z0-9_.-]+)(?:/[0-9]+)?\s*=\s*"
    r'(?:"(?P<quoted>(?:[^"\\]|\\.)*+)"|(?P<plain>[^\s"]+))',
    re.DOTALL,
)


def read_findings(text: str) -> Sequence[Finding]:
    """What stands after the name of the one who found it (§2.2); methods, results and names in lower case.

    What follows a comment without end is not looked at, nor a text that is too long: cut, it would say something else.
    """
    if len(text) > LONGEST_TEXT:
        return []
    statements = list(_statements(text))[1 : MOST_FINDINGS + 1]
    return [found for statement in statements if (found := _finding(statement)) is not None]


def _statements(text: str) -> Iterator[str]:
    """The texts between semicolons, a space for each comment; what is quoted stays as it is."""
    now: list[str] = []
    at = 0
    while token := _TOKEN.match(text, at):
        at = token.end()
        if token[0] == ";":
            yield "".join(now)
            now = []
        elif token[0] == "(":
            end = after_comments(text, token.start())
            if end is None:
                return
            now.append(" ")
            at = end
        else:
            now.append(token[0])
    yield "".join(now)


def _finding(statement: str) -> Finding | None:
    """None for what does not begin with method=result."""
    stated = statement.strip()
    first = _PAIR.match(stated)
    if first is None or not first["name"]:
        return None
    pairs = [(found["name"].lower(), _value(found)) for found in _PAIR.finditer(stated, first.end()) if found["name"]]
    return Finding(first["name"].lower(), _value(first).lower(), dict(pairs).get("reason", ""), tuple(pairs))


def _value(found: re.Match[str]) -> str:
    return found["plain"] if found["quoted"] is None else unquoted(found["quoted"])
