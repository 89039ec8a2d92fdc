"""A storage of each kind: files, SQL on SQLite, SQL on PostgreSQL."""

from __future__ import annotations

import shutil
from collections.abc import Iterator
from pathlib import Path

import pytest

from mailsite_ext.storage.engine import StorageEngine
from tests.conftest import FakeClock
from tests.mailsite.storage.engines import Place, needs_engine

KINDS = ["files", "sqlite", pytest.param("postgres", marks=pytest.mark.postgres)]


@pytest.fixture(params=KINDS)
def place(request: pytest.FixtureRequest, tmp_path: Path, clock: FakeClock) -> Iterator[Place]:
    """Where a storage can be opened, with the mailboxes of Alice and Bob."""
    needs_engine(request.param)
    yield from make_place(request, request.param, tmp_path, clock)


@pytest.fixture(params=["files", "sqlite"])
def embedded_place(request: pytest.FixtureRequest, tmp_path: Path, clock: FakeClock) -> Iterator[Place]:
    """Like `place`, where what is tested is the engine and not its database."""
    needs_engine(request.param)
    yield from make_place(request, request.param, tmp_path, clock)


def make_place(request: pytest.FixtureRequest, kind: str, folder: Path, clock: FakeClock) -> Iterator[Place]:
    made = Place(kind, folder, clock=clock)
    server = None
    if kind == "sqlite":
        shutil.copytree(request.getfixturevalue("sqlite_template"), folder / "var")
        made.url = f"sqlite:///{folder}/var/satchel.db"
    if kind == "postgres":
        server = request.getfixturevalue("postgres_server")
        made.url = server.copy("template_public")
    storage = made.open()
    storage.create_mailbox("alice")
    storage.create_mailbox("bob")
    yield made
    made.close()
    if server:
        server.drop(made.url)


@pytest.fixture
def storage(place: Place) -> StorageEngine:
    first: StorageEngine = place.opened[0]
    return first
