"""Keys, zones and messages for the tests of signatures."""

from __future__ import annotations

import base64
import functools
from collections.abc import Mapping
from datetime import UTC, datetime

from cryptography.hazmat.primitives import serialization
from cryptography.hazmat.primitives.asymmetric import ed25519, rsa

from app.resolver import ZoneResolver
from mailsite_ext.authentication.budget import DnsBudget
from tests.conftest import FakeClock

NOW = datetime(2026, 11, 24, 8, 0, tzinfo=UTC)
LETTER = (
    b"From: Alice <alice@example.org>\r\nTo: bob@example.com,\r\n\tcarol@example.com\r\n"
    b"Subject:  Tea   at \tfive \r\nDate: Tue, 24 Nov 2026 08:00:00 +0000\r\nMessage-ID: <1@example.org>\r\n"
    b"\r\nDear Bob, \t \r\n\r\n  come at   five. \r\n\r\n\r\n"
)


def rsa_key(bits: int = 2048) -> rsa.RSAPrivateKey:
    return _rsa_key(bits)


@functools.cache
def _rsa_key(bits: int) -> rsa.RSAPrivateKey:
    return rsa.generate_private_key(65537, bits)


def pem(key: rsa.RSAPrivateKey) -> bytes:
    return key.private_bytes(
        serialization.Encoding.PEM, serialization.PrivateFormat.TraditionalOpenSSL, serialization.NoEncryption()
    )


def published(key: rsa.RSAPrivateKey) -> str:
    return p_of(key.public_key())


def published_of(bits: int) -> str:
    """Not a product of two primes, but nothing looks that far."""
    return p_of(rsa.RSAPublicNumbers(65537, 1 << (bits - 1) | 1).public_key())


def p_of(key: rsa.RSAPublicKey) -> str:
    der = key.public_bytes(serialization.Encoding.DER, serialization.PublicFormat.SubjectPublicKeyInfo)
    return base64.b64encode(der).decode()


@functools.cache
def ed25519_key() -> ed25519.Ed25519PrivateKey:
    return ed25519.Ed25519PrivateKey.from_private_bytes(b"thirty-two octets of a test key!")


def ed25519_seed() -> bytes:
    return base64.b64encode(ed25519_key().private_bytes_raw())


def ed25519_published() -> str:
    return base64.b64encode(ed25519_key().public_key().public_bytes_raw()).decode()


def zone(records: Mapping[str, str | list[str]] | None = None, silent: tuple[str, ...] = ()) -> DnsBudget:
    """TXT records by name; without any, the keys of this file at example.org."""
    found = records if records is not None else keys_of("example.org")
    texts = {(name, "TXT"): [text] if isinstance(text, str) else text for name, text in found.items()}
    return DnsBudget(ZoneResolver(texts, silent), FakeClock())


def keys_of(domain: str) -> dict[str, str]:
    return {
        f"rsa._domainkey.{domain}": f"v=DKIM1; k=rsa; p={published(rsa_key())}",
        f"ed._domainkey.{domain}": f"v=DKIM1; k=ed25519; p={ed25519_published()}",
    }


def crlf(message: bytes) -> bytes:
    return message.replace(b"\r\n", b"\n").replace(b"\n", b"\r\n")
