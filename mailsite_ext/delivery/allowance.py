"""How many recipients elsewhere a mailbox may send to in an hour and in a day, and how many it did."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime, timedelta

from sqlalchemy import ColumnElement, and_, case, func, select
from sqlalchemy.orm import Session

from mailsite_ext.delivery.models import QueuedMessage, QueuedRecipient
from mailsite_ext.domains.models import Mailbox
from mailsite_ext.errors import SendingLimitReached
from mailsite_ext.limits import Limits

HOUR, DAY = timedelta(hours=1), timedelta(days=1)


@dataclass(frozen=True, slots=True)
class Recipients:
    """A number of recipients within an hour and one within a day: what is allowed, or what was used."""

    per_hour: int
    per_day: int


def allowed(mailbox: Mailbox, limits: Limits) -> Recipients:
    """What an admin gave this mailbox, or what every mailbox has."""
    hour, day = mailbox.recipients_per_hour, mailbox.recipients_per_day
    return Recipients(
        limits.recipients_per_hour if hour is None else hour, limits.recipients_per_day if day is None else day
    )


def sent_by(mailbox: str) -> ColumnElement[bool]:
    """What is forwarded for somebody is not theirs."""
    return and_(QueuedMessage.mailbox == mailbox, QueuedMessage.forwarded_for == "")


def used(db: Session, mailbox: str, now: datetime, *, besides: str = "") -> Recipients:
    """Recipients it sent to lately.  `besides`: a message that is taken once more and counts once."""
    lately = case((QueuedMessage.queued_at > now - HOUR, 1), else_=0)
    joined = select(func.coalesce(func.sum(lately), 0), func.count()).join_from(
        QueuedMessage, QueuedRecipient, QueuedRecipient.message_id == QueuedMessage.id
    )
    own = joined.where(sent_by(mailbox), QueuedMessage.queued_at > now - DAY, QueuedMessage.token != besides)
    hour, day = db.execute(own).one()
    return Recipients(hour, day)


def check(allowance: Recipients, sent: Recipients, wanted: int) -> None:
    """Raises SendingLimitReached where `wanted` recipients more are too many."""
    if sent.per_hour + wanted > allowance.per_hour:
        raise SendingLimitReached(f"{allowance.per_hour} recipients an hour")
    if sent.per_day + wanted > allowance.per_day:
        raise SendingLimitReached(f"{allowance.per_day} recipients a day")
