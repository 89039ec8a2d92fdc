"""Sources on servers that speak by script."""

from __future__ import annotations

import ssl
from collections.abc import Iterator
from contextlib import ExitStack
from textwrap import dedent

import pytest

from app.accounts.endpoint import Credentials, Endpoint, Tls
from app.imap.session import open_session
from app.imap.source import ImapSource
from tests.servers.scripted_imap import ScriptedServer, scripted
from tests.webmail.imap.plays import Play
from tests.webmail.imap.sessions import connect


@pytest.fixture
def play() -> Iterator[Play]:
    """A source whose server has the capabilities named and then goes by the script."""
    with ExitStack() as stack:

        def play(capabilities: str, script: str, timeout_s: float = 10) -> tuple[ImapSource, ScriptedServer]:
            told = f"S: * OK [CAPABILITY IMAP4rev1 {capabilities}] hello\nC: LOGIN …\nS: {{tag}} OK in\n"
            asked = f"C: CAPABILITY\nS: * CAPABILITY IMAP4rev1 {capabilities}\nS: {{tag}} OK done\n"
            server = stack.enter_context(scripted(told + asked + dedent(script)))
            session = open_session(
                Endpoint("localhost", server.port, Tls.NONE),
                Credentials("ann", "ann", imap_password="x"),
                connect=connect,
                ssl_context=ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT),
                timeout_s=timeout_s,
            )
            stack.callback(session.close)
            return ImapSource(session), server

        yield play
