"""Sockets to listen on: bound here, shared by several processes (SO_REUSEPORT), or handed over by systemd."""

from __future__ import annotations

import errno
import os
import socket
from collections.abc import Mapping, Sequence
from pathlib import Path

from mailsite_ext.errors import CannotBind
from mailsite_ext.listeners.port_locks import entering

BACKLOG = 4_096  # the kernel takes what net.core.somaxconn allows; who finds the queue full may wait without a word
FIRST_INHERITED = 3  # sd_listen_fds(3)
_NO_SUCH_FAMILY = (errno.EAFNOSUPPORT, errno.EADDRNOTAVAIL)


def share(locks: Path, addresses: Sequence[str], port: int, *, fallback_port: int = 0) -> Sequence[socket.socket]:
    """Listening sockets at `port` of every address, or where that cannot be had at `fallback_port` (O16; 0: none).

    They are shared with the processes whose locks lie in this folder, and with no other program or installation.
    Raises CannotBind: it says what to do.
    """
    try:
        return _bind_shared(locks, addresses, port)
    except CannotBind:
        if not fallback_port or fallback_port == port:
            raise
        return _bind_shared(locks, addresses, fallback_port)


def _bind_shared(locks: Path, addresses: Sequence[str], port: int) -> Sequence[socket.socket]:
    with entering(locks, port) as is_first:
        if is_first:
            _close_all(bind(addresses, port, reuse=False))
        return bind(addresses, port)


def bind(addresses: Sequence[str], port: int, *, reuse: bool = True) -> Sequence[socket.socket]:
    """Listening sockets at `port` of every address; without `reuse` fails wherever anybody listens.

    An address family this machine lacks is left out while another is there.  Raises CannotBind: it says what to do.
    """
    bound: list[socket.socket] = []
    missing: OSError | None = None
    for address in addresses:
        try:
            bound.append(_bind_one(address, port, reuse=reuse))
            port = port or bound[0].getsockname()[1]  # 0: any, but the same for all
        except OSError as error:
            if error.errno not in _NO_SUCH_FAMILY:
                _close_all(bound)
                raise CannotBind(_words(port, error)) from None
            missing = error
    if missing is not None and not bound:
        raise CannotBind(_words(port, missing)) from None
    return bound


def _bind_one(address: str, port: int, *, reuse: bool) -> socket.socket:
    family = socket.AF_INET6 if ":" in address else socket.AF_INET
    made = socket.socket(family, socket.SOCK_STREAM)
    try:
        made.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        made.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEPORT, int(reuse))
        if family == socket.AF_INET6:
            made.setsockopt(socket.IPPROTO_IPV6, socket.IPV6_V6ONLY, 1)
        made.bind((address, port))
        made.listen(BACKLOG)
        made.setblocking(False)
    except OSError:
        made.close()
        raise
    return made


def _close_all(sockets: Sequence[socket.socket]) -> None:
    for each in sockets:
        each.close()


def _words(port: int, error: OSError) -> str:
    """What happened, then what to do."""
    if error.errno in (errno.EACCES, errno.EPERM):
        return (
            f"Cannot bind port {port}: not permitted. Let Python bind low ports "
            "(setcap cap_net_bind_service=+ep on the real python3 file), or let systemd open the port and hand it over "
            "(a .socket unit), or lower net.ipv4.ip_unprivileged_port_start, or choose a port from 1024 on."
        )
    if error.errno == errno.EADDRINUSE:
        return (
            f"Cannot bind port {port}: another program listens there, or another installation. "
            "Stop it, or choose another port."
        )
    return f"Cannot bind port {port}: {os.strerror(error.errno or 0)}."


def inherited(environ: Mapping[str, str], pid: int, parent_pid: int) -> Mapping[int, Sequence[socket.socket]]:
    """Listening sockets that systemd handed over, by port (sd_listen_fds(3)).

    They may have come to the parent, the agent, which starts listeners with its own environment and these files open.
    """
    if environ.get("LISTEN_PID") not in (str(pid), str(parent_pid)) or not environ.get("LISTEN_FDS", "").isdecimal():
        return {}
    found: dict[int, list[socket.socket]] = {}
    for number in range(FIRST_INHERITED, FIRST_INHERITED + int(environ["LISTEN_FDS"])):
        handed = socket.socket(fileno=os.dup(number))
        handed.setblocking(False)
        if handed.family in (socket.AF_INET, socket.AF_INET6):
            found.setdefault(handed.getsockname()[1], []).append(handed)
    return found
