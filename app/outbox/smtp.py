"""Handing a message to an account's SMTP server (RFC 5321, 6409): the MailSubmitter of external accounts."""

from __future__ import annotations

import asyncio
import contextlib
import socket
import ssl
from collections.abc import AsyncIterator, Callable, Iterator, Mapping
from dataclasses import dataclass, field
from typing import Literal

import aiosmtplib
from aiosmtplib import SMTP

from app.accounts.echoes import blotted_out
from app.accounts.endpoint import Endpoint, Tls
from app.errors import (
    ConnectionLost,
    FateUnknown,
    LoginRefused,
    MailError,
    ProtocolError,
    StarttlsNotOffered,
    SubmissionDeferred,
    SubmissionRefused,
    TimedOut,
    TlsFailed,
)
from app.outbox.submitter import Envelope, Reply

CONNECT_TIMEOUT_S = 20.0
REPLY_TIMEOUT_S = 120.0  # RFC 5321 §4.5.3.2 says up to 5 minutes for MAIL and RCPT; nobody waits that long
DATA_TIMEOUT_S = 600.0  # §4.5.3.2.6: giving up earlier is how messages are sent twice
QUIT_TIMEOUT_S = 5.0
HANG_UP_TURNS = 100
MAX_WORDS = 500

Connect = Callable[[str, int, float], socket.socket]


@dataclass(frozen=True, slots=True)
class Login:
    """Who logs in, with a password or with an OAuth access token; no username: nobody does."""

    username: str
    secret: str = field(repr=False)
    mechanism: Literal["password", "xoauth2"] = "password"


class SmtpSubmitter:
    """One SMTP server.  Each `submit` is a connection of its own, made through `connect` (the guard, E4)."""

    def __init__(self, endpoint: Endpoint, login: Login, *, connect: Connect, tls: ssl.SSLContext) -> None:
        self._endpoint = endpoint
        self._login = login
        self._connect = connect
        self._tls = tls

    def submit(self, envelope: Envelope, message: bytes) -> Mapping[str, Reply]:
        """See MailSubmitter."""
        refuse_commands_in(envelope)
        connected = self._connect(self._endpoint.host, self._endpoint.port, CONNECT_TIMEOUT_S)
        with connected:
            connected.setblocking(False)
            return asyncio.run(self._converse(connected, envelope, message))

    def check_login(self, timeout_s: float) -> None:
        """Connect, log in and leave again, in at most `timeout_s`.  Raises what `submit` raises before the message."""
        connected = self._connect(self._endpoint.host, self._endpoint.port, timeout_s)
        with connected, translated():
            connected.setblocking(False)
            asyncio.run(asyncio.wait_for(self._knock(connected), timeout_s))

    async def _knock(self, connected: socket.socket) -> None:
        async with self._logged_in(connected):
            pass

    async def _converse(self, connected: socket.socket, envelope: Envelope, message: bytes) -> Mapping[str, Reply]:
        async with self._logged_in(connected) as client:
            return await _hand_over(client, envelope, message)

    @contextlib.asynccontextmanager
    async def _logged_in(self, connected: socket.socket) -> AsyncIterator[SMTP]:
        client = SMTP(
            hostname=self._endpoint.host,
            sock=connected,
            use_tls=self._endpoint.tls is Tls.IMPLICIT,
            start_tls=False,
            tls_context=self._tls,
            local_hostname=address_literal(connected),
            timeout=REPLY_TIMEOUT_S,
        )
        try:
            with translated(refusal=SubmissionDeferred):  # no word of the message yet: whatever is wrong may pass
                await self._open(client)
            await self._log_in(client)
            yield client
        finally:
            await _leave(client)
            await _hang_up(connected)

    async def _open(self, client: SMTP) -> None:
        await client.connect()
        await client.ehlo()
        if self._endpoint.tls is Tls.STARTTLS:
            if not client.supports_extension("starttls"):
                raise StarttlsNotOffered
            await client.starttls(server_hostname=self._endpoint.host)
            await client.ehlo()

    async def _log_in(self, client: SMTP) -> None:
        if not self._login.username:
            return
        method = client.auth_xoauth2 if self._login.mechanism == "xoauth2" else client.login
        with blotted_out(self._login.username, self._login.secret), translated(refusal=LoginRefused):
            await method(self._login.username, self._login.secret)


