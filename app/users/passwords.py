"""Passwords: argon2id, a few at a time, and as slow for people who do not exist as for those who do."""

from __future__ import annotations

import threading
import unicodedata
from collections.abc import Iterator
from contextlib import contextmanager

from argon2 import PasswordHasher
from argon2.exceptions import InvalidHashError, VerificationError

from app.errors import SignInBusy

SHORTEST = 12
LONGEST = 200
AT_ONCE = 2  # each takes 64 MiB and all of a core
WAITING = 16  # others are told at once that it is busy, and keep no thread
LONGEST_WAIT_S = 10

hasher = PasswordHasher()
_slots = threading.BoundedSemaphore(AT_ONCE)
_places = threading.BoundedSemaphore(AT_ONCE + WAITING)
_nobody: list[str] = []
"""The hash of a password nobody has, made with the first check; unknown names are held against it."""


def hash_password(password: str) -> str:
    """The argon2id hash to store.  Raises SignInBusy while too many others wait."""
    with _slot():
        return hasher.hash(_canonical(password))


def check_password(stored: str | None, password: str) -> bool:
    """Is it the password?  Takes the same time for None, the hash of nobody.  Raises SignInBusy as above."""
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
    with _held(_places, wait_s=0), _held(_slots, wait_s=LONGEST_WAIT_S):
        yield


@contextmanager
def _held(places: threading.Semaphore, wait_s: float) -> Iterator[None]:
    if not places.acquire(timeout=wait_s):
        raise SignInBusy
    try:
        yield
    finally:
        places.release()
