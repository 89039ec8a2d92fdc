"""Addresses that only we can make: a remote image for one person, and *show images once* for one message.

Without the signature a mail could link to its own images through the proxy, or make a click on a link load them.
"""

from __future__ import annotations

import hashlib
import hmac
from base64 import urlsafe_b64encode
from functools import lru_cache

from app.db import Database
from app.vault.keyring import server_secret


@lru_cache(maxsize=8)
def _secret(private: Database) -> bytes:
    return server_secret(private, "images")


def image_key(private: Database, user_id: int, url: str) -> str:
    """The signature with which `user_id` may fetch the image `url` through the proxy."""
    return _sign(private, f"image:{user_id}:{url}")


def show_key(private: Database, user_id: int, message_id: int) -> str:
    """The signature with which `user_id` sees the remote images of a message without trusting its sender."""
    return _sign(private, f"show:{user_id}:{message_id}")


def fits(given: str, expected: str) -> bool:
    return hmac.compare_digest(given.encode(), expected.encode())


def _sign(private: Database, text: str) -> str:
    mac = hmac.digest(_secret(private), text.encode("utf-8", "surrogatepass"), hashlib.sha256)
    return urlsafe_b64encode(mac[:18]).decode()