async def _hand_over(client: SMTP, envelope: Envelope, message: bytes) -> Mapping[str, Reply]:
    """MAIL, RCPT for each, DATA; who was refused, and how."""
    options, encoding = ["SMTPUTF8"] if envelope.needs_smtputf8 else [], "utf-8" if envelope.needs_smtputf8 else "ascii"
    if envelope.needs_smtputf8 and not client.supports_extension("smtputf8"):
        raise SubmissionRefused("The server takes only plain Latin letters before the @ of an address (RFC 6531).")
    if client.supports_extension("size"):
        options.append(f"SIZE={len(message)}")
    with translated():
        await client.mail(envelope.mail_from, options=options, encoding=encoding)
        refused = {
            recipient: reply
            for recipient in envelope.recipients
            if (reply := await _ask_for(client, recipient, encoding)) is not None
        }
    if len(refused) < len(envelope.recipients):
        await _send_data(client, message)
    return refused


async def _ask_for(client: SMTP, recipient: str, encoding: str) -> Reply | None:
    """RCPT; the refusal, or None."""
    try:
        await client.rcpt(recipient, encoding=encoding)
    except aiosmtplib.SMTPRecipientRefused as refusal:
        return Reply(refusal.code, one_paragraph(refusal.message))
    return None


async def _send_data(client: SMTP, message: bytes) -> None:
    """DATA.  A reply decides; no reply means that nobody knows."""
    try:
        await client.data(message, timeout=DATA_TIMEOUT_S)
    except aiosmtplib.SMTPResponseException as reply:
        raise _refusal(reply, SubmissionRefused) from None
    except (aiosmtplib.SMTPException, OSError, TimeoutError) as fault:
        raise FateUnknown(one_paragraph(str(fault))) from fault


def refuse_commands_in(envelope: Envelope) -> None:
    """No address may end its command early, whoever made the envelope.  Raises SubmissionRefused."""
    for address in (envelope.mail_from, *envelope.recipients):
        if not address.isprintable() or "<" in address or ">" in address:
            raise SubmissionRefused(one_paragraph(address))


async def _leave(client: SMTP) -> None:
    """QUIT where it still makes sense; what comes of it changes nothing any more."""
    with contextlib.suppress(aiosmtplib.SMTPException, OSError, TimeoutError):
        if client.is_connected:
            await client.quit(timeout=QUIT_TIMEOUT_S)
    client.close()


async def _hang_up(connected: socket.socket) -> None:
    """Closing TLS in good order waits for the peer: shut the socket, and let the loop notice before it ends."""
    with contextlib.suppress(OSError):
        connected.shutdown(socket.SHUT_RDWR)
    for _turn in range(HANG_UP_TURNS):
        if connected.fileno() < 0:
            return
        await asyncio.sleep(0.001)


@contextlib.contextmanager
def translated(refusal: type[MailError] = SubmissionRefused) -> Iterator[None]:
    """aiosmtplib's exceptions as ours; a 5xx reply becomes `refusal`, a 4xx SubmissionDeferred."""
    try:
        yield
    except aiosmtplib.SMTPResponseException as reply:
        raise _refusal(reply, refusal) from None
    except (TimeoutError, aiosmtplib.SMTPTimeoutError) as fault:
        raise TimedOut(one_paragraph(str(fault))) from fault
    except OSError as fault:
        raise _lost(fault) from fault
    except aiosmtplib.SMTPException as fault:
        words = one_paragraph(fault.message)
        raise (LoginRefused(words) if refusal is LoginRefused else ProtocolError(words)) from fault
    except ValueError as fault:  # an address that cannot be written into a command
        raise SubmissionRefused(one_paragraph(str(fault))) from fault


def _refusal(reply: aiosmtplib.SMTPResponseException, permanent: type[MailError]) -> MailError:
    if reply.code < 0:  # aiosmtplib's code for a line that is no reply
        return ProtocolError(one_paragraph(reply.message))
    words = one_paragraph(f"{reply.code} {reply.message}")
    return permanent(words) if reply.code >= 500 else SubmissionDeferred(words)


def _lost(fault: OSError) -> MailError:
    """aiosmtplib wraps what TLS said in a connection error."""
    cause: BaseException | None = fault
    while cause is not None:
        if isinstance(cause, ssl.SSLCertVerificationError):
            return TlsFailed(cause.verify_message)
        if isinstance(cause, ssl.SSLError):
            return TlsFailed(cause.reason or str(cause))
        cause = cause.__cause__
    return ConnectionLost(one_paragraph(str(fault)))


def one_paragraph(words: str) -> str:
    """A server's words, bounded, on one line."""
    return " ".join("".join(char if char.isprintable() else " " for char in words[: 4 * MAX_WORDS]).split())[:MAX_WORDS]


def address_literal(connected: socket.socket) -> str:
    """What EHLO says of a client without a public name (RFC 5321 §4.1.3); a host name would tell more than needed."""
    if connected.family == socket.AF_INET6:
        return f"[IPv6:{connected.getsockname()[0]}]"
    return f"[{connected.getsockname()[0]}]" if connected.family == socket.AF_INET else "localhost"
