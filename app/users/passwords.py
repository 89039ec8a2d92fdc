"""Passwords: argon2id, a few at a time, and as slow for people who do not exist as for those who do."""

from __future__ import annotations

import threading
import unicodedata
from collections.abc import Iterator
from contextlib import contextmanager

from argon2 import PasswordHasher
from argon2.exceptions import InvalidHashError, VerificationError

from app.errors import TooManyAttempts

SHORTEST = 12
LONGEST = 200
AT_ONCE = 2  # each takes 64 MiB and all of a core
LONGEST_WAIT_S = 10

hasher = PasswordHasher()
_slots = threading.BoundedSemaphore(AT_ONCE)
_nobody: list[str] = []
"""The hash of a password nobody has, made with the first check; unknown names are held against it."""


def hash_password(password: str) -> str:
    """The argon2id hash to store.  Raises TooManyAttempts while too many others wait."""
    with _slot():
        return hasher.hash(_canonical(password))


def check_password(stored: str | None, password: str) -> bool:
    """Is it the password?  Takes the same time for None, the hash of nobody.  Raises TooManyAttempts as above."""
    with _slot():
        return _verify(stored or _hash_of_nobody(), password) and stored is not None


def _verify(stored: str, password: str) -> bool:
    try:
        return hasher.verify(stored, _canonical(password))
    except (VerificationError, InvalidHashError):
        return False


def _hash_of_nobody() -> str:
    if not _nobody:
        _nobody.append(hasher.hash("the password of nobody"))
    return _nobody[0]


def _canonical(password: str) -> str:
    """The same octets from every keyboard (RFC 8265 §4.2.2); bounded, so that no request hashes megabytes."""
    return unicodedata.normalize("NFC", password[:LONGEST])


@contextmanager
def _slot() -> Iterator[None]:
    if not _slots.acquire(timeout=LONGEST_WAIT_S):
        raise TooManyAttempts(LONGEST_WAIT_S)
    try:
        yield
    finally:
        _slots.release()
