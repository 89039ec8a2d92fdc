"""COMPRESS=DEFLATE (RFC 4978): both ways, over TLS too, pipelined, and bounded."""

from __future__ import annotations

import tracemalloc
import zlib
from contextlib import ExitStack
from socket import socket
from typing import Any, cast

import pytest

from app.bus.unix import UnixBus
from mailsite_ext.limits import Limits
from mailsite_ext.protocol.deflate import PLAIN_OCTETS, BadDeflate, Deflate
from tests.mailsite.dialogs import Client
from tests.mailsite.listeners.imap_hosting import imap_hosting


class Squeezed:
    """A socket whose octets are compressed both ways, as another program's zlib does it."""

    def __init__(self, plain) -> None:
        self._plain = plain
        self._packer = zlib.compressobj(9, zlib.DEFLATED, -15)
        self._unpacker = zlib.decompressobj(-15)

    def settimeout(self, seconds: float) -> None:
        self._plain.settimeout(seconds)

    def sendall(self, data: bytes) -> None:
        self._plain.sendall(self.packed(data))

    def packed(self, data: bytes) -> bytes:
        return self._packer.compress(data) + self._packer.flush(zlib.Z_SYNC_FLUSH)

    def recv(self, octets: int) -> bytes:
        while data := self._plain.recv(octets):
            if plain := self._unpacker.decompress(data):
                return plain
        return b""


@pytest.fixture
def host(sql_storage, tmp_path, authority, monkeypatch):
    context = authority.issue().server_context()
    with imap_hosting(
        sql_storage,
        UnixBus(tmp_path / "bus"),
        tmp_path / "spool",
        "imap",
        "imaps",
        context=lambda: context,
        client_context=authority.client_context(),
        limits=Limits(stop_grace_s=5),
    ) as running:
        opened, connect = ExitStack(), running.connect
        monkeypatch.setattr(running, "connect", lambda name: opened.enter_context(connect(name)))
        with opened:
            yield running


def signed_in(host, name: str) -> Client:
    client = Client(host.connect(name))
    client.say(b"a LOGIN bob other\r\n")
    while not client.hear().startswith("a OK"):
        pass
    return client


def compressed(host, name: str = "imap", behind: bytes = b"") -> Client:
    """`behind` is said in the same breath as the command, compressed."""
    client = signed_in(host, name)
    squeezed = Squeezed(client.socket)
    client.say(b"b COMPRESS DEFLATE\r\n" + (squeezed.packed(behind) if behind else b""))
    assert client.hear().startswith("b OK")
    client.socket = cast(socket, squeezed)
    return client


def plain_of(client: Client) -> socket:
    """The socket below the compression."""
    found: socket = cast(Any, client.socket)._plain
    return found


def hear_until(client: Client, tag: str) -> list[str]:
    heard = [client.hear()]
    while not heard[-1].startswith(tag):
        assert heard[-1], heard
        heard.append(client.hear())
    return heard


@pytest.mark.parametrize("name", ["imap", "imaps"])
def test_mail_goes_both_ways(host, name):
    client = compressed(host, name)
    message = b"Subject: much\r\n\r\n" + b"the same words again\r\n" * 20_000
    client.say(b"c APPEND INBOX {%d+}\r\n" % len(message) + message + b"\r\n")
    assert hear_until(client, "c ")[-1].startswith("c OK")
    client.say(b"d SELECT INBOX\r\ne FETCH 1 BODY.PEEK[]\r\n")
    assert "* 1 EXISTS" in hear_until(client, "d OK")
    assert client.hear() == f"* 1 FETCH (BODY[] {{{len(message)}}}"
    assert client.hear_octets(len(message)) == message
    assert hear_until(client, "e ")[-1].startswith("e OK")


def test_what_comes_behind_the_command_is_compressed(host):
    client = compressed(host, behind=b"c NOOP\r\nd CAPABILITY\r\n")
    assert client.hear().startswith("c OK")
    assert "COMPRESS" not in client.hear()
    assert client.hear().startswith("d OK")


def test_once_is_enough(host):
    client = compressed(host)
    client.say(b"c COMPRESS DEFLATE\r\nd STARTTLS\r\n")
    assert client.hear().startswith("c NO [COMPRESSIONACTIVE]")
    assert client.hear().startswith("d BAD")


def test_news_in_idle(host):
    client = compressed(host)
    client.say(b"c SELECT INBOX\r\nd IDLE\r\n")
    hear_until(client, "+")
    other = signed_in(host, "imap")
    other.say(b"b APPEND INBOX {8+}\r\nx: y\r\n\r\n\r\n")
    assert client.hear() == "* 1 EXISTS"
    client.say(b"DONE\r\n")
    assert hear_until(client, "d ")[-1].startswith("d OK")


@pytest.mark.parametrize("said", [b"plain words, no blocks\r\n", zlib.compress(b"c NOOP\r\n")])
def test_what_is_not_compressed_ends_the_connection(host, said):
    client = compressed(host)
    plain_of(client).sendall(said)
    assert client.hear() == ""


def test_a_stream_that_ends_ends_the_connection(host):
    client = compressed(host)
    packer = zlib.compressobj(9, zlib.DEFLATED, -15)
    plain_of(client).sendall(packer.compress(b"c NOOP\r\n") + packer.flush())
    assert client.hear() == ""


def test_a_bomb_is_one_line_too_long(host):
    client = compressed(host)
    client.say(b"c NOOP " + bytes(50_000_000))
    assert client.hear().startswith("* BYE [LIMIT]")
    assert client.hear() == ""


def test_little_does_not_become_much_at_once():
    packer = zlib.compressobj(9, zlib.DEFLATED, -15)
    bomb = packer.compress(bytes(100_000_000)) + packer.flush(zlib.Z_SYNC_FLUSH)
    deflate = Deflate(bomb)
    tracemalloc.start()
    try:
        octets = 0
        while deflate.has_more:
            octets += len(deflate.unpack())
        assert tracemalloc.get_traced_memory()[1] < 4 * PLAIN_OCTETS + 3 * len(bomb)
    finally:
        tracemalloc.stop()
    assert octets == 100_000_000


@pytest.mark.parametrize("cut", [1, 3, 1_000])
def test_octets_come_as_they_were_however_cut(cut):
    here, there = Deflate(), Deflate()
    words = b"".join(b"%d bottles\r\n" % number for number in range(2_000))
    packed = here.pack(words[:9_000]) + here.pack(words[9_000:])
    heard = b""
    for at in range(0, len(packed), cut):
        there.feed(packed[at : at + cut])
        while there.has_more:
            heard += there.unpack()
    assert heard == words


def test_nonsense_is_said_to_be():
    deflate = Deflate(b"\xff\xff\xff\xff")
    with pytest.raises(BadDeflate):
        deflate.unpack()
