"""The server that the browser tests have, where a browser hangs up."""

from __future__ import annotations

import socket
import struct
import threading
from collections.abc import Iterator

import pytest
from werkzeug.wrappers import Response

pytestmark = pytest.mark.browser


class Body:
    """One that ends after the browser hung up."""

    def __init__(self) -> None:
        self.is_left = threading.Event()
        self.closed = threading.Event()

    def __iter__(self) -> Iterator[bytes]:
        yield b"x"
        self.is_left.wait(10)

    def close(self) -> None:
        self.closed.set()


def test_what_was_sent_is_closed(serve):
    body = Body()
    address = serve(Response(body, headers={"Content-Length": "1"}))
    with socket.create_connection(("127.0.0.1", int(address.rpartition(":")[2]))) as browser:
        browser.sendall(b"GET / HTTP/1.0\r\n\r\n")
        said = b""
        while not said.endswith(b"\r\n\r\nx"):
            said += browser.recv(1_000)
        browser.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))  # closing resets
    body.is_left.set()
    assert body.closed.wait(10)
