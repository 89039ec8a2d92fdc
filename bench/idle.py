"""What connections that wait cost: `python -m bench.idle [--connections 1000]` (P6).

Everybody is in IDLE in one INBOX while a message arrives: the worst case, for all of them must be told.
"""

from __future__ import annotations

import argparse
import smtplib
import socket
import sys
import tempfile
import time
from contextlib import ExitStack
from pathlib import Path

from bench.host import PASSWORD, MailHost, settle
from bench.installation import cpu_s, memory_mib
from bench.report import head, row
from mailsite_ext.settings.values import StorageKind

LETTER = "From: a@x.example\r\nSubject: one\r\n\r\nHello.\r\n"


class Waiting:
    """A client in IDLE on the INBOX (RFC 2177)."""

    def __init__(self, port: int) -> None:
        self._socket = socket.create_connection(("127.0.0.1", port), 60)
        self._lines = self._socket.makefile("rb")
        self._lines.readline()
        self._ask(f'a LOGIN bench@example.test "{PASSWORD}"', b"a OK")
        self._ask("b SELECT INBOX", b"b OK")
        self._ask("c IDLE", b"+")

    def _ask(self, text: str, answer: bytes) -> None:
        self._socket.sendall(text.encode() + b"\r\n")
        self.hear(answer)

    def hear(self, answer: bytes) -> None:
        """Read on to the line that begins with `answer` or ends with it.  Raises ConnectionError, TimeoutError."""
        while line := self._lines.readline():
            if line.startswith(answer) or line.rstrip().endswith(answer):
                return
        raise ConnectionError("closed before the answer")

    def close(self) -> None:
        self._lines.close()
        self._socket.close()


def main() -> int:
    parser = argparse.ArgumentParser(prog="python -m bench.idle", description=__doc__)
    parser.add_argument("--connections", type=int, default=1_000)
    connections = parser.parse_args().connections
    head("idle, plain IMAP", "KiB each", "CPU ms in 10 s", "message to the last s", "CPU ms for it")
    with tempfile.TemporaryDirectory(prefix="satchel-idle-") as work:
        measure(MailHost(Path(work), StorageKind.FILES), connections)
    return 0


def measure(host: MailHost, connections: int) -> None:
    with host.running("smtp", "imap") as processes, ExitStack() as opened:
        pid = processes["imap"].pid
        Waiting(host.imap_port).close()  # what is loaded with the first is not counted
        settle(pid)
        empty_mib = memory_mib(pid)[0]
        waiting = [Waiting(host.imap_port) for _ in range(connections)]
        for one in waiting:
            opened.callback(one.close)
        settle(pid)
        kib_each = (memory_mib(pid)[0] - empty_mib) * 1024 / connections
        before = cpu_s(pid)
        time.sleep(10)
        idle, before, began = cpu_s(pid) - before, cpu_s(pid), time.perf_counter()
        with smtplib.SMTP("127.0.0.1", host.smtp_port) as client:
            client.sendmail("a@x.example", ["bench@example.test"], LETTER)
        for one in waiting:
            one.hear(b"EXISTS")
        heard = time.perf_counter() - began
        settle(pid)
        row(connections, kib_each, idle * 1000, f"{heard:.2f}", (cpu_s(pid) - before) * 1000)


if __name__ == "__main__":
    sys.exit(main())
