"""Sessions: a random token in the signed cookie, its SHA-256 in a row that can be listed and revoked."""

from __future__ import annotations

import hashlib
import secrets
from datetime import datetime, timedelta

from flask import Flask, Request, Response, abort, current_app, g, redirect, request, url_for
from flask.sessions import SecureCookieSession, SecureCookieSessionInterface, SessionMixin
from flask.typing import ResponseReturnValue
from flask_login import LoginManager
from itsdangerous import URLSafeTimedSerializer
from sqlalchemy import bindparam, select
from sqlalchemy.orm import Session

from app.db import UNUSABLE
from app.runtime import Runtime, runtime
from app.users.models import User, UserSession, UserState
from app.vault.keyring import server_secret

IDLE_LIMIT = timedelta(hours=12)
STAY_LIMIT = timedelta(days=30)  # idle limit of "Stay signed in on this device"
SEEN_STEP = timedelta(minutes=5)  # how stale `seen_at` may be: not a write per request


def init_app(app: Flask) -> None:
    login_manager = LoginManager(app)
    login_manager.session_protection = None  # the row decides, not a fingerprint of address and browser
    login_manager.user_loader(load_user)
    login_manager.unauthorized_handler(ask_to_sign_in)
    app.session_interface = SharedKeySessions()
    app.permanent_session_lifetime = STAY_LIMIT
    app.before_request(require_key)


def ask_to_sign_in() -> ResponseReturnValue:
    """A page leads through the sign-in and back; anything else (a form, a fragment, a stream) learns 401."""
    is_page = request.method in ("GET", "HEAD") and request.headers.get("Sec-Fetch-Mode", "navigate") == "navigate"
    if not is_page:
        abort(401)
    return redirect(url_for("users.sign_in", next=request.full_path.rstrip("?")))


class SharedKeySessions(SecureCookieSessionInterface):
    """Cookies signed with the key all machines share, read when first needed: `flask db upgrade` runs without it."""

    def get_signing_serializer(self, app: Flask) -> URLSafeTimedSerializer | None:
        if not app.secret_key:
            parts: Runtime = app.extensions["satchel"]
            app.secret_key = server_secret(parts.private, "cookie")
        return super().get_signing_serializer(app)

    def open_session(self, app: Flask, request: Request) -> SecureCookieSession | None:
        """None where the key cannot be read: `require_key` says so, once there is a request to answer."""
        try:
            return super().open_session(app, request)
        except UNUSABLE:
            return None

    def save_session(self, app: Flask, session: SessionMixin, response: Response) -> None:
        """A form of another site comes without our cookie (SameSite), and must not put a new one in its place."""
        if request.method in ("GET", "HEAD") or request.headers.get("Sec-Fetch-Site") != "cross-site":
            super().save_session(app, session, response)


def require_key() -> None:
    """Raises what reading the key raises; probes go on without it."""
    if request.blueprint != "health":
        current_app.session_interface.get_signing_serializer(current_app)  # type: ignore[attr-defined]


def start_session(
    db: Session, user: User, now: datetime, *, address: str = "", user_agent: str = "", stay: bool = False
) -> str:
    """Sign `user` in; the token for the cookie.  The caller commits."""
    token = secrets.token_urlsafe(32)
    row = UserSession(
        token_hash=hash_token(token),
        user_id=user.id,
        created_at=now,
        seen_at=now,
        address=address,
        user_agent=user_agent[:300],
        stay=stay,
    )
    db.add(row)
    return token


def hash_token(token: str) -> str:
    return hashlib.sha256(token.encode()).hexdigest()


BY_TOKEN = select(UserSession).where(UserSession.token_hash == bindparam("token_hash"))  # asked by every request


def find_session(db: Session, token: str) -> UserSession | None:
    return db.scalar(BY_TOKEN, {"token_hash": hash_token(token)})


def is_alive(session: UserSession, now: datetime) -> bool:
    """Has this browser been used recently enough?"""
    return now - session.seen_at <= (STAY_LIMIT if session.stay else IDLE_LIMIT)


def load_user(token: str) -> User | None:
    """Flask-Login's question: whose session is this?  None if it ended, idled out, or the user may not sign in."""
    session = find_session(g.db, token)
    now = runtime().clock.now()
    if session is None or session.user.state != UserState.ACTIVE or not is_alive(session, now):
        return None
    if now - session.seen_at > SEEN_STEP:
        session.seen_at = now
        g.db.commit()
    session.user.session_token = token
    return session.user
