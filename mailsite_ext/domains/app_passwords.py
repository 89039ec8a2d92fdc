"""App passwords: 128 random bits as a person can type them.  Pure."""

from __future__ import annotations

import base64
import re
from collections.abc import Sequence

RANDOM_OCTETS = 16

_SHAPE = re.compile(r"[a-z2-7]{26}")


def as_typed(octets: bytes) -> str:
    """RANDOM_OCTETS as 26 letters and digits in groups of five.

    The hyphens are part of the password: a client hashes what was pasted into it (RFC 5802 §3).
    """
    return _in_groups(base64.b32encode(octets).decode().rstrip("=").lower())


def is_app_password(password: str) -> bool:
    """Has it the shape of one, whatever was done to its hyphens and case?"""
    return _SHAPE.fullmatch(_bare(password)) is not None


def canonical(password: str) -> str:
    """An app password as it was shown, however it was typed."""
    return _in_groups(_bare(password))


def _in_groups(letters: str) -> str:
    groups: Sequence[str] = [letters[start : start + 5] for start in range(0, len(letters), 5)]
    return "-".join(groups)


def _bare(password: str) -> str:
    return re.sub(r"[\s-]", "", password[:100]).lower()
