"""A PostgreSQL server for the tests: in a temporary directory, on a Unix socket of its own, gone afterwards."""

from __future__ import annotations

import os
import shutil
import subprocess
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from itertools import count
from pathlib import Path

import psycopg
import pytest


def find_binaries() -> Path | None:
    """The folder with initdb and postgres, the newest version that is installed."""
    on_path = shutil.which("initdb")
    versions = sorted(Path("/usr/lib/postgresql").glob("*/bin"), key=lambda path: float(path.parent.name))
    return Path(on_path).parent if on_path else versions[-1] if versions else None


@dataclass
class Server:
    """Databases are made from migrated templates: a copy takes milliseconds, a migration a second."""

    socket_folder: Path
    binaries: Path
    _numbers: Iterator[int] = field(default_factory=count)

    def url(self, database: str) -> str:
        return f"postgresql+psycopg://postgres@/{database}?host={self.socket_folder}"

    def _execute(self, statement: str) -> None:
        with psycopg.connect(host=str(self.socket_folder), user="postgres", dbname="postgres", autocommit=True) as link:
            link.execute(statement.encode())

    def create(self, database: str) -> str:
        self._execute(f"CREATE DATABASE {database}")
        return self.url(database)

    def copy(self, template: str) -> str:
        name = f"test_{next(self._numbers)}"
        self._execute(f"CREATE DATABASE {name} TEMPLATE {template} STRATEGY FILE_COPY")
        return self.url(name)

    def drop(self, url: str) -> None:
        name = url.rsplit("/", 1)[1].partition("?")[0] if "?host" not in url else url.split("?")[0].rsplit("/", 1)[1]
        self._execute(f"DROP DATABASE {name} WITH (FORCE)")

    def initialise(self) -> None:
        if os.geteuid() == 0:
            shutil.chown(self.socket_folder, "postgres")
        self._run("initdb", "-U", "postgres", "-A", "trust", "-N", "--locale=C.UTF-8")

    def start(self) -> None:
        folder = self.socket_folder
        settings = f"-c listen_addresses='' -c unix_socket_directories={folder} -c fsync=off -c max_connections=200"
        self._run("pg_ctl", "-w", "-l", str(folder / "log"), "-o", settings, "start")

    def stop(self) -> None:
        self._run("pg_ctl", "-m", "immediate", "stop", check=False)

    def restart(self) -> None:
        """Every connection breaks."""
        self.stop()
        self.start()

    def _run(self, program: str, *words: str, check: bool = True) -> None:
        as_owner = ["runuser", "-u", "postgres", "--"] if os.geteuid() == 0 else []  # it refuses to run as root
        command = [*as_owner, str(self.binaries / program), "-D", str(self.socket_folder / "data"), *words]
        subprocess.run(command, check=check, capture_output=True, cwd=self.socket_folder)


@contextmanager
def serve() -> Iterator[Server]:
    """Start a server and stop it in the end; skips, by name, where PostgreSQL is not installed."""
    binaries = find_binaries()
    if binaries is None:
        pytest.skip("PostgreSQL is not installed: nothing was tested on it")
    folder = Path(tempfile.mkdtemp(prefix="satchel-pg-"))
    server = Server(folder, binaries)
    try:
        server.initialise()
        server.start()
        yield server
    finally:
        server.stop()
        shutil.rmtree(folder, ignore_errors=True)
