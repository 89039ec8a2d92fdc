"""The webmail over each source of mail, by one parameter: an external account, and a mailbox hosted here."""

from __future__ import annotations

import shutil
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest
from flask import Flask
from playwright.sync_api import BrowserContext, Page
from sqlalchemy import select

from app import create_app, runtime
from app.clock import Clock, SystemClock
from app.config import Config
from app.resolver import ZoneResolver
from app.runtime import Runtime
from app.users.models import User
from tests.browser import seed
from tests.browser.webmail import hosted
from tests.browser.webmail.posts import HostedPost, MirroredPost, Post, home_of
from tests.conftest import FakeClock

EXTERNAL, HOSTED = "external", "hosted"


@pytest.fixture(params=[EXTERNAL, HOSTED])
def source(request: pytest.FixtureRequest) -> str:
    return str(request.param)


@pytest.fixture(scope="session")
def hosted_template(sqlite_template: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """An installation whose hosted mailbox is filled and mirrored; each test works on a copy."""
    folder = tmp_path_factory.mktemp("hosted-template") / "var"
    shutil.copytree(sqlite_template, folder)
    hosted.lay_down(Config(work_directory=folder, testing=True))
    return folder


@pytest.fixture(scope="session")
def external_template(sqlite_template: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The same with an external account, as an engine would have mirrored it."""
    folder = tmp_path_factory.mktemp("external-template") / "var"
    shutil.copytree(sqlite_template, folder)
    clock = FakeClock()
    parts = runtime.build(Config(work_directory=folder, testing=True), clock=clock, resolver=ZoneResolver({}))
    with parts.public.session() as db:
        alice = User(email="alice@example.org", name="Alice", created_at=clock.now())
        db.add(alice)
        db.commit()
        seed.lay_down(parts, db, alice, clock.now())
    parts.dispose()
    return folder


@pytest.fixture
def config(source: str, request: pytest.FixtureRequest, tmp_path: Path) -> Config:
    template: Path = request.getfixturevalue(f"{source}_template")
    shutil.copytree(template, tmp_path / "var", ignore=shutil.ignore_patterns("bus"))
    return Config(work_directory=tmp_path / "var", testing=True)


@pytest.fixture
def clock(source: str) -> Clock:
    """An engine that works for the hosted mailbox needs one that goes."""
    return SystemClock() if source == HOSTED else FakeClock()


@pytest.fixture
def app(parts: Runtime, compiled_templates) -> Flask:
    """With CSRF protection, as people have it."""
    app = create_app(parts=parts)
    app.jinja_env.bytecode_cache = compiled_templates
    return app


@pytest.fixture
def alice(db) -> User:
    found: User = db.scalars(select(User)).one()
    return found


@pytest.fixture
def post(source: str, app, config, parts, db, monkeypatch) -> Iterator[Post]:
    """The mail of seed.py; `app` brings the extension."""
    if source == HOSTED:
        with hosted.running_engine(config):
            yield HostedPost(db, home_of(db), hosted.storage_of(parts), monkeypatch)
        hosted.close(parts)
    else:
        yield MirroredPost(parts, db, home_of(db))


@pytest.fixture
def home(post: Post) -> seed.Home:
    return post.home


@pytest.fixture
def faults() -> Iterator[list[str]]:
    """What the console complained of, violations of the policy among it; a test fails if there is anything."""
    found: list[str] = []
    yield found
    assert found == []


@pytest.fixture
def address(app: Flask, home: seed.Home, serve: Callable[[Flask], str]) -> str:
    return serve(app)


@pytest.fixture
def visit(address, home, alice, make_context, sign_in, faults) -> Callable[..., Page]:
    """Opens the inbox as Alice; options as new_context takes them, or a context that is open already."""

    def visit(path: str = "", context: BrowserContext | None = None, **options: object) -> Page:
        if context is None:
            context = make_context(base_url=address, viewport={"width": 1280, "height": 800}, **options)
            sign_in(context, alice, address)
        page = context.new_page()
        page.on(
            "console", lambda message: faults.append(message.text) if message.type in ("error", "warning") else None
        )
        page.on("pageerror", lambda error: faults.append(str(error)))
        page.goto(path or f"/mail/folder/{home.inbox.id}")
        return page

    return visit


@pytest.fixture
def inbox(visit: Callable[..., Page]) -> Page:
    return visit()
