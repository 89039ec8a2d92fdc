"""Alice's mailbox on each storage and each database, and the engine's place of work for her account."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from datetime import timedelta
from typing import Any

import pytest
from sqlalchemy import select

from app.accounts.models import MailAccount
from app.engine.desk import Desk
from app.engine.leases import Lease
from app.engine.models import Engine
from app.mail_services.modes import Mode
from mailsite_ext.domains import service as domains
from mailsite_ext.domains.directory import Hosted, find_by_user
from mailsite_ext.junk.learning import Learner
from mailsite_ext.junk.models import JunkFilter, JunkLesson, JunkWord
from mailsite_ext.settings.service import store_settings
from mailsite_ext.settings.values import Settings, StorageKind
from mailsite_ext.storage.open import close_storage, open_storage
from mailsite_ext.storage.values import SEEN, Content, StoredFolder
from tests.conftest import START

LONG_AGO = START - timedelta(days=30)


@dataclass
class Post:
    parts: Any
    hosted: Hosted
    desk: Desk
    settings: Settings

    @property
    def storage(self) -> Any:
        return open_storage(self.parts, self.settings)

    def folder(self, name: str) -> StoredFolder:
        found: StoredFolder | None = self.storage.find_folder("alice", name)
        assert found
        return found

    def put(self, text: str, folder: str = "INBOX", *, flags: frozenset[str] = frozenset(), at: Any = LONG_AGO) -> int:
        message = f"From: a@x.org\r\nSubject: {text}\r\n\r\n{text}\r\n".encode()
        new = [(Content(message, len(message)), flags, at)]
        (stored,) = self.storage.append(self.folder(folder).id, new).result(30)
        return int(stored.uid)

    def put_read(self, text: str, folder: str = "INBOX") -> int:
        return self.put(text, folder, flags=frozenset({SEEN}))

    def move(self, uid: int, source: str, target: str) -> int:
        moved = self.storage.move(self.folder(source).id, [uid], self.folder(target).id)
        return int(moved.target[0])

    def learn(self) -> int:
        """As the engine does, until nothing waits; in how many steps."""
        learner = Learner(self.parts)
        for number in range(100):
            with self.parts.public.session() as db:
                if self.desk.account_id not in learner.waiting(db, self.parts.clock.now()):
                    return number
            learner.step(self.desk, None)  # type: ignore[arg-type]  # it reads the storage itself
        raise AssertionError("it does not end")

    def counts(self) -> tuple[int, int]:
        """Messages learned: good, junk."""
        with self.parts.public.session() as db:
            own = db.get(JunkFilter, self.hosted.id)
            return (own.good, own.junk) if own else (0, 0)

    def words(self) -> dict[str, tuple[int, int]]:
        with self.parts.public.session() as db:
            return {row.word: (row.good, row.junk) for row in db.scalars(select(JunkWord)) if row.good or row.junk}

    def lessons(self) -> list[bool]:
        with self.parts.public.session() as db:
            return [row.is_junk for row in db.scalars(select(JunkLesson))]


@pytest.fixture(params=[StorageKind.FILES, StorageKind.SQL], ids=["files", "sql"])
def kind(request: pytest.FixtureRequest) -> StorageKind:
    wanted: StorageKind = request.param
    return wanted


@pytest.fixture
def post(parts: Any, db: Any, set_mode: Any, alice: Any, kind: StorageKind) -> Iterator[Post]:
    set_mode(Mode.MAILSITE)
    settings = Settings(domains=("example.org",), storage_engine=kind)
    store_settings(db, settings)
    db.commit()
    domains.ensure_mailbox(parts, db, alice)
    hosted = find_by_user(db, alice.id)
    assert hosted
    open_storage(parts, settings).create_mailbox("alice")
    yield Post(parts, hosted, _desk(parts, db, alice.id), settings)
    close_storage(parts)


def _desk(parts: Any, db: Any, owner_id: int) -> Desk:
    account = db.scalars(select(MailAccount).where(MailAccount.owner_id == owner_id)).one()
    engine = Engine(machine="here", pid=1, started_at=START, heartbeat_at=START)
    db.add(engine)
    db.flush()
    account.engine_id, account.epoch = engine.id, 1
    db.commit()
    return Desk(parts, Lease(engine.id, account.id, 1, owner_id))
