"""The octets of an IMAP connection: buffered, bounded in size and time, with TLS; socket and TLS faults end here."""

from __future__ import annotations

import socket
import ssl
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress

from app.errors import (
    ConnectionLost,
    ConnectionRefused,
    NameNotFound,
    ProtocolError,
    ServerUnreachable,
    TimedOut,
    TlsFailed,
)

CHUNK_OCTETS = 65_536
SLOWEST_OCTETS_PER_S = 4_096
"""A turn may take the time-out, and a second more for each so many octets: who drips octets is cut off."""
LONGEST_TURN_S = 180.0
SLOWEST_WHOLE_TURN_OCTETS_PER_S = 32_768
"""However it drips: no turn takes longer than this, or than what was asked for takes at this pace."""
BUFFERED_OCTETS = 4 * 1024 * 1024
"""What was sent may lie in buffers up to so much: the answer may take as long as that needs to get there."""
EACH_READ_COSTS = 64
"""What a line costs besides its octets, so that endless short lines meet the bound before memory does."""

CERTIFICATE_FAULTS = {  # X509_V_ERR_* of OpenSSL
    9: "the certificate is not valid yet",
    10: "the certificate has expired",
    18: "the certificate is signed by itself",
    19: "the certificate's chain ends in an authority nobody here knows",
    20: "the certificate is signed by an authority nobody here knows",
    21: "the server does not send the certificates between its own and a known authority",
    23: "the certificate has been revoked",
    62: "the certificate is for another host name",
    64: "the certificate is for another address",
}


def longest_turn_s(expected_octets: int) -> float:
    """Seconds a turn, or sending, may take beside the time-out, however steadily octets come and go."""
    return max(LONGEST_TURN_S, expected_octets / SLOWEST_WHOLE_TURN_OCTETS_PER_S)


