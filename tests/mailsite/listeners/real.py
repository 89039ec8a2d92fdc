"""An installation whose listeners are real processes, and a client that speaks IMAP line by line."""

from __future__ import annotations

import base64
import json
import os
import socket
import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass

from app.config import Config
from app.machines import child
from app.users import service as users
from mailsite_ext.domains.service import ensure_mailbox
from mailsite_ext.limits import Limits
from mailsite_ext.settings.service import store_settings
from mailsite_ext.settings.values import Settings
from tests.servers.engine import DEADLINE_S, ROOT, environment

PASSWORD = "correct horse battery"
CONNECTIONS = Limits().connections


class Client:
    """A connection; `said` is the greeting."""

    def __init__(self, port: int, source: str = "127.0.0.1") -> None:
        self.socket = socket.create_connection(("127.0.0.1", port), 20, source_address=(source, 0))
        self.lines = self.socket.makefile("rb")
        self.said = self.lines.readline()

    def ask(self, text: str, answer: bytes) -> bytes:
        """Say something and read on to the line that begins with `answer`."""
        self.socket.sendall(text.encode() + b"\r\n")
        return self.hear(answer)

    def hear(self, words: bytes) -> bytes:
        while line := self.lines.readline():
            if words in line:
                return line
        raise ConnectionError(f"closed before {words!r}")

    def sign_in(self) -> Client:
        self.ask(f'a LOGIN alice@example.org "{PASSWORD}"', b"a OK")
        return self

    def sign_in_smtp(self) -> Client:
        secret = base64.b64encode(f"\0alice@example.org\0{PASSWORD}".encode()).decode()
        self.ask("EHLO client.example", b"250 ")
        self.ask(f"AUTH PLAIN {secret}", b"235")
        return self

    def close(self) -> None:
        self.lines.close()
        self.socket.close()


@dataclass
class Installation:
    """alice has a mailbox, and PASSWORD."""

    config: Config
    settings: Settings

    @contextmanager
    def running(self, service: str, *command: str) -> Iterator[subprocess.Popen[bytes]]:
        """One more process of the listener, once it has told that it listens; ended by SIGTERM."""
        read, told = os.pipe()
        command = command or (sys.executable, "-m", "mailsite_ext.listeners", service)
        more = environment(self.config, **{child.STATUS_FD: str(told)})
        with open(read, "rb") as status, subprocess.Popen(command, cwd=ROOT, env=more, pass_fds=[told]) as process:
            os.close(told)
            try:
                assert "ready" in json.loads(status.readline())
                yield process
            finally:
                process.terminate()
                process.wait(DEADLINE_S)

    def rows(self, service: str) -> bytes:
        """To which process each connection belongs, 0: to none."""
        table = self.config.work_directory / "mailsite" / "peers" / service / f"table-{CONNECTIONS}"
        return table.read_bytes()[:CONNECTIONS]


def install(config: Config, parts, db, smtp_port: int, imap_port: int, **values) -> Installation:
    settings = Settings(domains=("example.org",), smtp_port=smtp_port, imap_port=imap_port, test_mode=True, **values)
    store_settings(db, settings)
    db.commit()
    alice = users.create_user(db, "alice@example.net", "Alice", PASSWORD, parts.clock.now())
    ensure_mailbox(parts, db, alice, "alice")
    return Installation(config, settings)
