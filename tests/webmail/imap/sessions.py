"""Opening sources on the test servers."""

from __future__ import annotations

import socket
import ssl

from app.accounts.endpoint import Credentials, Endpoint, Tls
from app.imap.session import ImapSession, open_session
from app.imap.source import ImapSource
from tests.servers.dovecot import Dovecot, MailUser


def connect(host: str, port: int, timeout_s: float) -> socket.socket:
    """Without the guard, which has tests of its own."""
    return socket.create_connection((host, port), timeout_s)


def sign_in(
    endpoint: Endpoint, user: MailUser, context: ssl.SSLContext, *, timeout_s: float = 10, token: str = ""
) -> ImapSession:
    credentials = Credentials(user.name, user.name, imap_password="" if token else user.password, access_token=token)
    return open_session(endpoint, credentials, connect=connect, ssl_context=context, timeout_s=timeout_s)


def source_of(server: Dovecot, user: MailUser, context: ssl.SSLContext) -> ImapSource:
    return ImapSource(sign_in(Endpoint(server.host, server.imaps_port, Tls.IMPLICIT), user, context))
