"""TLS over bytes in memory: no socket, no buffer of its own beyond one record (RFC 8446 §5.1).

asyncio's own TLS keeps 256 KiB a connection; here all connections share one buffer for what they decrypt.
"""

from __future__ import annotations

import logging
import ssl
from collections.abc import Callable, Iterator, Sequence
from contextlib import suppress
from pathlib import Path
from typing import cast

from app.extension_api import ConnectionLost

log = logging.getLogger(__name__)

RECORD_OCTETS = 16 * 1024
_plain = bytearray(RECORD_OCTETS)
_plain_view = memoryview(_plain)


class CertificateFiles:
    """The context of the certificate as it is on disk now: renewing it needs no restart.

    `load` makes a context of `files`, raising OSError (ssl.SSLError) where they are bad: the last good one stays then.
    """

    def __init__(self, load: Callable[[], ssl.SSLContext], files: Sequence[Path]) -> None:
        self._load = load
        self._files = files
        self._seen: Sequence[tuple[int, int]] = []
        self._seen = self._stamp()
        self._context = _hardened(load())

    def __call__(self) -> ssl.SSLContext:
        stamp = self._stamp()
        if stamp != self._seen:
            self._seen = stamp
            try:
                self._context = _hardened(self._load())
            except OSError as error:
                log.error("the new certificate cannot be used, the old one stays: %s", error)
        return self._context

    def _stamp(self) -> Sequence[tuple[int, int]]:
        with suppress(OSError):
            found = [file.stat() for file in self._files]
            return [(each.st_mtime_ns, each.st_size) for each in found]
        return self._seen


def _hardened(context: ssl.SSLContext) -> ssl.SSLContext:
    """A peer may not make us shake hands over and over."""
    context.options |= ssl.OP_NO_RENEGOTIATION
    return context


class TlsLayer:
    """The server's side of one TLS connection.  `send` takes what is to go to the peer."""

    def __init__(self, context: ssl.SSLContext, send: Callable[[bytes], None]) -> None:
        self._send = send
        self._incoming, self._outgoing = ssl.MemoryBIO(), ssl.MemoryBIO()
        self._object = context.wrap_bio(self._incoming, self._outgoing, server_side=True)
        self.is_ready = False

    @property
    def version(self) -> str:
        """ "TLSv1.3" """
        return self._object.version() or ""

    @property
    def cipher(self) -> str:
        found = self._object.cipher()
        return found[0] if found else ""

    def receive(self, data: bytes | memoryview) -> Iterator[bytes]:
        """What the peer said in `data`.  Raises ConnectionLost where it speaks no TLS that we take."""
        for at in range(0, len(data), RECORD_OCTETS):
            self._incoming.write(data[at : at + RECORD_OCTETS])
            if self.is_ready or self._shake_hands():
                yield from self._decrypted()

    def _shake_hands(self) -> bool:
        try:
            self._object.do_handshake()
            self.is_ready = True
        except ssl.SSLWantReadError:
            pass
        except ssl.SSLError as error:
            self._flush()
            raise ConnectionLost(f"TLS: {error.reason or 'handshake failed'}") from None
        self._flush()
        return self.is_ready

    def _decrypted(self) -> Iterator[bytes]:
        while True:
            try:
                octets = cast(int, self._object.read(RECORD_OCTETS, _plain))  # how many, where a buffer is given
            except (ssl.SSLWantReadError, ssl.SSLZeroReturnError):
                break
            except ssl.SSLError as error:
                raise ConnectionLost(f"TLS: {error.reason}") from None
            if not octets:
                break
            yield bytes(_plain_view[:octets])
        self._flush()

    def write(self, data: bytes) -> None:
        view = memoryview(data)
        for at in range(0, len(view), RECORD_OCTETS):
            self._object.write(view[at : at + RECORD_OCTETS])
            self._flush()

    def close(self) -> None:
        """Say close_notify (RFC 8446 §6.1), so that the peer knows nothing was cut off."""
        with suppress(ssl.SSLError, ValueError):
            self._object.unwrap()
        self._flush()

    def _flush(self) -> None:
        if self._outgoing.pending:
            self._send(self._outgoing.read())
