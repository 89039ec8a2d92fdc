"""Signing in and out, passwords, the second factor, registering: what people do about themselves."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import datetime
from typing import Protocol

from sqlalchemy import delete, select, update
from sqlalchemy.exc import IntegrityError
from sqlalchemy.orm import Session

from app.db import row_count
from app.errors import BadInput, LoginRefused, NotFound, SignInBusy, TooManyAttempts
from app.mail_services.models import RegistrationPolicy
from app.mail_services.modes import Mode
from app.mail_services.service import load_settings
from app.users import failures, links, passwords, throttle, totp
from app.users.models import LinkPurpose, OneTimeLink, User, UserRole, UserSession, UserState
from app.users.queries import count_admins
from app.users.sessions import hash_token, is_alive, start_session
from app.users.welcome import welcome
from app.vault.secretbox import Vault

STATE_AFTER = {
    RegistrationPolicy.OPEN: UserState.ACTIVE,
    RegistrationPolicy.APPROVAL: UserState.WAITING,
    RegistrationPolicy.ACTIVATION: UserState.UNCONFIRMED,
}
"""What an account is when somebody has just asked for it."""


@dataclass(frozen=True, slots=True)
class Browser:
    """Where a request came from, as the list of sessions shows it."""

    address: str = ""
    user_agent: str = ""


class Settings(Protocol):
    """A form that was found right."""

    def populate_obj(self, obj: User) -> None: ...


def find_user(db: Session, email: str) -> User | None:
    return db.scalar(select(User).where(User.email == email))


def check_sign_in(db: Session, email: str, password: str, browser: Browser, now: datetime) -> User:
    """Whoever this name and password belong to.

    Raises TooManyAttempts; SignInBusy; LoginRefused with no detail when the two do not match (an unknown name takes as
    long and looks the same), and with the reason, told only to who knows the password, when the account is not open.
    """
    with _recorded(db, email, browser, now):
        return _check_sign_in(db, email, password, browser, now)


@contextmanager
def _recorded(db: Session, email: str, browser: Browser, now: datetime) -> Iterator[None]:
    """A failure is noted for the admins; a name that is nobody's is not."""
    try:
        yield
    except (LoginRefused, TooManyAttempts):
        account = email if find_user(db, email) else ""
        failures.record(db, failures.Way.WEB, account, throttle.sign_in_limits(email, browser.address), now)
        raise


def _check_sign_in(db: Session, email: str, password: str, browser: Browser, now: datetime) -> User:
    attempt = throttle.count_attempt(db, throttle.sign_in_limits(email, browser.address), now)
    user = find_user(db, email)
    stored = user.password_hash if user else None
    db.rollback()  # no transaction waits for argon2
    if not _is_password(db, stored, password, attempt) or user is None:
        raise LoginRefused
    if user.state != UserState.ACTIVE:
        raise LoginRefused(user.state)
    if user.sealed_totp is None:
        throttle.forget_account(db, email, attempt)
    else:
        throttle.forget(db, attempt)  # guesses at the code still count
    return user


def _is_password(db: Session, stored: str | None, password: str, attempt: Sequence[int]) -> bool:
    """Who waited in vain for their turn made no attempt.  Raises SignInBusy.  May commit."""
    try:
        return passwords.check_password(stored, password)
    except SignInBusy:
        throttle.forget(db, attempt)
        raise


def check_code(db: Session, vault: Vault, user: User, code: str, browser: Browser, now: datetime) -> None:
    """The second step of a sign-in.  Raises TooManyAttempts, or LoginRefused for a wrong or used code."""
    with _recorded(db, user.email, browser, now):
        _check_code(db, vault, user, code, browser, now)


def _check_code(db: Session, vault: Vault, user: User, code: str, browser: Browser, now: datetime) -> None:
    attempt = throttle.count_attempt(db, throttle.sign_in_limits(user.email, browser.address), now)
    if user.sealed_totp is None or user.state != UserState.ACTIVE:
        raise LoginRefused
    secret = vault.open_text(totp_seal(user), user.sealed_totp)
    if not _use_step(db, user, totp.matching_step(secret, code, now)):
        raise LoginRefused
    throttle.forget_account(db, user.email, attempt)


def _use_step(db: Session, user: User, step: int | None) -> bool:
    """Use a code up: of two browsers with the same code one gets in.  Commits."""
    if step is None:
        return False
    newer = update(User).where(User.id == user.id, User.totp_last_step < step).values(totp_last_step=step)
    won = row_count(db.execute(newer)) == 1
    db.commit()
    return won


def totp_seal(user: User) -> str:
    """The name the secret of the second factor is sealed under (C1)."""
    return f"user.totp:{user.uuid}"


def sign_in(db: Session, user: User, browser: Browser, now: datetime, *, stay: bool) -> str:
    """Open a session; the token for its cookie."""
    token = start_session(db, user, now, address=browser.address, user_agent=browser.user_agent, stay=stay)
    db.commit()
    return token


def sign_out(db: Session, token: str) -> None:
    """End the session of `token`."""
    db.execute(delete(UserSession).where(UserSession.token_hash == hash_token(token)))
    db.commit()


def list_sessions(db: Session, user_id: int, now: datetime) -> Sequence[UserSession]:
    """The browsers someone is signed in with, the latest used first."""
    query = select(UserSession).where(UserSession.user_id == user_id).order_by(UserSession.seen_at.desc())
    return [session for session in db.scalars(query) if is_alive(session, now)]


def end_session(db: Session, user_id: int, session_id: int) -> None:
    """Sign one browser out.  Raises NotFound."""
    gone = db.execute(delete(UserSession).where(UserSession.id == session_id, UserSession.user_id == user_id))
    if row_count(gone) != 1:
        raise NotFound
    db.commit()


