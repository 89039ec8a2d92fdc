"""A server that repeats what it was sent does not bring a password onto a page, into a row or into a log."""

from __future__ import annotations

import socket
import ssl
import threading
from base64 import b64encode
from contextlib import closing, contextmanager

import pytest

from app.accounts.echoes import without_secret
from app.accounts.endpoint import Credentials, Endpoint, Tls
from app.config import Config
from app.errors import LoginRefused
from app.imap.session import open_session
from app.outbox.smtp import Login, SmtpSubmitter

SECRET = 'corr"ect horse'
PLAIN = b64encode(f"\0ann\0{SECRET}".encode()).decode()


def connect(host, port, timeout_s):
    return socket.create_connection(("127.0.0.1", port), timeout_s)


@contextmanager
def parrot(greeting: bytes, answer):
    """A server that greets and then answers each line with what `answer` makes of it."""
    with closing(socket.create_server(("127.0.0.1", 0))) as listener:

        def serve():
            link, _peer = listener.accept()
            with link, link.makefile("rb") as lines:
                link.sendall(greeting)
                for line in lines:
                    link.sendall(answer(line.strip()))

        thread = threading.Thread(target=serve, daemon=True)
        thread.start()
        yield listener.getsockname()[1]
        thread.join(5)


def test_an_imap_server_that_repeats_the_login():
    with parrot(
        b"* OK [CAPABILITY IMAP4rev1] hi\r\n", lambda line: line.split()[0] + b" NO bad: " + line + b"\r\n"
    ) as port:
        given = Credentials("ann", "ann", imap_password=SECRET)
        with pytest.raises(LoginRefused, match="bad: ") as refused:
            open_session(
                Endpoint("localhost", port, Tls.NONE),
                given,
                connect=connect,
                ssl_context=ssl.create_default_context(),
                timeout_s=5,
            )
    assert "horse" not in refused.value.detail + str(refused.getrepr(style="long").chain[-1][1])


def test_an_smtp_server_that_repeats_the_login():
    def answer(line: bytes) -> bytes:
        return b"250-hi\r\n250 AUTH PLAIN\r\n" if line.startswith(b"EHLO") else b"535 bad: " + line + b"\r\n"

    with parrot(b"220 hi\r\n", answer) as port:
        submitter = SmtpSubmitter(
            Endpoint("localhost", port, Tls.NONE),
            Login("ann", SECRET),
            connect=connect,
            tls=ssl.create_default_context(),
        )
        with pytest.raises(LoginRefused, match="535 bad: ") as refused:
            submitter.check_login(5)
    assert PLAIN.rstrip("=") not in refused.value.detail


@pytest.mark.parametrize("words", [
    f"LOGIN ann {SECRET}", 'LOGIN ann "corr\\"ect horse"', f"AUTH PLAIN {PLAIN}", b64encode(SECRET.encode()).decode(),
    b64encode(f"user=ann\1auth=Bearer {SECRET}\1\1".encode()).decode(),
])  # fmt: skip
def test_every_form_is_blotted_out(words):
    assert without_secret(words, "ann", SECRET).rstrip('="').endswith("…")


def test_a_secret_too_short_to_be_told_apart_leaves_the_words():
    assert without_secret("Authentication failed", "ann", "a") == "Authentication failed"


def test_the_configuration_does_not_show_the_databases_passwords():
    url = "postgresql+psycopg://satchel:hunter2@db/satchel"
    assert "hunter2" not in repr(Config(database_url=url, private_database_url=url))
