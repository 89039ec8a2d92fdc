"""Two real processes of one service at one port."""

from __future__ import annotations

import sys
import time
from contextlib import ExitStack

import pytest

from mailsite_ext.listeners.open_files import FILES_PER_CONNECTION, OTHER_FILES
from tests.mailsite.listeners.real import CONNECTIONS

SOON_S = 1.0
PER_ADDRESS = 20


@pytest.fixture
def two(installation):
    with ExitStack() as running:
        yield [running.enter_context(installation.running("imap")) for _ in range(2)]


def test_limits_hold_over_both_and_the_killed_ones_counts_are_free(installation, two, connect):
    port = installation.settings.imap_port
    clients = [connect(port) for _ in range(PER_ADDRESS)]
    assert all(client.said.startswith(b"* OK") for client in clients)
    seats = installation.rows("imap")[:PER_ADDRESS]
    assert set(seats) == {1, 2}
    assert connect(port).said.startswith(b"* BYE")
    assert connect(port, "127.0.0.2").said.startswith(b"* OK")
    two[0].kill()
    two[0].wait()
    again = [connect(port).said[:4] for _ in range(seats.count(1) + 1)]
    assert again == [b"* OK"] * seats.count(1) + [b"* BY"]


def test_all_addresses_together_have_a_bound_over_both(installation, two, connect):
    port, sources = installation.settings.imap_port, [f"127.0.1.{n}" for n in range(1, CONNECTIONS // PER_ADDRESS + 1)]
    for source in sources:
        for _ in range(PER_ADDRESS):
            assert connect(port, source).said.startswith(b"* OK")
    assert connect(port, "127.0.2.1").said.startswith(b"* BYE")
    assert set(installation.rows("imap")) == {1, 2}


def test_a_change_through_one_process_reaches_idle_in_the_other(installation, two, connect):
    clients = [connect(installation.settings.imap_port) for _ in range(PER_ADDRESS)]
    seats = installation.rows("imap")[:PER_ADDRESS]
    here, there = clients[seats.index(1)].sign_in(), clients[seats.index(2)].sign_in()
    here.ask("b SELECT INBOX", b"b OK")
    here.ask("c IDLE", b"+ ")
    there.ask("b APPEND INBOX {5+}\r\na: b\n", b"b OK")
    began = time.monotonic()
    here.hear(b"1 EXISTS")
    assert time.monotonic() - began <= SOON_S  # it looks by itself only every 30 s


def test_a_message_is_recent_in_one_process(installation, two, connect):
    clients = [connect(installation.settings.imap_port) for _ in range(PER_ADDRESS)]
    seats = installation.rows("imap")[:PER_ADDRESS]
    here, there = clients[seats.index(1)].sign_in(), clients[seats.index(2)].sign_in()
    for client in (here, there):
        client.ask("b SELECT INBOX", b"b OK")
    here.ask("c APPEND INBOX {5+}\r\na: b\n", b"c OK")
    here.ask("d FETCH 1 FLAGS", b"(FLAGS (\\Recent))")
    there.ask("d NOOP", b"* 0 RECENT")
    there.ask("e FETCH 1 FLAGS", b"(FLAGS ())")


FILES = 560


def test_where_few_files_may_be_open_there_are_fewer_connections(installation, connect):
    port, room = installation.settings.imap_port, (FILES - OTHER_FILES) // FILES_PER_CONNECTION
    limited = ("sh", "-c", f'ulimit -n {FILES}; exec "$0" -m mailsite_ext.listeners imap', sys.executable)
    with installation.running("imap", *limited):
        said = [connect(port, f"127.0.1.{1 + n}").said[:5] for n in range(room + 100)]
        assert said == [b"* OK "] * room + [b"* BYE"] * 100


PARENT = """
import os, socket, sys
bound = socket.create_server(("127.0.0.1", int(sys.argv[1])))
os.dup2(bound.fileno(), 3)
os.set_inheritable(3, True)
os.environ |= {"LISTEN_FDS": "1", "LISTEN_PID": str(os.getpid())}
os.execv(sys.executable, [sys.executable, "-m", "mailsite_ext.listeners", "imap"])
"""


def test_a_socket_handed_over_is_listened_on(installation, connect):
    """As systemd does it; the parent's socket is not shared, so binding it once more would fail."""
    port = installation.settings.imap_port
    with installation.running("imap", sys.executable, "-c", PARENT, str(port)):
        connect(port).sign_in().ask("b SELECT INBOX", b"b OK")
