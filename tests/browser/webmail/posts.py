"""What a test of the webmail does behind the page's back, whichever source the mail comes from."""

from __future__ import annotations

import base64
from collections.abc import Iterator
from contextlib import AbstractContextManager, contextmanager
from dataclasses import dataclass
from email.message import EmailMessage
from typing import Protocol

import pytest
from sqlalchemy import select
from sqlalchemy.orm import Session

from app.accounts.models import MailAccount
from app.actions.carry_out import refuse
from app.actions.models import Action
from app.actions.pending import pending_actions
from app.bus import Bell, Topic
from app.errors import ActionRefused
from app.mirror.bodies import store_section
from app.mirror.models import Folder, Message
from app.runtime import Runtime
from app.sources import Role
from mailsite_ext.storage.open import Storage
from mailsite_ext.webmail.source import StorageSource
from tests.browser import letters, seed
from tests.browser.webmail import hosted
from tests.conftest import START
from tests.factories import make_message
from tests.servers.engine import wait_for

MIXED = (
    b'(("TEXT" "HTML" ("CHARSET" "utf-8") NIL NIL "8BIT" 60 1 NIL NIL NIL NIL)'
    b'("IMAGE" "PNG" ("NAME" "dot.png") "<dot@x>" NIL "BASE64" 96 NIL ("INLINE" ("FILENAME" "dot.png")) NIL NIL)'
    b' "RELATED" ("BOUNDARY" "b") NIL NIL NIL)'
)


def home_of(db: Session) -> seed.Home:
    """What was laid down, as the mirror has it."""
    account = db.scalars(select(MailAccount)).one()
    folders = {folder.role: folder for folder in db.scalars(select(Folder)) if folder.role}
    inbox = folders[Role.INBOX]
    subjects = [letter.subject for letter in seed.written(START)]
    letters = [db.scalars(select(Message).where(Message.subject == subject)).one() for subject in subjects]
    return seed.Home(account, inbox, folders[Role.ARCHIVE], folders[Role.TRASH], letters, seed.OLDER)


class Post(Protocol):
    """Where Alice's mail comes from, seen from the other side."""

    home: seed.Home

    def arrive(self, subject: str) -> None:
        """New mail comes into the inbox."""
        ...

    def bring_picture(self, subject: str, html: str) -> Message:
        """New mail whose HTML may name the picture cid:dot@x that it carries; its row in the mirror."""
        ...

    def refusing(self, words: str) -> AbstractContextManager[None]:
        """The server refuses what is asked of it in this block, in these words."""
        ...


@dataclass
class MirroredPost:
    """An external account: what an engine would write is written into the mirror; none runs."""

    parts: Runtime
    db: Session
    home: seed.Home

    def arrive(self, subject: str) -> None:
        make_message(self.db, self.home.inbox, subject=subject, from_name="Nora Lind")
        self.parts.bus.ring(Bell(Topic.FOLDER, self.home.inbox.id), Bell(Topic.TREE, self.home.account.owner_id))

    def bring_picture(self, subject: str, html: str) -> Message:
        message = make_message(self.db, self.home.inbox, subject=subject, bodystructure=MIXED)
        for section, octets in (("1", html.encode()), ("2", base64.encodebytes(letters.PIXEL))):
            now = self.parts.clock.now()
            store_section(self.db, self.parts.vault, self.home.account, message.id, section, [octets], now)
        return message

    @contextmanager
    def refusing(self, words: str) -> Iterator[None]:
        yield
        wait_for(lambda: self._pending(), "the action")
        (action,) = self._pending()
        refuse(self.db, action, words, self.parts.bus)

    def _pending(self) -> list[Action]:
        self.db.rollback()
        return list(pending_actions(self.db, self.home.account.id))


@dataclass
class HostedPost:
    """A hosted mailbox, with its engine at work: what happens, happens in the storage."""

    db: Session
    home: seed.Home
    storage: Storage
    patch: pytest.MonkeyPatch

    def arrive(self, subject: str) -> None:
        hosted.deliver(self.storage, letters.plain(subject))

    def bring_picture(self, subject: str, html: str) -> Message:
        message = EmailMessage()
        message["From"], message["To"], message["Subject"] = "maren@example.com", "alice@home.example", subject
        message.set_content(html, subtype="html")
        message.add_related(letters.PIXEL, "image", "png", cid="<dot@x>", filename="dot.png")
        hosted.deliver(self.storage, message.as_bytes())
        wait_for(lambda: self._find(subject), "the message in the mirror")
        found = self._find(subject)
        assert found is not None
        return found

    @contextmanager
    def refusing(self, words: str) -> Iterator[None]:
        def refuse_all(*_given: object) -> None:
            raise ActionRefused(words)

        self.patch.setattr(StorageSource, "apply", refuse_all)
        yield

    def _find(self, subject: str) -> Message | None:
        self.db.rollback()
        return self.db.scalars(select(Message).where(Message.subject == subject)).first()
