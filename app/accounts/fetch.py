"""GET from hosts people or messages name (E4): through the guard, pinned to the checked address, bounded in everything.

Used for autoconfig files and for the images of messages.  No cookies, no proxies of the environment, no credentials
in addresses; the certificate must be the name's, not the address's.
"""

from __future__ import annotations

import socket
import ssl
import threading
import time
from collections.abc import Iterator
from contextlib import closing, contextmanager, suppress
from dataclasses import dataclass
from http.client import HTTPException
from urllib.parse import SplitResult, urljoin, urlsplit

import urllib3.exceptions
from urllib3.connection import HTTPConnection, HTTPSConnection
from urllib3.response import HTTPResponse
from urllib3.util import Url

from app.accounts import guard
from app.accounts.addresses import GuardPolicy, canonical_host
from app.errors import BadInput, ConnectionLost, MailError, ProtocolError, TimedOut
from app.imap.wire import translated
from app.resolver import Resolver

PORTS = {"http": 80, "https": 443}
MAX_URL = 4_096
REDIRECTS = (301, 302, 303, 307, 308)
READ_OCTETS = 16_384
USER_AGENT = "Satchel"


@dataclass(frozen=True, slots=True)
class Bounds:
    """How much of an answer is wanted.  `types` are content types, or beginnings such as "image/"; empty: any."""

    max_octets: int
    timeout_s: float
    types: tuple[str, ...] = ()
    redirects: int = 0
    schemes: tuple[str, ...] = ("https", "http")


@dataclass(frozen=True, slots=True)
class Fetched:
    """What came: the body whole, the content type without parameters, and the address that answered in the end."""

    status: int
    content_type: str
    body: bytes
    url: str


def guarded_get(
    policy: GuardPolicy, resolver: Resolver, url: str, bounds: Bounds, *, ssl_context: ssl.SSLContext
) -> Fetched:
    """GET `url`; every host on the way is looked up, checked and used as one address.

    A status other than 200 comes back with an empty body.  Raises BadInput (`url` is not one), ServerUnreachable and
    its kin, and ProtocolError: too large, of another type, or redirected too often.
    """
    deadline = time.monotonic() + bounds.timeout_s
    for _hop in range(bounds.redirects + 1):
        target = parse_url(url, bounds.schemes)
        connection = _open(policy, resolver, target, ssl_context, deadline)
        try:
            answer = _ask(connection, target, bounds, deadline)
        finally:
            connection.close()
        if isinstance(answer, Fetched):
            return answer
        url = urljoin(url, answer)
    raise ProtocolError("redirected too often")


def guarded_post(
    policy: GuardPolicy,
    resolver: Resolver,
    url: str,
    body: bytes,
    content_type: str,
    bounds: Bounds,
    *,
    ssl_context: ssl.SSLContext,
) -> int:
    """POST `body` to `url`, whose host is looked up, checked and used as one address; the status of the answer.

    Nothing of the answer is read but that, and no redirect is followed.  Raises as guarded_get.
    """
    deadline = time.monotonic() + bounds.timeout_s
    target = parse_url(url, bounds.schemes)
    connection = _open(policy, resolver, target, ssl_context, deadline)
    headers = {"User-Agent": USER_AGENT, "Content-Type": content_type}
    try:
        with _cut_off_at(deadline, connection), translated(connection.host), _http_faults():
            connection.request("POST", _path(target), body=body, headers=headers, preload_content=False)
            with closing(connection.getresponse()) as response:
                return response.status
    finally:
        connection.close()


def parse_url(url: str, schemes: tuple[str, ...] = ("https", "http")) -> SplitResult:
    """The parts of an absolute address we would open.  Raises BadInput."""
    try:
        parts = urlsplit(url)
        port = parts.port or PORTS.get(parts.scheme, 0)
        is_good = bool(parts.scheme in schemes and parts.hostname and canonical_host(parts.hostname) and port)
    except ValueError:
        is_good = False
    if not is_good or len(url) > MAX_URL or not url.isprintable() or parts.username or parts.password:
        raise BadInput("url", "this is not an address that can be opened")
    return parts


