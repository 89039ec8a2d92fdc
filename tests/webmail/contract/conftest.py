"""Dovecot with all, some and none of its extensions, as accounts of the contract."""

from __future__ import annotations

import ssl
from collections.abc import Callable, Iterator
from contextlib import ExitStack

import pytest

from tests.servers.certificates import Authority
from tests.servers.dovecot import Dovecot, serve
from tests.webmail.contract.accounts import Account
from tests.webmail.imap.sessions import source_of

CAPABILITIES = {
    "qresync": "",
    "condstore": (
        "IMAP4rev1 SASL-IR LITERAL+ ENABLE IDLE NAMESPACE UIDPLUS MOVE CONDSTORE ESEARCH "
        "LIST-EXTENDED LIST-STATUS SPECIAL-USE CHILDREN"
    ),
    "plain": "IMAP4rev1 IDLE",
}


@pytest.fixture(scope="package")
def servers(authority: Authority) -> Iterator[Callable[[str], Dovecot]]:
    """One server for each set of extensions, started when first asked for."""
    with ExitStack() as stack:
        running: dict[str, Dovecot] = {}

        def server(kind: str) -> Dovecot:
            if kind not in running:
                running[kind] = stack.enter_context(serve(authority, capability=CAPABILITIES[kind]))
            return running[kind]

        yield server


@pytest.fixture(scope="session")
def context(authority: Authority) -> ssl.SSLContext:
    return authority.client_context()


@pytest.fixture(params=list(CAPABILITIES))
def account(
    request: pytest.FixtureRequest, servers: Callable[[str], Dovecot], context: ssl.SSLContext
) -> Iterator[Account]:
    server = servers(request.param)
    user = server.add_user()
    one, two = (source_of(server, user, context) for _ in range(2))
    made = Account(server, user, one, two, context=context)
    yield made
    made.source.close()
    two.close()
