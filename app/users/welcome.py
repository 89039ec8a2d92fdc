"""Who may sign in from now on is made known to those that have something for them: an extension's mailbox, say."""

from __future__ import annotations

from collections.abc import Callable
from datetime import datetime

from sqlalchemy.orm import Session

from app.users.models import User, UserState

WELCOMES: dict[str, Callable[[Session, User, datetime], None]] = {}
"""By name; each may be called again for the same person, and does not commit."""


def welcome(db: Session, user: User, now: datetime) -> None:
    """Call it before the commit that made `user` active, or gave them another role; nothing for who may not sign in."""
    db.flush()
    if user.state == UserState.ACTIVE:
        for each in WELCOMES.values():
            each(db, user, now)
