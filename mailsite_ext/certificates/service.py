"""The order of a certificate in SQL: what an admin wants, whose turn it is, what came of it.  Its functions commit."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta

from sqlalchemy import delete, or_, select, update
from sqlalchemy.exc import IntegrityError
from sqlalchemy.orm import Session

from app.extension_api import row_count
from mailsite_ext.certificates.models import CertificateChallenge, CertificateOrder
from mailsite_ext.certificates.plan import Held, may_ask

PRODUCTION = "https://acme-v02.api.letsencrypt.org/directory"
STAGING = "https://acme-staging-v02.api.letsencrypt.org/directory"
TURN = timedelta(minutes=30)  # longer than two orders take
ANSWERED_FOR = timedelta(hours=1)


@dataclass(frozen=True, slots=True)
class Wanted:
    enabled: bool
    directory: str
    contact: str


def find_order(db: Session) -> CertificateOrder | None:
    return db.get(CertificateOrder, 1)


def save(db: Session, wanted: Wanted, now: datetime) -> None:
    """What an admin wants from here on; it is looked at soon.  Another authority begins without failures."""
    order = find_order(db) or CertificateOrder(id=1, enabled=False, directory="", contact="", next_at=now)
    if order.directory != wanted.directory:
        order.failures, order.words = 0, ""
        order.next_at = now
    if wanted.enabled and not order.enabled:
        order.next_at = now
    order.enabled, order.directory, order.contact = wanted.enabled, wanted.directory, wanted.contact
    db.add(order)
    try:
        db.commit()
    except IntegrityError:  # another admin was first of all; theirs stands
        db.rollback()


def ask(db: Session, now: datetime) -> bool:
    """Have it looked at at once.  False: too soon after a failure, or nothing is wanted."""
    order = find_order(db)
    if order is None or not order.enabled or not may_ask(order.failures, order.tried_at, now):
        return False
    order.asked_at = now
    db.commit()
    return True


def held_of(order: CertificateOrder) -> Held | None:
    """The certificate that was had last, as it was had."""
    if order.renew_at is None:
        return None
    return Held(
        order.names.split(","), order.had_from, order.renew_at, [name for name in order.refused.split(",") if name]
    )


def take_turn(db: Session, now: datetime) -> CertificateOrder | None:
    """The order, if it is to be looked at now and no other process does; it is this one's for `TURN`."""
    is_time = or_(CertificateOrder.next_at <= now, CertificateOrder.asked_at.is_not(None))
    is_free = or_(CertificateOrder.turn_until.is_(None), CertificateOrder.turn_until <= now)
    wanted = select(CertificateOrder.id).where(CertificateOrder.enabled, is_time, is_free)
    if db.scalar(wanted) is None:  # without a write, nearly always
        return None
    mine = update(CertificateOrder).where(CertificateOrder.enabled, is_time, is_free).values(turn_until=now + TURN)
    taken = row_count(db.execute(mine.execution_options(synchronize_session=False)))
    db.commit()
    return find_order(db) if taken else None


@dataclass(frozen=True, slots=True, kw_only=True)
class Outcome:
    """What a turn came to.  `had`: a certificate was issued, else the one there is stays."""

    directory: str
    begun_at: datetime
    next_at: datetime
    words: str = ""
    left_out: Sequence[str] = ()
    had: Held | None = None
    tried: bool = True  # an authority was asked


def end_turn(db: Session, outcome: Outcome) -> None:
    """Write down what came of it; what an admin asked for meanwhile stays asked for."""
    order = db.get_one(CertificateOrder, 1, populate_existing=True)
    order.turn_until, order.left_out = None, ",".join(outcome.left_out)
    if order.directory == outcome.directory:
        order.words, order.next_at = outcome.words, outcome.next_at
        order.failures = order.failures + 1 if outcome.words else 0
    if outcome.tried:
        order.tried_at = outcome.begun_at
    if outcome.had:
        order.names, order.had_from = ",".join(outcome.had.names), outcome.had.directory
        order.renew_at, order.had_at = outcome.had.renew_at, outcome.begun_at
        order.refused = ",".join(outcome.had.refused)
    if order.asked_at is not None and order.asked_at <= outcome.begun_at:
        order.asked_at = None
    db.commit()


def publish(db: Session, token: str, answer: str, now: datetime) -> None:
    """Any web process answers the token from here on, for `ANSWERED_FOR`."""
    db.execute(delete(CertificateChallenge).where(CertificateChallenge.until <= now))
    db.merge(CertificateChallenge(token=token, answer=answer, until=now + ANSWERED_FOR))
    db.commit()


def find_answer(db: Session, token: str, now: datetime) -> str | None:
    found = select(CertificateChallenge.answer).where(CertificateChallenge.token == token)
    return db.scalar(found.where(CertificateChallenge.until > now))
