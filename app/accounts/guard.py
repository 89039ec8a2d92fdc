"""The only door to servers people name (E4): look up, check, connect to exactly what was checked.

There is no second look-up between check and connection, so a name that changes its address (DNS rebinding) gains
nothing; TLS still verifies the name that was typed.
"""

from __future__ import annotations

import errno
import socket
import time
from collections.abc import Sequence
from concurrent.futures import ThreadPoolExecutor
from ipaddress import IPv4Address, IPv6Address, ip_address
from itertools import chain, zip_longest

from sqlalchemy.orm import Session

from app.accounts.addresses import Address, GuardPolicy, canonical_host
from app.errors import AddressRefused, ConnectionRefused, MailError, NameNotFound, ServerUnreachable, TimedOut
from app.mail_services.service import load_settings
from app.resolver import Answer, Outcome, Resolver

__all__ = ["GuardPolicy", "connect", "connect_to", "find_addresses", "load_policy"]

MAX_CANDIDATES = 6
SHORT_WAIT_S = 2.0  # for each candidate but the last (RFC 8305 in small)
LOOKUP_LIMIT_S = 5.0
UNREACHABLE = (errno.ENETUNREACH, errno.EHOSTUNREACH, errno.EADDRNOTAVAIL, errno.EAFNOSUPPORT)


def load_policy(db: Session) -> GuardPolicy:
    """What the admin allows at this moment."""
    settings = load_settings(db)
    return GuardPolicy.of(settings.private_hosts, settings.cleartext_hosts)


def connect(policy: GuardPolicy, resolver: Resolver, host: str, port: int, timeout_s: float) -> socket.socket:
    """A TCP connection to `host`, whose every address was checked this moment.

    At most `timeout_s` seconds in all; the socket comes back with what is left of them as its time-out.
    Raises NameNotFound, AddressRefused, ConnectionRefused, TimedOut or ServerUnreachable.
    """
    deadline = time.monotonic() + timeout_s
    addresses = find_addresses(policy, resolver, host, timeout_s)
    return connect_to(addresses, port, deadline - time.monotonic())


def find_addresses(policy: GuardPolicy, resolver: Resolver, host: str, timeout_s: float) -> Sequence[Address]:
    """The addresses of `host` that may be used, IPv6 and IPv4 in turn.

    A name with public and private addresses keeps the public ones.  Raises NameNotFound, TimedOut (no name server
    answered) or AddressRefused (there are addresses, none of them allowed).
    """
    try:
        name = canonical_host(host)
    except ValueError:
        raise NameNotFound(f"{host[:100]} is not a host name") from None
    found = literal(name) or _look_up(resolver, name, min(timeout_s, LOOKUP_LIMIT_S))
    allowed = [address for address in found if policy.allows(name, address)]
    if not allowed:
        raise AddressRefused(f"{name} is {found[0]}")
    return allowed[:MAX_CANDIDATES]


def literal(name: str) -> Sequence[Address]:
    """Addresses that need no DNS: literals, and the names RFC 6761 §6.3 keeps for this machine."""
    if name == "localhost" or name.endswith(".localhost"):
        return (IPv4Address("127.0.0.1"), IPv6Address("::1"))
    try:
        return (ip_address(name),)
    except ValueError:
        return ()


def _look_up(resolver: Resolver, name: str, timeout_s: float) -> Sequence[Address]:
    with ThreadPoolExecutor(2, "dns") as threads:
        asked = [threads.submit(resolver.lookup, name, kind, timeout_s=timeout_s) for kind in ("AAAA", "A")]
        v6, v4 = (future.result() for future in asked)
    in_turn = chain.from_iterable(zip_longest(_addresses(v6), _addresses(v4)))
    found = [address for address in in_turn if address is not None]
    if found:
        return found
    if Outcome.NO_ANSWER in (v6.outcome, v4.outcome):
        raise TimedOut(f"no name server answered for {name}")
    raise NameNotFound(f"no host is called {name}")


def _addresses(answer: Answer) -> Sequence[Address]:
    found = []
    for record in answer.records:
        try:
            found.append(ip_address(record))
        except ValueError:
            continue
    return found


def connect_to(addresses: Sequence[Address], port: int, timeout_s: float) -> socket.socket:
    """The first of `addresses` that takes the connection; they were checked before."""
    deadline = time.monotonic() + timeout_s
    failures: list[MailError] = []
    for position, address in enumerate(addresses, start=1):
        left = deadline - time.monotonic()
        wait_s = left if position == len(addresses) else min(left, SHORT_WAIT_S)
        try:
            link = _connect_once(address, port, max(wait_s, 0.01))
        except ServerUnreachable as failure:
            failures.append(failure)
        else:
            link.settimeout(max(deadline - time.monotonic(), 0.01))
            return link
    raise max(failures, key=_tells)


def _connect_once(address: Address, port: int, timeout_s: float) -> socket.socket:
    link = socket.socket(socket.AF_INET if address.version == 4 else socket.AF_INET6, socket.SOCK_STREAM)
    try:
        link.settimeout(timeout_s)
        link.connect((str(address), port))
        link.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
    except OSError as error:
        link.close()
        raise _named(error, address, port) from None
    return link


def _named(error: OSError, address: Address, port: int) -> ServerUnreachable:
    where = f"{address}, port {port}"
    if isinstance(error, TimeoutError) or error.errno == errno.ETIMEDOUT:
        return TimedOut(where)
    if isinstance(error, ConnectionRefusedError):
        return ConnectionRefused(where)
    return ServerUnreachable(f"{where}: {error.strerror or 'unreachable'}")


def _tells(failure: MailError) -> int:
    """How much a failure says about the server: a refusal more than silence, silence more than a missing route."""
    return 2 if isinstance(failure, ConnectionRefused) else int(isinstance(failure, TimedOut))
