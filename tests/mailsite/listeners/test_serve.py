"""Connections: what strangers may use up, time, back-pressure, TLS, and that idle ones cost little."""

from __future__ import annotations

import asyncio
import ssl
from contextlib import asynccontextmanager, closing, suppress
from pathlib import Path
from tempfile import TemporaryDirectory

import pytest

from app.extension_api import ConnectionLost
from mailsite_ext.limits import Limits
from mailsite_ext.listeners import ports, serve
from mailsite_ext.listeners.peers import Peers
from mailsite_ext.listeners.serve import Connection, Server, plain_address
from mailsite_ext.listeners.tls import CertificateFiles

TOO_MANY = b"421 too many\r\n"


async def echo(connection: Connection) -> None:
    """Says what it hears; "welcome" makes a friend, "tls" starts TLS."""
    while data := await connection.read():
        if data.startswith(b"welcome"):
            connection.welcome()
            connection.idle_s = 5
        if data.startswith(b"tls"):
            connection.write(b"go\n")
            await connection.start_tls(b"")
            continue
        connection.write(data)
        await connection.drain()


@asynccontextmanager
async def serving(handle=echo, limits=None, tls=None, implicit_tls=False):
    limits = limits or Limits()
    with TemporaryDirectory() as folder, closing(Peers(limits, Path(folder))) as peers:
        server = Server(handle, limits, peers=peers, too_many=TOO_MANY, tls=tls)
        sockets = ports.bind(("127.0.0.1",), 0)
        await server.listen(sockets, implicit_tls=implicit_tls)
        try:
            yield server, sockets[0].getsockname()[1]
        finally:
            await server.stop()


async def opened(port, context=None):
    host = "localhost" if context else "127.0.0.1"
    return await asyncio.wait_for(asyncio.open_connection(host, port, ssl=context), 10)


def run(scene):
    asyncio.run(asyncio.wait_for(scene, 30))


async def closed(reader) -> bool:
    try:
        return not await asyncio.wait_for(reader.read(), 10)
    except ConnectionResetError:
        return True


def test_bytes_come_back():
    async def scene():
        async with serving() as (_server, port):
            reader, writer = await opened(port)
            writer.write(b"hello")
            assert await reader.readexactly(5) == b"hello"
            writer.write(b"last words")
            writer.write_eof()  # half closed: what was said is still answered
            assert await reader.read() == b"last words"
            writer.close()

    run(scene())


def test_one_address_has_so_many_connections():
    async def scene():
        async with serving(limits=Limits(connections_per_address=2)) as (server, port):
            first, second = await opened(port), await opened(port)
            third_reader, third = await opened(port)
            assert await third_reader.read() == TOO_MANY
            first[1].close()
            while len(server.connections) > 1:
                await asyncio.sleep(0)
            reader, fourth = await opened(port)
            fourth.write(b"x")
            assert await reader.readexactly(1) == b"x"
            for writer in (second[1], third, fourth):
                writer.close()

    run(scene())


@pytest.mark.parametrize(
    ("text", "address"), [("::ffff:192.0.2.1", "192.0.2.1"), ("fe80::1%eth0", "fe80::1"), ("192.0.2.1", "192.0.2.1")]
)
def test_addresses_as_they_are(text, address):
    assert plain_address(text) == address


def test_strangers_have_little_time():
    async def scene():
        async with serving(limits=Limits(before_login_s=0.2)) as (_server, port):
            reader, writer = await opened(port)
            for _ in range(3):  # talking does not buy time
                writer.write(b"x")
                await reader.readexactly(1)
            assert await closed(reader)
            writer.close()

    run(scene())


def test_friends_have_their_own_time():
    async def scene():
        async with serving(limits=Limits(before_login_s=0.1)) as (server, port):
            reader, writer = await opened(port)
            writer.write(b"welcome")
            await reader.readexactly(7)
            (connection,) = server.connections
            assert connection._next_due() > asyncio.get_running_loop().time() + 4
            writer.close()

    run(scene())


def test_strangers_may_say_little_whatever_comes_in_one_piece():
    async def scene():
        async with serving(limits=Limits(before_login_octets=100)) as (_server, port):
            reader, writer = await opened(port)
            writer.write(b"x" * 5_000)
            heard = b""
            with suppress(ConnectionResetError):
                heard = await asyncio.wait_for(reader.read(), 10)
            assert len(heard) <= 100
            writer.close()
            reader, writer = await opened(port)
            writer.write(b"welcome" + b"x" * 5_000)
            assert len(await reader.readexactly(5_007)) == 5_007
            writer.close()

    run(scene())


