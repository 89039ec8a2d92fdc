"""People who sign in, their sessions, and links that work once."""

from __future__ import annotations

from datetime import datetime
from enum import StrEnum
from uuid import uuid4

from sqlalchemy import ForeignKey, Index, String, UniqueConstraint
from sqlalchemy.orm import Mapped, mapped_column, relationship

from app.db import Base, UtcDateTime


class UserRole(StrEnum):
    USER = "user"
    ADMIN = "admin"


class UserState(StrEnum):
    ACTIVE = "active"
    UNCONFIRMED = "unconfirmed"  # must follow the link mailed to them
    WAITING = "waiting"  # an admin must approve
    DISABLED = "disabled"


class User(Base):
    """Someone who signs in; everything of theirs hangs on this row."""

    __tablename__ = "user"
    __table_args__ = {"sqlite_autoincrement": True}

    id: Mapped[int] = mapped_column(primary_key=True)
    uuid: Mapped[str] = mapped_column(String(36), unique=True, default=lambda: str(uuid4()))
    email: Mapped[str] = mapped_column(String(254), unique=True)  # lower case; what they sign in with
    name: Mapped[str] = mapped_column(String(200), default="")
    password_hash: Mapped[str | None] = mapped_column(String(200))  # argon2id; None until an invitation is taken
    role: Mapped[UserRole] = mapped_column(default=UserRole.USER)
    state: Mapped[UserState] = mapped_column(default=UserState.ACTIVE)
    sealed_totp: Mapped[bytes | None]
    totp_last_step: Mapped[int] = mapped_column(default=0)  # a code works once
    theme: Mapped[str] = mapped_column(String(10), default="auto")  # auto, light, dark
    density: Mapped[str] = mapped_column(String(10), default="normal")  # compact, normal, relaxed
    language: Mapped[str] = mapped_column(String(10), default="")  # empty: what the browser asks for
    timezone: Mapped[str] = mapped_column(String(64), default="")  # IANA name; empty: the browser's, else UTC
    layout: Mapped[str] = mapped_column(String(10), default="panes")  # panes, list, bottom
    conversations: Mapped[bool] = mapped_column(default=True)
    single_keys: Mapped[bool] = mapped_column(default=True)  # WCAG 2.1.4: can be switched off
    undo_s: Mapped[int] = mapped_column(default=10)  # how long sending is held
    mark_read_after_s: Mapped[int] = mapped_column(default=0)  # -1: never by itself
    created_at: Mapped[datetime] = mapped_column(UtcDateTime)

    is_active = is_authenticated = True  # what flask-login asks; its mixin would bring Flask into every process
    is_anonymous = False
    session_token = ""
    """The token this person's request came with; what the cookie holds (see sessions.py)."""

    def get_id(self) -> str:
        return self.session_token

    sessions: Mapped[list[UserSession]] = relationship(back_populates="user", passive_deletes=True)


class UserSession(Base):
    """One browser signed in; the cookie holds a random token, this row its SHA-256."""

    __tablename__ = "user_session"

    id: Mapped[int] = mapped_column(primary_key=True)
    token_hash: Mapped[str] = mapped_column(String(64), unique=True)
    user_id: Mapped[int] = mapped_column(ForeignKey("user.id", ondelete="CASCADE"), index=True)
    created_at: Mapped[datetime] = mapped_column(UtcDateTime)
    seen_at: Mapped[datetime] = mapped_column(UtcDateTime)
    address: Mapped[str] = mapped_column(String(45), default="")
    user_agent: Mapped[str] = mapped_column(String(300), default="")
    stay: Mapped[bool] = mapped_column(default=False)  # "Stay signed in on this device"
    user: Mapped[User] = relationship(back_populates="sessions", lazy="joined")


class LinkPurpose(StrEnum):
    SETUP = "setup"  # the first admin
    INVITE = "invite"
    ACTIVATE = "activate"
    RESET = "reset"


class OneTimeLink(Base):
    """A link that works once and for a while; only the token's SHA-256 is stored."""

    __tablename__ = "one_time_link"

    id: Mapped[int] = mapped_column(primary_key=True)
    token_hash: Mapped[str] = mapped_column(String(64), unique=True)
    purpose: Mapped[LinkPurpose]
    user_id: Mapped[int | None] = mapped_column(ForeignKey("user.id", ondelete="CASCADE"), index=True)
    expires_at: Mapped[datetime] = mapped_column(UtcDateTime)


class LoginFailure(Base):
    """One attempt that has not succeeded, counted per account name and per address to slow guessing (throttle.py)."""

    __tablename__ = "login_failure"
    __table_args__ = (
        Index("ix_login_failure_key_failed_at", "key", "failed_at"),
        Index("ix_login_failure_failed_at", "failed_at"),
    )

    id: Mapped[int] = mapped_column(primary_key=True)
    key: Mapped[str] = mapped_column(String(80))  # such as "account:<hash>" or "address:<ip>"
    failed_at: Mapped[datetime] = mapped_column(UtcDateTime)


class SignInFailure(Base):
    """Failed sign-ins of one account from one network over one way, for the admin to read (failures.py)."""

    __tablename__ = "sign_in_failure"
    __table_args__ = (UniqueConstraint("way", "account", "network"),)

    id: Mapped[int] = mapped_column(primary_key=True)
    way: Mapped[str] = mapped_column(String(10))  # a failures.Way
    account: Mapped[str] = mapped_column(String(254))  # a person's address or a mailbox; empty: nobody's name
    network: Mapped[str] = mapped_column(String(64))
    times: Mapped[int]
    first_at: Mapped[datetime] = mapped_column(UtcDateTime)
    last_at: Mapped[datetime] = mapped_column(UtcDateTime, index=True)
    throttled_until: Mapped[datetime | None] = mapped_column(UtcDateTime)
    account_key: Mapped[str] = mapped_column(String(80))  # of LoginFailure, as it was last
    network_key: Mapped[str] = mapped_column(String(80))
