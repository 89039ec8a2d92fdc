"""Fixtures every test can use: a migrated installation on each database, a fake clock, people and their browsers."""

from __future__ import annotations

import os
import shutil
import socket
import subprocess
from collections.abc import Callable, Iterator
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest
import sqlalchemy as sa
from flask import Flask
from flask.testing import FlaskClient
from jinja2 import FileSystemBytecodeCache
from pytest_socket import socket_allow_hosts
from sqlalchemy.dialects.postgresql.psycopg import PGDialect_psycopg
from sqlalchemy.dialects.sqlite.pysqlite import SQLiteDialect_pysqlite
from sqlalchemy.orm import Session
from sqlalchemy.util import LRUCache
from werkzeug.routing import Rule

from app import create_app, migrate, runtime
from app import db as db_module
from app.config import Config
from app.db import Database
from app.mail_services.models import MailServices
from app.mail_services.modes import Mode
from app.resolver import ZoneResolver
from app.users import sessions
from app.users.models import User, UserRole
from app.vault.keyring import ensure_keys
from tests import postgres

pytest_plugins = ["tests.servers.certificates", "tests.servers.dovecot", "tests.servers.smtp_sink"]

CORPORA = Path(os.environ.get("SATCHEL_CORPORA", Path(__file__).parent.parent.parent / "shared" / "corpora"))
START = datetime(2026, 11, 24, 8, 0, tzinfo=UTC)


class FakeClock:
    """A clock that moves only when told."""

    def __init__(self, start: datetime = START) -> None:
        self._now = start
        self._monotonic_s = 0.0

    def now(self) -> datetime:
        return self._now

    def monotonic_s(self) -> float:
        return self._monotonic_s

    def advance(self, seconds: float) -> None:
        self._now += timedelta(seconds=seconds)
        self._monotonic_s += seconds


def pytest_make_parametrize_id(val: object, argname: str) -> str | None:
    """Octets are named by their place: those that are packed at this moment differ from worker to worker."""
    return argname if isinstance(val, bytes) and len(val) > 40 else None


@pytest.fixture(autouse=True)
def _loopback_only() -> None:
    """No test reaches any address but this machine's own."""
    socket_allow_hosts(["127.0.0.1", "::1", "localhost"], allow_unix_socket=True)


@pytest.fixture(scope="session", autouse=True)
def _routes_are_compiled_once() -> Iterator[None]:
    """Nearly all of the work of making an application is Werkzeug's, which compiles two functions for each route; all
    applications of a run have the same routes.
    """
    compile_builder, kept = Rule._compile_builder, {}

    def kept_builder(rule: Rule, append_unknown: bool = True) -> Callable[..., tuple[str, str]]:
        converters = tuple(type(converter) for converter in rule._converters.values())
        key = (rule.rule, tuple(rule._trace), repr(rule.defaults), converters, append_unknown)
        if key not in kept:
            kept[key] = compile_builder(rule, append_unknown)
        return kept[key]

    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(Rule, "_compile_builder", kept_builder)
        yield


@pytest.fixture(scope="session", autouse=True)
def _statements_are_built_once() -> Iterator[None]:
    """SQLAlchemy keeps the SQL it made for each engine, and every test has engines of its own: here they share it."""
    create_engine, kept = db_module._create_engine, LRUCache(10_000)

    def create_sharing(url: sa.URL, pool_size: int) -> sa.Engine:
        engine = create_engine(url, pool_size)
        engine.update_execution_options(compiled_cache=kept)
        return engine

    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(db_module, "_create_engine", create_sharing)
        for dialect in (SQLiteDialect_pysqlite, PGDialect_psycopg):  # what is kept, is kept by dialect
            patch.setattr(dialect, "__eq__", lambda one, other: type(one) is type(other))
            patch.setattr(dialect, "__hash__", lambda one: hash(type(one)))
        yield


@pytest.fixture
def clock() -> FakeClock:
    return FakeClock()


