"""Sign-ins that failed, as an admin reads them: one line for each account, network and way, for a while."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import datetime, timedelta
from enum import StrEnum

from sqlalchemy import delete, select, update
from sqlalchemy.dialects import postgresql, sqlite
from sqlalchemy.orm import Session

from app.errors import NotFound
from app.users.models import LoginFailure, SignInFailure
from app.users.throttle import Limit, wait_s

KEPT = timedelta(days=30)
MOST = 1_000  # lines


class Way(StrEnum):
    WEB = "web"
    IMAP = "imap"
    SMTP = "smtp"


def record(db: Session, way: Way, account: str, limits: tuple[Limit, Limit], now: datetime) -> None:
    """Note one more failure, counted against the account and the network of `limits`.  Commits.

    `account` is empty where the name typed is nobody's: it is not kept, for people type passwords there.
    """
    by_account, by_network = limits
    wait = wait_s(db, limits, now)
    db.rollback()
    until = now + timedelta(seconds=wait) if wait else None
    network = by_network.key.partition(":")[2]
    dialect = postgresql if db.get_bind().dialect.name == "postgresql" else sqlite
    new = dialect.insert(SignInFailure).values(
        way=way, account=account[:254], network=network, times=1, first_at=now, last_at=now, throttled_until=until,
        account_key=by_account.key, network_key=by_network.key,
    )  # fmt: skip
    again = {"times": SignInFailure.times + 1, "last_at": now, "throttled_until": until,
             "account_key": by_account.key}  # fmt: skip
    db.execute(new.on_conflict_do_update(index_elements=["way", "account", "network"], set_=again))
    _drop_old(db, now)
    db.commit()


def _drop_old(db: Session, now: datetime) -> None:
    newest = select(SignInFailure.id).order_by(SignInFailure.last_at.desc(), SignInFailure.id.desc())
    beyond = newest.offset(MOST).limit(MOST).scalar_subquery()
    db.execute(delete(SignInFailure).where((SignInFailure.last_at < now - KEPT) | SignInFailure.id.in_(beyond)))


def list_failures(db: Session) -> Sequence[SignInFailure]:
    """The latest first."""
    return db.scalars(select(SignInFailure).order_by(SignInFailure.last_at.desc(), SignInFailure.id.desc())).all()


def lift(db: Session, failure_id: int) -> SignInFailure:
    """Let the account and the network of a line try again at once.  Raises NotFound."""
    failure = db.get(SignInFailure, failure_id)
    if failure is None:
        raise NotFound
    keys = [failure.account_key, failure.network_key]
    db.execute(delete(LoginFailure).where(LoginFailure.key.in_(keys)))
    same = SignInFailure.account_key.in_(keys) | SignInFailure.network_key.in_(keys)
    db.execute(update(SignInFailure).where(same).values(throttled_until=None))
    db.commit()
    return failure
