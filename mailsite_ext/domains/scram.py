"""SCRAM-SHA-256 from the server's side: what is kept of an app password, and what it verifies (RFC 5802 §3, RFC 7677).

Pure; protocol/sasl.py carries the exchange.
"""

from __future__ import annotations

import hashlib
import hmac
from dataclasses import dataclass

ITERATIONS = 4_096  # RFC 7677 §4 asks for as many; app passwords hold 128 random bits, so more would only cost time
SALT_OCTETS = 16


@dataclass(frozen=True, slots=True)
class Keys:
    """What one password is verified with; `id` is its row."""

    id: int
    stored_key: bytes
    server_key: bytes


@dataclass(frozen=True, slots=True)
class Verifier:
    """All app passwords of a login; they share salt and iterations, which the server names before it knows which of
    them the client means.  For an unknown login: a salt as lasting as a real one, and no keys."""

    salt: bytes
    iterations: int
    keys: tuple[Keys, ...] = ()

    def check_proof(self, auth_message: bytes, proof: bytes) -> Keys | None:
        """The keys of the password that made `proof` (the octets of p=) for `auth_message`."""
        found = [keys for keys in self.keys if _proves(keys.stored_key, auth_message, proof)]
        return found[0] if found else None

    def check_password(self, password: str) -> Keys | None:
        """The keys of a password sent whole (PLAIN); as much work where there are none."""
        stored_key, _server_key = derive(password, self.salt, self.iterations)
        found = [keys for keys in self.keys if hmac.compare_digest(keys.stored_key, stored_key)]
        return found[0] if found else None


def decoy(login: str, secret: bytes) -> Verifier:
    """For a login nobody has; `secret` is this installation's (RFC 5802 §9)."""
    return Verifier(hmac.digest(secret, login.encode(), "sha256")[:SALT_OCTETS], ITERATIONS)


def derive(password: str, salt: bytes, iterations: int = ITERATIONS) -> tuple[bytes, bytes]:
    """StoredKey and ServerKey.  ASCII passwords are their own SASLprep form."""
    salted = hashlib.pbkdf2_hmac("sha256", password.encode(), salt, iterations)
    client_key = hmac.digest(salted, b"Client Key", "sha256")
    return hashlib.sha256(client_key).digest(), hmac.digest(salted, b"Server Key", "sha256")


def server_signature(keys: Keys, auth_message: bytes) -> bytes:
    """What proves the server to the client: v= of its last message."""
    return hmac.digest(keys.server_key, auth_message, "sha256")


def _proves(stored_key: bytes, auth_message: bytes, proof: bytes) -> bool:
    signature = hmac.digest(stored_key, auth_message, "sha256")
    if len(proof) != len(signature):
        return False
    client_key = bytes(a ^ b for a, b in zip(proof, signature, strict=True))
    return hmac.compare_digest(hashlib.sha256(client_key).digest(), stored_key)
