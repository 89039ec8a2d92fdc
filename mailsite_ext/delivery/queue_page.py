"""What the page of the queue shows: destinations, recipients by fate, and what was said at each try."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta

from sqlalchemy import Select, case, func, select
from sqlalchemy.orm import Session

from app.extension_api import NotFound
from mailsite_ext.delivery.care import OPEN
from mailsite_ext.delivery.models import DeliveryAttempt, QueuedMessage, QueuedRecipient
from mailsite_ext.delivery.retry import Fate

PAGE_ROWS = 50
MOST_DESTINATIONS = 50
MOST_RECIPIENTS = 500  # of one message on its page
MOST_ATTEMPTS = 50
LATELY = timedelta(days=1)
LOOKED_BACK = 20  # attempts
FEW_BLOCKED = 3  # are a far side's trouble, not ours


@dataclass(frozen=True, slots=True)
class Destination:
    domain: str
    waiting: int
    held: int
    next_at: datetime | None  # None: nothing waits


@dataclass(frozen=True, slots=True)
class Row:
    recipient: QueuedRecipient
    message: QueuedMessage


@dataclass(frozen=True, slots=True)
class Listed:
    rows: Sequence[Row]
    older: int | None  # `before` of the next page


@dataclass(frozen=True, slots=True)
class Shown:
    """One message; `more` recipients are not listed."""

    message: QueuedMessage
    recipients: Sequence[QueuedRecipient]
    more: int
    attempts: Sequence[DeliveryAttempt]


def list_destinations(db: Session) -> Sequence[Destination]:
    """Where mail waits or is held, the most of it first."""
    waits = QueuedRecipient.fate == Fate.WAITING
    waiting, held = func.sum(case((waits, 1), else_=0)), func.sum(case((waits, 0), else_=1))
    next_at = func.min(case((waits, QueuedRecipient.next_at)))
    found = select(QueuedRecipient.domain, waiting, held, next_at).where(QueuedRecipient.fate.in_(OPEN))
    ordered = found.group_by(QueuedRecipient.domain).order_by(func.count().desc(), QueuedRecipient.domain)
    return [Destination(*row) for row in db.execute(ordered.limit(MOST_DESTINATIONS))]


def count_waiting(db: Session) -> int:
    """Messages, not recipients."""
    waiting = select(func.count(func.distinct(QueuedRecipient.message_id)))
    return db.scalar(waiting.where(QueuedRecipient.fate == Fate.WAITING)) or 0


def rows_query(fate: Fate, domain: str, before: int | None) -> Select[QueuedRecipient, QueuedMessage]:
    """The newest first; `domain` empty: of every destination."""
    both = select(QueuedRecipient, QueuedMessage).join(QueuedMessage, QueuedMessage.id == QueuedRecipient.message_id)
    found = both.where(QueuedRecipient.fate == fate)
    if domain:
        found = found.where(QueuedRecipient.domain == domain)
    if before is not None:
        found = found.where(QueuedRecipient.id < before)
    return found.order_by(QueuedRecipient.id.desc()).limit(PAGE_ROWS + 1)


def list_rows(db: Session, fate: Fate, domain: str, before: int | None) -> Listed:
    rows = [Row(*row) for row in db.execute(rows_query(fate, domain, before))]
    shown = rows[:PAGE_ROWS]
    return Listed(shown, shown[-1].recipient.id if len(rows) > PAGE_ROWS else None)


def get_shown(db: Session, message_id: int) -> Shown:
    """Raises NotFound."""
    message = db.get(QueuedMessage, message_id)
    if message is None or not message.is_whole:
        raise NotFound
    here = QueuedRecipient.message_id == message_id
    recipients = select(QueuedRecipient).where(here).order_by(QueuedRecipient.id).limit(MOST_RECIPIENTS)
    listed = db.scalars(recipients).all()
    number = db.scalar(select(func.count()).select_from(QueuedRecipient).where(here)) or 0
    attempts = select(DeliveryAttempt).where(DeliveryAttempt.message_id == message_id)
    newest = attempts.order_by(DeliveryAttempt.id.desc()).limit(MOST_ATTEMPTS)
    return Shown(message, listed, number - len(listed), db.scalars(newest).all())


def is_port_25_blocked(db: Session, now: datetime) -> bool:
    """Do the newest attempts say that this machine's way to port 25 of others is closed?"""
    newest = select(DeliveryAttempt.begun_at, DeliveryAttempt.port_25_blocked).order_by(DeliveryAttempt.id.desc())
    lately = [blocked for begun_at, blocked in db.execute(newest.limit(LOOKED_BACK)) if begun_at >= now - LATELY]
    return seems_blocked(lately)


def seems_blocked(attempts: Sequence[bool]) -> bool:
    return sum(attempts) >= FEW_BLOCKED and sum(attempts) * 2 > len(attempts)
