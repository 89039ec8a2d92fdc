"""An engine that works on mail servers in memory, quickly."""

from __future__ import annotations

import threading
import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field, replace

import pytest
from sqlalchemy import select
from sqlalchemy.orm import Session

from app import runtime
from app.accounts.models import MailAccount
from app.bus import Bell, Topic
from app.config import Config
from app.engine.engine import MailEngine
from app.engine.times import EngineTimes
from app.mail_services.models import MailServices
from app.mail_services.modes import Mode
from app.mirror.models import Folder, Message
from app.resolver import ZoneResolver
from app.runtime import Runtime
from app.sources import MailSource
from app.users.models import User
from tests.conftest import START
from tests.factories import make_account
from tests.fake_source import FakeServer

DEADLINE_S = 20.0
LONG_S = 3_600.0
QUICK = EngineTimes(
    tick_s=0.02,
    heartbeat_s=0.1,
    dead_after_s=2.0,
    sweep_s=0.2,
    inbox_poll_s=LONG_S,
    idle_renew_s=LONG_S,
    tree_s=LONG_S,
    keep_warm_s=LONG_S,
    close_bulk_s=0.3,
    bulk_gap_s=0.0,
)
"""Quick where a test waits for something, and no polls: what is seen came by IDLE or by a bell."""


def wait_for(condition: Callable[[], object], what: str = "") -> None:
    """Until `condition` holds; the test fails if it does not."""
    deadline = time.monotonic() + DEADLINE_S
    while not condition():
        if time.monotonic() > deadline:
            raise AssertionError(f"waited in vain for {what or condition}")
        time.sleep(0.01)


@dataclass
class Post:
    """Accounts, their servers, and the engines that work for them."""

    parts: Runtime
    owner: User
    times: EngineTimes = QUICK
    servers: dict[int, FakeServer] = field(default_factory=dict)
    engines: list[MailEngine] = field(default_factory=list)
    _endings: list[tuple[threading.Event, threading.Thread]] = field(default_factory=list)

    def add(self, server: FakeServer | None = None) -> MailAccount:
        """An account on a server of its own."""
        with self.parts.public.session() as db:
            account = make_account(db, self.owner, vault=self.parts.vault)
        self.servers[account.id] = server or FakeServer()
        self.ring(Topic.ACCOUNT, account.id)
        return account

    def open_source(self, _parts: Runtime, account_id: int) -> MailSource:
        return self.servers[account_id].connect()

    def start_engine(self, **times: float) -> MailEngine:
        engine = MailEngine(self.parts, times=replace(self.times, **times), open_source=self.open_source)
        ending = threading.Event()
        thread = threading.Thread(target=engine.run, args=(lambda: not ending.is_set(),), name="engine")
        thread.start()
        self.engines.append(engine)
        self._endings.append((ending, thread))
        return engine

    def tell_to_stop(self, engine: MailEngine) -> None:
        """Its jobs may still run when this returns."""
        self._endings[self.engines.index(engine)][0].set()
        wait_for(lambda: not engine.accounts)

    def stop_engine(self, engine: MailEngine) -> None:
        ending, thread = self._endings[self.engines.index(engine)]
        ending.set()
        thread.join(DEADLINE_S)
        assert not thread.is_alive()

    def stop(self) -> None:
        for engine in self.engines:
            self.stop_engine(engine)

    def ring(self, topic: Topic, subject: int) -> None:
        self.parts.bus.ring(Bell(topic, subject))

    # What the mirror says

    def account(self, account_id: int) -> MailAccount:
        with self.parts.public.session() as db:
            return db.get_one(MailAccount, account_id)

    def get_folder(self, account_id: int, name: str = "INBOX") -> Folder:
        return self.folders(account_id)[name]

    def folders(self, account_id: int) -> dict[str, Folder]:
        with self.parts.public.session() as db:
            return {row.name: row for row in db.scalars(select(Folder).where(Folder.account_id == account_id))}

    def messages(self, account_id: int, folder: str = "INBOX") -> dict[int, Message]:
        """By UID."""
        of_folder = select(Message).join(Folder, Folder.id == Message.folder_id)
        with self.parts.public.session() as db:
            rows = db.scalars(of_folder.where(Folder.account_id == account_id, Folder.name == folder))
            return {row.uid: row for row in rows}

    def is_synced(self, account_id: int) -> bool:
        """Every folder of the server is in the mirror, as far as the number of messages goes."""
        server, stored = self.servers[account_id], self.folders(account_id)
        return server.folders.keys() == stored.keys() and all(
            stored[name].complete and len(self.messages(account_id, name)) == len(box.messages)
            for name, box in server.folders.items()
        )

    def synced(self, server: FakeServer | None = None) -> MailAccount:
        """A new account whose first sync is through."""
        account = self.add(server)
        wait_for(lambda: self.is_synced(account.id), "the first sync")
        return account


@pytest.fixture
def post(config: Config, db: Session, alice: User, set_mode: Callable[[Mode], None]) -> Iterator[Post]:
    """Alice's accounts, in the mode with external accounts; engines are stopped in the end."""
    set_mode(Mode.EXTERNAL)
    parts = runtime.build(config, resolver=ZoneResolver({}))
    made = Post(parts, alice)
    yield made
    made.stop()
    parts.dispose()


@pytest.fixture
def quick_post(sqlite_config: Config) -> Iterator[Post]:
    """Like `post`, on SQLite only."""
    parts = runtime.build(sqlite_config, resolver=ZoneResolver({}))
    with parts.public.session() as db:
        owner = User(email="alice@example.org", name="Alice", created_at=START)
        db.add_all([owner, MailServices(id=1, mode=Mode.EXTERNAL)])
        db.commit()
    made = Post(parts, owner)
    yield made
    made.stop()
    parts.dispose()
