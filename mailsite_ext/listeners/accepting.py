"""Taking connections from the kernel's queue, also while there is nothing left to take them with.

asyncio tries on at once where no file is left, writes a traceback for each try, and plans more tries each time: a burst
of connections fills the log and takes a core.  Here a file is kept in reserve: it is given up for a moment to tell the
peer that there is no room, and where even that does not help the queue is left alone for a while.
"""

from __future__ import annotations

import asyncio
import contextlib
import errno
import logging
import os
from collections.abc import Callable
from socket import socket

log = logging.getLogger(__name__)

AT_ONCE = 64  # then those who are connected have their turn
REST_S = 1.0
WORDS_EVERY_S = 600.0
NO_FILE = frozenset({errno.EMFILE, errno.ENFILE})
PEER_GONE = frozenset(
    {errno.ECONNABORTED, errno.EPROTO, errno.EPERM, errno.EHOSTUNREACH, errno.ENETUNREACH, errno.ENETDOWN}
)
"""Errors of the connection that was to be taken, which accept(2) tells too: the next one may be whole."""

Take = Callable[[socket, str], None]


class Acceptor:
    """One listening socket.  `take(connection, address)` gets each peer; who is turned away reads `refusal`, if any."""

    def __init__(self, listening: socket, take: Take, refusal: bytes) -> None:
        """Takes from now on.  To be made and closed in the loop's thread."""
        self._listening = listening
        self._take = take
        self._refusal = refusal
        self._loop = asyncio.get_running_loop()
        self._reserve = _spare_file()
        self._rest: asyncio.TimerHandle | None = None
        self._said_at: float | None = None
        self._loop.add_reader(listening, self._accept_some)

    def close(self) -> None:
        if self._rest is not None:
            self._rest.cancel()
        self._loop.remove_reader(self._listening)
        self._listening.close()
        self._free_reserve()

    def _accept_some(self) -> None:
        for _ in range(AT_ONCE):
            try:
                if not self._accept(self._take):
                    return
            except OSError as error:
                if error.errno in PEER_GONE:
                    continue
                self._say(error)
                if error.errno not in NO_FILE or not self._accept_from_reserve():
                    self._rest_a_while()
                    return

    def _accept(self, take: Take) -> bool:
        """Take one; False: nobody waits.  Raises OSError."""
        try:
            accepted, address = self._listening.accept()
        except BlockingIOError:
            return False
        accepted.setblocking(False)
        take(accepted, address[0])
        return True

    def _accept_from_reserve(self) -> bool:
        """Turn one away by the file in reserve; False: that did not help."""
        if self._reserve is None:
            return False
        self._free_reserve()
        try:
            return self._accept(lambda accepted, _address: turn_away(accepted, self._refusal))
        except OSError:
            return False
        finally:
            self._reserve = _spare_file()

    def _free_reserve(self) -> None:
        if self._reserve is not None:
            os.close(self._reserve)
            self._reserve = None

    def _rest_a_while(self) -> None:
        """Who is in the queue stays there meanwhile."""
        self._loop.remove_reader(self._listening)
        self._rest = self._loop.call_later(REST_S, self._go_on)

    def _go_on(self) -> None:
        self._reserve = self._reserve if self._reserve is not None else _spare_file()
        self._loop.add_reader(self._listening, self._accept_some)

    def _say(self, error: OSError) -> None:
        """Now and then: it is the same for thousands."""
        now = self._loop.time()
        if self._said_at is None or now - self._said_at >= WORDS_EVERY_S:
            self._said_at = now
            advice = ": raise LimitNOFILE of the service" if error.errno in NO_FILE else ""
            log.warning("connections cannot be taken (%s)%s", error.strerror, advice)


def turn_away(accepted: socket, words: bytes) -> None:
    """Say so, as far as the peer takes it at once, and hang up."""
    with accepted, contextlib.suppress(OSError):
        if words:
            accepted.send(words)


def _spare_file() -> int | None:
    try:
        return os.open(os.devnull, os.O_RDONLY | os.O_CLOEXEC)
    except OSError:
        return None
