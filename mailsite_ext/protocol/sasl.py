"""The server's side of signing in: PLAIN (RFC 4616), LOGIN, SCRAM-SHA-256 (RFC 5802, RFC 7677).  Pure.

Each mechanism is a generator: it yields what it needs (a Challenge for the client, a password checked, a secret looked
up), is sent the answer, and returns the login that signed in.  It raises LoginRefused, or BadSasl where the client broke
the mechanism's grammar.  SMTP and IMAP carry the challenges each in their own way:

    exchange = begin("PLAIN", nonce="…")
    wanted = next(exchange)
    while True:
        answer = …    # bytes for Challenge, bool for CheckPassword, ScramSecret or None for FindSecret
        try: wanted = exchange.send(answer)
        except StopIteration as done: login = done.value; break
"""

from __future__ import annotations

import base64
import binascii
import hashlib
import hmac
import re
from collections.abc import Callable, Generator, Mapping, Sequence
from dataclasses import dataclass
from typing import TypeAlias

from app.extension_api import LoginRefused
from mailsite_ext.errors import BadSasl, MechanismUnknown

ITERATIONS = 4_096  # RFC 7677 §4; app passwords hold 128 random bits, so more would only cost time
LONGEST_NAME = 254
LONGEST_PASSWORD_OCTETS = 1_024


@dataclass(frozen=True, slots=True)
class Challenge:
    """Say `data` to the client; its answer is wanted.  `data` may be empty."""

    data: bytes


@dataclass(frozen=True, slots=True)
class CheckPassword:
    """Is this the password of `login`?  A bool is wanted."""

    login: str
    password: str


@dataclass(frozen=True, slots=True)
class FindSecret:
    """What is stored for `login`?  A ScramSecret is wanted, None where there is none."""

    login: str


@dataclass(frozen=True, slots=True)
class ScramKeys:
    """What is kept of one password: RFC 5802 §3."""

    stored_key: bytes
    server_key: bytes


@dataclass(frozen=True, slots=True)
class ScramSecret:
    """All passwords of one login.  They share salt and iterations, for the server must name those before it knows which
    of the passwords the client means."""

    salt: bytes
    iterations: int
    keys: Sequence[ScramKeys]


Wanted: TypeAlias = Challenge | CheckPassword | FindSecret
Given: TypeAlias = "bytes | bool | ScramSecret | None"
Exchange: TypeAlias = Generator[Wanted, Given, str]


def begin(mechanism: str, *, nonce: str, decoy_key: bytes) -> Exchange:
    """An exchange of `mechanism`.

    `nonce`: fresh random ASCII of 18 octets or more, without commas; `decoy_key`: a secret of this installation, with
    which unknown logins get a salt that stays the same (RFC 5802 §9).  Raises MechanismUnknown.
    """
    if mechanism not in _MECHANISMS:
        raise MechanismUnknown
    return _MECHANISMS[mechanism](nonce, decoy_key)


def _plain(_nonce: str, _decoy_key: bytes) -> Exchange:
    response = yield from _ask(b"")
    try:
        acting_for, login, password = response.decode().split("\0")
    except ValueError:
        raise BadSasl from None
    _only_as_oneself(acting_for, login)
    return (yield from _with_password(login, password))


def _login(_nonce: str, _decoy_key: bytes) -> Exchange:
    """Never standardised; old clients know nothing else.  A first response with the command is the user name."""
    login = yield from _ask(b"Username:")
    password = yield from _ask(b"Password:")
    try:
        return (yield from _with_password(login.decode(), password.decode()))
    except UnicodeDecodeError:
        raise BadSasl from None


def _with_password(login: str, password: str) -> Exchange:
    if not 0 < len(login) <= LONGEST_NAME or not password or len(password.encode()) > LONGEST_PASSWORD_OCTETS:
        raise LoginRefused
    if "\0" in login + password or (yield CheckPassword(login, password)) is not True:
        raise LoginRefused
    return login


_FIRST = re.compile(r"(([nyp])(?:=[A-Za-z0-9.-]+)?,(?:a=([^,\0]+))?,)(n=([^,\0]+),r=([!-+\--~]{1,200})(?:,[^\0]*)?)")
_FINAL = re.compile(r"(c=([A-Za-z0-9+/=]+),r=([!-+\--~]+)(?:,[^\0]*)?),p=([A-Za-z0-9+/=]+)")


