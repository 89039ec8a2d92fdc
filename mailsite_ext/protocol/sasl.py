"""The server's side of signing in: PLAIN (RFC 4616), LOGIN, SCRAM-SHA-256 (RFC 5802, RFC 7677).  Pure.

Each mechanism is a generator: it yields what it needs (a Challenge for the client, a password checked, a secret looked
up), is sent the answer, and returns who signed in.  It raises LoginRefused, or BadSasl where the client broke
the mechanism's grammar.  SMTP and IMAP carry the challenges each in their own way:

    exchange = begin("PLAIN", nonce="…")
    wanted = next(exchange)
    while True:
        answer = …    # bytes for Challenge, bool for CheckPassword, Verifier for FindVerifier
        try: wanted = exchange.send(answer)
        except StopIteration as done: who = done.value; break
"""

from __future__ import annotations

import base64
import binascii
import re
from collections.abc import Callable, Generator, Mapping
from dataclasses import dataclass
from typing import TypeAlias

from app.extension_api import LoginRefused
from mailsite_ext.domains.scram import Keys, Verifier, server_signature
from mailsite_ext.errors import BadSasl, MechanismUnknown

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
class FindVerifier:
    """What are the passwords of `login` verified with?  A Verifier is wanted, for unknown logins a decoy."""

    login: str


@dataclass(frozen=True, slots=True)
class SignedIn:
    """Who it is; `keys` are those of the app password that SCRAM found."""

    login: str
    keys: Keys | None = None


Wanted: TypeAlias = Challenge | CheckPassword | FindVerifier
Given: TypeAlias = bytes | bool | Verifier
Exchange: TypeAlias = Generator[Wanted, Given, SignedIn]


def begin(mechanism: str, *, nonce: str) -> Exchange:
    """An exchange; `nonce`: fresh random ASCII, 18 characters or more, no comma.  Raises MechanismUnknown."""
    if mechanism not in _MECHANISMS:
        raise MechanismUnknown
    return _MECHANISMS[mechanism](nonce)


def _plain(_nonce: str) -> Exchange:
    response = yield from _ask(b"")
    try:
        acting_for, login, password = response.decode().split("\0")
    except ValueError:
        raise BadSasl from None
    _only_as_oneself(acting_for, login)
    return (yield from _with_password(login, password))


def _login(_nonce: str) -> Exchange:
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
    return SignedIn(login)


_FIRST = re.compile(r"(([nyp])(?:=[A-Za-z0-9.-]+)?,(?:a=([^,\0]+))?,)(n=([^,\0]+),r=([!-+\--~]{1,200})(?:,[^\0]*)?)")
_FINAL = re.compile(r"(c=([A-Za-z0-9+/=]+),r=([!-+\--~]+)(?:,[^\0]*)?),p=([A-Za-z0-9+/=]+)")


def _scram(nonce: str) -> Exchange:
    """SCRAM-SHA-256 without channel binding: only PLUS mechanisms carry it, and none is offered."""
    first = _match(_FIRST, (yield from _ask(b"")))
    gs2_header, binding, acting_for, bare, name, client_nonce = first.groups()
    if binding == "p":
        raise BadSasl
    login = _saslname(name)
    _only_as_oneself(_saslname(acting_for or ""), login)
    verifier = yield FindVerifier(login)
    if not isinstance(verifier, Verifier):
        raise LoginRefused
    salt = base64.b64encode(verifier.salt).decode()
    server_first = f"r={client_nonce}{nonce},s={salt},i={verifier.iterations}"
    final = _match(_FINAL, (yield from _ask(server_first.encode())))
    without_proof, channel, both_nonces, proof = final.groups()
    if _from_base64(channel) != gs2_header.encode() or both_nonces != client_nonce + nonce:
        raise LoginRefused
    signed = f"{bare},{server_first},{without_proof}".encode()
    keys = verifier.check_proof(signed, _from_base64(proof))
    if keys is None:
        raise LoginRefused
    yield from _ask(b"v=" + base64.b64encode(server_signature(keys, signed)))
    return SignedIn(login, keys)


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


_MECHANISMS: Mapping[str, Callable[[str], Exchange]] = {
    "SCRAM-SHA-256": _scram,
    "PLAIN": _plain,
    "LOGIN": _login,
}
MECHANISMS = tuple(_MECHANISMS)
"""Offered in this order, the best first."""
