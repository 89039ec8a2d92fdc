"""Who comes and who goes is made known to those that keep something for them: an extension's mailbox, say."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from datetime import datetime

from sqlalchemy.orm import Session

from app.users.models import User, UserState

WELCOMES: dict[str, Callable[[Session, User, datetime], None]] = {}
"""By name; each may be called again for the same person, and does not commit."""

FAREWELLS: dict[str, Callable[[User], str]] = {}
"""By name: what the page says, before somebody is deleted, of what is kept of theirs; empty: nothing is."""


def farewells(user: User) -> Sequence[str]:
    """What is to be said before `user` is deleted."""
    return [words for each in FAREWELLS.values() if (words := each(user))]


def welcome(db: Session, user: User, now: datetime) -> None:
    """Call it before the commit that made `user` active, or gave them another role; nothing for who may not sign in."""
    db.flush()
    if user.state == UserState.ACTIVE:
        for each in WELCOMES.values():
            each(db, user, now)
