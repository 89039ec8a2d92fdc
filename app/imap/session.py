"""Opening an IMAP session: imapclient greets, secures and authenticates; `ImapSession` goes on from there.

Errors of imapclient and imaplib are translated here and nowhere else; those of sockets and TLS in `wire.py`.
"""

from __future__ import annotations

import imaplib
import re
import ssl
from collections.abc import Iterator
from socket import socket
from typing import Any, Protocol

import imapclient

from app.accounts.echoes import blotted_out
from app.accounts.endpoint import Credentials, Endpoint, Tls
from app.errors import (
    BadInput,
    LoginRefused,
    MailError,
    NotAMailServer,
    ProtocolError,
    StarttlsNotOffered,
)
from app.imap import folders, refusals
from app.imap.dialog import Command, ImapSession, Settled, Turn, astring
from app.imap.wire import Wire, translated

__all__ = ["Connector", "ImapSession", "open_session"]

SIGN_IN_OCTETS = 1_048_576


class Connector(Protocol):
    """Opens a TCP connection; raises MailError subclasses, AddressRefused among them (E4)."""

    def __call__(self, host: str, port: int, timeout_s: float) -> socket: ...


def open_session(
    endpoint: Endpoint,
    credentials: Credentials,
    *,
    connect: Connector,
    ssl_context: ssl.SSLContext,
    timeout_s: float,
) -> ImapSession:
    """Connect, protect, sign in.

    `ssl_context` is the process's one context; it verifies the host as typed.  Raises ServerUnreachable and its kinds
    (NameNotFound, ConnectionRefused, TimedOut, AddressRefused, TlsFailed, StarttlsNotOffered, NotAMailServer,
    ConnectionLost), LoginRefused with the server's words, TooManyConnections, or ProtocolError.
    """
    wire = _connected(endpoint, connect, ssl_context, timeout_s)
    try:
        client = _greeted(wire, endpoint, ssl_context)
        return _signed_in(client, wire, credentials)
    except BaseException:
        wire.close()
        raise


def _connected(endpoint: Endpoint, connect: Connector, context: ssl.SSLContext, timeout_s: float) -> Wire:
    with translated(endpoint.host):
        wire = Wire(connect(endpoint.host, endpoint.port, timeout_s), endpoint.host, timeout_s)
    if endpoint.tls is Tls.IMPLICIT:
        try:
            wire.start_tls(context)
        except MailError:
            wire.close()
            raise
    return wire


def _greeted(wire: Wire, endpoint: Endpoint, context: ssl.SSLContext) -> _Client:
    wire.begin_turn(SIGN_IN_OCTETS)
    try:
        client = _Client(wire)
    except imaplib.IMAP4.error as error:
        raise _greeting_error(_words_of(error)) from error
    if endpoint.tls is Tls.STARTTLS:
        _secure(client, context)
    return client


def _secure(client: _Client, context: ssl.SSLContext) -> None:
    if "STARTTLS" not in client.capability_names():
        raise StarttlsNotOffered("the server offers no STARTTLS")
    try:
        client.starttls(context)
    except imaplib.IMAP4.abort as error:
        raise ProtocolError(refusals.readable(_words_of(error))) from error
    except imaplib.IMAP4.error as error:
        raise StarttlsNotOffered(refusals.readable(_words_of(error))) from error


def _signed_in(client: _Client, wire: Wire, credentials: Credentials) -> ImapSession:
    session = ImapSession(wire)
    session.capabilities = client.capability_names()
    wire.begin_turn(SIGN_IN_OCTETS)
    with blotted_out(credentials.imap_username, credentials.access_token or credentials.imap_password):
        if credentials.access_token:
            _sign_in_with_token(session, client, credentials)
        else:
            _sign_in_with_password(session, client, credentials)
    _settle(session)
    return session


def _sign_in_with_token(session: ImapSession, client: _Client, credentials: Credentials) -> None:
    _refuse_controls(credentials.imap_username, credentials.access_token)
    by_bearer = session.has("AUTH=OAUTHBEARER") and not session.has("AUTH=XOAUTH2")
    mechanism, answers = ("OAUTHBEARER", bearer_answers) if by_bearer else ("XOAUTH2", xoauth2_answers)
    said = answers(credentials.imap_username, credentials.access_token)
    try:
        client.sasl_login(mechanism, lambda _challenge: next(said, None))  # None ends it with "*"
    except imaplib.IMAP4.error as error:
        raise _login_error(error) from error
    session.capabilities = client.capability_names()


def bearer_answers(user: str, token: str) -> Iterator[str]:
    """What the client says in OAUTHBEARER: the token (RFC 7628 §3.1), then to a refusal one octet 1 (§3.2.3)."""
    name = user.replace("=", "=3D").replace(",", "=2C")  # RFC 5801 §4
    yield f"n,a={name},\1auth=Bearer {token}\1\1"
    yield "\1"


def xoauth2_answers(user: str, token: str) -> Iterator[str]:
    """The same in XOAUTH2, where nothing is said to a refusal."""
    yield f"user={user}\1auth=Bearer {token}\1\1"
    yield ""


def _sign_in_with_password(session: ImapSession, client: _Client, credentials: Credentials) -> None:
    """LOGIN takes one turn; AUTHENTICATE PLAIN (RFC 4616) where LOGIN is disabled (RFC 9051 §6.2.3)."""
    _refuse_controls(credentials.imap_username, credentials.imap_password)
    if session.has("LOGINDISABLED"):
        if not session.has("AUTH=PLAIN"):
            raise LoginRefused("the server takes no passwords on this connection")
        try:
            client.plain_login(credentials.imap_username, credentials.imap_password)
        except imaplib.IMAP4.error as error:
            raise _login_error(error) from error
        session.capabilities = client.capability_names()
        return
    command = Command(b"LOGIN ", astring(credentials.imap_username), b" ", astring(credentials.imap_password))
    turn = session.run(command, most_octets=SIGN_IN_OCTETS)
    if not turn.replies[0].ok:
        raise refusals.login_error(turn.replies[0].words)
    session.capabilities = _capabilities_in(turn) or _capabilities_in(session.ask(b"CAPABILITY"))


