"""Mailboxes that take mail as reception hands it on, and the rows of it in the mirror."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass

from sqlalchemy import select
from sqlalchemy.orm import Session

from app.accounts.models import MailAccount
from app.mirror.models import Folder, Message
from app.runtime import Runtime
from app.sources import Role
from app.users.models import User
from mailsite_ext.delivery.header import read_header
from mailsite_ext.delivery.inbound import Arrival, Inbound
from mailsite_ext.domains import service as domains
from mailsite_ext.domains.directory import Hosted, Recipient
from mailsite_ext.domains.sources import SOURCE
from mailsite_ext.limits import Limits
from mailsite_ext.protocol.smtp_address import Address
from mailsite_ext.reception.seals import Seals
from mailsite_ext.settings.service import store_settings
from mailsite_ext.settings.values import Posture, Settings, StorageKind
from mailsite_ext.storage.engine import StorageEngine
from mailsite_ext.storage.first_use import ensure_mailbox
from mailsite_ext.storage.open import close_storage, open_storage
from mailsite_ext.storage.values import Column, Content
from tests.factories import make_folder, make_message
from tests.mailsite.reception.letters import HOST, NOW, People, arrival, examiner

FAR = "ann@plain.example"


@dataclass
class Box:
    """Who gets everything that is delivered."""

    parts: Runtime
    db: Session
    storage: StorageEngine
    people: Sequence[Recipient]

    def deliver(
        self, message: bytes, people: People | None = None, posture: Posture = Posture.SPAM, **envelope: str
    ) -> None:
        """As reception does, to all of them."""
        found = examiner(people).examine(arrival(**envelope), lambda: [message])
        inbound = Inbound(self.storage, HOST, posture, Limits(), Seals.of(self.parts), enforces_dmarc=True)
        came = arrival(**envelope)
        whole = Arrival(came.mail, self.people, came.origin, came.id, NOW, found)
        inbound.deliver(whole, Content(message, len(message)), read_header(message, is_whole=True)).result(30)

    def append(self, mailbox: str, message: bytes) -> None:
        """As IMAP's APPEND and imports do."""
        folder = self.storage.find_folder(mailbox, "INBOX")
        self.storage.append(folder.id, [(Content(message, len(message)), frozenset(), NOW)]).result(30)

    def read(self, mailbox: str, name: str = "INBOX") -> bytes:
        """The newest message as it lies there."""
        folder = self.storage.find_folder(mailbox, name)
        with self.storage.open_message(folder.id, folder.uidnext - 1) as stored:
            return stored.read(0, stored.size_octets)

    def mirrored(self, user: User, name: str = "INBOX", author: str = FAR, **columns: str) -> Message:
        """The newest message's row in the mirror of a person."""
        account = self.db.scalars(
            select(MailAccount).where(MailAccount.source == SOURCE, MailAccount.owner_id == user.id)
        ).one()
        stored = self.storage.find_folder(user.name.lower(), name)
        folder = self.db.scalar(select(Folder).where(Folder.account_id == account.id, Folder.name == name))
        if folder is None:
            role = Role.JUNK if name == "Junk" else None
            folder = make_folder(self.db, account, name, role, uidvalidity=stored.uidvalidity)
        ((structure,),) = self.storage.rows(stored.id, (Column.BODYSTRUCTURE,), [stored.uidnext - 1])
        return make_message(
            self.db,
            folder,
            uid=stored.uidnext - 1,
            from_address=author,
            from_name="Ann",
            bodystructure=structure,
            **columns,
        )


@contextmanager
def opened(parts: Runtime, db: Session, users: Sequence[User], kind: StorageKind) -> Iterator[Box]:
    settings = Settings(domains=("example.org",), storage_engine=kind)
    store_settings(db, settings)
    db.commit()
    storage = open_storage(parts, settings)
    made = [(domains.ensure_mailbox(parts, db, user), user) for user in users]
    for mailbox, _user in made:
        ensure_mailbox(storage, mailbox.name)
    yield Box(parts, db, storage, [
        Recipient(Address(each.name, "example.org"), (Hosted(each.id, each.name, user.id),)) for each, user in made
    ])  # fmt: skip
    close_storage(parts)
