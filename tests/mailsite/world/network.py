"""Network namespaces joined by a bridge, from which nothing leads out.

Each lives as long as the process that holds it, and that one ends with this run, however the run ends.
"""

from __future__ import annotations

import ctypes
import os
import shutil
import subprocess
from collections.abc import Iterator, Sequence
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass, field

import pytest

CLONE_NEWNET = 0x40000000
LIBC = ctypes.CDLL(None, use_errno=True)
NETWORK = "11.0.0."
"""Addresses of the world: to private ones no mail is delivered.  In here they are nobody's but ours."""


def need_tools() -> None:
    missing = [name for name in ("ip", "nsenter", "unshare", "postfix", "swaks", "msmtp") if not shutil.which(name)]
    if os.geteuid():
        pytest.skip("not root: no network namespaces, so the three hosts are not tried")
    if missing:
        pytest.skip(f"{', '.join(missing)} not here: the three hosts are not tried")
    if subprocess.run(["unshare", "--net", "true"], capture_output=True, check=False).returncode:
        pytest.skip("this machine allows no network namespaces: the three hosts are not tried")


@dataclass(frozen=True)
class Namespace:
    """A machine's network, with one address."""

    pid: int
    address: str

    def command(self, words: Sequence[str]) -> list[str]:
        """What runs `words` inside."""
        return ["nsenter", f"--net=/proc/{self.pid}/ns/net", *words]

    def run(self, *words: str, text: str = "", check: bool = True) -> subprocess.CompletedProcess[str]:
        """`text` is what the program reads."""
        done = subprocess.run(self.command(words), input=text, capture_output=True, text=True, check=False, timeout=60)
        assert not check or done.returncode == 0, f"{words[0]}: {done.stdout}{done.stderr}"
        return done

    @contextmanager
    def inside(self) -> Iterator[None]:
        """Sockets that this thread makes belong to the namespace."""
        with open("/proc/thread-self/ns/net") as home, open(f"/proc/{self.pid}/ns/net") as there:
            _enter(there.fileno())
            try:
                yield
            finally:
                _enter(home.fileno())


def _enter(descriptor: int) -> None:
    if LIBC.setns(descriptor, CLONE_NEWNET):
        raise OSError(ctypes.get_errno(), "setns")


@dataclass
class Network:
    """`hub` has the bridge, and takes whatever further address is asked for."""

    hub: Namespace
    _stack: ExitStack
    _hosts: int = field(default=1)

    def host(self) -> Namespace:
        """One more machine on the bridge."""
        self._hosts += 1
        made = self._stack.enter_context(_held(f"{NETWORK}{self._hosts}"))
        port = f"port{self._hosts}"
        self.hub.run("ip", "link", "add", port, "type", "veth", "peer", "name", "eth0", "netns", str(made.pid))
        self.hub.run("ip", "link", "set", port, "master", "bridge", "up")
        made.run("ip", "address", "add", f"{made.address}/24", "dev", "eth0")
        made.run("ip", "link", "set", "eth0", "up")
        return made

    def further_address(self) -> str:
        """Of the hub, for a server of the test's own."""
        self._hosts += 1
        self.hub.run("ip", "address", "add", f"{NETWORK}{self._hosts}/24", "dev", "bridge")
        return f"{NETWORK}{self._hosts}"


@contextmanager
def network() -> Iterator[Network]:
    with ExitStack() as stack:
        hub = stack.enter_context(_held(f"{NETWORK}1"))
        hub.run("ip", "link", "add", "bridge", "type", "bridge")
        hub.run("ip", "address", "add", f"{hub.address}/24", "dev", "bridge")
        hub.run("ip", "link", "set", "bridge", "up")
        yield Network(hub, stack)


@contextmanager
def _held(address: str) -> Iterator[Namespace]:
    """The holder ends when the pipe to it closes, which the kernel does even for a run that is killed."""
    words = ["unshare", "--net", "sh", "-c", "ip link set lo up && echo && exec cat"]
    with subprocess.Popen(words, stdin=subprocess.PIPE, stdout=subprocess.PIPE) as holder:
        assert holder.stdout.readline() == b"\n", "the namespace was not made"
        yield Namespace(holder.pid, address)
