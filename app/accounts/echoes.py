"""Some servers put the command they refuse into their words: a password in it goes no further (C5)."""

from __future__ import annotations

from base64 import b64encode
from collections.abc import Iterator
from contextlib import contextmanager

from app.errors import MailError

SHORTEST = 4
"""Shorter secrets stand in any words by chance, and blotting them out would tell them."""


@contextmanager
def blotted_out(username: str, secret: str) -> Iterator[None]:
    """Inside the block a MailError's words lose the secret, plain or as a SASL mechanism encodes it."""
    try:
        yield
    except MailError as error:
        error.detail = without_secret(error.detail, username, secret)
        error.args = (error.detail,)
        error.__cause__ = None  # it quotes the server too
        error.__suppress_context__ = True
        raise


def without_secret(words: str, username: str, secret: str) -> str:
    """`words` with "…" in place of the secret.  Pure."""
    if len(secret) < SHORTEST:
        return words
    sasl = (secret, f"\0{username}\0{secret}", f"user={username}\1auth=Bearer {secret}\1\1")  # LOGIN, PLAIN, XOAUTH2
    quoted = secret.replace("\\", "\\\\").replace('"', '\\"')
    forms = (*(b64encode(text.encode()).decode().rstrip("=") for text in sasl), quoted, secret)
    for form in sorted(forms, key=len, reverse=True):  # one may hold another
        words = words.replace(form, "…")
    return words