def test_a_peer_that_does_not_read_is_waited_for_and_not_remembered_for():
    """Reading stops while the answers do not go out: what is held stays small."""

    async def scene():
        async with serving() as (server, port):
            reader, writer = await opened(port)
            writer.write(b"welcome")
            await reader.readexactly(7)
            (connection,) = server.connections
            block = b"x" * 65_536
            for _ in range(2_000):  # 128 MB if anybody took it
                writer.write(block)
                if writer.transport.get_write_buffer_size() > 8_000_000:
                    break
                await asyncio.sleep(0)
            assert connection._is_paused
            assert connection._unread_octets <= serve.UNREAD_OCTETS + serve.READ_OCTETS
            writer.transport.abort()

    run(scene())


@pytest.mark.parametrize("implicit", [True, False])
def test_tls(authority, implicit):
    context = authority.issue().server_context()

    async def scene():
        async with serving(tls=lambda: context, implicit_tls=implicit) as (server, port):
            reader, writer = await opened(port, authority.client_context() if implicit else None)
            if not implicit:
                writer.write(b"tls")
                assert await reader.readline() == b"go\n"
                await writer.start_tls(authority.client_context(), server_hostname="localhost")
            writer.write(b"welcome")
            assert await reader.readexactly(7) == b"welcome"
            whole = bytes(range(256)) * 4_000
            writer.write(whole)
            assert await reader.readexactly(len(whole)) == whole
            (connection,) = server.connections
            assert connection.is_tls
            assert connection.tls.version == "TLSv1.3"
            writer.close()

    run(scene())


def test_a_new_certificate_counts_at_once(authority):
    contexts = [authority.issue().server_context(), authority.issue("localhost", "second.example").server_context()]

    async def scene():
        async with serving(tls=lambda: contexts[0], implicit_tls=True) as (_server, port):
            names = []
            for _ in range(2):
                _reader, writer = await opened(port, authority.client_context())
                found = writer.get_extra_info("peercert")["subjectAltName"]
                names.append(sorted(name for _kind, name in found))
                writer.close()
                contexts.reverse()
            assert names[0] != names[1]
            assert "second.example" in names[1]

    run(scene())


def test_a_handshake_that_never_ends_is_ended(authority):
    context = authority.issue().server_context()

    async def scene():
        limits = Limits(before_login_s=0.2)
        async with serving(tls=lambda: context, implicit_tls=True, limits=limits) as (_server, port):
            reader, writer = await opened(port)
            writer.write(b"\x16\x03\x01")
            assert await closed(reader)
            writer.close()

    run(scene())


def test_a_fault_in_a_handler_ends_its_connection_only(caplog):
    async def fail(connection: Connection) -> None:
        data = await connection.read()
        if data == b"bad":
            raise ValueError("a bug")
        connection.write(data)

    async def scene():
        async with serving(fail) as (_server, port):
            reader, writer = await opened(port)
            other_reader, other = await opened(port)
            writer.write(b"bad")
            assert await closed(reader)
            other.write(b"good")
            assert await other_reader.read() == b"good"
            writer.close()
            other.close()

    run(scene())
    assert "a bug" in caplog.text


def test_a_stop_does_not_wait_for_ever():
    held = []

    async def stubborn(connection: Connection) -> None:
        connection.is_busy = True
        held.append(connection)
        await connection.read()

    async def scene():
        async with serving(stubborn, limits=Limits(stop_grace_s=0.1)) as (server, port):
            reader, writer = await opened(port)
            while not held:
                await asyncio.sleep(0)
            await server.stop()
            assert await closed(reader)
            assert not server.connections
            writer.close()

    run(scene())


def test_a_peer_that_goes_away_is_forgotten():
    gone = []

    async def wait(connection: Connection) -> None:
        try:
            await connection.read()
            await connection.read()
        except ConnectionLost as error:
            gone.append(error)
            raise

    async def scene():
        async with serving(wait) as (server, port):
            _reader, writer = await opened(port)
            writer.write(b"x")
            while not server.connections:
                await asyncio.sleep(0)
            writer.transport.abort()
            while server.connections:
                await asyncio.sleep(0)
            assert not server.peers._rows

    run(scene())
    assert len(gone) <= 1


def test_a_certificate_is_read_again_when_its_file_changes(tmp_path, caplog):
    file, made = tmp_path / "cert.pem", []
    file.write_text("one")

    def load():
        if file.read_text() == "broken":
            raise ssl.SSLError("no certificate")
        made.append(ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER))
        return made[-1]

    current = CertificateFiles(load, [file])
    assert current() is current() is made[0]
    file.write_text("second")
    assert current() is made[1]
    file.write_text("broken")
    assert current() is current() is made[1]  # the last good one stays
    assert "no certificate" in caplog.text
    assert made[1].options & ssl.OP_NO_RENEGOTIATION
