"""A name server on loopback that knows no name: what a program looks up then goes to nobody outside."""

from __future__ import annotations

import socket
import threading
from collections.abc import Iterator
from contextlib import contextmanager

import dns.exception
import dns.message
import dns.rcode


@contextmanager
def serve() -> Iterator[str]:
    """Answer NXDOMAIN until the block is left; the value is what NAME_SERVER takes."""
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as link:
        link.bind(("127.0.0.1", 0))
        link.settimeout(0.1)
        ended = threading.Event()
        thread = threading.Thread(target=_answer_all, args=(link, ended), name="dns", daemon=True)
        thread.start()
        try:
            yield f"127.0.0.1:{link.getsockname()[1]}"
        finally:
            ended.set()
            thread.join(10)


def _answer_all(link: socket.socket, ended: threading.Event) -> None:
    while not ended.is_set():
        try:
            question, sender = link.recvfrom(4096)
            reply = dns.message.make_response(dns.message.from_wire(question))
        except (TimeoutError, dns.exception.DNSException):
            continue
        reply.set_rcode(dns.rcode.NXDOMAIN)
        link.sendto(reply.to_wire(), sender)
