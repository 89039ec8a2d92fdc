"""What an admin does to mail in the queue: hold, release, try now, drop (X4).  Its functions commit.

What a delivery process is at work on is left to it: its claim says whose word counts.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from enum import StrEnum

from sqlalchemy import ColumnElement, and_, case, func, or_, select, update
from sqlalchemy.orm import Session

from app.extension_api import NotFound, row_count
from mailsite_ext.delivery.models import QueuedMessage, QueuedRecipient
from mailsite_ext.delivery.retry import Fate, Notice
from mailsite_ext.protocol.smtp_grammar import Notify

MOST_NAMED = 5  # addresses, where it is asked whether to drop them
DROPPED_CODE = 554
DROPPED_WORDS = "5.0.0 an administrator took it out of the queue"


class Deed(StrEnum):
    HOLD = "hold"
    RELEASE = "release"
    RETRY = "retry"  # now, not when its time comes
    DROP = "drop"  # its sender is told
    DROP_SILENTLY = "drop-silently"


DROPS = (Deed.DROP, Deed.DROP_SILENTLY)
OPEN = (Fate.WAITING, Fate.HELD)
CONCERNS: Mapping[Deed, tuple[Fate, ...]] = {
    Deed.HOLD: (Fate.WAITING,),
    Deed.RELEASE: (Fate.HELD,),
    Deed.RETRY: (Fate.WAITING,),
    Deed.DROP: OPEN,
    Deed.DROP_SILENTLY: OPEN,
}


@dataclass(frozen=True, slots=True)
class Done:
    """How many recipients it was done to, and how many were left because they are being delivered right now."""

    recipients: int
    under_way: int


def of_recipient(recipient_id: int) -> ColumnElement[bool]:
    return QueuedRecipient.id == recipient_id


def of_message(message_id: int) -> ColumnElement[bool]:
    return QueuedRecipient.message_id == message_id


def of_destination(domain: str) -> ColumnElement[bool]:
    return QueuedRecipient.domain == domain


def is_under_way(now: datetime) -> ColumnElement[bool]:
    return and_(QueuedRecipient.fate == Fate.WAITING, QueuedRecipient.claimed_until > now)


def count_concerned(db: Session, deed: Deed, these: ColumnElement[bool]) -> tuple[int, Sequence[str]]:
    """How many of `these` it would be done to, and the addresses of some.  Raises NotFound where there are none."""
    _require_some(db, these)
    concerned = and_(these, QueuedRecipient.fate.in_(CONCERNS[deed]))
    number = db.scalar(select(func.count()).select_from(QueuedRecipient).where(concerned)) or 0
    some = select(QueuedRecipient.address).where(concerned).order_by(QueuedRecipient.id).limit(MOST_NAMED)
    return number, db.scalars(some).all()


def _require_some(db: Session, these: ColumnElement[bool]) -> None:
    if db.scalar(select(QueuedRecipient.id).where(these).limit(1)) is None:
        raise NotFound


def carry_out(db: Session, deed: Deed, these: ColumnElement[bool], now: datetime) -> Done:
    """Do it to those of `these` it concerns.  Raises NotFound where there are none of any fate."""
    _require_some(db, these)
    free = or_(QueuedRecipient.claimed_until.is_(None), QueuedRecipient.claimed_until <= now)
    changed = update(QueuedRecipient).where(these, QueuedRecipient.fate.in_(CONCERNS[deed]), free)
    done = row_count(db.execute(changed.values(_values(deed, now)).execution_options(synchronize_session=False)))
    db.commit()
    busy = select(func.count()).select_from(QueuedRecipient).where(these, is_under_way(now))
    return Done(done, db.scalar(busy) or 0)


def _values(deed: Deed, now: datetime) -> Mapping[str, object]:
    match deed:
        case Deed.HOLD:
            return {"fate": Fate.HELD}
        case Deed.RELEASE:
            return {"fate": Fate.WAITING, "next_at": now}
        case Deed.RETRY:
            return {"next_at": now}
    return {
        "fate": Fate.DROPPED,
        "code": DROPPED_CODE,
        "words": DROPPED_WORDS,
        "host": "",
        "tried_at": now,
        "to_tell": case((_hears_of_failure(), Notice.FAILED.value), else_="") if deed is Deed.DROP else "",
    }


def _hears_of_failure() -> ColumnElement[bool]:
    """As bounce.is_wanted: nothing said means failures; what has no sender answers nobody (RFC 3461 §4.1)."""
    wanted = or_(QueuedRecipient.notify == "", QueuedRecipient.notify.contains(Notify.FAILURE.value))
    sender = select(QueuedMessage.sender).where(QueuedMessage.id == QueuedRecipient.message_id).scalar_subquery()
    return and_(wanted, sender != "")
