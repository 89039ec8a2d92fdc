"""Names and places of folders.  Pure."""

from __future__ import annotations

import unicodedata
from collections.abc import Collection

MAX_LEAF_CHARS = 200
MAX_PATH_CHARS = 1_000
MAX_DEPTH = 20
WILDCARDS = "%*"
"""Characters LIST reads as patterns (RFC 9051 §5.1 warns of names that have them)."""
UNSEEN = frozenset({"Cc", "Cf", "Cs", "Co", "Cn", "Zl", "Zp"})
"""Unicode categories that show nothing, or turn what is shown around (RFC 9051 §5.1, RFC 5198)."""


def is_leaf(name: str, delimiter: str | None) -> bool:
    """Whether a folder may be called so: something visible, no wildcard, and no step to another folder."""
    return (
        0 < len(name) <= MAX_LEAF_CHARS
        and name == name.strip()
        and not any(char in WILDCARDS or unicodedata.category(char) in UNSEEN for char in name)
        and (delimiter is None or delimiter not in name)
    )


def path_of(parent: str, leaf: str, delimiter: str | None) -> str:
    """The whole name of `leaf` below `parent`; without a parent, or where folders hold no others, the leaf alone."""
    return f"{parent}{delimiter}{leaf}" if parent and delimiter else leaf


def leaf_of(path: str, delimiter: str | None) -> str:
    return path.rpartition(delimiter)[2] if delimiter else path


def parent_of(path: str, delimiter: str | None) -> str:
    return path.rpartition(delimiter)[0] if delimiter else ""


def is_below(path: str, parent: str, delimiter: str | None) -> bool:
    return bool(delimiter) and path.startswith(f"{parent}{delimiter}")


def fits(path: str, delimiter: str | None) -> bool:
    steps = path.count(delimiter) + 1 if delimiter else 1
    return len(path) <= MAX_PATH_CHARS and steps <= MAX_DEPTH


def is_taken(path: str, names: Collection[str]) -> bool:
    """Names differ by case (RFC 9051 §5.1), all but INBOX."""
    return path in names or path.upper() == "INBOX"


def free_path(parent: str, leaf: str, delimiter: str, names: Collection[str]) -> str:
    """`leaf` below `parent`, with a number behind it if that is taken."""
    numbered = (f"{leaf} {number}" for number in range(2, len(names) + 3))
    return next(path for name in (leaf, *numbered) if (path := path_of(parent, name, delimiter)) not in names)


def moved(path: str, old: str, new: str) -> str:
    """The path of a folder at or below `old` after that was renamed to `new` (RFC 9051 §6.3.6)."""
    return new + path.removeprefix(old)
