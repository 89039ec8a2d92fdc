"""Sending a test mail from somebody's hosted mailbox, and looking for what became of it."""

from __future__ import annotations

import uuid
from collections.abc import Iterator, Sequence
from dataclasses import dataclass

from sqlalchemy import ColumnElement, and_, select
from sqlalchemy.orm import Session

from app.extension_api import BadInput, Envelope, MailAccount, MailError, NotFound, Runtime
from mailsite_ext.delivery.models import QueuedMessage
from mailsite_ext.delivery.queue_page import Shown, get_shown
from mailsite_ext.delivery.verdict import JUNK
from mailsite_ext.domains.directory import Directory
from mailsite_ext.domains.models import Mailbox
from mailsite_ext.domains.sources import SOURCE
from mailsite_ext.protocol.smtp_address import Address, parse_address
from mailsite_ext.replies import smtp_reply
from mailsite_ext.settings.service import load_settings
from mailsite_ext.storage.engine import StorageEngine
from mailsite_ext.storage.open import open_storage
from mailsite_ext.storage.values import INBOX, Column, StoredFolder
from mailsite_ext.trial_mail.letter import Letter, verdicts
from mailsite_ext.webmail.register import make_submitter

MARK = "satcheltest"
LOCAL = "local"
LISTED = 10
SEARCHED = 500  # newest messages of a folder
REPLY_OCTETS = 512 * 1024
MOST_REPLIES = 3


@dataclass(frozen=True, slots=True)
class Reply:
    folder: str
    lines: Sequence[str]


def new_token() -> str:
    return MARK + uuid.uuid4().hex[:20]


def send(parts: Runtime, db: Session, mailbox: Mailbox, letter: Letter) -> None:
    """Into the queue, signed, as any mail of theirs.

    Raises BadInput on `recipient`, whose `detail` is `LOCAL` for somebody here, else why it was refused; and
    SubmissionRefused, SubmissionDeferred, NotFound as whatever sends from the mailbox.
    """
    address = _parsed(letter.recipient)
    if Directory(parts, load_settings(db)).is_local(address):
        raise BadInput("recipient", LOCAL)
    submitter = make_submitter(parts, _account(db, mailbox))
    db.rollback()  # what follows has sessions of its own, and writes
    refused = submitter.submit(Envelope(letter.token, letter.sender, (letter.recipient,)), letter.octets)
    if refused:
        raise BadInput("recipient", str(refused[letter.recipient]))


def _parsed(recipient: str) -> Address:
    try:
        return parse_address(recipient, utf8=True)
    except MailError as error:
        raise BadInput("recipient", str(smtp_reply(error))) from None


def _account(db: Session, mailbox: Mailbox) -> MailAccount:
    """Through which they send in the webmail.  Raises NotFound."""
    owned = select(MailAccount).where(MailAccount.owner_id == mailbox.user_id, MailAccount.source == SOURCE)
    found = db.scalars(owned).first()
    if found is None:
        raise NotFound
    return found


def list_sent(db: Session, mailbox: Mailbox) -> Sequence[QueuedMessage]:
    """The last test mails of a mailbox that are remembered."""
    tests = QueuedMessage.token.startswith(f"{mailbox.name}:{MARK}", autoescape=True)
    found = select(QueuedMessage).where(_of(mailbox), tests)
    return db.scalars(found.order_by(QueuedMessage.id.desc()).limit(LISTED)).all()


def get_sent(db: Session, mailbox: Mailbox, token: str) -> Shown:
    """One of a mailbox's own.  Raises NotFound."""
    found = select(QueuedMessage.id).where(_of(mailbox), QueuedMessage.token == f"{mailbox.name}:{token}")
    message_id = db.scalar(found) if token.startswith(MARK) else None
    if message_id is None:
        raise NotFound
    return get_shown(db, message_id)


def _of(mailbox: Mailbox) -> ColumnElement[bool]:
    """Names are given again when an admin releases one: what was sent before is somebody else's."""
    return and_(QueuedMessage.mailbox == mailbox.name, QueuedMessage.queued_at >= mailbox.created_at)


def find_replies(parts: Runtime, db: Session, mailbox: str, token: str) -> Sequence[Reply]:
    """Mail that came back with the token in its Subject or In-Reply-To, as far as the newest mail goes.

    Raises what opening the storage does: mail may be kept on another machine.
    """
    storage = open_storage(parts, load_settings(db))
    db.rollback()
    found: list[Reply] = []
    for folder, uid in _answers(storage, mailbox, token.encode()):
        with storage.open_message(folder.id, uid) as stored:
            found.append(Reply(folder.name, verdicts(stored.read(0, REPLY_OCTETS))))
        if len(found) >= MOST_REPLIES:
            break
    return found


def _answers(storage: StorageEngine, mailbox: str, token: bytes) -> Iterator[tuple[StoredFolder, int]]:
    for name in (INBOX, JUNK):
        folder = storage.find_folder(mailbox, name)
        if folder is None:
            continue
        newest = list(storage.uids(folder.id))[-SEARCHED:]
        for uid, envelope in storage.rows(folder.id, (Column.UID, Column.ENVELOPE), newest):
            if token in envelope.lower():
                yield folder, uid
