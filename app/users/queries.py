"""What others ask about people."""

from __future__ import annotations

from sqlalchemy import func, select
from sqlalchemy.orm import Session

from app.users.models import User, UserRole


def count_admins(db: Session) -> int:
    """Admins who have taken up their account; while there are none, the set-up link works."""
    query = select(func.count()).where(User.role == UserRole.ADMIN, User.password_hash.is_not(None))
    return db.scalar(query) or 0
