"""Octets behind STARTTLS in the same segment never run (RFC 3207 §6, RFC 9051 §6.2.1), on real connections."""

from __future__ import annotations

import ssl

import pytest

from app.bus.unix import UnixBus
from tests.mailsite.listeners.hosting import hosting
from tests.mailsite.listeners.imap_hosting import imap_hosting


def conversation(link, first: bytes, later: bytes, context) -> tuple[bytes, bytes]:
    """What is said to `first` before the handshake, and to `later` behind it; b"" where there is no handshake."""
    said = link.recv(4096)
    link.sendall(first)
    while b"OK begin" not in said and b"220 2" not in said and (more := link.recv(4096)):
        said += more
    try:
        with context.wrap_socket(link, server_hostname="localhost") as safe:
            safe.sendall(later)
            return said, safe.recv(4096)
    except (ssl.SSLError, ConnectionError):
        return said, b""


@pytest.mark.parametrize(("injected", "answer"), [(b"", b"250 "), (b"EHLO evil.example\r\nRSET\r\n", b"")])
def test_smtp(tmp_path, authority, injected, answer):
    context = authority.issue().server_context()
    with hosting(tmp_path / "spool", "reception", context=lambda: context) as host, host.connect("reception") as link:
        link.settimeout(10)
        first = b"EHLO client.example\r\nSTARTTLS\r\n" + injected
        said, later = conversation(link, first, b"NOOP\r\n", authority.client_context())
        assert said.endswith(b"\r\n")
        assert said.splitlines()[-1].startswith(b"220 2")
        assert later.startswith(answer) if answer else later == b""


@pytest.mark.parametrize(("injected", "answer"), [(b"", b"c OK"), (b"b NOOP\r\n", b"")])
def test_imap(tmp_path, authority, sql_storage, injected, answer):
    context = authority.issue().server_context()
    bus = UnixBus(tmp_path / "bus")
    with imap_hosting(sql_storage, bus, tmp_path / "spool", "starttls", context=lambda: context) as host:
        with host.connect("starttls") as link:
            link.settimeout(10)
            said, later = conversation(link, b"a STARTTLS\r\n" + injected, b"c NOOP\r\n", authority.client_context())
        assert said.splitlines()[-1].startswith(b"a OK")
        assert later.startswith(answer) if answer else later == b""
