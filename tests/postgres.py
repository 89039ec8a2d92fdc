"""A PostgreSQL server for the tests: in a temporary directory, on a Unix socket of its own, gone afterwards."""

from __future__ import annotations

import os
import shutil
import subprocess
import tempfile
from collections import defaultdict
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field
from itertools import count
from pathlib import Path
from typing import Any

import psycopg
import pytest

SETTINGS = (
    "-c listen_addresses='' -c max_connections=200 -c autovacuum=off "
    "-c fsync=off -c synchronous_commit=off -c full_page_writes=off -c wal_level=minimal -c max_wal_senders=0"
)
SMALL_OCTETS = 65_536  # a table that grew larger is truncated: rows that were deleted stay in its file
SHAPE = """
SELECT md5(string_agg(told, ' ' ORDER BY told)) FROM (
  SELECT concat_ws(' ', a.attrelid, c.relname, a.attnum, a.xmin) AS told
    FROM pg_attribute a JOIN pg_class c ON c.oid = a.attrelid WHERE c.relnamespace = 'public'::regnamespace
  UNION ALL SELECT concat_ws(' ', oid, conname) FROM pg_constraint WHERE connamespace = 'public'::regnamespace
  UNION ALL SELECT nspname FROM pg_namespace WHERE NOT starts_with(nspname, 'pg_')
) AS everything
"""
TABLES = """
SELECT quote_ident(relname), pg_relation_size(oid) FROM pg_class
 WHERE relkind = 'r' AND relnamespace = 'public'::regnamespace AND pg_relation_size(oid) > 0
"""
NUMBERS = "SELECT quote_ident(sequencename), last_value FROM pg_sequences WHERE last_value IS NOT NULL"
FROM_THE_START = "SELECT setval(quote_ident(sequencename), start_value, false) FROM pg_sequences WHERE last_value > 0"


def find_binaries() -> Path | None:
    """The folder with initdb and postgres, the newest version that is installed."""
    on_path = shutil.which("initdb")
    versions = sorted(Path("/usr/lib/postgresql").glob("*/bin"), key=lambda path: float(path.parent.name))
    return Path(on_path).parent if on_path else versions[-1] if versions else None


@dataclass(frozen=True)
class Blank:
    """What a database of the tests is brought back to: its template."""

    shape: str
    rows: Mapping[str, bytes]
    numbers: Sequence[tuple[str, int]]


@dataclass
class Server:
    """Databases are copies of migrated templates.  One that was given back is emptied and lent again: a tenth of the
    work of a copy.  It has a new name then, so that nobody who still has the old one writes into it.
    """

    socket_folder: Path
    binaries: Path
    _numbers: Iterator[int] = field(default_factory=count)
    _link: psycopg.Connection[tuple[str]] | None = None
    _template_of: dict[str, str] = field(default_factory=dict)
    _spare: dict[str, list[str]] = field(default_factory=lambda: defaultdict(list))
    _blanks: dict[str, Blank] = field(default_factory=dict)

    def url(self, database: str) -> str:
        return f"postgresql+psycopg://postgres@/{database}?host={self.socket_folder}"

    def _connect(self, database: str) -> psycopg.Connection[tuple[str]]:
        return psycopg.connect(host=str(self.socket_folder), user="postgres", dbname=database, autocommit=True)

    def _execute(self, statement: str) -> None:
        if self._link is None:
            self._link = self._connect("postgres")
        self._link.execute(statement.encode())

    def create(self, database: str) -> str:
        self._execute(f"CREATE DATABASE {database}")
        return self.url(database)

    def copy(self, template: str) -> str:
        """A database like `template`, for one test."""
        if template not in self._blanks:
            with self._connect(template) as link:
                self._blanks[template] = _blank(link)
        name = self._spare[template].pop() if self._spare[template] else self._next_name()
        if name not in self._template_of:
            self._execute(f"CREATE DATABASE {name} TEMPLATE {template} STRATEGY FILE_COPY")
            self._template_of[name] = template
        return self.url(name)

    def drop(self, url: str) -> None:
        """End a test's database and everybody's connection to it."""
        name = url.rsplit("/", 1)[1].partition("?")[0] if "?host" not in url else url.split("?")[0].rsplit("/", 1)[1]
        template, emptied = self._template_of.pop(name), self._next_name()
        self._execute(f"SELECT pg_terminate_backend(pid, 5000) FROM pg_stat_activity WHERE datname = '{name}'")
        self._execute(f"ALTER DATABASE {name} RENAME TO {emptied}")
        with self._connect(emptied) as link:
            is_blank = _empty(link, self._blanks[template])
        if is_blank:
            self._template_of[emptied] = template
            self._spare[template].append(emptied)
        else:
            self._execute(f"DROP DATABASE {emptied} WITH (FORCE)")

    def _next_name(self) -> str:
        return f"test_{next(self._numbers)}"

    def initialise(self) -> None:
        if os.geteuid() == 0:
            shutil.chown(self.socket_folder, "postgres")
        self._run("initdb", "-U", "postgres", "-A", "trust", "-N", "--locale=C.UTF-8")

    def start(self) -> None:
        folder = self.socket_folder
        self._run("pg_ctl", "-w", "-l", str(folder / "log"), "-o", f"-k {folder} {SETTINGS}", "start")

    def stop(self) -> None:
        if self._link is not None:
            self._link.close()
            self._link = None
        self._run("pg_ctl", "-m", "immediate", "stop", check=False)

    def restart(self) -> None:
        """Every connection breaks."""
        self.stop()
        self.start()

    def _run(self, program: str, *words: str, check: bool = True) -> None:
        as_owner = ["runuser", "-u", "postgres", "--"] if os.geteuid() == 0 else []  # it refuses to run as root
        command = [*as_owner, str(self.binaries / program), "-D", str(self.socket_folder / "data"), *words]
        subprocess.run(command, check=check, capture_output=True, cwd=self.socket_folder)


def _blank(link: psycopg.Connection[tuple[Any, ...]]) -> Blank:
    """What stands in a template."""
    tables = [name for name, _size in link.execute(TABLES).fetchall()]
    numbers = link.execute(NUMBERS.encode()).fetchall()
    return Blank(_shape(link), {name: _rows(link, name) for name in tables}, numbers)


def _shape(link: psycopg.Connection[tuple[Any, ...]]) -> str:
    """A digest of tables, columns and constraints, the same in every copy of a template, other after any change."""
    (found,) = link.execute(SHAPE).fetchall()
    return str(found[0])


def _rows(link: psycopg.Connection[tuple[Any, ...]], table: str) -> bytes:
    with link.cursor().copy(f"COPY {table} TO STDOUT".encode()) as rows:
        return b"".join(rows)


def _empty(link: psycopg.Connection[tuple[Any, ...]], blank: Blank) -> bool:
    """Bring a database back to `blank`; False where its tables are not the template's any more."""
    if _shape(link) != blank.shape:
        return False
    with link.transaction():
        link.execute("SET session_replication_role = replica")  # foreign keys look on, so that any order will do
        for table, octets in link.execute(TABLES).fetchall():
            how = "DELETE FROM" if octets <= SMALL_OCTETS else "TRUNCATE"
            link.execute(f"{how} {table} {'CASCADE' if how == 'TRUNCATE' else ''}".encode())
        for table, rows in blank.rows.items():
            with link.cursor().copy(f"COPY {table} FROM STDIN".encode()) as into:
                into.write(rows)
        link.execute(FROM_THE_START)
        for sequence, last in blank.numbers:
            link.execute("SELECT setval(%s, %s)", (sequence, last))
    return True


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
