r"""Runs the readable conversations of tests/dialogs/*.txt against a server.

    # a comment
    ! connect reception          a new connection, to the server of that name (client 1; "! connect reception 2": 2)
    C: EHLO client.example       said, with CRLF
    S: 250 … HELP                the next line heard; … stands for anything in it
    S: ...                       lines are skipped until the next S: fits
    C~ a\r\n.\r\n                said as it stands, escapes resolved, no CRLF
    C2: …   S2: …                a second client
    ! tls                        the handshake, now (of client 1; "! tls 2")
    ! closed                     the server has hung up
    ! any word else              passed to the test: a condition to wait for, something to do

Nothing sleeps: every S: waits for its line until DEADLINE_S.
"""

from __future__ import annotations

import re
import socket
import ssl
from collections.abc import Callable, Iterator
from pathlib import Path

DIALOGS = Path(__file__).parent.parent / "dialogs"
DEADLINE_S = 10.0
_LINE = re.compile(r"([CS])(\d?)([:~]) ?(.*)")

Connect = Callable[[str], socket.socket]
Other = Callable[[str], None]


def dialogs(prefix: str) -> list[Path]:
    """The dialogs of one protocol: "smtp", "imap"."""
    return sorted(DIALOGS.glob(f"{prefix}_*.txt"))


class Client:
    """One connection, read line by line."""

    def __init__(self, connected: socket.socket) -> None:
        connected.settimeout(DEADLINE_S)
        self.socket = connected
        self._unread = b""

    def say(self, data: bytes) -> None:
        self.socket.sendall(data)

    def hear(self) -> str:
        """The next line; empty where the server hung up."""
        while b"\n" not in self._unread:
            try:
                more = self.socket.recv(65_536)
            except (ConnectionResetError, ssl.SSLError):
                more = b""
            if not more:
                return ""
            self._unread += more
        line, _, self._unread = self._unread.partition(b"\n")
        return line.decode("utf-8", "replace").rstrip("\r")

    def hear_octets(self, octets: int) -> bytes:
        """So many octets of a literal."""
        while len(self._unread) < octets:
            more = self.socket.recv(65_536)
            assert more, "the server hung up in a literal"
            self._unread += more
        found, self._unread = self._unread[:octets], self._unread[octets:]
        return found

    def start_tls(self, context: ssl.SSLContext, host: str) -> None:
        self.socket = context.wrap_socket(self.socket, server_hostname=host)


class Dialog:
    """A conversation under way; raises AssertionError with the place where it went wrong."""

    def __init__(
        self,
        connect: Connect,
        context: ssl.SSLContext | None = None,
        other: Other | None = None,
        host: str = "localhost",
    ) -> None:
        self._connect = connect
        self._context = context
        self._other = other
        self._host = host
        self._clients: dict[str, Client] = {}
        self._opened: list[Client] = []

    def run(self, text: str) -> None:
        skips = False
        try:
            for number, line in _lines_of(text):
                if line.startswith("!"):
                    self._do(line[1:].split())
                    continue
                found = _LINE.fullmatch(line)
                assert found, f"line {number}: cannot read {line!r}"
                who, client, how, words = found.groups()
                if who == "C":
                    self._clients[client or "1"].say(_raw(words) if how == "~" else words.encode() + b"\r\n")
                elif words == "...":
                    skips = True
                else:
                    self._expect(number, client or "1", words, skips=skips)
                    skips = False
        finally:
            for one in self._opened:
                one.socket.close()

    def _do(self, words: list[str]) -> None:
        match words:
            case ["connect", name, *rest]:
                self._opened.append(Client(self._connect(name)))
                self._clients[rest[0] if rest else "1"] = self._opened[-1]
            case ["tls", *rest]:
                assert self._context is not None
                self._clients[rest[0] if rest else "1"].start_tls(self._context, self._host)
            case ["closed", *rest]:
                heard = self._clients[rest[0] if rest else "1"].hear()
                assert not heard, f"not closed but: {heard}"
            case _:
                assert self._other is not None, words
                self._other(" ".join(words))

    def _expect(self, number: int, client: str, words: str, *, skips: bool) -> None:
        heard: list[str] = []
        while True:
            heard.append(self._clients[client].hear())
            if fits(words, heard[-1]):
                return
            assert skips is True, f"line {number}: wanted {words!r}, heard {heard[-1]!r}"
            assert heard[-1], f"line {number}: wanted {words!r}, heard {heard}"


def fits(pattern: str, line: str) -> bool:
    return re.fullmatch(".*".join(map(re.escape, pattern.split("…"))), line) is not None


def _lines_of(text: str) -> Iterator[tuple[int, str]]:
    for number, line in enumerate(text.splitlines(), 1):
        if line.strip() and not line.startswith("#"):
            yield number, line


def _raw(words: str) -> bytes:
    return words.encode("latin-1", "backslashreplace").decode("unicode_escape").encode("latin-1")