def end_all_sessions(db: Session, user_id: int) -> None:
    """Sign out everywhere."""
    db.execute(delete(UserSession).where(UserSession.user_id == user_id))
    db.commit()


def require_password(db: Session, user: User, password: str, browser: Browser, now: datetime) -> None:
    """Before something that a borrowed browser must not do.

    Raises TooManyAttempts, SignInBusy, and BadInput on `current`.
    """
    attempt = throttle.count_attempt(db, throttle.sign_in_limits(user.email, browser.address), now)
    if not _is_password(db, user.password_hash, password, attempt):
        raise BadInput("current", "")
    throttle.forget(db, attempt)


def set_password(db: Session, user: User, password: str) -> None:
    """Store a new password; every session ends and no reset link opens any more."""
    hashed = passwords.hash_password(password)
    user.password_hash = hashed
    db.execute(delete(UserSession).where(UserSession.user_id == user.id))
    db.execute(delete(OneTimeLink).where(OneTimeLink.user_id == user.id))
    db.commit()


def save_settings(db: Session, user: User, settings: Settings) -> None:
    """Store what a form of settings holds."""
    settings.populate_obj(user)
    db.commit()


def save_theme(db: Session, user: User, theme: str) -> None:
    user.theme = theme
    db.commit()


def turn_on_totp(db: Session, vault: Vault, user: User, secret: str, code: str, now: datetime) -> None:
    """Store the second factor once its first code was typed right.  Raises BadInput on `code`."""
    step = totp.matching_step(secret, code, now)
    if step is None:
        raise BadInput("code", "")
    user.sealed_totp, user.totp_last_step = vault.seal(totp_seal(user), secret), step
    db.commit()


def turn_off_totp(db: Session, user: User) -> None:
    user.sealed_totp = None
    db.commit()


def create_user(
    db: Session, email: str, name: str, password: str | None, now: datetime, *, role: UserRole = UserRole.USER
) -> User:
    """A new person who can sign in; without a password, an invited one.  Raises BadInput if the address is taken."""
    hashed = passwords.hash_password(password) if password is not None else None
    state = UserState.ACTIVE if hashed else UserState.UNCONFIRMED
    user = User(email=email, name=name, password_hash=hashed, role=role, state=state, created_at=now)
    db.add(user)
    _commit_new(db, user, now)
    return user


def _commit_new(db: Session, user: User, now: datetime) -> None:
    try:
        welcome(db, user, now)
        db.commit()
    except IntegrityError:
        db.rollback()
        raise BadInput("email", "taken") from None


def make_setup_link(db: Session, now: datetime) -> str | None:
    """The token that makes the first admin; None once there is one."""
    if count_admins(db):
        return None
    token = links.make_link(db, LinkPurpose.SETUP, None, now)
    db.commit()
    return token


def set_up(db: Session, token: str, email: str, name: str, password: str, mode: Mode, now: datetime) -> User:
    """The first admin, and what the installation is for.  Raises NotFound once there is an admin, BadInput."""
    link = links.get_link(db, LinkPurpose.SETUP, token, now)
    hashed = passwords.hash_password(password)
    links.use_link(db, link)
    if count_admins(db):
        raise NotFound
    settings = load_settings(db)
    settings.mode = mode
    user = User(email=email, name=name, password_hash=hashed, role=UserRole.ADMIN, created_at=now)
    db.add_all([settings, user])
    _commit_new(db, user, now)
    return user


def register(
    db: Session, policy: RegistrationPolicy, email: str, name: str, password: str, now: datetime
) -> tuple[User, str] | None:
    """Someone asks for an account: the row and, where a mail must confirm it, the token.  None: the address has one.

    The caller answers all three alike.  By activation nobody chooses a password before having read the mail, so that
    nobody can prepare an account for somebody else's address.
    """
    confirms = policy == RegistrationPolicy.ACTIVATION
    hashed = None if confirms else passwords.hash_password(password)
    user = find_user(db, email) or User(email=email, name=name, password_hash=hashed, created_at=now)
    is_new = user.id is None
    if not is_new and not (confirms and user.state == UserState.UNCONFIRMED):
        return None
    user.state = STATE_AFTER[policy]
    db.add(user)
    try:
        welcome(db, user, now)
        token = links.make_link(db, LinkPurpose.ACTIVATE, user.id, now) if confirms else ""
        db.commit()
    except IntegrityError:  # two at the same instant
        db.rollback()
        return None
    return user, token


def make_reset_link(db: Session, email: str, now: datetime) -> tuple[User, str] | None:
    """A link to a new password, for who may sign in; None for anybody else, and the caller says the same."""
    user = find_user(db, email)
    if user is None or user.state != UserState.ACTIVE:
        return None
    token = links.make_link(db, LinkPurpose.RESET, user.id, now)
    db.commit()
    return user, token


def take_link(db: Session, purpose: LinkPurpose, token: str, password: str, now: datetime) -> User:
    """Follow an invitation, an activation or a reset to its end: the password is set.  Raises NotFound."""
    link = links.get_link(db, purpose, token, now)
    user = db.get_one(User, link.user_id)
    if purpose == LinkPurpose.RESET and user.state != UserState.ACTIVE:
        raise NotFound
    hashed = passwords.hash_password(password)
    links.use_link(db, link)
    user.password_hash = hashed
    if user.state == UserState.UNCONFIRMED:
        user.state = UserState.ACTIVE
    welcome(db, user, now)
    db.execute(delete(UserSession).where(UserSession.user_id == user.id))
    db.execute(delete(OneTimeLink).where(OneTimeLink.user_id == user.id))
    db.commit()
    return user