def _scram(nonce: str, decoy_key: bytes) -> Exchange:
    """SCRAM-SHA-256 without channel binding: only PLUS mechanisms carry it, and none is offered."""
    first = _match(_FIRST, (yield from _ask(b"")))
    gs2_header, binding, acting_for, bare, name, client_nonce = first.groups()
    if binding == "p":
        raise BadSasl
    login = _saslname(name)
    _only_as_oneself(_saslname(acting_for or ""), login)
    found = yield FindSecret(login)
    secret = found if isinstance(found, ScramSecret) and found.keys else decoy(login, decoy_key)
    salt = base64.b64encode(secret.salt).decode()
    server_first = f"r={client_nonce}{nonce},s={salt},i={secret.iterations}"
    final = _match(_FINAL, (yield from _ask(server_first.encode())))
    without_proof, channel, both_nonces, proof = final.groups()
    if _from_base64(channel) != gs2_header.encode() or both_nonces != client_nonce + nonce:
        raise LoginRefused
    signed = f"{bare},{server_first},{without_proof}".encode()
    keys = _keys_that_fit(secret, signed, _from_base64(proof))
    yield from _ask(b"v=" + base64.b64encode(_hmac(keys.server_key, signed)))
    return login


def _keys_that_fit(secret: ScramSecret, signed: bytes, proof: bytes) -> ScramKeys:
    """Raises LoginRefused.  Every key is tried in full, so that the time says nothing about which one fits."""
    fitting = [keys for keys in secret.keys if _fits(keys, signed, proof)]
    if not fitting:
        raise LoginRefused
    return fitting[0]


def _fits(keys: ScramKeys, signed: bytes, proof: bytes) -> bool:
    signature = _hmac(keys.stored_key, signed)
    if len(proof) != len(signature):
        return False
    client_key = bytes(a ^ b for a, b in zip(proof, signature, strict=True))
    return hmac.compare_digest(hashlib.sha256(client_key).digest(), keys.stored_key)


def derive_keys(password: str, salt: bytes, iterations: int = ITERATIONS) -> ScramKeys:
    """What to store of `password` (RFC 5802 §3).  ASCII passwords are their own SASLprep form."""
    salted = hashlib.pbkdf2_hmac("sha256", password.encode(), salt, iterations)
    stored_key = hashlib.sha256(_hmac(salted, b"Client Key")).digest()
    return ScramKeys(stored_key, _hmac(salted, b"Server Key"))


def has_password(secret: ScramSecret, password: str) -> bool:
    """Is `password` one of those kept in `secret`?  One derivation, however many there are."""
    derived = derive_keys(password, secret.salt, secret.iterations)
    return any(hmac.compare_digest(derived.stored_key, keys.stored_key) for keys in secret.keys)


def decoy(login: str, decoy_key: bytes) -> ScramSecret:
    """For a login that does not exist: a salt as steady as a real one, and keys nothing fits."""
    seed = _hmac(decoy_key, login.encode())
    return ScramSecret(seed[:16], ITERATIONS, [ScramKeys(_hmac(seed, b"stored"), _hmac(seed, b"server"))])


def _ask(data: bytes) -> Generator[Wanted, Given, bytes]:
    response = yield Challenge(data)
    if not isinstance(response, bytes):
        raise BadSasl
    return response


def _only_as_oneself(acting_for: str, login: str) -> None:
    if acting_for not in ("", login):
        raise LoginRefused


def _match(pattern: re.Pattern[str], response: bytes) -> re.Match[str]:
    try:
        found = pattern.fullmatch(response.decode())
    except UnicodeDecodeError:
        found = None
    if found is None:
        raise BadSasl
    return found


def _saslname(text: str) -> str:
    """RFC 5802 §5.1: "=2C" is a comma, "=3D" an equals sign, and no other "=" may stand."""
    if len(text) > LONGEST_NAME or re.search("=(?!2C|3D)", text):
        raise BadSasl
    return text.replace("=2C", ",").replace("=3D", "=")


def _from_base64(text: str) -> bytes:
    try:
        return base64.b64decode(text, validate=True)
    except (binascii.Error, ValueError):
        raise BadSasl from None


def _hmac(key: bytes, data: bytes) -> bytes:
    return hmac.digest(key, data, "sha256")


_MECHANISMS: Mapping[str, Callable[[str, bytes], Exchange]] = {
    "SCRAM-SHA-256": _scram,
    "PLAIN": _plain,
    "LOGIN": _login,
}
MECHANISMS = tuple(_MECHANISMS)
"""Offered in this order, the best first."""
