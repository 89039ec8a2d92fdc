"""Doorbells over Unix datagram sockets: one socket file per listener in the work directory."""

from __future__ import annotations

import contextlib
import os
import select
import socket
import struct
import uuid
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Self

from app.bus.protocol import Bell

MAX_DATAGRAM_OCTETS = 256
MAX_PATH_OCTETS = 107  # sockaddr_un.sun_path on Linux, less its NUL
PATIENCE = struct.pack("ll", 0, 2_000)  # a timeval: 2 ms; Linux queues as few as 10 datagrams, a burst is more


class UnixSubscription:
    """A bound socket; its file is how ringers find it."""

    def __init__(self, folder: Path) -> None:
        self._path = folder / f"{uuid.uuid4().hex}.bell"
        self._socket = socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM)
        self._socket.setblocking(False)
        with _reachable(folder) as near:
            self._socket.bind(f"{near}/{self._path.name}")
        self._poll = select.poll()  # not select(): a process with many open pages has descriptors above 1,023
        self._poll.register(self._socket, select.POLLIN)

    def wait(self, timeout_s: float) -> Sequence[Bell]:
        self._poll.poll(timeout_s * 1000)
        return list(dict.fromkeys(self._drain()))

    def _drain(self) -> list[Bell]:
        heard = []
        with contextlib.suppress(BlockingIOError):
            while True:
                bell = Bell.decode(self._socket.recv(MAX_DATAGRAM_OCTETS).decode("ascii", "replace"))
                if bell:
                    heard.append(bell)
        return heard

    def close(self) -> None:
        self._socket.close()
        self._path.unlink(missing_ok=True)

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_error: object) -> None:
        self.close()


class UnixBus:
    """Rings every listener on this machine."""

    def __init__(self, folder: Path) -> None:
        folder.mkdir(parents=True, exist_ok=True, mode=0o700)
        self._folder = folder

    def ring(self, *bells: Bell) -> None:
        with socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM) as ringer, _reachable(self._folder) as near:
            ringer.setsockopt(socket.SOL_SOCKET, socket.SO_SNDTIMEO, PATIENCE)
            for listener in Path(near).glob("*.bell"):
                for bell in bells:
                    _send(ringer, listener, bell)

    def subscribe(self) -> UnixSubscription:
        return UnixSubscription(self._folder)

    def close(self) -> None:
        """Each ring opened and closed its own socket."""


@contextlib.contextmanager
def _reachable(folder: Path) -> Iterator[str]:
    """A path to `folder` that leaves room for a socket's name: a deep work directory is reached by a descriptor."""
    if len(os.fsencode(folder)) + len(f"/{uuid.uuid4().hex}.bell") <= MAX_PATH_OCTETS:
        yield str(folder)
        return
    descriptor = os.open(folder, os.O_RDONLY | os.O_DIRECTORY)
    try:
        yield f"/proc/self/fd/{descriptor}"
    finally:
        os.close(descriptor)


def _send(ringer: socket.socket, listener: Path, bell: Bell) -> None:
    try:
        ringer.sendto(bell.encode().encode("ascii"), str(listener))
    except ConnectionRefusedError:  # its process died without closing
        listener.unlink(missing_ok=True)
    except OSError:  # gone this instant, or it does not listen: a lost bell costs a poll interval
        pass
