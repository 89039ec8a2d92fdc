"""Alice with a mailbox here and an account elsewhere, on a server in memory."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import dataclass, field, replace
from datetime import UTC, datetime
from typing import Any

import pytest
from sqlalchemy import select, update

from app.accounts.models import MailAccount
from app.engine.desk import Desk
from app.engine.leases import Lease
from app.engine.models import Engine
from app.errors import MailError
from app.mail_services.modes import Mode
from app.sources import MailSource
from mailsite_ext.domains import service as domains
from mailsite_ext.importing import service, work
from mailsite_ext.importing.models import Import, ImportFailure, ImportFolder
from mailsite_ext.importing.queries import Progress, find_progress
from mailsite_ext.settings.service import store_settings
from mailsite_ext.settings.values import Settings, StorageKind
from mailsite_ext.storage.open import close_storage, open_storage
from mailsite_ext.storage.values import Column
from tests.conftest import START
from tests.factories import make_account, make_folder
from tests.fake_source import FakeServer

STEPS = 500


@dataclass
class Post:
    """The import under test; `source` is opened anew by `run` whenever it broke."""

    parts: Any
    account: MailAccount
    server: FakeServer
    settings: Settings
    desk: Desk
    errors: list[MailError] = field(default_factory=list)

    @property
    def storage(self) -> Any:
        return open_storage(self.parts, self.settings)

    def start(self, *folders: str, is_apart: bool = False) -> None:
        with self.parts.public.session() as db:
            account = db.get_one(MailAccount, self.account.id)
            service.start(self.parts, db, account, folders or list(self.server.folders), is_apart=is_apart)

    def change(self, deed: str) -> None:
        with self.parts.public.session() as db:
            service.change_state(self.parts, db, db.get_one(MailAccount, self.account.id), deed)

    def run(self, steps: int = STEPS, source: MailSource | None = None) -> int:
        """As the engine does: a step after the other, on another session when one broke; how many there were."""
        source = source or self.server.connect()
        for number in range(steps):
            try:
                if not work.step(self.desk, source):
                    return number
            except MailError as error:
                self.errors.append(error)
                source.close()
                source = self.server.connect()
        assert steps < STEPS, "it does not end"
        return steps

    def taken_over(self) -> None:
        """Another engine has the lease now, in a process that knows nothing."""
        work._listings.clear()
        with self.parts.public.session() as db:
            epoch = self.desk.lease.epoch + 1
            db.execute(update(MailAccount).where(MailAccount.id == self.account.id).values(epoch=epoch))
            db.commit()
        self.desk = Desk(self.parts, replace(self.desk.lease, epoch=epoch))

    def progress(self) -> Progress:
        with self.parts.public.session() as db:
            found = find_progress(db, self.account.id)
        assert found is not None
        return found

    def row(self, name: str = "INBOX") -> ImportFolder:
        with self.parts.public.session() as db:
            found: ImportFolder = db.scalars(select(ImportFolder).where(ImportFolder.name == name)).one()
            return found

    def rows(self) -> list[list[Any]]:
        """Everything that is known of imports."""
        with self.parts.public.session() as db:
            return [list(db.scalars(select(model))) for model in (Import, ImportFolder, ImportFailure)]

    def here(self, name: str = "INBOX") -> list[tuple[bytes, frozenset[str], datetime]]:
        """What lies in a folder of the mailbox, by UID: octets, flags, INTERNALDATE."""
        folder = self.storage.find_folder("alice", name)
        if folder is None:
            return []
        rows = self.storage.rows(folder.id, (Column.UID, Column.FLAGS, Column.INTERNAL_DATE))
        return [
            (self.read(folder.id, uid), frozenset(flags.split()), datetime.fromtimestamp(at, UTC))
            for uid, flags, at in list(rows)
        ]

    def read(self, folder_id: int, uid: int) -> bytes:
        with self.storage.open_message(folder_id, uid) as message:
            return bytes(message.read(0, message.size_octets))

    def there(self, name: str = "INBOX") -> list[tuple[bytes, frozenset[str], datetime]]:
        messages = sorted(self.server.get(name).messages.values(), key=lambda message: message.uid)
        return [(message.raw, frozenset(message.flags), message.received_at) for message in messages]


@pytest.fixture(params=[StorageKind.FILES, StorageKind.SQL], ids=["files", "sql"])
def kind(request: pytest.FixtureRequest) -> StorageKind:
    """Each test runs on both storages, on SQLite and PostgreSQL alike."""
    wanted: StorageKind = request.param
    return wanted


@pytest.fixture
def post(parts: Any, db: Any, alice: Any, set_mode: Callable[[Mode], None], kind: StorageKind) -> Iterator[Post]:
    set_mode(Mode.BOTH)
    settings = Settings(domains=("example.org",), storage_engine=kind)
    store_settings(db, settings)
    db.commit()
    domains.ensure_mailbox(parts, db, alice)
    account = make_account(db, alice, address="alice@example.net", vault=parts.vault, label="Old mail")
    engine = Engine(machine="here", pid=1, started_at=START, heartbeat_at=START)
    db.add(engine)
    db.flush()
    account.engine_id, account.epoch = engine.id, 1
    db.commit()
    server = FakeServer()
    for box in server.folders.values():
        make_folder(db, account, box.name, box.role)
    made = Post(parts, account, server, settings, Desk(parts, Lease(engine.id, account.id, 1, alice.id)))
    made.storage.create_mailbox("alice")
    yield made
    for session in list(made.server.sessions):
        session.close()
    work._listings.clear()
    close_storage(parts)
