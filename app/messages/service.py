"""Opening a message: from its row in the mirror to what the page shows."""

from __future__ import annotations

import hashlib
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from datetime import datetime
from functools import partial
from urllib.parse import quote, urlencode

from flask_babel import get_locale
from flask_babel import gettext as _
from sqlalchemy.orm import Session

from app.errors import MailError, NoSuchMessage
from app.messages import signing
from app.messages.content import Content, load_content
from app.messages.lru import Lru
from app.messages.parts import Part, inline_images
from app.messages.render import Body, render
from app.messages.sanitise import POLICY_VERSION, References, Words
from app.messages.trust import is_trusted
from app.messages.verification import Verification
from app.messages.verifiers import find_verification
from app.mirror import envelope
from app.mirror.envelope import Mailbox
from app.mirror.models import Message
from app.mirror.queries import ListRow, conversation_messages, get_message
from app.runtime import Runtime
from app.users.models import User

MAX_RECIPIENTS = 200
RENDERED_CHARS = 32_000_000  # kept in each process

_rendered: Lru[Body] = Lru(RENDERED_CHARS, lambda body: len(body.html) + len(body.sheet) + 1_000)


@dataclass(frozen=True, slots=True)
class OpenMessage:
    """A message as the page shows it.  `body` is None where it could not be fetched, and `error` says why."""

    message: Message
    sender: Mailbox
    to: Sequence[Mailbox]
    cc: Sequence[Mailbox]
    reply_to: Sequence[Mailbox]
    list_id: str
    body: Body | None
    error: MailError | None
    show_key: str  # signs *Show once*
    images_allowed: bool
    sender_trusted: bool
    as_text: bool
    verification: Verification | None = None  # of those in a conversation; None: nobody we believe says anything

    @property
    def id(self) -> int:
        return self.message.id

    @property
    def date(self) -> datetime:
        return self.message.sent_at or self.message.received_at

    @property
    def domain(self) -> str:
        return self.sender.address.rpartition("@")[2]


@dataclass(frozen=True, slots=True)
class OpenConversation:
    """A conversation, oldest first; of its messages those in `opened` are shown whole, the others folded."""

    subject: str
    rows: Sequence[ListRow | Message]
    opened: Mapping[int, OpenMessage]


def open_conversation(
    parts: Runtime, db: Session, user: User, message_id: int, *, images: bool = False, as_text: bool = False
) -> OpenConversation:
    """The conversation `message_id` belongs to, with that message open.  Raises NoSuchMessage."""
    opened = open_message(parts, db, user, message_id, images=images, as_text=as_text)
    message = opened.message
    rows: Sequence[ListRow | Message] = conversation_messages(
        db, message.account_id, message.conversation_id, folder_id=message.folder_id
    )
    if all(row.id != message_id for row in rows):  # another of that Message-ID stands in its place
        others = [row for row in rows if row.message_id_hash != message.message_id_hash]
        rows = sorted([*others, message], key=lambda row: (row.received_at, row.id))
    opened = replace(opened, verification=find_verification(parts, db, message))
    return OpenConversation(message.subject, rows, {message_id: opened})


def open_message(
    parts: Runtime, db: Session, user: User, message_id: int, *, images: bool = False, as_text: bool = False
) -> OpenMessage:
    """A message with its body; remote images are shown if `images`, or if its sender is trusted.

    Raises NoSuchMessage.  A body that cannot be fetched is no error: the page shows what the mirror has, and why.
    """
    message = get_message(db, user.id, message_id)
    trusted = is_trusted(db, user.id, message.from_address)
    body: Body | None = None
    error: MailError | None = None
    try:
        body = _body_of(parts, db, user.id, message, images=images or trusted, as_text=as_text)
    except NoSuchMessage:
        raise
    except MailError as failure:
        error = failure
    fields = envelope.split_fields(message.header)
    mailboxes = {name: envelope.mailboxes(fields.get(name, b""), limit=MAX_RECIPIENTS) for name in _ADDRESS_FIELDS}
    return OpenMessage(
        message=message,
        sender=Mailbox(message.from_name, message.from_address),
        to=mailboxes[b"to"],
        cc=mailboxes[b"cc"],
        reply_to=mailboxes[b"reply-to"],
        list_id=envelope.shown(fields.get(b"list-id", b"")),
        body=body,
        error=error,
        show_key=signing.show_key(parts.private, user.id, message.id),
        images_allowed=images or trusted,
        sender_trusted=trusted,
        as_text=as_text,
    )


_ADDRESS_FIELDS = (b"to", b"cc", b"reply-to")


def _body_of(parts: Runtime, db: Session, user_id: int, message: Message, *, images: bool, as_text: bool) -> Body:
    content = load_content(parts, db, message, as_text=as_text)
    words = Words(goes_to=_("goes to {host}"), show_quoted=_("Show earlier text"))
    references = _references(parts, user_id, message.id, content.root, images=images)
    whose = signing.show_key(parts.private, user_id, message.id)  # one for each person and message
    key = (whose, _digest(content), POLICY_VERSION, images, as_text, str(get_locale()))
    body = _rendered.get_or_make(
        key,
        lambda: render(content.root, content.sections, references, words, as_text=as_text, damaged=content.damaged),
    )
    if body.is_blank and not as_text:  # its words may be in the plain text beside
        return _body_of(parts, db, user_id, message, images=images, as_text=True)
    return body


def _digest(content: Content) -> bytes:
    digest = hashlib.sha256(repr(content.root).encode("utf-8", "replace"))
    for section, octets in content.sections.items():
        digest.update(f"\0{section}\0{len(octets)}\0".encode())
        digest.update(octets)
    return digest.digest()


def _references(parts: Runtime, user_id: int, message_id: int, root: Part, *, images: bool) -> References:
    """Addresses are written here, not by url_for: the engine's pages and tests without a request have them too."""
    own_images = inline_images(root)

    def part_url(content_id: str) -> str | None:
        part = own_images.get(content_id)
        return f"/mail/message/{message_id}/part/{quote(part.section)}" if part else None

    return References(part_url, partial(_image_url, parts, user_id) if images else None)


def _image_url(parts: Runtime, user_id: int, url: str) -> str:
    return "/mail/image?" + urlencode({"url": url, "key": signing.image_key(parts.private, user_id, url)})
