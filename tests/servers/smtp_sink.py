"""A submission server for the tests: takes mail on loopback, keeps it, and refuses what it is told to refuse.

    def test_something(smtp_sink):                 # STARTTLS, a login, nothing refused
        smtp_sink.accounts["alice@example.org"] = "correct horse"
        smtp_sink.refused["nobody@example.net"] = "550 5.1.1 No such user here"
        ...
        assert smtp_sink.messages[0].recipients == ["bob@example.net"]

Other protections: `with serve(certificate, tls=Tls.IMPLICIT) as sink`.
"""

from __future__ import annotations

import asyncio
import base64
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from typing import Any

import pytest
from aiosmtpd.smtp import SMTP, AuthResult, Envelope, LoginPassword, Session

from app.accounts.endpoint import Tls
from tests.servers.certificates import Authority, Certificate

HOST = "localhost"
LOGIN_REFUSED = "535 5.7.8 Authentication failed"
TAKEN = "250 2.0.0 Taken"
HANG_UP = ""
"""A reply that is none: the connection is cut instead."""


@dataclass(frozen=True)
class Received:
    """One message as it came in; `content` octet for octet, `login` empty where nobody logged in."""

    mail_from: str
    recipients: list[str]
    content: bytes
    login: str = ""


@dataclass
class SmtpSink:
    """A server that runs.  Everything but the port may be changed while it does."""

    port: int = 0
    host: str = HOST
    accounts: dict[str, str] = field(default_factory=dict)  # login → password
    tokens: dict[str, str] = field(default_factory=dict)  # login → access token (XOAUTH2)
    check_token: Callable[[str, str], bool] | None = None  # login, token → good?  In place of `tokens`
    refused: dict[str, str] = field(default_factory=dict)  # recipient → reply at RCPT
    refused_senders: dict[str, str] = field(default_factory=dict)  # sender → reply at MAIL
    login_reply: str = LOGIN_REFUSED
    data_reply: str = TAKEN  # at the end of DATA; HANG_UP: kept, but nobody is told
    keep: bool = True  # False: nothing is kept, whatever is answered
    messages: list[Received] = field(default_factory=list)
    logins: list[tuple[str, str]] = field(default_factory=list)  # mechanism, login: those that worked
    connections: int = 0
    arrived: threading.Event = field(default_factory=threading.Event)

    def is_token(self, login: str, token: str) -> bool:
        if self.check_token is not None:
            return self.check_token(login, token)
        return self.tokens.get(login) == token


class SinkSession(SMTP):
    """One connection; after STARTTLS it has two transports, one inside the other."""

    def __init__(self, *words: Any, **named: Any) -> None:
        super().__init__(*words, **named)
        self.transports: list[asyncio.BaseTransport] = []

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        self.transports.append(transport)
        super().connection_made(transport)

    def hang_up(self) -> None:
        for transport in self.transports:
            if isinstance(transport, asyncio.Transport):
                transport.abort()


class Hooks:
    """What aiosmtpd asks at each step of a session; answers are the sink's settings."""

    def __init__(self, sink: SmtpSink) -> None:
        self.sink = sink

    async def handle_MAIL(  # noqa: N802
        self, _server: SMTP, _session: Session, envelope: Envelope, address: str, options: list[str]
    ) -> str:
        if address in self.sink.refused_senders:
            return self.sink.refused_senders[address]
        envelope.mail_from = address
        envelope.mail_options.extend(options)
        return "250 2.1.0 OK"

    async def handle_RCPT(  # noqa: N802
        self, _server: SMTP, _session: Session, envelope: Envelope, address: str, options: list[str]
    ) -> str:
        if address in self.sink.refused:
            return self.sink.refused[address]
        envelope.rcpt_tos.append(address)
        envelope.rcpt_options.extend(options)
        return "250 2.1.5 OK"

    async def handle_DATA(self, server: SinkSession, session: Session, envelope: Envelope) -> str:  # noqa: N802
        content = envelope.original_content or b""
        login = str(session.auth_data or "")
        if self.sink.keep and (self.sink.data_reply == HANG_UP or self.sink.data_reply.startswith("2")):
            self.sink.messages.append(Received(envelope.mail_from or "", list(envelope.rcpt_tos), content, login))
            self.sink.arrived.set()
        if self.sink.data_reply == HANG_UP:
            server.hang_up()
        return self.sink.data_reply or TAKEN

    async def auth_XOAUTH2(self, server: SMTP, args: list[str]) -> AuthResult:  # noqa: N802
        given = args[1].encode() if len(args) > 1 else await server.challenge_auth("")
        login, token = _read_xoauth2(given if isinstance(given, bytes) else b"", encoded=len(args) > 1)
        if self.sink.is_token(login, token):
            self.sink.logins.append(("XOAUTH2", login))
            return AuthResult(success=True, auth_data=login)
        await server.challenge_auth('{"status":"401","schemes":"bearer","scope":"mail"}')
        return AuthResult(success=False, handled=False, message=self.sink.login_reply)