def _refuse_controls(*texts: str) -> None:
    for text in texts:
        if any(ord(char) < 32 or ord(char) == 127 for char in text) or len(text) > 16_384:
            raise BadInput("password", "User name and password cannot have line ends or other control characters.")


def _capabilities_in(turn: Turn) -> frozenset[str]:
    """What the server says it can, told along with the login (RFC 9051 §7.1)."""
    lines = [
        line[13:].decode("ascii", "replace") for line in turn.untagged if line.upper().startswith(b"* CAPABILITY ")
    ]
    return frozenset(" ".join([turn.code("CAPABILITY") or "", *lines]).upper().split())


def _settle(session: ImapSession) -> None:
    """Turn on what changes how the server speaks, and learn where folders are, along with the first commands.

    QRESYNC (RFC 7162 §3.2.3) and names in UTF-8 (RFC 6855) want ENABLE (RFC 5161); for NAMESPACE see RFC 2342.
    """
    wanted = [b"QRESYNC"] if session.has("QRESYNC") else []
    if session.has("UTF8=ACCEPT") or session.has("UTF8=ONLY"):
        wanted.append(b"UTF8=ACCEPT")
    commands = [Command(b"ENABLE " + b" ".join(wanted))] if wanted and session.has("ENABLE") else []
    if session.has("NAMESPACE"):
        commands.append(Command(b"NAMESPACE"))
    session.settle(_settled_in, *commands)


def _settled_in(turn: Turn) -> Settled:
    told = b" ".join(line[10:] for line in turn.untagged if line.upper().startswith(b"* ENABLED "))
    enabled = frozenset(told.decode("ascii", "replace").upper().split())
    return Settled(enabled, folders.namespaces_in(turn.untagged, utf8="UTF8=ACCEPT" in enabled))


def _words_of(error: imaplib.IMAP4.error) -> str:
    """imaplib puts octets, text, or the text of octets into its errors."""
    first: Any = error.args[0] if error.args else ""
    if isinstance(first, bytes):
        return first.decode("utf-8", "replace")
    return re.sub(r"^(?:[\w ]+ (?:failed|error): )?(?:BAD |NO )?\[?b['\"](.*)['\"]\]?$", r"\1", str(first))


def _greeting_error(words: str) -> MailError:
    if words.upper().startswith("* BYE"):
        return refusals.bye_error(words[5:].strip())
    return NotAMailServer(refusals.readable(words))


def _login_error(error: imaplib.IMAP4.error) -> MailError:
    words = re.sub(r"^\w+ failed: ", "", _words_of(error))
    if isinstance(error, imaplib.IMAP4.abort):
        return refusals.bye_error(words)
    return refusals.login_error(words)


class _Protocol(imaplib.IMAP4):
    """imaplib on a Wire: bounded reading, the guarded socket, TLS as Wire does it, no CAPABILITY when it was told."""

    def __init__(self, wire: Wire) -> None:
        self._wire = wire
        super().__init__(wire.host)

    def open(self, host: str = "", port: int = 143, timeout: float | None = None) -> None:
        self.host, self.port = host, port
        self.sock = self._wire.sock

    def read(self, size: int) -> bytes:
        return self._wire.read(size)

    def readline(self) -> bytes:
        return self._wire.readline()

    def send(self, data: Any) -> None:
        self._wire.send(bytes(data))

    def shutdown(self) -> None:
        self._wire.close()

    def starttls(self, ssl_context: ssl.SSLContext | None = None) -> Any:
        """What was said in the clear is forgotten: capabilities are asked for again (RFC 9051 §6.2.1)."""
        status, words = self._simple_command("STARTTLS")
        if status == "OK" and ssl_context is not None:
            self._wire.start_tls(ssl_context)
            self.sock = self._wire.sock
            self.untagged_responses.clear()
            self._get_capabilities()
        return status, words

    def _get_capabilities(self) -> None:
        if self.state == "AUTH":  # PREAUTH (RFC 9051 §7.1.4) would also take the chance of STARTTLS away
            raise self.error("the server greets as if somebody were signed in")
        told = self.untagged_responses.pop("CAPABILITY", None)
        octets: Any = told[-1] if told else self.capability()[1][-1]
        self.capabilities = tuple((octets or b"").decode("ascii", "replace").upper().split())


class _Client(imapclient.IMAPClient):  # type: ignore[misc]  # imapclient has no types
    """imapclient on a Wire."""

    def __init__(self, wire: Wire) -> None:
        self._wire = wire
        super().__init__(wire.host, ssl=False)
        self._imap.debug = 0  # imapclient turns imaplib's log on, passwords in it

    def _create_IMAP4(self) -> _Protocol:  # noqa: N802  imapclient calls it so
        return _Protocol(self._wire)

    def _set_read_timeout(self) -> None:
        """Wire keeps the time."""

    @property
    def is_signed_in(self) -> bool:
        return bool(self._imap.state != "NONAUTH")

    def capability_names(self) -> frozenset[str]:
        """As told or asked for before the login; after it, as told along with it, else asked for."""
        if not self.is_signed_in:
            return frozenset(self._imap.capabilities)
        try:
            return frozenset(name.decode("ascii", "replace").upper() for name in self.capabilities())
        except imaplib.IMAP4.error as error:
            raise ProtocolError(refusals.readable(_words_of(error))) from error
