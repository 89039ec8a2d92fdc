"""A draft, ready to be sent, and whoever takes it."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from uuid import uuid4

import pytest
from sqlalchemy.orm import Session

from app.accounts.models import MailAccount
from app.compose import letters, service
from app.compose.models import Draft
from app.outbox import service as outbox
from app.outbox.models import Outgoing
from app.outbox.submitter import Envelope, Reply
from app.users.models import User
from tests.conftest import FakeClock
from tests.factories import make_account


@dataclass
class FakeSubmitter:
    """Notes what it is given; answers with `refused`, or raises `fault`."""

    refused: Mapping[str, Reply] = field(default_factory=dict)
    fault: BaseException | None = None
    taken: list[tuple[Envelope, bytes]] = field(default_factory=list)
    during: Callable[[], object] = lambda: None

    def submit(self, envelope: Envelope, message: bytes) -> Mapping[str, Reply]:
        self.during()
        if self.fault is not None:
            raise self.fault
        self.taken.append((envelope, message))
        return self.refused


@pytest.fixture
def account(db: Session, alice: User) -> MailAccount:
    return make_account(db, alice, address="alice@example.net")


@pytest.fixture
def write(db: Session, alice: User, account: MailAccount, clock: FakeClock) -> Callable[..., Draft]:
    """A saved draft of Alice's."""

    def write(to: str = "bob@example.org", **values) -> Draft:
        identity_id = account.identities[0].id
        written = service.Values(identity_id, to=to, **{"subject": "Proofs", "text": "Dear Bob", **values})
        return service.save(db, alice.id, str(uuid4()), written, version=0, now=clock.now())

    return write


@pytest.fixture
def send(db: Session, account: MailAccount, clock: FakeClock) -> Callable[..., Outgoing]:
    """Press Send; the undo time is 10 s."""

    def send(draft: Draft) -> Outgoing:
        built = letters.finished(db, draft, account.identities[0], clock.now())
        return outbox.hand_over(db, draft, built, now=clock.now(), undo_s=10)

    return send
