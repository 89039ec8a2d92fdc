"""Links that work once: a random token in the address, its SHA-256 in a row."""

from __future__ import annotations

import secrets
from datetime import datetime, timedelta

from sqlalchemy import delete, select
from sqlalchemy.orm import Session

from app.db import row_count
from app.errors import NotFound
from app.users.models import LinkPurpose, OneTimeLink
from app.users.sessions import hash_token

LIFETIME = {
    LinkPurpose.SETUP: timedelta(days=7),
    LinkPurpose.INVITE: timedelta(days=7),
    LinkPurpose.ACTIVATE: timedelta(days=2),
    LinkPurpose.RESET: timedelta(hours=24),
}


def make_link(db: Session, purpose: LinkPurpose, user_id: int | None, now: datetime) -> str:
    """A new token; older ones of the same kind for the same person stop working.  The caller commits."""
    same = (OneTimeLink.purpose == purpose) & (OneTimeLink.user_id.is_not_distinct_from(user_id))
    db.execute(delete(OneTimeLink).where(same | (OneTimeLink.expires_at < now)))
    token = secrets.token_urlsafe(32)
    row = OneTimeLink(
        token_hash=hash_token(token), purpose=purpose, user_id=user_id, expires_at=now + LIFETIME[purpose]
    )
    db.add(row)
    return token


def get_link(db: Session, purpose: LinkPurpose, token: str, now: datetime) -> OneTimeLink:
    """The link of `token`, still unused.  Raises NotFound."""
    found = db.scalar(select(OneTimeLink).where(OneTimeLink.token_hash == hash_token(token)))
    if found is None or found.purpose != purpose or found.expires_at <= now:
        raise NotFound("The link has been used already, or is too old.")
    return found


def use_link(db: Session, link: OneTimeLink) -> None:
    """Use the link up; of two who try at once, one gets NotFound.  The caller commits."""
    gone = db.execute(delete(OneTimeLink).where(OneTimeLink.id == link.id).execution_options(synchronize_session=False))
    if row_count(gone) != 1:
        raise NotFound("The link has been used already, or is too old.")