def _open(
    policy: GuardPolicy, resolver: Resolver, target: SplitResult, ssl_context: ssl.SSLContext, deadline: float
) -> HTTPConnection:
    """A connection whose socket is the guard's; urllib3 never looks up a name."""
    host, port = canonical_host(target.hostname or ""), target.port or PORTS[target.scheme]
    link = guard.connect(policy, resolver, host, port, _left(deadline))
    if target.scheme == "http":
        connection = HTTPConnection(host, port)
    else:
        connection, link = HTTPSConnection(host, port), _secure(link, host, ssl_context)
    connection.sock = link
    return connection


def _secure(link: socket.socket, host: str, context: ssl.SSLContext) -> ssl.SSLSocket:
    try:
        with translated(host):
            return context.wrap_socket(link, server_hostname=host)
    except BaseException:
        link.close()
        raise


def _left(deadline: float) -> float:
    left = deadline - time.monotonic()
    if left <= 0:
        raise TimedOut("the answer took too long")
    return left


def _ask(connection: HTTPConnection, target: SplitResult, bounds: Bounds, deadline: float) -> Fetched | str:
    """The answer to one request, or where it sends us on to."""
    headers = {"User-Agent": USER_AGENT, "Accept": ", ".join(bounds.types) or "*/*", "Accept-Encoding": "identity"}
    with _cut_off_at(deadline, connection), translated(connection.host), _http_faults():
        connection.request("GET", _path(target), headers=headers, preload_content=False, decode_content=False)
        with closing(connection.getresponse()) as response:
            location = response.headers.get("Location")
            if response.status in REDIRECTS and location:
                return location
            content_type = response.headers.get("Content-Type", "").partition(";")[0].strip().lower()
            body = _read(response, bounds) if _is_wanted(response, content_type, bounds) else b""
    return Fetched(response.status, content_type, body, target.geturl())


def _path(target: SplitResult) -> str:
    return Url(path=target.path or "/", query=target.query or None).request_uri


@contextmanager
def _cut_off_at(deadline: float, connection: HTTPConnection) -> Iterator[None]:
    """Break the connection off when time is up, whatever it is in the middle of: a peer may drip octets for ever."""
    timer = threading.Timer(_left(deadline), _break_off, (connection.sock,))
    timer.daemon = True
    timer.start()
    try:
        yield
    except MailError:
        _left(deadline)  # raises TimedOut if that is what happened
        raise
    finally:
        timer.cancel()


def _break_off(link: socket.socket) -> None:
    with suppress(OSError):
        link.shutdown(socket.SHUT_RDWR)


def _is_wanted(response: HTTPResponse, content_type: str, bounds: Bounds) -> bool:
    """Is there a body to read?  Raises ProtocolError for one of another type, or said to be too large."""
    if response.status != 200:
        return False
    if bounds.types and not any(_is_of(content_type, wanted) for wanted in bounds.types):
        raise ProtocolError(f"the answer is {content_type[:80] or 'of no type'}")
    if (response.length_remaining or 0) > bounds.max_octets:
        raise ProtocolError("the answer is too large")
    return True


def _is_of(content_type: str, wanted: str) -> bool:
    return content_type.startswith(wanted) if wanted.endswith("/") else content_type == wanted


def _read(response: HTTPResponse, bounds: Bounds) -> bytes:
    """The body, counted as it comes, whatever length was announced."""
    body = bytearray()
    while piece := response.read1(READ_OCTETS):
        body += piece
        if len(body) > bounds.max_octets:
            raise ProtocolError("the answer is too large")
    return bytes(body)


@contextmanager
def _http_faults() -> Iterator[None]:
    """What urllib3 and http.client find wrong with an answer, as errors of ours."""
    try:
        yield
    except (urllib3.exceptions.ReadTimeoutError, urllib3.exceptions.ConnectTimeoutError):
        raise TimedOut("the answer took too long") from None
    except (urllib3.exceptions.HTTPError, HTTPException, ValueError) as error:
        raise ConnectionLost(f"no sensible answer ({type(error).__name__})") from None
