"""Ports: shared, fallen back from, handed over, and refused with words that help."""

from __future__ import annotations

import errno
import os
import socket
import subprocess
import sys
from contextlib import contextmanager
from pathlib import Path

import pytest

from mailsite_ext.errors import CannotBind
from mailsite_ext.listeners import ports


def close(sockets):
    for each in sockets:
        each.close()


def test_two_processes_may_share_a_port():
    first = ports.bind(("127.0.0.1",), 0)
    number = first[0].getsockname()[1]
    second = ports.bind(("127.0.0.1",), number)
    assert second[0].getsockname()[1] == number
    close([*first, *second])


HOLD = """
import sys, pathlib
from mailsite_ext.listeners import ports
bound = ports.share(pathlib.Path(sys.argv[1]), ("127.0.0.1",), int(sys.argv[2]))
print("bound", flush=True)
sys.stdin.read()
"""


@contextmanager
def holder(locks, port):
    """Another process that listens at the port, with its locks in that folder."""
    root = Path(__file__).parents[3]
    command = [sys.executable, "-c", HOLD, str(locks), str(port)]
    with subprocess.Popen(command, cwd=root, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True) as process:
        assert process.stdout.readline() == "bound\n"
        yield process
        process.stdin.close()


def free_port() -> int:
    with socket.socket() as made:
        made.bind(("127.0.0.1", 0))
        return int(made.getsockname()[1])


def test_processes_of_one_installation_share_and_another_installation_is_told(tmp_path):
    port = free_port()
    with holder(tmp_path / "ours", port):
        close(ports.share(tmp_path / "ours", ("127.0.0.1",), port))
        with pytest.raises(CannotBind, match="another installation"):
            ports.share(tmp_path / "theirs", ("127.0.0.1",), port)
        with pytest.raises(CannotBind):  # who was refused is not within
            ports.share(tmp_path / "theirs", ("127.0.0.1",), port)


def test_a_port_is_free_again_when_its_process_was_killed(tmp_path):
    port = free_port()
    with holder(tmp_path / "ours", port) as process:
        process.kill()
        process.wait()
        close(ports.share(tmp_path / "theirs", ("127.0.0.1",), port))


def test_every_address_gets_the_same_port():
    bound = ports.bind(("127.0.0.1", "127.0.0.2"), 0)
    assert len({each.getsockname()[1] for each in bound}) == 1
    close(bound)


def taken() -> socket.socket:
    """A port that its owner does not share."""
    other = socket.socket()
    other.bind(("127.0.0.1", 0))
    other.listen()
    return other


def test_a_port_in_use_is_named():
    with taken() as other, pytest.raises(CannotBind) as caught:
        ports.bind(("127.0.0.1",), other.getsockname()[1])
    assert "another program listens there" in caught.value.detail


def test_the_fallback_port_is_used_where_there_is_one(tmp_path):  # O16
    with taken() as other:
        free = ports.bind(("127.0.0.1",), 0)
        wanted = free[0].getsockname()[1]
        close(free)
        bound = ports.share(tmp_path, ("127.0.0.1",), other.getsockname()[1], fallback_port=wanted)
        assert bound[0].getsockname()[1] == wanted
        close(bound)


def test_a_privileged_port_says_what_to_do(monkeypatch):
    def refuse(_self, _address):
        raise PermissionError(errno.EACCES, "Permission denied")

    class Refusing(socket.socket):
        bind = refuse

    monkeypatch.setattr("mailsite_ext.listeners.ports.socket.socket", Refusing)
    with pytest.raises(CannotBind) as caught:
        ports.bind(("127.0.0.1",), 25)
    for word in ("port 25", "not permitted", "setcap", ".socket"):
        assert word in caught.value.detail


def test_an_address_family_this_machine_lacks_is_left_out():
    bound = ports.bind(("127.0.0.1", "2001:db8::1"), 0)
    assert [each.family for each in bound] == [socket.AF_INET]
    close(bound)
    with pytest.raises(CannotBind):
        ports.bind(("2001:db8::1",), 0)


@pytest.mark.parametrize("listen_pid", ["100", "99"])
def test_sockets_from_systemd(monkeypatch, listen_pid):
    offered = ports.bind(("127.0.0.1",), 0)[0]
    monkeypatch.setattr(ports, "FIRST_INHERITED", offered.fileno())
    found = ports.inherited({"LISTEN_PID": listen_pid, "LISTEN_FDS": "1"}, pid=100, parent_pid=99)
    number = offered.getsockname()[1]
    assert list(found) == [number]
    assert found[number][0].getsockname() == offered.getsockname()
    close([offered, *found[number]])


def test_sockets_for_another_process_are_not_ours():
    assert ports.inherited({"LISTEN_PID": "1", "LISTEN_FDS": "1"}, pid=os.getpid(), parent_pid=os.getppid()) == {}
    assert ports.inherited({}, pid=1, parent_pid=2) == {}
