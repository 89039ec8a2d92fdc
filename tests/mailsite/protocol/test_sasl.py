"""Signing in: the exchanges of the RFCs, and that nothing tells a login that exists from one that does not."""

from __future__ import annotations

import base64

import pytest

from app.extension_api import LoginRefused, MailError
from mailsite_ext.domains.scram import Keys, Verifier, derive
from mailsite_ext.errors import BadSasl, MechanismUnknown
from mailsite_ext.protocol import sasl
from mailsite_ext.protocol.sasl import Challenge, CheckPassword, FindVerifier

NONCE = "%hvYDpWUa2RaTCAfuxFIlj)hNlF$k0"
SALT = base64.b64decode("W22ZaJ0SNY7soEsUEjb6gQ==")
PASSWORDS = {"user": ["another", "pencil"], "a,b=c": ["pencil"]}


def verifier_of(login: str) -> Verifier:
    keys = (Keys(number, *derive(word, SALT, 4096)) for number, word in enumerate(PASSWORDS.get(login, [])))
    return Verifier(SALT, 4096, tuple(keys))


def run(mechanism: str, *responses: bytes | None) -> tuple[str, list[bytes]]:
    """(who signed in, the challenges)."""
    exchange = sasl.begin(mechanism, nonce=NONCE)
    left, challenges = list(responses), []
    wanted = next(exchange)
    try:
        while True:
            match wanted:
                case Challenge(data):
                    challenges.append(data)
                    wanted = exchange.send(left.pop(0))
                case CheckPassword(login, password):
                    wanted = exchange.send(password in PASSWORDS.get(login, []))
                case FindVerifier(login):
                    wanted = exchange.send(verifier_of(login))
    except StopIteration as done:
        assert not left
        return done.value.login, challenges


CLIENT_FIRST = b"n,,n=user,r=rOprNGfwEbeRWgbNEkqO"
SERVER_FIRST = b"r=rOprNGfwEbeRWgbNEkqO%hvYDpWUa2RaTCAfuxFIlj)hNlF$k0,s=W22ZaJ0SNY7soEsUEjb6gQ==,i=4096"
CLIENT_FINAL = (
    b"c=biws,r=rOprNGfwEbeRWgbNEkqO%hvYDpWUa2RaTCAfuxFIlj)hNlF$k0,p=dHzbZapWIk4jUhN+Ute9ytag9zjfMHgsqmmiz7AndVQ="
)
SERVER_FINAL = b"v=6rriTRBi23WpRR/wtup+mMhUZUn/dB5nLTJRsjl95G4="


def test_scram_as_in_rfc_7677():
    login, challenges = run("SCRAM-SHA-256", CLIENT_FIRST, CLIENT_FINAL, b"")
    assert login == "user"
    assert challenges == [b"", SERVER_FIRST, SERVER_FINAL]


@pytest.mark.parametrize(
    ("responses", "error"),
    [
        ([CLIENT_FIRST, CLIENT_FINAL.replace(b"dHzb", b"dHzc")], LoginRefused),
        ([CLIENT_FIRST, CLIENT_FINAL.replace(b"r=rO", b"r=sO")], LoginRefused),
        ([CLIENT_FIRST, CLIENT_FINAL.replace(b"biws", b"eSws")], LoginRefused),  # another header than was sent
        ([b"p=tls-unique,,n=user,r=abc"], BadSasl),
        ([b"n,a=other,n=user,r=abc"], LoginRefused),
        ([b"n,,n=us=er,r=abc"], BadSasl),
        ([b"n,,n=user,r="], BadSasl),
        ([b"n,,m=ext,n=user,r=abc"], BadSasl),  # a mandatory extension we do not know (RFC 5802 §5.1)
        ([b"\xff"], BadSasl),
        ([CLIENT_FIRST, b"c=biws,r=x"], BadSasl),
        ([CLIENT_FIRST, CLIENT_FINAL, None], BadSasl),
    ],
)
def test_scram_that_is_refused(responses, error):
    with pytest.raises(error):
        run("SCRAM-SHA-256", *responses)


def test_scram_of_an_unknown_login_goes_as_far_as_any_other():
    with pytest.raises(LoginRefused):
        run("SCRAM-SHA-256", CLIENT_FIRST.replace(b"=user", b"=nobody"), CLIENT_FINAL)


def test_scram_tells_which_password_it_was():
    exchange = sasl.begin("SCRAM-SHA-256", nonce=NONCE)
    next(exchange)
    exchange.send(CLIENT_FIRST)
    exchange.send(verifier_of("user"))
    exchange.send(CLIENT_FINAL)
    with pytest.raises(StopIteration) as done:
        exchange.send(b"")
    assert done.value.value.keys.id == 1


@pytest.mark.parametrize(
    ("mechanism", "responses", "login"),
    [
        ("PLAIN", [b"\0user\0pencil"], "user"),
        ("PLAIN", [b"user\0user\0another"], "user"),
        ("LOGIN", [b"user", b"pencil"], "user"),
    ],
)
def test_passwords_that_are_right(mechanism, responses, login):
    assert run(mechanism, *responses)[0] == login


@pytest.mark.parametrize(
    ("mechanism", "responses", "error"),
    [
        ("PLAIN", [b"\0user\0wrong"], LoginRefused),
        ("PLAIN", [b"\0nobody\0pencil"], LoginRefused),
        ("PLAIN", [b"other\0user\0pencil"], LoginRefused),
        ("PLAIN", [b"\0user\0"], LoginRefused),
        ("PLAIN", [b"\0\0pencil"], LoginRefused),
        ("PLAIN", [b"\0user\0" + b"x" * 2000], LoginRefused),
        ("PLAIN", [b"user pencil"], BadSasl),
        ("PLAIN", [b"\0user\0pencil\0"], BadSasl),
        ("PLAIN", [b"\0user\0\xff"], BadSasl),
        ("LOGIN", [b"user", b"wrong"], LoginRefused),
        ("LOGIN", [b"us\0er", b"pencil"], LoginRefused),
        ("LOGIN", [b"\xff", b"pencil"], BadSasl),
        ("CRAM-MD5", [], MechanismUnknown),
    ],
)
def test_passwords_that_are_not(mechanism, responses, error):
    with pytest.raises(error) as caught:
        run(mechanism, *responses)
    assert isinstance(caught.value, MailError)
