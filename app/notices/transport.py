"""How the site's own mails leave: an SMTP server, or the machine's sendmail.  Faults name the step that failed."""

from __future__ import annotations

import asyncio
import shutil
import socket
import ssl
import subprocess
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from email.message import EmailMessage

import aiosmtplib

from app.accounts.endpoint import Endpoint, Tls
from app.errors import (
    ConnectionLost,
    ConnectionRefused,
    LoginRefused,
    NameNotFound,
    NotAMailServer,
    ServerUnreachable,
    StarttlsNotOffered,
    SubmissionRefused,
    TimedOut,
    TlsFailed,
)

TIMEOUT_S = 15
SENDMAIL_PLACES = "/usr/sbin:/usr/lib"


@dataclass(frozen=True, slots=True)
class SmtpRoute:
    """A server, and the login there if it wants one."""

    endpoint: Endpoint
    username: str = ""
    password: str = field(default="", repr=False)


async def send_by_smtp(route: SmtpRoute, message: EmailMessage, context: ssl.SSLContext) -> None:
    """Raises ServerUnreachable and its kinds, LoginRefused or SubmissionRefused, with the server's words."""
    client = aiosmtplib.SMTP(
        hostname=route.endpoint.host,
        port=route.endpoint.port,
        use_tls=route.endpoint.tls is Tls.IMPLICIT,
        start_tls=False,
        timeout=TIMEOUT_S,
        tls_context=context,
    )
    with _named_faults():
        try:
            await client.connect()
            await _prepare(client, route, context)
            await client.send_message(message)
        finally:
            client.close()


async def _prepare(client: aiosmtplib.SMTP, route: SmtpRoute, context: ssl.SSLContext) -> None:
    await client.ehlo()
    if route.endpoint.tls is Tls.STARTTLS:
        if not client.supports_extension("starttls"):
            raise StarttlsNotOffered
        await client.starttls(tls_context=context)
    if route.username:
        await client.login(route.username, route.password)


@contextmanager
def _named_faults() -> Iterator[None]:
    """aiosmtplib's exceptions as ours; most of its connection faults hide what happened in their cause."""
    try:
        yield
    except aiosmtplib.SMTPAuthenticationError as error:
        raise LoginRefused(f"{error.code} {error.message}") from None
    except aiosmtplib.SMTPResponseException as error:
        raise SubmissionRefused(f"{error.code} {error.message}") from None
    except aiosmtplib.SMTPRecipientsRefused as error:
        first = error.recipients[0]
        raise SubmissionRefused(f"{first.code} {first.message}") from None
    except (aiosmtplib.SMTPException, OSError, ValueError) as error:
        raise _fault(error) from None


def _fault(error: BaseException) -> ServerUnreachable | SubmissionRefused:
    """What an exception from the connection means, looking through what it was raised from."""
    chain = list(_chain(error))
    for kind, ours in FAULTS:
        found = next((link for link in chain if isinstance(link, kind)), None)
        if found is not None:
            return ours(_words(found))
    return NotAMailServer(str(error))


FAULTS: tuple[tuple[type[BaseException], type[ServerUnreachable]], ...] = (
    (socket.gaierror, NameNotFound),
    (ssl.SSLError, TlsFailed),
    (ConnectionRefusedError, ConnectionRefused),
    (aiosmtplib.SMTPTimeoutError, TimedOut),
    (TimeoutError, TimedOut),
    (aiosmtplib.SMTPServerDisconnected, ConnectionLost),
    (ConnectionError, ConnectionLost),
    (OSError, ServerUnreachable),
)


def _chain(error: BaseException | None) -> Iterator[BaseException]:
    while error is not None:
        yield error
        error = error.__cause__ or error.__context__


def _words(error: BaseException) -> str:
    return error.verify_message if isinstance(error, ssl.SSLCertVerificationError) else str(error)


def send_by_sendmail(message: EmailMessage) -> None:
    """Hand over to the local sendmail.  Raises ServerUnreachable if there is none, SubmissionRefused, TimedOut."""
    program = shutil.which("sendmail") or shutil.which("sendmail", path=SENDMAIL_PLACES)
    if program is None:
        raise ServerUnreachable("no sendmail program")
    command = [program, "-i", "-f", str(message["From"]), "--", str(message["To"])]
    try:
        done = subprocess.run(command, input=message.as_bytes(), capture_output=True, timeout=TIMEOUT_S, check=False)  # noqa: S603
    except subprocess.TimeoutExpired:
        raise TimedOut from None
    if done.returncode != 0:
        raise SubmissionRefused(
            done.stderr.decode("utf-8", "replace").strip()[:500] or f"exit status {done.returncode}"
        )


def deliver(route: SmtpRoute | None, message: EmailMessage, context: ssl.SSLContext) -> None:
    """Send by `route`, or by sendmail where there is none.  Blocks at most 15 s a step."""
    if route is None:
        send_by_sendmail(message)
    else:
        asyncio.run(send_by_smtp(route, message, context))
