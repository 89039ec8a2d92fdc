"""What servers refused: told to the person once."""

from __future__ import annotations

from collections.abc import Collection, Sequence

from sqlalchemy import bindparam, select, update
from sqlalchemy.orm import Session

from app.actions.models import Action, ActionState

REFUSED = (  # asked by every page that shows a list
    select(Action)
    .where(Action.user_id == bindparam("user_id"), Action.state == ActionState.REFUSED, Action.noticed.is_(False))
    .order_by(Action.id)
)


def refused_actions(db: Session, user_id: int) -> Sequence[Action]:
    """What a server refused and the person has not been told yet."""
    return db.scalars(REFUSED, {"user_id": user_id}).all()


def mark_noticed(db: Session, user_id: int, action_ids: Collection[int]) -> None:
    """They were told.  Commits."""
    shown = update(Action).where(Action.user_id == user_id, Action.id.in_(action_ids))
    db.execute(shown.values(noticed=True))
    db.commit()
