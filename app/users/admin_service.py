"""What an admin does about people."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime

from sqlalchemy import Select, delete, func, select
from sqlalchemy.orm import Session

from app.accounts.models import MailAccount
from app.errors import NotAllowed, NotFound
from app.users import links
from app.users.models import LinkPurpose, User, UserRole, UserSession, UserState
from app.users.service import create_user
from app.users.welcome import welcome


@dataclass(frozen=True, slots=True)
class UserRow:
    """One line of the list: the person, when they were last seen, how many mail accounts they have."""

    user: User
    seen_at: datetime | None
    accounts: int


def list_users(db: Session) -> Sequence[UserRow]:
    """Everybody, those who wait for an admin first."""
    rows = db.execute(_rows().order_by(User.state != UserState.WAITING, User.email))
    return [UserRow(user, seen_at, accounts) for user, seen_at, accounts in rows]


def get_row(db: Session, admin: User, user_id: int) -> UserRow:
    """Somebody else's line of the list.  Raises NotFound or NotAllowed."""
    user = get_other(db, admin, user_id)
    _user, seen_at, accounts = db.execute(_rows().where(User.id == user.id)).one()
    return UserRow(user, seen_at, accounts)


def _rows() -> Select[User, datetime | None, int]:
    seen = select(func.max(UserSession.seen_at)).where(UserSession.user_id == User.id).scalar_subquery()
    accounts = select(func.count()).where(MailAccount.owner_id == User.id).scalar_subquery()
    return select(User, seen, accounts)


def get_user(db: Session, user_id: int) -> User:
    """Raises NotFound."""
    user = db.get(User, user_id)
    if user is None:
        raise NotFound
    return user


def get_other(db: Session, admin: User, user_id: int) -> User:
    """Somebody else: no admin disables, demotes or deletes themselves.  Raises NotFound or NotAllowed."""
    if user_id == admin.id:
        raise NotAllowed
    return get_user(db, user_id)


def disable(db: Session, admin: User, user_id: int) -> User:
    """No more sign-in, and every browser of theirs is signed out.  Raises NotFound or NotAllowed."""
    user = get_other(db, admin, user_id)
    user.state = UserState.DISABLED
    db.execute(delete(UserSession).where(UserSession.user_id == user.id))
    db.commit()
    return user


def enable(db: Session, user_id: int, now: datetime) -> User:
    """Let someone sign in (again): the disabled and those who wait for approval.  Raises NotFound."""
    user = get_user(db, user_id)
    user.state = UserState.ACTIVE if user.password_hash else UserState.UNCONFIRMED
    welcome(db, user, now)
    db.commit()
    return user


def set_role(db: Session, admin: User, user_id: int, role: UserRole, now: datetime) -> User:
    """Raises NotFound or NotAllowed."""
    user = get_other(db, admin, user_id)
    user.role = role
    welcome(db, user, now)
    db.commit()
    return user


def delete_user(db: Session, admin: User, user_id: int) -> Sequence[int]:
    """Remove someone and everything of theirs; the ids of their mail accounts.  Raises NotFound or NotAllowed."""
    user = get_other(db, admin, user_id)
    accounts = db.scalars(select(MailAccount.id).where(MailAccount.owner_id == user.id)).all()
    db.execute(delete(User).where(User.id == user.id))
    db.commit()
    return accounts


def invite(db: Session, email: str, name: str, role: UserRole, now: datetime) -> tuple[User, str]:
    """A person without a password yet, and the token of their invitation.  Raises BadInput if the address is taken."""
    user = create_user(db, email, name, None, now, role=role)
    return user, _link(db, LinkPurpose.INVITE, user, now)


def make_password_link(db: Session, user_id: int, now: datetime) -> tuple[User, LinkPurpose, str]:
    """A link to a new password, or a new invitation for who never had one.  Raises NotFound or NotAllowed."""
    user = get_user(db, user_id)
    purposes = {UserState.ACTIVE: LinkPurpose.RESET, UserState.UNCONFIRMED: LinkPurpose.INVITE}
    if user.state not in purposes:
        raise NotAllowed
    return user, purposes[user.state], _link(db, purposes[user.state], user, now)


def _link(db: Session, purpose: LinkPurpose, user: User, now: datetime) -> str:
    token = links.make_link(db, purpose, user.id, now)
    db.commit()
    return token


def reset_totp(db: Session, user_id: int) -> User:
    """Remove a lost second factor; the person signs in with the password and sets a new one up.  Raises NotFound."""
    user = get_user(db, user_id)
    user.sealed_totp = None
    db.commit()
    return user