def _read_xoauth2(given: bytes, *, encoded: bool) -> tuple[str, str]:
    """Login and token of `user=…^Aauth=Bearer …^A^A`."""
    fields = (base64.b64decode(given) if encoded else given).decode().split("\1")
    values = dict(entry.split("=", 1) for entry in fields if "=" in entry)
    return values.get("user", ""), values.get("auth", "").removeprefix("Bearer ")


def _authenticator(sink: SmtpSink) -> Callable[..., AuthResult]:
    def authenticate(_server: SMTP, _session: Session, _envelope: Envelope, mechanism: str, data: Any) -> AuthResult:
        assert isinstance(data, LoginPassword)
        login = data.login.decode()
        if login in sink.accounts and sink.accounts[login] == data.password.decode():
            sink.logins.append((mechanism, login))
            return AuthResult(success=True, auth_data=login)
        return AuthResult(success=False, handled=False, message=sink.login_reply)

    return authenticate


@contextmanager
def serve(
    certificate: Certificate | None = None, *, tls: Tls = Tls.STARTTLS, max_octets: int = 50 * 1024 * 1024
) -> Iterator[SmtpSink]:
    """Run a sink until the block is left.  Without a certificate, or with Tls.NONE, it speaks cleartext only."""
    sink = SmtpSink()
    context = certificate.server_context() if certificate else None
    hooks = Hooks(sink)
    sessions: list[SinkSession] = []

    def session() -> SinkSession:
        sink.connections += 1
        made = SinkSession(
            hooks,
            data_size_limit=max_octets,
            enable_SMTPUTF8=True,
            hostname="smtp.example.org",
            ident="ready",
            tls_context=context if tls is Tls.STARTTLS else None,
            auth_require_tls=tls is Tls.STARTTLS and context is not None,
            authenticator=_authenticator(sink),
            loop=loop,
        )
        sessions.append(made)
        return made

    loop = asyncio.new_event_loop()
    thread = threading.Thread(target=loop.run_forever, name="smtp-sink", daemon=True)
    thread.start()  # the loop runs there alone: a test that drives a browser has another one in its own thread
    listening = loop.create_server(session, "127.0.0.1", 0, ssl=context if tls is Tls.IMPLICIT else None)
    server = asyncio.run_coroutine_threadsafe(listening, loop).result(10)
    sink.port = server.sockets[0].getsockname()[1]
    try:
        yield sink
    finally:
        asyncio.run_coroutine_threadsafe(_end(server, sessions), loop).result(10)
        loop.call_soon_threadsafe(loop.stop)
        thread.join(10)
        loop.close()


async def _end(server: asyncio.Server, sessions: list[SinkSession]) -> None:
    """Stop listening and end what still runs, so that the loop closes in peace."""
    server.close()
    for session in sessions:
        session.hang_up()
    others = [task for task in asyncio.all_tasks() if task is not asyncio.current_task()]
    for task in others:
        task.cancel()
    await asyncio.gather(*others, return_exceptions=True)
    for _turn in range(10):  # transports, one in another, tell their protocols that they are closed
        await asyncio.sleep(0)


@pytest.fixture
def smtp_sink(authority: Authority) -> Iterator[SmtpSink]:
    """A submission server of this test alone, with STARTTLS and a certificate for this machine."""
    with serve(authority.issue()) as sink:
        yield sink
