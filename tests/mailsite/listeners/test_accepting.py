"""Connections are taken from the kernel's queue, also where there is nothing left to take them with."""

from __future__ import annotations

import asyncio
import errno
import os
import resource
import socket
from contextlib import contextmanager, suppress

import pytest

from mailsite_ext.listeners import accepting, ports
from mailsite_ext.listeners.accepting import Acceptor

REFUSAL = b"421 no room\r\n"


class Faulty:
    """A listening socket whose accept fails as many times with these errors."""

    def __init__(self, listening: socket.socket, *errors: int) -> None:
        self._listening, self._errors, self.tries = listening, list(errors), 0

    def accept(self):
        self.tries += 1
        if self._errors:
            number = self._errors.pop(0)
            raise OSError(number, os.strerror(number))
        return self._listening.accept()

    def fileno(self) -> int:
        return self._listening.fileno()

    def close(self) -> None:
        self._listening.close()


@contextmanager
def listening():
    (bound,) = ports.bind(("127.0.0.1",), 0)
    yield bound, socket.create_connection(bound.getsockname())


async def until(is_so) -> None:
    async with asyncio.timeout(10):
        while not is_so():
            await asyncio.sleep(0.002)


def heard(client: socket.socket) -> bytes:
    client.settimeout(10)
    with client:
        return client.recv(100)


@pytest.fixture(autouse=True)
def short_rest(monkeypatch):
    monkeypatch.setattr(accepting, "REST_S", 0.01)


@pytest.mark.parametrize(
    ("errors", "words"),
    [
        ([errno.ECONNABORTED, errno.EPROTO], 0),
        ([errno.EMFILE, errno.EMFILE] * 20, 1),
        ([errno.ENFILE, errno.ENFILE], 1),
        ([errno.ENOBUFS] * 20, 1),
        ([errno.ENOMEM], 1),
        ([errno.EINVAL], 1),
    ],
)
def test_whoever_waits_is_taken_when_there_is_room_again(errors, words, caplog):
    """Two tries fail where a file is in reserve, one where that is no help; then comes a rest, and the log is short."""
    taken = []

    async def scene():
        with listening() as (bound, client), client:
            faulty = Faulty(bound, *errors)
            acceptor = Acceptor(faulty, lambda accepted, address: taken.append((accepted, address)), REFUSAL)
            await until(lambda: taken)
            acceptor.close()
            assert faulty.tries <= len(errors) + 2

    asyncio.run(scene())
    ((accepted, address),) = taken
    accepted.close()
    assert address == "127.0.0.1"
    assert len(caplog.records) == words


def test_where_no_file_is_left_the_reserve_says_so_to_each(caplog):
    async def scene():
        with listening() as (bound, client):
            clients = [client, *(socket.create_connection(bound.getsockname()) for _ in range(9))]
            taken = []
            acceptor = Acceptor(bound, lambda *each: taken.append(each), REFUSAL)
            with no_files_left():
                await until(lambda: not bound_has_waiting(bound))
            assert [heard(each) for each in clients] == [REFUSAL] * 10
            assert not taken
            with socket.create_connection(bound.getsockname()):
                await until(lambda: taken)
            taken[0][0].close()
            acceptor.close()

    asyncio.run(scene())
    assert [record.levelname for record in caplog.records] == ["WARNING"]
    assert "LimitNOFILE" in caplog.text


@contextmanager
def no_files_left():
    """Of this process; what is open stays so."""
    soft, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    lowest_free = os.open(os.devnull, os.O_RDONLY)
    os.close(lowest_free)
    resource.setrlimit(resource.RLIMIT_NOFILE, (lowest_free, hard))
    try:
        yield
    finally:
        resource.setrlimit(resource.RLIMIT_NOFILE, (soft, hard))


def bound_has_waiting(bound: socket.socket) -> bool:
    """tcpi_unacked of a listening socket is the length of its queue (tcp(7))."""
    return int.from_bytes(bound.getsockopt(socket.IPPROTO_TCP, socket.TCP_INFO, 28)[24:28], "little") > 0


def test_a_rest_ends_with_the_acceptor():
    async def scene():
        with listening() as (bound, client), client:
            acceptor = Acceptor(Faulty(bound, errno.ENOMEM), lambda *_each: None, REFUSAL)
            await until(lambda: acceptor._rest)
            acceptor.close()
            assert acceptor._rest.cancelled()
            with suppress(ConnectionResetError):
                assert not client.recv(1)

    asyncio.run(scene())
