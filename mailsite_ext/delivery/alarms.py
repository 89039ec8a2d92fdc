"""Who sends more than is usual: near the limits of sending, or refused by many servers (X4).  Its deciders are pure."""

from __future__ import annotations

from collections import deque
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from datetime import datetime
from enum import StrEnum

from sqlalchemy import case, func, select
from sqlalchemy.orm import Session

from mailsite_ext.delivery.allowance import DAY, HOUR, Recipients, allowed, sent_by
from mailsite_ext.delivery.models import QueuedMessage, QueuedRecipient
from mailsite_ext.delivery.retry import Fate
from mailsite_ext.domains.models import Mailbox
from mailsite_ext.limits import Limits

NEAR_PERCENT = 80
MANY_REFUSED = 20  # fewer are wrong addresses
REFUSED_ONE_IN = 3


class Kind(StrEnum):
    HOUR = "hour"
    DAY = "day"
    REFUSED = "refused"


@dataclass(frozen=True, slots=True)
class Alarm:
    """`number` recipients of `of`: of those allowed within the hour or the day, or of those whose fate is known."""

    mailbox_id: int
    mailbox: str
    kind: Kind
    number: int
    of: int

    @property
    def is_reached(self) -> bool:
        return self.kind is not Kind.REFUSED and self.number >= self.of


def is_near(number: int, limit: int) -> bool:
    return number > 0 and number * 100 >= limit * NEAR_PERCENT


def is_refused_often(refused: int, settled: int) -> bool:
    return refused >= MANY_REFUSED and refused * REFUSED_ONE_IN >= settled


def busiest_hour(sent: Sequence[tuple[datetime, int]]) -> int:
    """The most recipients within any hour; `sent`: when and to how many, in order of time."""
    window: deque[tuple[datetime, int]] = deque()
    now = most = 0
    for at, number in sent:
        window.append((at, number))
        now += number
        while window[0][0] <= at - HOUR:
            now -= window.popleft()[1]
        most = max(most, now)
    return most


def list_alarms(db: Session, now: datetime, limits: Limits) -> Sequence[Alarm]:
    """Of the last day; those that reached a limit first."""
    found = [*_of_limits(db, now, limits), *_of_refusals(db, now)]
    return sorted(found, key=lambda alarm: (not alarm.is_reached, alarm.mailbox, alarm.kind))


def _of_limits(db: Session, now: datetime, limits: Limits) -> Iterator[Alarm]:
    for mailbox, day in _sent_in_a_day(db, now):
        allowance = allowed(mailbox, limits)
        hour = busiest_hour(_times(db, mailbox.name, now)) if is_near(day, allowance.per_hour) else 0
        yield from _near(mailbox, Recipients(hour, day), allowance)


def _near(mailbox: Mailbox, sent: Recipients, allowance: Recipients) -> Iterator[Alarm]:
    if is_near(sent.per_hour, allowance.per_hour):
        yield Alarm(mailbox.id, mailbox.name, Kind.HOUR, sent.per_hour, allowance.per_hour)
    if is_near(sent.per_day, allowance.per_day):
        yield Alarm(mailbox.id, mailbox.name, Kind.DAY, sent.per_day, allowance.per_day)


def _sent_in_a_day(db: Session, now: datetime) -> Sequence[tuple[Mailbox, int]]:
    query = (
        select(Mailbox, func.count())
        .join(QueuedMessage, QueuedMessage.mailbox == Mailbox.name)
        .join(QueuedRecipient, QueuedRecipient.message_id == QueuedMessage.id)
        .where(QueuedMessage.queued_at > now - DAY, QueuedMessage.forwarded_for == "")
        .group_by(Mailbox.id)
    )
    return [(row[0], row[1]) for row in db.execute(query)]


def _times(db: Session, mailbox: str, now: datetime) -> Sequence[tuple[datetime, int]]:
    query = select(QueuedMessage.queued_at, func.count()).join(
        QueuedRecipient, QueuedRecipient.message_id == QueuedMessage.id
    )
    own = query.where(sent_by(mailbox), QueuedMessage.queued_at > now - DAY)
    grouped = own.group_by(QueuedMessage.id, QueuedMessage.queued_at).order_by(QueuedMessage.queued_at)
    return [(row[0], row[1]) for row in db.execute(grouped)]


def _of_refusals(db: Session, now: datetime) -> Iterator[Alarm]:
    """What other servers refused for good; what ended here, for want of a domain or of time, is no refusal."""
    refused = func.sum(case(((QueuedRecipient.fate == Fate.FAILED) & (QueuedRecipient.code >= 500), 1), else_=0))
    query = (
        select(Mailbox.id, Mailbox.name, refused, func.count())
        .join(QueuedMessage, QueuedMessage.mailbox == Mailbox.name)
        .join(QueuedRecipient, QueuedRecipient.message_id == QueuedMessage.id)
        .where(QueuedMessage.queued_at > now - DAY, QueuedMessage.forwarded_for == "")
        .where(QueuedRecipient.host != "", QueuedRecipient.fate.in_([Fate.FAILED, Fate.DELIVERED]))
        .group_by(Mailbox.id, Mailbox.name)
    )
    for mailbox_id, name, number, settled in db.execute(query):
        if is_refused_often(number, settled):
            yield Alarm(mailbox_id, name, Kind.REFUSED, number, settled)
