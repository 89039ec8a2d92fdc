"""Who is connected, over all processes of a service on one machine: so many in all, so many from one address.

A file mapped by all of them holds a row a connection.  Whoever adds a row holds `gate`; each process holds the lock of
its seat until it ends, however it ends, so rows of a seat that nobody holds are swept before anybody is turned away.
"""

from __future__ import annotations

import fcntl
import os
from collections import defaultdict
from collections.abc import Iterator
from contextlib import contextmanager
from hashlib import blake2b
from ipaddress import ip_address, ip_network
from mmap import mmap
from pathlib import Path

from mailsite_ext.errors import CannotBind
from mailsite_ext.limits import Limits

TOO_MANY = {
    "imap": b"* BYE [UNAVAILABLE] too many connections, try later\r\n",
    "smtp": b"421 4.7.0 too many connections, try later\r\n",
}
"""What is said to who is turned away."""
FREE = 0
SEATS = range(1, 256)  # a seat is an octet
NETWORK_OCTETS = 16
_NOBODY = bytes(NETWORK_OCTETS)


class Peers:
    """The connections of the processes that share `folder`, admitted and counted; entered once a process.

    The file: an octet a row, the seat it belongs to; then 16 octets a row, a digest of the network.
    """

    def __init__(self, limits: Limits, folder: Path) -> None:
        """Raises CannotBind where 255 processes share the folder already."""
        folder.mkdir(parents=True, exist_ok=True, mode=0o700)
        self._limits, self._folder = limits, folder
        self._gate = _open(folder / "gate")
        self._rows: defaultdict[bytes, list[int]] = defaultdict(list)
        with self._gate_held():
            self._table = _map(folder / f"table-{limits.connections}", limits.connections * (1 + NETWORK_OCTETS))
            self._seat, self._lock = self._take_seat()
            self._clear(self._seat)
            self._sweep()

    def admit(self, peer: str) -> bool:
        """Count a connection of this process, if there is room for it."""
        network = _digest(network_of(peer))
        with self._gate_held():
            if not self._has_room(network):
                self._sweep()
                if not self._has_room(network):
                    return False
            self._add(network)
        return True

    def leave(self, peer: str) -> None:
        """Free the row of a connection of this process.  No gate: nobody else writes there until its seat is off."""
        row = self._rows[network := _digest(network_of(peer))].pop()
        if not self._rows[network]:
            del self._rows[network]
        self._write(row, FREE, _NOBODY)

    def close(self) -> None:
        """Leave with all connections."""
        self._clear(self._seat)
        self._table.close()
        os.close(self._lock)
        os.close(self._gate)

    # The table

    def _has_room(self, network: bytes) -> bool:
        rows = self._limits.connections
        if FREE not in self._table[:rows]:
            return False
        return self._table[rows:].count(network) < self._limits.connections_per_address

    def _add(self, network: bytes) -> None:
        row = self._table[: self._limits.connections].index(FREE)
        self._write(row, self._seat, network)
        self._rows[network].append(row)

    def _write(self, row: int, seat: int, network: bytes) -> None:
        """The network first: a row whose seat is off may be another's in the next moment."""
        at = self._limits.connections + row * NETWORK_OCTETS
        self._table[at : at + NETWORK_OCTETS] = network
        self._table[row] = seat

    def _clear(self, seat: int) -> None:
        for row, owner in enumerate(self._table[: self._limits.connections]):
            if owner == seat:
                self._write(row, FREE, _NOBODY)

    # Who lives

    @contextmanager
    def _gate_held(self) -> Iterator[None]:
        fcntl.flock(self._gate, fcntl.LOCK_EX)
        try:
            yield
        finally:
            fcntl.flock(self._gate, fcntl.LOCK_UN)

    def _take_seat(self) -> tuple[int, int]:
        """The first that nobody holds, and the lock that says it is ours."""
        for seat in SEATS:
            if (lock := self._find_lock(seat)) is not None:
                return seat, lock
        raise CannotBind("Too many processes listen here already. Stop some of them.")

    def _sweep(self) -> None:
        """Free the rows of processes that ended without a word."""
        for seat in set(self._table[: self._limits.connections]) - {FREE, self._seat}:
            if (lock := self._find_lock(seat)) is not None:
                self._clear(seat)
                os.close(lock)

    def _find_lock(self, seat: int) -> int | None:
        """The seat's lock, held; None while another process holds it."""
        lock = _open(self._folder / f"seat-{seat}")
        try:
            fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            os.close(lock)
            return None
        return lock


def network_of(peer: str) -> str:
    """What one peer counts as: an IPv4 address, an IPv6 /64 (whoever has one has all of it)."""
    if ip_address(peer).version == 4:
        return peer
    return str(ip_network(f"{peer}/64", strict=False))


def _digest(network: str) -> bytes:
    """Never all zeros in practice, and found nowhere but where it was written."""
    return blake2b(network.encode(), digest_size=NETWORK_OCTETS).digest()


def _open(path: Path) -> int:
    return os.open(path, os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o600)


def _map(path: Path, octets: int) -> mmap:
    opened = _open(path)
    try:
        os.posix_fallocate(opened, 0, octets)  # not sparse: a full disk would kill the process at a write
        return mmap(opened, octets)
    finally:
        os.close(opened)
