"""Somebody in the middle: passes SMTP on, but for the offer of STARTTLS."""

from __future__ import annotations

import socket
import socketserver
import threading
from collections.abc import Iterator
from contextlib import closing, contextmanager, suppress

from pytest_socket import socket_allow_hosts

from tests.mailsite.world.network import Namespace

OFFER = b"250-STARTTLS\r\n"


@contextmanager
def stripping(hub: Namespace, address: str, behind: str) -> Iterator[None]:
    """Port 25 of `address`, which the hub has, leads to that of `behind`."""
    socket_allow_hosts(["127.0.0.1", "::1", behind], allow_unix_socket=True)  # of a namespace nothing leaves

    class Handler(socketserver.BaseRequestHandler):
        def handle(self) -> None:
            with hub.inside():
                onward = socket.create_connection((behind, 25), 10)
            with closing(onward), suppress(OSError):
                threading.Thread(target=_pass_on, args=(self.request, onward), daemon=True).start()
                _pass_on(onward, self.request)

    class Server(socketserver.ThreadingTCPServer):
        daemon_threads = True
        block_on_close = False

    with hub.inside():
        server = Server((address, 25), Handler)
    with server:
        thread = threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.01})
        thread.start()
        try:
            yield
        finally:
            server.shutdown()
            thread.join()


def _pass_on(source: socket.socket, sink: socket.socket) -> None:
    """A reply to EHLO comes in one piece, being one write of a few hundred octets."""
    with suppress(OSError):
        while octets := source.recv(65_536):
            sink.sendall(octets.replace(OFFER, b""))
        sink.shutdown(socket.SHUT_WR)