@pytest.fixture(scope="session")
def sqlite_template(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A folder with both databases, migrated once; each test works on a copy."""
    folder = tmp_path_factory.mktemp("template")
    _migrate(Config(work_directory=folder, testing=True))
    return folder


@pytest.fixture(scope="session")
def postgres_server(tmp_path_factory: pytest.TempPathFactory) -> Iterator[postgres.Server]:
    """A PostgreSQL server of this run's own, with a migrated template database."""
    with postgres.serve() as server:
        config = Config(
            work_directory=tmp_path_factory.mktemp("pg-template"),
            database_url=server.create("template_public"),
            private_database_url=server.create("template_private"),
            testing=True,
        )
        _migrate(config)
        yield server


def _migrate(config: Config) -> None:
    public, private = Database(config.public_database), Database(config.private_database)
    migrate.upgrade(public, private, branches=("mailsite",))
    ensure_keys(private, FakeClock())
    public.dispose()
    private.dispose()


@pytest.fixture(params=["sqlite", pytest.param("postgres", marks=pytest.mark.postgres)])
def config(request: pytest.FixtureRequest, tmp_path: Path) -> Iterator[Config]:
    """A fresh, migrated installation; every test that asks for one runs on SQLite and on PostgreSQL."""
    if request.param == "sqlite":
        yield _sqlite_copy(request.getfixturevalue("sqlite_template"), tmp_path)
        return
    server: postgres.Server = request.getfixturevalue("postgres_server")
    public, private = server.copy("template_public"), server.copy("template_private")
    yield Config(work_directory=tmp_path / "var", database_url=public, private_database_url=private, testing=True)
    server.drop(public)
    server.drop(private)


@pytest.fixture
def sqlite_config(sqlite_template: Path, tmp_path: Path) -> Config:
    """Like `config`, on SQLite only, for tests where the database does not matter."""
    return _sqlite_copy(sqlite_template, tmp_path)


def _sqlite_copy(template: Path, tmp_path: Path) -> Config:
    shutil.copytree(template, tmp_path / "var", dirs_exist_ok=True)
    return Config(work_directory=tmp_path / "var", testing=True)


@pytest.fixture
def parts(config: Config, clock: FakeClock) -> Iterator[runtime.Runtime]:
    built = runtime.build(config, clock=clock, resolver=ZoneResolver({}))
    yield built
    built.dispose()


@pytest.fixture(scope="session")
def compiled_templates(tmp_path_factory: pytest.TempPathFactory) -> FileSystemBytecodeCache:
    """Each test has an app of its own; the templates are compiled once for all of them."""
    return FileSystemBytecodeCache(str(tmp_path_factory.mktemp("templates")))


@pytest.fixture
def app(parts: runtime.Runtime, compiled_templates: FileSystemBytecodeCache) -> Flask:
    app = create_app(parts=parts)
    app.jinja_env.bytecode_cache = compiled_templates
    return app


@pytest.fixture
def db(parts: runtime.Runtime) -> Iterator[Session]:
    """A session on the public database, beside the app's own."""
    with parts.public.session() as session:
        yield session


@pytest.fixture
def set_mode(db: Session) -> Callable[[Mode], None]:
    def set_mode(mode: Mode) -> None:
        row = db.get(MailServices, 1) or MailServices(id=1)
        row.mode = mode
        db.add(row)
        db.commit()

    return set_mode


@pytest.fixture
def make_user(db: Session) -> Callable[..., User]:
    def make_user(name: str, role: UserRole = UserRole.USER) -> User:
        user = User(email=f"{name.lower()}@example.org", name=name, role=role, created_at=START)
        db.add(user)
        db.commit()
        return user

    return make_user


@pytest.fixture
def alice(make_user: Callable[..., User]) -> User:
    return make_user("Alice")


@pytest.fixture
def bob(make_user: Callable[..., User]) -> User:
    return make_user("Bob")


@pytest.fixture
def mallory(make_user: Callable[..., User]) -> User:
    """Signed in, and after everybody else's mail."""
    return make_user("Mallory")


@pytest.fixture
def admin(make_user: Callable[..., User]) -> User:
    return make_user("Ada", UserRole.ADMIN)


@pytest.fixture
def anonymous(app: Flask) -> FlaskClient:
    app.config["WTF_CSRF_ENABLED"] = False
    return app.test_client()


@pytest.fixture
def browser_of(app: Flask, db: Session, clock: FakeClock) -> Callable[[User], FlaskClient]:
    """A browser somebody is signed in with; CSRF is off in it, tests of CSRF make their own."""
    app.config["WTF_CSRF_ENABLED"] = False

    def browser_of(user: User) -> FlaskClient:
        token = sessions.start_session(db, user, clock.now())
        db.commit()
        client = app.test_client()
        with client.session_transaction() as cookie:
            cookie["_user_id"] = token
            cookie["_fresh"] = True
        return client

    return browser_of


@pytest.fixture
def free_port() -> Callable[[], int]:
    def free_port() -> int:
        with socket.socket() as probe:
            probe.bind(("127.0.0.1", 0))
            return int(probe.getsockname()[1])

    return free_port


@pytest.fixture(scope="session")
def corpora() -> Path:
    """The shared corpora, read in place; a test that needs them is skipped by name where they are absent."""
    if not CORPORA.is_dir():
        pytest.skip(f"the corpora are not at {CORPORA}")
    return CORPORA


def run(*command: str | Path, **kwargs: object) -> subprocess.CompletedProcess[str]:
    """Run a program to its end; its output is text, and a failure is the test's."""
    return subprocess.run([str(word) for word in command], check=True, capture_output=True, text=True, **kwargs)  # type: ignore[call-overload,no-any-return]