class Wire:
    """A connected socket, read by lines and literals.

    `begin_turn` says how much may come until the next one.  Raises ConnectionLost, TimedOut, TlsFailed or
    ProtocolError (more than was allowed); the connection is then of no use.  `now_s` is a monotonic clock.
    """

    def __init__(
        self, sock: socket.socket, host: str, timeout_s: float, now_s: Callable[[], float] = time.monotonic
    ) -> None:
        self.sock = sock
        self._now_s = now_s
        self.host = host
        self._timeout_s = timeout_s
        self._buffer = b""
        self._position = 0
        self._sent_octets = 0
        self.begin_turn(CHUNK_OCTETS)

    def begin_turn(self, most_octets: int, expected_octets: int = 0) -> None:
        """`expected_octets` is the size of what was asked for, where it is known: a large body may take longer."""
        self._allowance = most_octets
        arrives_in_s = min(self._sent_octets, BUFFERED_OCTETS) / SLOWEST_WHOLE_TURN_OCTETS_PER_S
        self._give_up_at = self._now_s() + self._timeout_s + arrives_in_s
        self._ends_at = self._give_up_at + longest_turn_s(expected_octets)

    def fileno(self) -> int:
        return self.sock.fileno()

    @property
    def has_unread(self) -> bool:
        return self._position < len(self._buffer)

    def start_tls(self, context: ssl.SSLContext) -> None:
        """Go on under TLS, verified for the host as it was typed.

        What came in the clear after the server's consent is not to be believed (RFC 9051 §11.1): it is refused.
        """
        if self.has_unread:
            raise TlsFailed("the server sent more in the clear before TLS began")
        with translated(self.host):
            self.sock.settimeout(self._timeout_s)
            self.sock = context.wrap_socket(self.sock, server_hostname=self.host)

    def send(self, octets: bytes) -> None:
        """Send it all, in pieces: each within the time-out, the whole in a time that grows with its size."""
        began_at = self._now_s()
        ends_at = began_at + self._timeout_s + longest_turn_s(len(octets))
        rest = memoryview(octets)
        while rest:
            rest = rest[self._send_some(rest[:CHUNK_OCTETS], ends_at) :]
        self._sent_octets += len(octets)
        took_s = self._now_s() - began_at
        self._give_up_at += took_s
        self._ends_at += took_s

    def _send_some(self, piece: memoryview, ends_at: float) -> int:
        remaining_s = ends_at - self._now_s()
        if remaining_s <= 0:
            raise TimedOut(f"{self.host} did not take in time what was sent")
        with translated(self.host):
            self.sock.settimeout(min(remaining_s, self._timeout_s))
            return self.sock.send(piece)

    def readline(self) -> bytes:
        """The next line with its LF."""
        pieces: list[bytes] = []
        while True:
            end = self._buffer.find(b"\n", self._position) + 1
            line = self._buffer[self._position : end or None]
            self._spend(len(line))
            pieces.append(line)
            if end:
                self._position = end
                self._spend(EACH_READ_COSTS)
                return line if len(pieces) == 1 else b"".join(pieces)
            self._fill()

    def read(self, octets: int) -> bytes:
        """Exactly so many octets."""
        self._spend(octets)
        pieces: list[bytes] = []
        while octets > 0:
            piece = self._buffer[self._position : self._position + octets]
            self._position += len(piece)
            octets -= len(piece)
            pieces.append(piece)
            if octets:
                self._fill()
        return pieces[0] if len(pieces) == 1 else b"".join(pieces)

    def read_waiting_line(self) -> bytes | None:
        """A line if a whole one has come already, without waiting; what is left of it stays for the next call."""
        while not (end := self._buffer.find(b"\n", self._position) + 1):
            more = self._receive_now()
            if not more:
                return None
            self._spend(len(more))
            self._buffer, self._position = self._buffer[self._position :] + more, 0
        line, self._position = self._buffer[self._position : end], end
        return line

    def close(self) -> None:
        with suppress(OSError):
            self.sock.close()

    def _spend(self, octets: int) -> None:
        self._allowance -= octets
        if self._allowance < 0:
            raise ProtocolError("the server sends more than was asked for")

    def _fill(self) -> None:
        """Replace the used-up buffer by what comes next."""
        remaining_s = min(self._give_up_at, self._ends_at) - self._now_s()
        if remaining_s <= 0:
            raise TimedOut(f"{self.host} did not answer in time")
        with translated(self.host):
            self.sock.settimeout(min(remaining_s, self._timeout_s))
            self._buffer, self._position = self.sock.recv(CHUNK_OCTETS), 0
        if not self._buffer:
            raise ConnectionLost(f"{self.host} closed the connection")
        self._sent_octets = 0
        self._give_up_at += len(self._buffer) / SLOWEST_OCTETS_PER_S

    def _receive_now(self) -> bytes:
        """What the socket holds, TLS records included; empty if that is nothing."""
        with translated(self.host):
            self.sock.settimeout(0)
            try:
                more = self.sock.recv(CHUNK_OCTETS)
            except (BlockingIOError, ssl.SSLWantReadError, ssl.SSLWantWriteError):
                return b""
        if not more:
            raise ConnectionLost(f"{self.host} closed the connection")
        return more


@contextmanager
def translated(host: str) -> Iterator[None]:
    """Faults of sockets and TLS as errors of ours."""
    try:
        yield
    except ssl.SSLCertVerificationError as error:
        raise TlsFailed(_certificate_fault(error)) from error
    except ssl.SSLEOFError as error:
        raise ConnectionLost(f"{host} broke the connection off") from error
    except ssl.SSLError as error:
        raise TlsFailed(_tls_fault(error)) from error
    except TimeoutError as error:
        raise TimedOut(f"{host} did not answer in time") from error
    except ConnectionRefusedError as error:
        raise ConnectionRefused(f"{host} refuses connections") from error
    except socket.gaierror as error:
        raise NameNotFound(f"{host} has no address") from error
    except (ConnectionError, BrokenPipeError) as error:
        raise ConnectionLost(f"{host} broke the connection off") from error
    except OSError as error:
        raise ServerUnreachable(f"{host}: {error.strerror or error}") from error


def _certificate_fault(error: ssl.SSLCertVerificationError) -> str:
    code = getattr(error, "verify_code", 0)
    return CERTIFICATE_FAULTS.get(code) or str(getattr(error, "verify_message", "") or "the certificate is not valid")


def _tls_fault(error: ssl.SSLError) -> str:
    if error.reason in ("WRONG_VERSION_NUMBER", "HTTP_REQUEST", "UNKNOWN_PROTOCOL", "RECORD_LAYER_FAILURE"):
        return "the server does not speak TLS on this port"
    return (error.reason or "the TLS handshake failed").replace("_", " ").lower()
