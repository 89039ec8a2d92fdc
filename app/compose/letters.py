"""From a draft in SQL to the message it becomes."""

from __future__ import annotations

from datetime import datetime
from uuid import uuid4

from sqlalchemy.orm import Session

from app.accounts.models import Identity
from app.compose import attachments
from app.compose.addresses import Address, Typed, format_addresses, parse_addresses
from app.compose.build import Letter, build, envelope_recipients, new_message_id
from app.compose.html import content_ids
from app.compose.models import Draft
from app.outbox.service import Finished


def sender_of(identity: Identity) -> Address:
    return Address(identity.name, identity.address)


def letter_of(db: Session, draft: Draft, identity: Identity, now: datetime) -> Letter:
    """`draft` as a letter, under a Message-ID of its own.  Addresses that cannot be read are left out."""
    sender = sender_of(identity)
    shown = content_ids(draft.html)
    files = attachments.read_all(db, draft)
    return Letter(
        sender=sender,
        date=now,
        message_id=new_message_id(str(uuid4()), sender),
        to=parse_addresses(draft.to).addresses,
        cc=parse_addresses(draft.cc).addresses,
        bcc=parse_addresses(draft.bcc).addresses,
        reply_to=parse_addresses(identity.reply_to).addresses,
        subject=draft.subject,
        text=draft.text,
        html=draft.html,
        in_reply_to=draft.in_reply_to,
        references=draft.references,
        attachments=[file for file in files if not file.content_id or file.content_id in shown],
    )


def finished(db: Session, draft: Draft, identity: Identity, now: datetime) -> Finished:
    """The message as it goes out."""
    letter = letter_of(db, draft, identity, now)
    everybody = [letter.sender, *letter.to, *letter.cc, *letter.bcc]
    return Finished(
        mail_from=letter.sender.wire,
        recipients=envelope_recipients(letter),
        subject=letter.subject,
        message_id=letter.message_id.strip("<>"),
        message=build(letter),
        bcc=format_addresses(letter.bcc),
        needs_smtputf8=any(address.needs_smtputf8 for address in everybody),
    )


def typed_recipients(draft: Draft) -> dict[str, Typed]:
    """What stands in To, Cc and Bcc, by field."""
    return {field: parse_addresses(getattr(draft, field)) for field in ("to", "cc", "bcc")}
