"""What a person sees of the mail they sent to other servers: each recipient's fate, as far as it is known."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime
from itertools import groupby

from sqlalchemy import ColumnElement, and_, exists, or_, select
from sqlalchemy.orm import Session

from mailsite_ext.delivery.allowance import sent_by
from mailsite_ext.delivery.models import QueuedMessage, QueuedRecipient
from mailsite_ext.delivery.queue_page import LATELY
from mailsite_ext.delivery.retry import Fate
from mailsite_ext.domains.models import Mailbox

PAGE_MESSAGES = 25
MOST_RECIPIENTS = 20  # shown of one message
ORDER = (Fate.FAILED, Fate.DROPPED, Fate.WAITING, Fate.HELD, Fate.DELIVERED)


@dataclass(frozen=True, slots=True)
class Sent:
    """A message and its recipients, whoever did not get it first; `more` are not listed."""

    message: QueuedMessage
    recipients: Sequence[QueuedRecipient]
    more: int


@dataclass(frozen=True, slots=True)
class Listed:
    sent: Sequence[Sent]
    older: int | None  # `before` of the next page


def list_sent(db: Session, mailbox: Mailbox, before: int | None) -> Listed:
    """All that is remembered, the newest first."""
    mine = _of(mailbox) if before is None else and_(_of(mailbox), QueuedMessage.id < before)
    return _list(db, mine)


def list_troubled(db: Session, mailbox: Mailbox, now: datetime) -> Sequence[Sent]:
    """What is still on its way, and what was refused lately."""
    failed_lately = and_(QueuedRecipient.fate.in_([Fate.FAILED, Fate.DROPPED]), QueuedRecipient.tried_at > now - LATELY)
    open_or_failed = or_(QueuedRecipient.fate.in_([Fate.WAITING, Fate.HELD]), failed_lately)
    troubled = exists().where(QueuedRecipient.message_id == QueuedMessage.id, open_or_failed)
    return _list(db, and_(_of(mailbox), troubled)).sent


def _of(mailbox: Mailbox) -> ColumnElement[bool]:
    """Names are given again when an admin releases one: what was sent before belongs to somebody who is gone."""
    return and_(sent_by(mailbox.name), QueuedMessage.is_whole, QueuedMessage.queued_at >= mailbox.created_at)


def _list(db: Session, condition: ColumnElement[bool]) -> Listed:
    newest = select(QueuedMessage).where(condition).order_by(QueuedMessage.id.desc()).limit(PAGE_MESSAGES + 1)
    messages = db.scalars(newest).all()
    shown = messages[:PAGE_MESSAGES]
    rows = select(QueuedRecipient).where(QueuedRecipient.message_id.in_([message.id for message in shown]))
    ordered = db.scalars(rows.order_by(QueuedRecipient.message_id, QueuedRecipient.id)).all()
    of = {message_id: list(group) for message_id, group in groupby(ordered, key=lambda row: row.message_id)}
    sent = [_sent(message, of.get(message.id, [])) for message in shown]
    return Listed(sent, shown[-1].id if len(messages) > PAGE_MESSAGES else None)


def _sent(message: QueuedMessage, recipients: Sequence[QueuedRecipient]) -> Sent:
    in_order = sorted(recipients, key=lambda each: ORDER.index(each.fate))
    return Sent(message, in_order[:MOST_RECIPIENTS], max(0, len(recipients) - MOST_RECIPIENTS))
