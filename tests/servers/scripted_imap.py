"""An IMAP server that says what a script says: for extensions no server here has, and for servers that lie.

    with scripted('''
        S: * OK [CAPABILITY IMAP4rev1] hello
        C: LOGIN …
        S: {tag} OK [CAPABILITY IMAP4rev1 X-GM-EXT-1] in
    ''') as server:
        connect("127.0.0.1", server.port)

"C:" is what the client must send next, without its tag; "…" stands for anything, literals are shown in place
("{5+}hello").  "L:" is a line of the client that has no tag, such as DONE.  "S:" lines go out with CRLF; {tag} is the
tag of the newest command, {tag-1} of the one before; \\x2f writes an octet.  Instead of a line: <close> hangs up,
<stall> waits until the client does, <forever TEXT> sends TEXT without end, <raw TEXT> sends TEXT without CRLF, <tls>
goes on under TLS.  Several clients may come one after the other; each hears the script from the start.
"""

from __future__ import annotations

import re
import socket
import ssl
import threading
from collections.abc import Iterator
from contextlib import closing, contextmanager, suppress
from dataclasses import dataclass, field
from typing import cast

from tests.servers.certificates import Certificate

LITERAL = re.compile(rb"\{(\d+)(\+?)\}\r\n\Z")
TIMEOUT_S = 20.0


@dataclass
class ScriptedServer:
    """Where it listens, what it heard, and what did not go by the script."""

    port: int
    host: str = "localhost"
    heard: list[str] = field(default_factory=list)
    faults: list[str] = field(default_factory=list)


@contextmanager
def scripted(
    script: str, certificate: Certificate | None = None, *, implicit_tls: bool = False
) -> Iterator[ScriptedServer]:
    """Serve the script on a free port; in the end, fail if a client said something else than was written."""
    with socket.create_server(("127.0.0.1", 0)) as listener:
        server = ScriptedServer(listener.getsockname()[1])
        context = certificate.server_context() if certificate else None
        listener.settimeout(0.05)
        ended = threading.Event()
        thread = threading.Thread(target=_serve, args=(listener, server, script, context, implicit_tls, ended))
        thread.start()
        try:
            yield server
        finally:
            ended.set()
            thread.join(TIMEOUT_S)
    assert not server.faults, server.faults


def _serve(
    listener: socket.socket,
    server: ScriptedServer,
    script: str,
    context: ssl.SSLContext | None,
    implicit_tls: bool,
    ended: threading.Event,
) -> None:
    while not ended.is_set():
        with suppress(TimeoutError):
            link, _ = listener.accept()
            link.settimeout(TIMEOUT_S)
            with closing(_Talk(link, server, context, ended)) as talk, suppress(OSError, EOFError):
                if implicit_tls:
                    talk.protect()
                talk.follow(script)


class _Talk:
    """One client's way through the script."""

    def __init__(
        self, link: socket.socket, server: ScriptedServer, context: ssl.SSLContext | None, ended: threading.Event
    ) -> None:
        self._link, self._server, self._context, self._ended = link, server, context, ended
        self._reader = link.makefile("rb")
        self._tags: list[str] = []

    def follow(self, script: str) -> None:
        for line in filter(None, map(str.strip, script.splitlines())):
            who, _, text = line.partition(":")
            if who in ("C", "L"):
                self._hear(text.strip(), has_tag=who == "C")
            elif not self._say(text.strip()):
                return
        self._stall()

    def protect(self) -> None:
        self._reader.close()
        self._link = cast("ssl.SSLContext", self._context).wrap_socket(self._link, server_side=True)
        self._reader = self._link.makefile("rb")

    def close(self) -> None:
        self._reader.close()
        self._link.close()

    def _hear(self, expected: str, *, has_tag: bool) -> None:
        said = self._read_command()
        if has_tag:
            tag, _, said = said.partition(" ")
            self._tags.append(tag)
        self._server.heard.append(said)
        pattern = ".*".join(re.escape(piece) for piece in expected.split("…"))
        if not re.fullmatch(pattern, said, re.DOTALL):
            self._server.faults.append(f"expected {expected!r}, heard {said!r}")

    def _read_command(self) -> str:
        line = self._line()
        while literal := LITERAL.search(line):
            if not literal[2]:
                self._link.sendall(b"+ go on\r\n")
            line = line[:-2] + self._reader.read(int(literal[1])) + self._line()
        return line.removesuffix(b"\r\n").decode("utf-8", "backslashreplace")

    def _line(self) -> bytes:
        line = self._reader.readline()
        if not line:
            raise EOFError
        return line

    def _say(self, text: str) -> bool:
        """Send a line, or do what stands in angle brackets; False if that is the end."""
        word, _, rest = text.strip("<>").partition(" ")
        if not text.startswith("<"):
            self._link.sendall(self._octets(text) + b"\r\n")
        elif word == "raw":
            self._link.sendall(self._octets(rest))
        elif word == "tls":
            self.protect()
        elif word == "forever":
            while not self._ended.is_set():
                self._link.sendall((self._octets(rest) + b"\r\n") * 100)
        elif word == "stall":
            self._stall()
        return word not in ("close", "stall") or not text.startswith("<")

    def _octets(self, text: str) -> bytes:
        for back, tag in enumerate(reversed(self._tags)):
            text = text.replace(f"{{tag-{back}}}" if back else "{tag}", tag)
        return re.sub(rb"\\x([0-9a-f]{2})", lambda code: bytes([int(code[1], 16)]), text.encode())

    def _stall(self) -> None:
        """Say nothing more until the client hangs up or the test is over."""
        self._link.settimeout(0.05)
        while not self._ended.is_set():
            with suppress(TimeoutError):
                if not self._link.recv(65536):
                    return
