"""Signing in to another server: held against our own server's side, and against servers that lie."""

from __future__ import annotations

import base64

import pytest

from mailsite_ext.domains.scram import Keys, Verifier, derive
from mailsite_ext.protocol.sasl import Challenge, FindVerifier, begin
from mailsite_ext.protocol.smtp_client import Features, HostRefused
from mailsite_ext.protocol.smtp_client_auth import Login, sign_in
from mailsite_ext.replies import Reply

LOGIN = Login("ada,=x", "säcret")
NONCE = "rOprNGfwEbeRWgbNEkqO"
# RFC 7677 §3
RFC_FIRST = "r=rOprNGfwEbeRWgbNEkqO%hvYDpWUa2RaTCAfuxFIlj)hNlF$k0,s=W22ZaJ0SNY7soEsUEjb6gQ==,i=4096"
RFC_FINAL = "v=6rriTRBi23WpRR/wtup+mMhUZUn/dB5nLTJRsjl95G4="
RFC_PROOF = "p=dHzbZapWIk4jUhN+Ute9ytag9zjfMHgsqmmiz7AndVQ="


def encoded(text: str | bytes) -> str:
    return base64.b64encode(text.encode() if isinstance(text, str) else text).decode()


def said(conversation, *replies):
    """What the client says to these replies, one each."""
    lines = [next(conversation).octets]
    for reply in replies:
        try:
            lines.append(conversation.send([reply]).octets)
        except StopIteration:
            return lines, True
    return lines, False


def offering(*mechanisms):
    return Features({"AUTH": " ".join(mechanisms)})


def test_plain():
    lines, done = said(sign_in(LOGIN, offering("LOGIN", "PLAIN"), NONCE), Reply(235, "2.7.0 welcome"))
    assert done
    assert base64.b64decode(lines[0].removeprefix(b"AUTH PLAIN ")) == "\0ada,=x\0säcret".encode()


def test_the_exchange_of_the_rfc():
    conversation = sign_in(Login("user", "pencil"), offering("PLAIN", "SCRAM-SHA-256"), NONCE)
    lines, done = said(conversation, Reply(334, encoded(RFC_FIRST)), Reply(334, encoded(RFC_FINAL)), Reply(235, "ok"))
    assert done
    assert base64.b64decode(lines[0].removeprefix(b"AUTH SCRAM-SHA-256 ")) == b"n,,n=user,r=" + NONCE.encode()
    assert base64.b64decode(lines[1]).decode().endswith(RFC_PROOF)
    assert lines[2] == b"\r\n"


def test_a_server_may_prove_itself_in_the_last_reply():
    conversation = sign_in(Login("user", "pencil"), offering("SCRAM-SHA-256"), NONCE)
    _, done = said(conversation, Reply(334, encoded(RFC_FIRST)), Reply(235, f"2.7.0 {encoded(RFC_FINAL)}"))
    assert done


def test_our_own_server_lets_it_in():
    verifier = Verifier(b"s" * 16, 4_096, (Keys(7, *derive(LOGIN.password, b"s" * 16)),))
    server, client = begin("SCRAM-SHA-256", nonce="abcdef"), sign_in(LOGIN, offering("SCRAM-SHA-256"), NONCE)
    assert next(server) == Challenge(b"")
    first = base64.b64decode(next(client).octets.removeprefix(b"AUTH SCRAM-SHA-256 "))
    assert server.send(first) == FindVerifier(LOGIN.username)
    challenge = server.send(verifier)
    final = base64.b64decode(client.send([Reply(334, encoded(challenge.data))]).octets)
    proof = server.send(final)
    assert client.send([Reply(334, encoded(proof.data))]).octets == b"\r\n"
    with pytest.raises(StopIteration) as end:
        server.send(b"")
    assert end.value.value.keys.id == 7


@pytest.mark.parametrize(
    "replies",
    [
        [Reply(535, "5.7.8 wrong")],
        [Reply(334, "!!!")],
        [Reply(334, encoded("nonsense"))],
        [Reply(334, encoded(b"\xff\xfe"))],
        [Reply(334, encoded(RFC_FIRST.replace("rOpr", "Xopr")))],  # another's nonce
        [Reply(334, encoded(RFC_FIRST.replace("i=4096", "i=100000000")))],
        [Reply(334, encoded(RFC_FIRST.replace("i=4096", "i=0")))],
        [Reply(334, encoded(RFC_FIRST)), Reply(334, encoded("v=" + "A" * 43 + "="))],
        [Reply(334, encoded(RFC_FIRST)), Reply(235, "2.7.0 welcome")],  # proves nothing
        [Reply(334, encoded(RFC_FIRST)), Reply(535, "5.7.8 no")],
        [Reply(334, encoded(RFC_FIRST)), Reply(334, encoded(RFC_FINAL)), Reply(535, "5.7.8 no")],
    ],
)
def test_whoever_lies_or_refuses_is_left(replies):
    conversation = sign_in(Login("user", "pencil"), offering("SCRAM-SHA-256"), NONCE)
    with pytest.raises(HostRefused):
        said(conversation, *replies)


@pytest.mark.parametrize("mechanisms", [[], ["LOGIN"], ["CRAM-MD5", "XOAUTH2"]])
def test_what_sends_passwords_otherwise_gets_none(mechanisms):
    with pytest.raises(HostRefused):
        next(sign_in(LOGIN, offering(*mechanisms), NONCE))


def test_no_password_is_shown():
    assert "säcret" not in repr(LOGIN)
