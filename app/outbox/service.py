"""The outbox in SQL: what is handed over, what is due, what became of it.  Every step is a conditional UPDATE."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any

import sqlalchemy as sa
from sqlalchemy import select, update
from sqlalchemy.orm import Session

from app.compose.models import Draft, DraftKind
from app.db import row_count
from app.errors import DraftConflict, NotFound
from app.outbox.models import Outgoing
from app.outbox.states import GIVE_UP_AFTER_S, Event, OutboxState, Outcome, retry_wait_s

ANSWER_FLAGS = {DraftKind.REPLY: "\\Answered", DraftKind.REPLY_ALL: "\\Answered", DraftKind.FORWARD: "$Forwarded"}
SHOWN = (OutboxState.HELD, OutboxState.SENDING, OutboxState.REFUSED, OutboxState.UNKNOWN)
KEPT_DAYS = 30
ACCOUNT_REMOVED = "account removed"


@dataclass(frozen=True, slots=True)
class Finished:
    """A message as it will go out: built once, sent octet for octet at every try."""

    mail_from: str
    recipients: Sequence[str]
    subject: str
    message_id: str  # without angle brackets
    message: bytes
    bcc: str = ""
    needs_smtputf8: bool = False


def hand_over(
    db: Session, draft: Draft, finished: Finished, *, now: datetime, undo_s: int, later: datetime | None = None
) -> Outgoing:
    """Take `draft` as it stands at its version, held for `undo_s`, or until the person wants it sent `later`.

    Raises DraftConflict if it was saved meanwhile, or handed over already: pressing Send twice sends once.
    """
    taken = db.execute(
        update(Draft)
        .where(Draft.id == draft.id, Draft.version == draft.version, ~Draft.handed_over)
        .values(handed_over=True, file_after=None)
    )
    if not row_count(taken):
        db.rollback()
        raise DraftConflict
    outgoing = Outgoing(
        user_id=draft.user_id,
        account_id=draft.account_id,
        draft_id=draft.id,
        answers_message_id=draft.answers_message_id,
        answer_flag=ANSWER_FLAGS.get(draft.kind, ""),
        mail_from=finished.mail_from,
        recipients=list(finished.recipients),
        subject=finished.subject,
        message_id=finished.message_id,
        message=finished.message,
        bcc=finished.bcc,
        needs_smtputf8=finished.needs_smtputf8,
        created_at=now,
        not_before=later or now + timedelta(seconds=undo_s),
        scheduled_at=later,
    )
    db.add(outgoing)
    db.commit()
    return outgoing


def get_outgoing(db: Session, user_id: int, uuid: str) -> Outgoing:
    """Raises NotFound, also for somebody else's."""
    found = db.scalar(select(Outgoing).where(Outgoing.uuid == uuid, Outgoing.user_id == user_id))
    if found is None:
        raise NotFound
    return found


def list_outbox(db: Session, user_id: int) -> Sequence[Outgoing]:
    """What a person should see: what waits, is on its way, was refused or is unknown, and sent mail with refusals."""
    partly = sa.and_(Outgoing.state.in_((OutboxState.ACCEPTED, OutboxState.FILED)), Outgoing.error != "")
    mine = select(Outgoing).where(Outgoing.user_id == user_id, sa.or_(Outgoing.state.in_(SHOWN), partly))
    return db.scalars(mine.order_by(Outgoing.created_at.desc()).limit(200)).all()


def find_unsent_of(db: Session, draft_id: int) -> Outgoing | None:
    """The newest row of a draft that is on its way, refused or unknown: what its composer has to say."""
    mine = select(Outgoing).where(Outgoing.draft_id == draft_id, Outgoing.state.in_(SHOWN))
    return db.scalar(mine.order_by(Outgoing.id.desc()).limit(1))


