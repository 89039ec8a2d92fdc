"""A connection to another mail server: carries out the steps of a conversation, and writes down what was said.

`protocol/smtp_client.py` decides what is said; here are the socket, TLS and the time each answer may take.
"""

from __future__ import annotations

import socket
import ssl
import time
from collections.abc import Callable, Iterable, Iterator, Sequence
from contextlib import contextmanager, suppress
from dataclasses import dataclass, field
from typing import TypeAlias, TypeVar

from app.extension_api import ConnectionLost, ServerUnreachable, TimedOut, TlsFailed
from mailsite_ext.protocol.smtp_client import Conversation, Say, SayMessage, Secure, Step
from mailsite_ext.protocol.smtp_client_data import ReplyReader, stuffed
from mailsite_ext.replies import Reply

T = TypeVar("T")
Dial: TypeAlias = Callable[[str, int, float], socket.socket]
"""(address, port, seconds) → a connected socket; raises OSError."""

READ_OCTETS = 16_384
LONGEST_TRANSCRIPT = 200  # lines


@dataclass(frozen=True, slots=True, kw_only=True)
class Timeouts:
    """Seconds; RFC 5321 §4.5.3.2 names the least for all but the connection."""

    connect_s: float = 30
    answer_s: float = 300
    block_s: float = 180
    last_answer_s: float = 600  # while the server stores the message


@dataclass(slots=True)
class Transcript:
    """What was said, for the admin's queue page; of the message only its size."""

    lines: list[str] = field(default_factory=list)

    def note(self, text: str) -> None:
        if len(self.lines) < LONGEST_TRANSCRIPT:
            self.lines.append(text[:500])

    def said(self, octets: bytes) -> None:
        for line in octets.decode("utf-8", "replace").splitlines():
            self.note(f"> {line}")

    def heard(self, reply: Reply) -> None:
        for line in reply.words.split("\n"):
            self.note(f"< {reply.code} {line}")


class Connection:
    """Drives conversations.  All raise ServerUnreachable and its kinds, ProtocolError, and what conversations do."""

    def __init__(
        self, link: socket.socket, host: str, timeouts: Timeouts, transcript: Transcript, until_s: float
    ) -> None:
        """`until_s`: when it must be over, whatever is still to be said (time.monotonic)."""
        self._link = link
        self._until_s = until_s
        self._host = host
        self._timeouts = timeouts
        self._transcript = transcript
        self._reader = ReplyReader()
        self._replies: list[Reply] = []
        self.over_tls = False

    def run(
        self,
        conversation: Conversation[T],
        *,
        tls: ssl.SSLContext | None = None,
        blocks: Callable[[], Iterable[bytes]] = lambda: (),
    ) -> T:
        """`tls` is for a conversation that secures the connection, `blocks` for one that sends a message."""
        answers: Sequence[Reply] | None = None
        while True:
            try:
                step = next(conversation) if answers is None else conversation.send(answers)
            except StopIteration as end:
                result: T = end.value
                return result
            with self._translated():
                answers = self._carry_out(step, tls, blocks)

    def close(self) -> None:
        """QUIT, without waiting for what is said to it: the mail is delivered or it is not."""
        with suppress(OSError):
            self._link.settimeout(1)
            self._link.sendall(b"QUIT\r\n")
        with suppress(OSError):
            self._link.close()

    def _carry_out(
        self, step: Step, tls: ssl.SSLContext | None, blocks: Callable[[], Iterable[bytes]]
    ) -> Sequence[Reply]:
        if isinstance(step, Say):
            self._transcript.said(b"(signing in)" if step.is_secret else step.octets)
            self._send([step.octets])
            return [self._reply(self._timeouts.answer_s) for _ in range(step.replies)]
        if isinstance(step, SayMessage):
            self._transcript.note(f"> ({self._send(stuffed(blocks()))} octets of the message)")
            return [self._reply(self._timeouts.last_answer_s)]
        assert isinstance(step, Secure)
        assert tls is not None, "a conversation that secures its connection is given a context"
        self._secure(tls)
        return []

    def _send(self, blocks: Iterable[bytes]) -> int:
        octets = 0
        for block in blocks:
            self._link.settimeout(self._left_s(self._timeouts.block_s))
            self._link.sendall(block)
            octets += len(block)
        return octets

    def _reply(self, timeout_s: float) -> Reply:
        """The next reply; all of it within `timeout_s`, however it drips."""
        until_s = time.monotonic() + timeout_s
        while not self._replies:
            self._link.settimeout(self._left_s(until_s - time.monotonic()))
            octets = self._link.recv(READ_OCTETS)
            if not octets:
                raise ConnectionLost(f"{self._host} hung up")
            self._replies += self._reader.feed(octets)
        reply = self._replies.pop(0)
        self._transcript.heard(reply)
        return reply

    def _left_s(self, timeout_s: float) -> float:
        """Raises TimedOut when there is no time left."""
        left_s = min(timeout_s, self._until_s - time.monotonic())
        if left_s <= 0:
            raise TimedOut(f"{self._host} did not answer in time")
        return left_s

    def _secure(self, tls: ssl.SSLContext) -> None:
        """What came before TLS in the clear may be somebody else's: forgotten (RFC 3207 §6)."""
        self._reader.forget()
        self._replies.clear()
        self._link.settimeout(self._left_s(self._timeouts.answer_s))
        secured = tls.wrap_socket(self._link, server_hostname=self._host.strip("[]"))
        self._link = secured
        self.over_tls = True
        cipher = secured.cipher()
        verified = "verified" if tls.verify_mode is ssl.CERT_REQUIRED else "not verified"
        self._transcript.note(f"- {secured.version()}, {cipher[0] if cipher else ''}, certificate {verified}")

    @contextmanager
    def _translated(self) -> Iterator[None]:
        try:
            yield
        except ssl.SSLCertVerificationError as error:
            raise TlsFailed(f"{self._host}: {error.verify_message}") from error
        except ssl.SSLError as error:
            raise TlsFailed(f"{self._host}: {error.reason or 'TLS broke'}") from error
        except TimeoutError:
            raise TimedOut(f"{self._host} did not answer in time") from None
        except OSError as error:
            raise ConnectionLost(f"{self._host}: {error.strerror or 'the connection broke'}") from None


def dial(address: str, port: int, timeout_s: float) -> socket.socket:
    """`address` is one that `route.find_hops` found: no name is looked up here."""
    link = socket.create_connection((address, port), timeout_s)
    link.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
    return link


def connected(
    host: str, address: str, port: int, *, dial: Dial, timeouts: Timeouts, transcript: Transcript, until_s: float
) -> Connection:
    """Raises ServerUnreachable when TCP does not come about."""
    transcript.note(f"- {host}, {address}, port {port}")
    try:
        link = dial(address, port, timeouts.connect_s)
    except OSError as error:
        words = "no answer" if isinstance(error, TimeoutError) else error.strerror or "unreachable"
        transcript.note(f"- {words}")
        raise ServerUnreachable(f"{host}, {address}, port {port}: {words}") from None
    return Connection(link, host, timeouts, transcript, until_s)
