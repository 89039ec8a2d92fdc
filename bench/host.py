"""A mail host to measure: an installation in MailSite mode with its listeners, on one of the storage engines."""

from __future__ import annotations

import os
import signal
import socket
import subprocess
import sys
import time
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from datetime import UTC, datetime
from pathlib import Path

from app import create_app
from app.config import Config
from app.mail_services.models import MailServices
from app.mail_services.modes import Mode
from app.runtime import Runtime
from app.users import service as users
from bench.installation import cpu_s, wait_until
from demo.installation import prepare
from mailsite_ext.domains.service import ensure_mailbox
from mailsite_ext.settings.service import store_settings
from mailsite_ext.settings.values import Settings, StorageKind
from mailsite_ext.storage.first_use import ensure_mailbox as ensure_stored
from mailsite_ext.storage.open import close_storage, open_storage
from mailsite_ext.storage.text_indexing import index_all
from mailsite_ext.storage.values import INBOX, Content

PASSWORD = "correct horse battery"
AT_ONCE = 500


class MailHost:
    """Its people are `bench` and `reader`, both with PASSWORD."""

    def __init__(self, work: Path, kind: StorageKind) -> None:
        self.environment = {
            **os.environ,
            "WORK_DIRECTORY": str(work),
            "LOG_LEVEL": "warning",
            "MAIL_CONNECTIONS_PER_ADDRESS": "1100",
        }
        self.smtp_port, self.imap_port = free_ports(2)
        self.settings = Settings(
            storage_engine=kind,
            domains=("example.test",),
            smtp_port=self.smtp_port,
            imap_port=self.imap_port,
            test_mode=True,
        )
        prepare(Config.from_env(self.environment)).dispose()
        app = create_app(Config.from_env(self.environment))
        self.parts: Runtime = app.extensions["satchel"]
        with app.app_context():
            self._set_up()

    def _set_up(self) -> None:
        with self.parts.public.session() as db:
            row = db.get(MailServices, 1) or MailServices(id=1)
            row.mode = Mode.MAILSITE
            db.add(row)
            store_settings(db, self.settings)
            db.commit()
            for name in ("bench", "reader"):
                person = users.create_user(db, f"{name}@example.net", name, PASSWORD, self.parts.clock.now())
                ensure_mailbox(self.parts, db, person, name)

    def fill(self, mailbox: str, folder: Path, count: int) -> None:
        """Append the first `count` messages of a Maildir to the INBOX of `mailbox`."""
        storage = open_storage(self.parts, self.settings)
        ensure_stored(storage, mailbox)
        inbox = storage.find_folder(mailbox, INBOX)
        assert inbox
        paths = sorted(path for part in ("cur", "new") for path in (folder / part).iterdir())[:count]
        when = datetime(2026, 11, 1, tzinfo=UTC)
        for start in range(0, len(paths), AT_ONCE):
            some = [
                path.read_bytes().replace(b"\r\n", b"\n").replace(b"\n", b"\r\n")
                for path in paths[start : start + AT_ONCE]
            ]
            storage.append(inbox.id, [(Content(each, len(each)), frozenset(), when) for each in some]).result()
        began = time.process_time()
        messages = sum(index_all(storage, storage.text))
        print(f"{messages} messages indexed, {(time.process_time() - began) / max(messages, 1) * 1000:.2f} ms CPU each")

    @contextmanager
    def running(
        self, *commands: str, module: str = "mailsite_ext.listeners"
    ) -> Iterator[dict[str, subprocess.Popen[bytes]]]:
        """The listeners `smtp`, `imap`, each a process of its own."""
        close_storage(self.parts)
        started = {name: self.start(name, module) for name in commands}
        try:
            for name in commands:
                port = self.smtp_port if name == "smtp" else self.imap_port
                wait_until(lambda port=port: _answers(port), 30)  # type: ignore[misc]  # a default binds it
            yield started
        finally:
            for process in started.values():
                process.send_signal(signal.SIGTERM)
                process.wait(30)

    def start(self, name: str, module: str = "mailsite_ext.listeners") -> subprocess.Popen[bytes]:
        command = [sys.executable, "-m", module, name]
        return subprocess.Popen(command, env=self.environment)


def free_ports(count: int) -> list[int]:
    """Nobody listens there now: hosts side by side must not share a port, which SO_REUSEPORT would let them."""
    with ExitStack() as held:
        return [held.enter_context(socket.create_server(("127.0.0.1", 0))).getsockname()[1] for _ in range(count)]


def _answers(port: int) -> bool:
    try:
        socket.create_connection(("127.0.0.1", port), 1).close()
    except OSError:
        return False
    return True


def settle(pid: int) -> None:
    """Wait until a process rests: what it does behind its answers is over."""
    before = -1.0
    while before != (now := cpu_s(pid)):
        before = now
        time.sleep(0.5)