def due(db: Session, account_id: int, now: datetime) -> Sequence[Outgoing]:
    """What is to be sent now, in the order it was written; the octets are not loaded."""
    waiting = select(Outgoing).where(Outgoing.account_id == account_id, Outgoing.state == OutboxState.HELD)
    return db.scalars(waiting.where(Outgoing.not_before <= now).order_by(Outgoing.id).limit(50)).all()


def next_due_at(db: Session, account_id: int) -> datetime | None:
    """When the next message of the account is to be sent; None: nothing waits."""
    waiting = select(sa.func.min(Outgoing.not_before).label("at")).where(
        Outgoing.account_id == account_id, Outgoing.state == OutboxState.HELD
    )
    return db.scalar(select(sa.type_coerce(waiting.scalar_subquery(), Outgoing.not_before.type)))


def move(db: Session, outgoing_id: int, event: Event, **values: Any) -> bool:
    """Carry out `event`; False if the row is in no state for it any more.  The caller commits."""
    may = update(Outgoing).where(Outgoing.id == outgoing_id, Outgoing.state.in_(event.sources))
    return row_count(db.execute(may.values(state=event.target, **values))) == 1


def start(db: Session, outgoing_id: int, now: datetime) -> bool:
    """Write `sending`, durably, before the first octet goes out.  False: somebody else did, or it was cancelled."""
    still_due = select(Outgoing.id).where(Outgoing.id == outgoing_id, Outgoing.not_before <= now)
    if db.scalar(still_due) is None:
        return False
    started = move(db, outgoing_id, Event.START, attempts=Outgoing.attempts + 1)
    db.commit()
    return started


def finish(db: Session, outgoing: Outgoing, outcome: Outcome, now: datetime) -> bool:
    """Write what became of a message that was being sent; False if that was decided elsewhere meanwhile."""
    settle = {Event.ACCEPT: _accept, Event.REFUSE: _refuse, Event.DEFER: _defer}[outcome.event]
    settled = settle(db, outgoing, outcome, now)
    db.commit()
    return settled


def _accept(db: Session, outgoing: Outgoing, outcome: Outcome, now: datetime) -> bool:
    words = "; ".join(f"{who}: {said}" for who, said in outcome.refused.items())
    if not move(db, outgoing.id, Event.ACCEPT, results=dict(outcome.refused), error=words, accepted_at=now):
        return False
    if outcome.later:
        db.add(_remainder(outgoing, outcome.later, now))
    db.execute(sa.delete(Draft).where(Draft.id == outgoing.draft_id))
    return True


def _remainder(outgoing: Outgoing, recipients: Sequence[str], now: datetime) -> Outgoing:
    """The same message for those the server put off while it accepted it for others."""
    return Outgoing(
        user_id=outgoing.user_id,
        account_id=outgoing.account_id,
        is_remainder=True,
        mail_from=outgoing.mail_from,
        recipients=list(recipients),
        subject=outgoing.subject,
        message_id=outgoing.message_id,
        message=outgoing.message,
        needs_smtputf8=outgoing.needs_smtputf8,
        created_at=now,
        not_before=now + timedelta(seconds=retry_wait_s(1)),
        attempts=1,
    )


def _refuse(db: Session, outgoing: Outgoing, outcome: Outcome, _now: datetime) -> bool:
    if not move(db, outgoing.id, Event.REFUSE, results=dict(outcome.refused), error=outcome.words):
        return False
    _reopen_draft(db, outgoing)
    return True


def _defer(db: Session, outgoing: Outgoing, outcome: Outcome, now: datetime) -> bool:
    """Later; after GIVE_UP_AFTER_S never, with the last words."""
    if now - (outgoing.scheduled_at or outgoing.created_at) > timedelta(seconds=GIVE_UP_AFTER_S):
        return _refuse(db, outgoing, outcome, now)
    attempts = db.scalar(select(Outgoing.attempts).where(Outgoing.id == outgoing.id)) or 1
    again_at = now + timedelta(seconds=retry_wait_s(attempts))
    return move(db, outgoing.id, Event.DEFER, not_before=again_at, error=outcome.words)


