"""An account's error, stored where its owner sees it beside the account's name (E14)."""

from __future__ import annotations

from datetime import datetime, timedelta

from sqlalchemy import Update, delete, exists, select, update
from sqlalchemy.orm import Session

from app.accounts.models import AccountState, MailAccount
from app.bus import Topic
from app.engine.desk import Desk
from app.errors import LoginRefused, MailError
from app.mirror.models import BodyRequest, RequestState

MAX_DETAIL = 500
FINE = {"error": "", "error_detail": "", "error_at": None, "retry_at": None}


def note_success(desk: Desk) -> None:
    """The account was synced: it is ready, and an error it had is over."""
    with desk.session() as db:
        had_error = db.scalar(select(MailAccount.error).where(MailAccount.id == desk.account_id))
        db.execute(_account(desk).values(state=AccountState.READY, last_sync_at=desk.parts.clock.now(), **FINE))
        db.commit()
    if had_error:
        desk.ring_tree()


def note_recovery(desk: Desk) -> None:
    """The server answers again; what was synced before still is."""
    account = select(MailAccount.last_sync_at).where(MailAccount.id == desk.account_id)
    with desk.session() as db:
        synced = db.scalar(account) is not None
        db.execute(_account(desk).values(**FINE, state=AccountState.READY if synced else AccountState.NEW))
        db.commit()
    desk.ring_tree()


def note_failure(desk: Desk, error: MailError, wait_s: float) -> None:
    """The account rests for `wait_s`; its owner is told why."""
    now = desk.parts.clock.now()
    refused = isinstance(error, LoginRefused)
    values = {
        "state": AccountState.REFUSED if refused else AccountState.UNREACHABLE,
        "error": type(error).__name__,
        "error_detail": error.detail[:MAX_DETAIL],
        "error_at": now,
        "retry_at": now + timedelta(seconds=wait_s),
    }
    with desk.session() as db:
        db.execute(_account(desk).values(**values))
        db.commit()
    desk.ring_tree()


def _account(desk: Desk) -> Update:
    return update(MailAccount).where(desk.lease.covers())


def fail_requests(desk: Desk, error: MailError) -> None:
    """Answer those who wait for bodies that cannot be fetched now, rather than let them wait."""
    wanted = (BodyRequest.account_id == desk.account_id) & (BodyRequest.state == RequestState.WANTED)
    with desk.session() as db:
        ids = db.scalars(select(BodyRequest.id).where(wanted)).all()
        failed = {
            "state": RequestState.FAILED,
            "error": type(error).__name__,
            "error_detail": error.detail[:MAX_DETAIL],
        }
        db.execute(update(BodyRequest).where(BodyRequest.id.in_(ids), wanted).values(failed))
        db.commit()
    for request_id in ids:
        desk.ring(Topic.BODY_READY, request_id)


def forget_old_requests(db: Session, before: datetime) -> None:
    """Requests nobody waits for any more."""
    old = BodyRequest.requested_at < before
    if db.scalar(select(exists().where(old))):
        db.execute(delete(BodyRequest).where(old))
        db.commit()
