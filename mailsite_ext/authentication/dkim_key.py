"""Public keys as domains publish them, and what is verified with them (RFC 6376 §3.6.1, RFC 8301, RFC 8463).  Pure."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import TypeAlias

from cryptography.exceptions import InvalidSignature, UnsupportedAlgorithm
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PublicKey
from cryptography.hazmat.primitives.asymmetric.padding import PKCS1v15
from cryptography.hazmat.primitives.asymmetric.rsa import RSAPublicKey

from mailsite_ext.authentication.tag_list import BadTagList, listed, octets_of, parse_tags

PublicKey: TypeAlias = RSAPublicKey | Ed25519PublicKey
LEAST_RSA_BITS = 1024  # RFC 8301 §3.2
MOST_RSA_BITS = 4096  # as much as that section asks of a verifier: larger ones cost too much of its time
LARGEST_EXPONENT = 1 << 33
_KINDS = {"rsa-sha256": "rsa", "ed25519-sha256": "ed25519"}


class BadKey(ValueError):
    """No signature can be verified with that; says why."""


class WeakKey(BadKey):
    """A key that is one, but not of a size to be trusted."""


@dataclass(frozen=True, slots=True)
class KeyRecord:
    kind: str  # k=
    key: bytes  # p=, empty: revoked
    hashes: tuple[str, ...]  # h=, empty: any
    services: tuple[str, ...]  # s=
    is_testing: bool  # t=y
    is_strict: bool  # t=s: i= is at d= itself


def is_key_record(text: str) -> bool:
    """Could that TXT record be meant as a key?  Others may stand at the name too, under a wildcard."""
    try:
        return "p" in parse_tags(text)
    except BadTagList:
        return False


def parse_key_record(text: str) -> KeyRecord:
    """Raises BadKey."""
    try:
        tags = parse_tags(text)
        if "v" in tags and (next(iter(tags)) != "v" or tags["v"] != "DKIM1"):
            raise BadKey("key record of another version")
        return _record(tags)
    except (BadTagList, KeyError):
        raise BadKey("key record cannot be read") from None


def _record(tags: Mapping[str, str]) -> KeyRecord:
    flags = listed(tags.get("t", ""))
    return KeyRecord(
        tags.get("k", "rsa").lower(),
        octets_of(tags["p"]),
        listed(tags["h"]) if "h" in tags else (),
        listed(tags.get("s", "*")),
        "y" in flags,
        "s" in flags,
    )


def usable_key(record: KeyRecord, algorithm: str) -> PublicKey:
    """The key for signatures of `algorithm` (§6.1.2).  Raises BadKey, WeakKey."""
    if not record.key:
        raise BadKey("key revoked")
    if _KINDS.get(algorithm) != record.kind:
        raise BadKey(f"key of kind {record.kind[:20]!r} is not for this algorithm")
    if record.hashes and "sha256" not in record.hashes:
        raise BadKey("key not for sha256")
    if not {"*", "email"} & set(record.services):
        raise BadKey("key not for mail")
    return _ed25519(record.key) if record.kind == "ed25519" else _rsa(record.key)


def _ed25519(octets: bytes) -> Ed25519PublicKey:
    """RFC 8463 §4: the 32 octets themselves."""
    try:
        return Ed25519PublicKey.from_public_bytes(octets)
    except ValueError:
        raise BadKey("key cannot be read") from None


def _rsa(octets: bytes) -> RSAPublicKey:
    """SubjectPublicKeyInfo, or RSAPublicKey as the letter of RFC 6376 §3.6.1 has it (erratum 3017)."""
    try:
        key = serialization.load_der_public_key(octets)
    except (ValueError, TypeError, UnsupportedAlgorithm):
        raise BadKey("key cannot be read") from None
    if not isinstance(key, RSAPublicKey):
        raise BadKey("key is not of RSA")
    if not LEAST_RSA_BITS <= key.key_size <= MOST_RSA_BITS or key.public_numbers().e > LARGEST_EXPONENT:
        raise WeakKey(f"key of {key.key_size} bits not accepted")
    return key


def bits_of(key: PublicKey) -> int:
    return key.key_size if isinstance(key, RSAPublicKey) else 256


def is_signed(octets: bytes, value: bytes, key: PublicKey) -> bool:
    """Is `value` the signature of the SHA-256 of `octets`?  (RFC 8463 §3: Ed25519 signs the hash.)"""
    try:
        if isinstance(key, RSAPublicKey):
            key.verify(value, octets, PKCS1v15(), hashes.SHA256())
        else:
            key.verify(value, _sha256(octets))
    except InvalidSignature:
        return False
    return True


def _sha256(octets: bytes) -> bytes:
    digest = hashes.Hash(hashes.SHA256())
    digest.update(octets)
    return digest.finalize()
