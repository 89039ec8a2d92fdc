"""Signing in to another server: PLAIN (RFC 4616) and SCRAM-SHA-256 (RFC 5802, RFC 7677), by AUTH (RFC 4954).

Conversations as those of smtp_client.py.  Only over TLS that proved the server's name: whoever drives them sees to it.
"""

from __future__ import annotations

import base64
import binascii
import hashlib
import hmac
import re
from dataclasses import dataclass, field

from mailsite_ext.protocol.smtp_client import Conversation, Features, HostRefused, Say
from mailsite_ext.replies import Reply

MOST_ITERATIONS = 1_000_000  # half a second of work; a server that asks for more wants us busy
_SERVER_FIRST = re.compile(r"r=([!-+\--~]{1,500}),s=([A-Za-z0-9+/=]{1,500}),i=([1-9][0-9]{0,8})(?:,.*)?")


@dataclass(frozen=True, slots=True)
class Login:
    """Its repr shows no password."""

    username: str
    password: str = field(repr=False)


def sign_in(login: Login, features: Features, nonce: str) -> Conversation[None]:
    """By the best way the server offers.  `nonce`: random, printable ASCII without a comma.  Raises HostRefused."""
    offered = features.keywords.get("AUTH", "").upper().split()
    if "SCRAM-SHA-256" in offered:
        yield from _scram(login, nonce)
    elif "PLAIN" in offered:
        yield from _plain(login)
    else:
        raise HostRefused(Reply(454, "4.7.0 it offers neither AUTH PLAIN nor SCRAM-SHA-256"))


def _plain(login: Login) -> Conversation[None]:
    response = _encoded(f"\0{login.username}\0{login.password}".encode())
    [reply] = yield Say(b"AUTH PLAIN " + response + b"\r\n", is_secret=True)
    _require(reply, 235)


def _scram(login: Login, nonce: str) -> Conversation[None]:
    """RFC 5802 §5: two messages each way; the last one proves the server."""
    first = f"n={_name(login.username)},r={nonce}"
    [reply] = yield Say(b"AUTH SCRAM-SHA-256 " + _encoded(f"n,,{first}".encode()) + b"\r\n", is_secret=True)
    challenge = _decoded(_require(reply, 334))
    found = _SERVER_FIRST.fullmatch(challenge)
    if found is None or not found[1].startswith(nonce) or int(found[3]) > MOST_ITERATIONS:
        raise _makes_no_sense()
    final = f"c=biws,r={found[1]}"
    salted = hashlib.pbkdf2_hmac("sha256", login.password.encode(), _octets(found[2]), int(found[3]))
    auth_message = f"{first},{challenge},{final}".encode()
    [reply] = yield Say(_encoded(f"{final},p={_proof(salted, auth_message)}".encode()) + b"\r\n", is_secret=True)
    if reply.code == 334:  # RFC 4954 §4: the server's last words are a challenge, answered by nothing
        _check_server(_decoded(reply), salted, auth_message)
        [reply] = yield Say(b"\r\n")
        _require(reply, 235)
    else:
        _check_server(_decoded(_require(reply, 235)), salted, auth_message)


def _name(username: str) -> str:
    return username.replace("=", "=3D").replace(",", "=2C")


def _proof(salted: bytes, auth_message: bytes) -> str:
    client_key = hmac.digest(salted, b"Client Key", "sha256")
    signature = hmac.digest(hashlib.sha256(client_key).digest(), auth_message, "sha256")
    return _encoded(bytes(a ^ b for a, b in zip(client_key, signature, strict=True))).decode()


def _check_server(words: str, salted: bytes, auth_message: bytes) -> None:
    """RFC 5802 §3: who cannot say this does not know the password."""
    wanted = hmac.digest(hmac.digest(salted, b"Server Key", "sha256"), auth_message, "sha256")
    if not hmac.compare_digest(words.encode(), b"v=" + _encoded(wanted)):
        raise HostRefused(Reply(454, "4.7.0 the server does not prove that it knows the password"))


def _require(reply: Reply, code: int) -> Reply:
    if reply.code != code:
        raise HostRefused(reply)
    return reply


def _encoded(octets: bytes) -> bytes:
    return base64.b64encode(octets)


def _decoded(reply: Reply) -> str:
    """What a reply says in base64, past an enhanced status code.  Raises HostRefused."""
    try:
        return _octets(reply.words.split(" ")[-1]).decode()
    except UnicodeDecodeError:
        raise _makes_no_sense() from None


def _octets(text: str) -> bytes:
    try:
        return base64.b64decode(text, validate=True)
    except (binascii.Error, ValueError):
        raise _makes_no_sense() from None


def _makes_no_sense() -> HostRefused:
    return HostRefused(Reply(454, "4.7.0 the server's answer to signing in makes no sense"))
