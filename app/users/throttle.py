"""Guessing made slow: attempts are counted per account name and per address before they are tried."""

from __future__ import annotations

import hashlib
import ipaddress
from collections.abc import Sequence
from dataclasses import dataclass, replace
from datetime import datetime, timedelta

from sqlalchemy import delete, func, select
from sqlalchemy.orm import Session

from app.errors import TooManyAttempts
from app.users.models import LoginFailure

KEPT = timedelta(days=1)


@dataclass(frozen=True, slots=True)
class Limit:
    """At most `attempts` under one `key` within `window`."""

    key: str
    attempts: int
    window: timedelta = timedelta(minutes=15)


def account_key(name: str) -> str:
    """The key of an account name, known here or not: its hash, so that the table lists nobody's address."""
    return "account:" + hashlib.sha256(name.strip().lower().encode()).hexdigest()


def address_key(address: str | None) -> str:
    """The key of a client's address; an IPv6 client has its whole /64."""
    try:
        ip = ipaddress.ip_address(address or "")
    except ValueError:
        return "address:unknown"
    if isinstance(ip, ipaddress.IPv6Address):
        ip = ip.ipv4_mapped or ipaddress.IPv6Network((ip, 64), strict=False).network_address
    return f"address:{ip}"


def sign_in_limits(name: str, address: str | None) -> tuple[Limit, Limit]:
    """Ten wrong guesses at one account and fifty from one address, in 15 minutes."""
    return (Limit(account_key(name), 10), Limit(address_key(address), 50))


def mail_limits(name: str, address: str | None) -> Sequence[Limit]:
    """Mails to strangers: three to one mailbox and ten asked for from one address, in an hour."""
    hour = timedelta(hours=1)
    return (Limit("mail-" + account_key(name), 3, hour), Limit("mail-" + address_key(address), 10, hour))


def count_attempt(db: Session, limits: Sequence[Limit], now: datetime) -> Sequence[int]:
    """Write the attempt down, then see whether it is one too many; the ids of its rows, for `forget`.

    Written first, so that a hundred at the same instant see each other.  Commits.  Raises TooManyAttempts, and then
    the attempt does not count: whoever keeps knocking shuts nobody out for longer.
    """
    rows = [LoginFailure(key=limit.key, failed_at=now) for limit in limits]
    db.execute(delete(LoginFailure).where(LoginFailure.failed_at < now - KEPT))
    db.add_all(rows)
    db.commit()
    waits = [_wait_s(db, limit, now) for limit in limits]
    if any(waits):
        forget(db, [row.id for row in rows])
        raise TooManyAttempts(max(waits))
    return [row.id for row in rows]


def check_limits(db: Session, limits: Sequence[Limit], now: datetime) -> None:
    """Raises TooManyAttempts where one attempt more would be one too many; counts none."""
    wait = wait_s(db, limits, now)
    if wait:
        raise TooManyAttempts(wait)


def wait_s(db: Session, limits: Sequence[Limit], now: datetime) -> int:
    """Seconds until one attempt more is let through; 0: now."""
    return max(_wait_s(db, replace(limit, attempts=limit.attempts - 1), now) for limit in limits)


def _wait_s(db: Session, limit: Limit, now: datetime) -> int:
    """Seconds until `limit` lets one more pass; 0: it does now."""
    recent = (LoginFailure.key == limit.key) & (LoginFailure.failed_at > now - limit.window)
    count, oldest = db.execute(select(func.count(), func.min(LoginFailure.failed_at)).where(recent)).one()
    if count <= limit.attempts:
        return 0
    first: datetime = oldest
    return max(1, int((first + limit.window - now).total_seconds()))


def forget(db: Session, ids: Sequence[int]) -> None:
    """The attempt succeeded, or was never made.  Commits."""
    db.execute(delete(LoginFailure).where(LoginFailure.id.in_(ids)))
    db.commit()


def forget_account(db: Session, name: str, ids: Sequence[int]) -> None:
    """A sign-in succeeded: earlier slips of the same account are forgiven, those of its address are not.  Commits."""
    db.execute(delete(LoginFailure).where(LoginFailure.key == account_key(name)))
    forget(db, ids)
