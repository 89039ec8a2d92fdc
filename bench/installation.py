"""A fresh installation to measure: its own work directory, gunicorn, one person, accounts on the rig."""

from __future__ import annotations

import os
import re
import signal
import subprocess
import sys
import time
import urllib.request
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path

from sqlalchemy import func, select

from app.accounts.models import MailAccount
from app.config import Config
from app.engine.queries import engine_is_alive
from app.mirror.models import Folder, Message
from demo.installation import Person, Server, add_account, prepare, sign_up

PERSON = Person("bench@example.test", "Bench", "correct horse battery")
BASE = "http://127.0.0.1:18000"


class Installation:
    """Satchel under measure; `parts` looks into its database from outside."""

    def __init__(self, work: Path, ca_file: Path) -> None:
        self.environment = {
            **os.environ,
            "WORK_DIRECTORY": str(work),
            "BIND": BASE.removeprefix("http://"),
            "TLS_CA_FILE": str(ca_file),
            "LOG_LEVEL": "warning",
        }
        self.parts = prepare(Config.from_env(self.environment))
        self.user_id = sign_up(self.parts, PERSON)
        self._web: subprocess.Popen[bytes] | None = None

    def start(self) -> None:
        command = [str(Path(sys.executable).with_name("gunicorn")), "wsgi:app"]
        self._web = subprocess.Popen(command, env=self.environment, start_new_session=True)
        wait_until(lambda: answers(f"{BASE}/healthz"), 30)
        wait_until(self._has_engine, 30)

    def _has_engine(self) -> bool:
        """People add accounts to an installation that runs: an engine still starting is not what is measured."""
        with self.parts.public.session() as db:
            return engine_is_alive(db, self.parts.clock.now())

    def stop(self) -> None:
        if self._web:
            self._web.send_signal(signal.SIGTERM)
            self._web.wait(30)
        self.parts.dispose()

    def add(self, address: str, server: Server) -> int:
        """Add an account; the id of its row."""
        return add_account(self.parts, self.user_id, address, address, server)

    def inbox(self, account_id: int) -> int:
        """The INBOX's folder id; 0 until the engine has listed it."""
        with self.parts.public.session() as db:
            return db.scalar(select(Folder.id).where(Folder.account_id == account_id, Folder.role == "inbox")) or 0

    def folder(self, account_id: int, name: str) -> int:
        with self.parts.public.session() as db:
            return db.scalar(select(Folder.id).where(Folder.account_id == account_id, Folder.name == name)) or 0

    def mirrored(self, account_id: int) -> int:
        """Messages of the account in the mirror now."""
        with self.parts.public.session() as db:
            return db.scalar(select(func.count()).where(Message.account_id == account_id)) or 0

    def is_complete(self, account_id: int) -> bool:
        with self.parts.public.session() as db:
            account = db.get(MailAccount, account_id)
            open_folders = select(Folder.id).where(Folder.account_id == account_id, ~Folder.complete, Folder.selectable)
            return bool(account and account.last_sync_at) and db.scalar(open_folders.limit(1)) is None

    def database_octets(self) -> int:
        return sum(path.stat().st_size for path in Path(self.environment["WORK_DIRECTORY"]).glob("satchel.db*"))

    def processes(self) -> dict[str, list[int]]:
        """Process ids of the web workers and of the engine, told apart by their command lines."""
        assert self._web
        found: dict[str, list[int]] = {"web": [], "engine": []}
        for pid in descendants(self._web.pid):
            command = Path(f"/proc/{pid}/cmdline").read_bytes().replace(b"\0", b" ").decode()
            found["engine" if "engine run" in command else "web"].append(pid)
        return found


def descendants(pid: int) -> Iterator[int]:
    """The children of a process and theirs, from /proc."""
    for task in Path(f"/proc/{pid}/task").glob("*/children"):
        for child in task.read_text().split():
            yield int(child)
            yield from descendants(int(child))


def memory_mib(pid: int) -> tuple[float, float]:
    """(PSS, RSS) of a process."""
    text = Path(f"/proc/{pid}/smaps_rollup").read_text()
    pss, rss = (int(re.search(rf"^{name}:\s+(\d+)", text, re.MULTILINE)[1]) / 1024 for name in ("Pss", "Rss"))  # type: ignore[index]
    return pss, rss


def cpu_s(pid: int) -> float:
    """Seconds of CPU a process has used, user and system."""
    after_name = Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()
    return (int(after_name[11]) + int(after_name[12])) / os.sysconf("SC_CLK_TCK")


def answers(url: str) -> bool:
    try:
        return bool(urllib.request.urlopen(url, timeout=2).status == 200)
    except OSError:
        return False


def wait_until(condition: Callable[[], object], seconds: float) -> float:
    """Seconds until `condition` held.  Raises TimeoutError."""
    begun = time.perf_counter()
    while not condition():
        if time.perf_counter() - begun > seconds:
            raise TimeoutError(f"not within {seconds} s")
        time.sleep(0.01)
    return time.perf_counter() - begun


@contextmanager
def installed(work: Path, ca_file: Path) -> Iterator[Installation]:
    """A running installation, ended in the end."""
    installation = Installation(work, ca_file)
    installation.start()
    try:
        yield installation
    finally:
        installation.stop()
