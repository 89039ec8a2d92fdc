"""Sealing with libsodium's secretbox (C1): a fresh nonce each time, and a name that binds the seal to its place.

A sealed value is  version (1 octet) · key id (4) · nonce (24) · box of [name length (2) · name · plaintext].
The name says whose it is, such as `mail_account.imap_password:<uuid>`; copied to another row or field it does not open.
"""

from __future__ import annotations

import struct
from collections.abc import Callable, Mapping

import nacl.exceptions
import nacl.secret
import nacl.utils

from app.errors import NoSuchKey, VaultError

VERSION = 1
HEAD = struct.Struct(">BI")
NAME_LENGTH = struct.Struct(">H")
KEY_OCTETS = nacl.secret.SecretBox.KEY_SIZE


def new_key() -> bytes:
    """A random secretbox key."""
    return nacl.utils.random(KEY_OCTETS)


def seal(key_id: int, key: bytes, name: str, plaintext: bytes) -> bytes:
    """`plaintext` sealed under `key` for the place called `name`."""
    named = name.encode()
    inner = NAME_LENGTH.pack(len(named)) + named + plaintext
    return HEAD.pack(VERSION, key_id) + bytes(nacl.secret.SecretBox(key).encrypt(inner))


def key_id_of(sealed: bytes) -> int:
    """The id of the key that opens `sealed`.  Raises VaultError if it is no seal of ours."""
    if len(sealed) < HEAD.size or sealed[0] != VERSION:
        raise VaultError("not a sealed value")
    return int(HEAD.unpack_from(sealed)[1])


def unseal(key: bytes, name: str, sealed: bytes) -> bytes:
    """What was sealed for `name`.  Raises VaultError: another key, another place, or changed octets."""
    try:
        inner = nacl.secret.SecretBox(key).decrypt(sealed[HEAD.size :])
    except (nacl.exceptions.CryptoError, ValueError):
        raise VaultError("the seal does not open") from None
    (length,) = NAME_LENGTH.unpack_from(inner)
    start = NAME_LENGTH.size + length
    if inner[NAME_LENGTH.size : start] != name.encode():
        raise VaultError("sealed for another place")
    return bytes(inner[start:])


class Vault:
    """Seals with the newest master key and opens with any kept one.  Its repr shows no key."""

    def __init__(self, load_keys: Callable[[], Mapping[int, bytes]]) -> None:
        """`load_keys` reads the ring, key id to key, the last being the one that seals."""
        self._load_keys = load_keys
        self._keys: dict[int, bytes] = {}

    def __repr__(self) -> str:
        return f"<Vault of {len(self._keys)} keys>"

    @property
    def sealing_key_id(self) -> int:
        if not self._keys:
            self.reload()
        if not self._keys:
            raise NoSuchKey("the private database holds no master key: run `flask db upgrade`")
        return max(self._keys)

    def reload(self) -> None:
        """Read the ring again: keys come and go with a rotation."""
        self._keys = dict(self._load_keys())

    def seal(self, name: str, plaintext: str | bytes) -> bytes:
        octets = plaintext.encode() if isinstance(plaintext, str) else plaintext
        self.reload()  # sealing is rare, and a rotation must be seen by who seals after it began (C3)
        key_id = self.sealing_key_id
        return seal(key_id, self._keys[key_id], name, octets)

    def open(self, name: str, sealed: bytes) -> bytes:
        """Raises NoSuchKey or VaultError."""
        return unseal(self._key(key_id_of(sealed)), name, sealed)

    def open_text(self, name: str, sealed: bytes) -> str:
        return self.open(name, sealed).decode()

    def _key(self, key_id: int) -> bytes:
        if key_id not in self._keys:
            self.reload()  # another process may have rotated
        try:
            return self._keys[key_id]
        except KeyError:
            raise NoSuchKey(f"master key {key_id} is not in the private database") from None