def lose(db: Session, outgoing_id: int, words: str) -> None:
    """Nobody knows whether it was accepted: it is looked for in Sent, and never sent again unasked."""
    move(db, outgoing_id, Event.LOSE, error=words, looked_at=None)
    db.commit()


def recover(db: Session, account_id: int) -> int:
    """What a dead engine left in `sending` is unknown now; call when an account is taken over, before sending."""
    left = update(Outgoing).where(Outgoing.account_id == account_id, Outgoing.state == OutboxState.SENDING)
    found = row_count(db.execute(left.values(state=Event.LOSE.target, looked_at=None)))
    db.commit()
    return found


def cancel(db: Session, outgoing: Outgoing) -> bool:
    """Undo, or keep as draft: the draft opens again.  False: too late, it is on its way."""
    if not move(db, outgoing.id, Event.CANCEL, message=b""):
        db.rollback()
        return False
    _reopen_draft(db, outgoing)
    db.commit()
    return True


def send_again(db: Session, outgoing: Outgoing, now: datetime) -> bool:
    """The person decided: an unknown one goes out again; one that waits for its hour or its next try goes now."""
    if move(db, outgoing.id, Event.AGAIN, not_before=now, error=""):
        db.commit()
        return True
    waits = sa.or_(Outgoing.attempts > 0, Outgoing.scheduled_at.is_not(None))
    hurry = update(Outgoing).where(Outgoing.id == outgoing.id, Outgoing.state == OutboxState.HELD, waits)
    hurried = row_count(db.execute(hurry.values(not_before=now)))
    db.commit()
    return hurried == 1


def call_sent(db: Session, outgoing: Outgoing, now: datetime) -> bool:
    """An unknown one was sent: it stands in Sent, or the person says so.  It is filed next."""
    if not move(db, outgoing.id, Event.ACCEPT, accepted_at=now, error=""):
        db.rollback()
        return False
    db.execute(sa.delete(Draft).where(Draft.id == outgoing.draft_id))
    db.commit()
    return True


def dismiss(db: Session, outgoing: Outgoing) -> None:
    """The person has read that it was refused, or for whom: the row goes once nothing is left to do for it."""
    db.execute(
        update(Outgoing)
        .where(Outgoing.id == outgoing.id, Outgoing.state.in_((OutboxState.ACCEPTED, OutboxState.FILED)))
        .values(error="")
    )
    refused = sa.delete(Outgoing).where(Outgoing.id == outgoing.id, Outgoing.state == OutboxState.REFUSED)
    db.execute(refused)
    db.commit()


def _reopen_draft(db: Session, outgoing: Outgoing) -> None:
    """The draft may be edited again; it is filed again, too."""
    mine = update(Draft).where(Draft.id == outgoing.draft_id)
    db.execute(mine.values(handed_over=False, file_after=Draft.updated_at))


def cancel_orphans(db: Session) -> int:
    """What was to go out through an account that is gone does not; the draft opens again (N5)."""
    gone = select(Outgoing).where(Outgoing.account_id.is_(None), Outgoing.state.in_(SHOWN[:2]))
    orphans = db.scalars(gone).all()
    for orphan in orphans:
        never = update(Outgoing).where(Outgoing.id == orphan.id, Outgoing.state == orphan.state)
        db.execute(never.values(state=OutboxState.CANCELLED, error=ACCOUNT_REMOVED, message=b""))
        _reopen_draft(db, orphan)
    db.commit()
    return len(orphans)


def forget_old(db: Session, now: datetime) -> None:
    """Rows nobody needs any more: filed or cancelled, and a month old."""
    ended = (OutboxState.FILED, OutboxState.CANCELLED)
    old = sa.delete(Outgoing).where(Outgoing.state.in_(ended), Outgoing.created_at < now - timedelta(days=KEPT_DAYS))
    db.execute(old)
    db.commit()
