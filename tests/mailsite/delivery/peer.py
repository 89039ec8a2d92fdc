"""Another mail server on loopback, which answers as it is told."""

from __future__ import annotations

import socket
import socketserver
import ssl
import threading
from collections.abc import Callable, Iterator
from contextlib import ExitStack, contextmanager, suppress
from dataclasses import dataclass, field


@dataclass
class Peer:
    """`answers`: the beginning of a command → what is answered; an empty answer hangs up."""

    answers: dict[str, str] = field(default_factory=dict)
    features: tuple[str, ...] = ("PIPELINING", "8BITMIME", "SIZE 100000")
    tls: ssl.SSLContext | None = None
    is_implicit: bool = False  # TLS from the first octet
    greeting: str = "220 there ESMTP"
    before: Callable[[str], None] = lambda _command: None  # an answer is sent; "." is the message's end
    injected: bytes = b""  # sent in the clear right behind the consent to STARTTLS
    commands: list[str] = field(default_factory=list)
    messages: list[bytes] = field(default_factory=list)
    connections: int = 0
    open: int = 0  # of them
    port: int = 0

    def reply_to(self, command: str, offered: tuple[str, ...]) -> str:
        for start, answer in self.answers.items():
            if command.startswith(start):
                return answer
        if command.startswith("EHLO"):
            lines = ["there", *offered]
            return "\r\n".join(
                f"250{'-' if number < len(lines) else ' '}{line}" for number, line in enumerate(lines, 1)
            )
        return {"DATA": "354 go on", "QUIT": "221 bye", "STARTTLS": "220 go"}.get(command, "250 2.0.0 ok")


@contextmanager
def serving(peer: Peer, address: tuple[str, int] = ("127.0.0.1", 0)) -> Iterator[Peer]:
    class Handler(socketserver.BaseRequestHandler):
        def handle(self) -> None:
            peer.connections += 1
            peer.open += 1
            with suppress(OSError), ExitStack() as stack:  # the client is gone
                converse(peer, self.request, stack)
            peer.open -= 1

    class Server(socketserver.ThreadingTCPServer):
        daemon_threads = True
        block_on_close = False

    with Server(address, Handler) as server:
        peer.port = server.server_address[1]
        thread = threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.01})
        thread.start()
        try:
            yield peer
        finally:
            server.shutdown()
            thread.join()


def converse(peer: Peer, link: socket.socket, stack: ExitStack) -> None:
    offered = peer.features + (("STARTTLS",) if peer.tls and not peer.is_implicit else ())
    if peer.tls and peer.is_implicit:
        link = stack.enter_context(peer.tls.wrap_socket(link, server_side=True))
    file = stack.enter_context(link.makefile("rb"))
    link.sendall(peer.greeting.encode() + b"\r\n")
    while line := file.readline():
        command = line.decode().strip()
        peer.commands.append(command)
        answer = peer.reply_to(command, offered)
        if not answer:
            return
        peer.before(command)
        consents = command == "STARTTLS" and answer.startswith("220")
        link.sendall(answer.encode() + b"\r\n" + (peer.injected if consents else b""))
        if consents and peer.tls:
            link = stack.enter_context(peer.tls.wrap_socket(link, server_side=True))
            file, offered = stack.enter_context(link.makefile("rb")), peer.features
        if command == "DATA" and answer.startswith("354"):
            peer.messages.append(message_in(file))
            last = peer.answers.get(".", "250 2.0.0 queued")
            if not last:
                return
            peer.before(".")
            link.sendall(last.encode() + b"\r\n")


def message_in(file: socket.SocketIO) -> bytes:
    lines = []
    while (line := file.readline()) not in (b".\r\n", b""):
        lines.append(line.removeprefix(b"."))
    return b"".join(lines)
