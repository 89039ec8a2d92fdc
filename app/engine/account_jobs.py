"""Work of extensions for accounts: small steps on the account's bulk session, in turns with the engine's own."""

from __future__ import annotations

from collections.abc import Callable, Collection
from dataclasses import dataclass
from datetime import datetime

from sqlalchemy.orm import Session

from app.engine.desk import Desk
from app.sources import MailSource


@dataclass(frozen=True, slots=True)
class AccountJob:
    """`waiting` names the accounts that have something to do by now; it is asked each heartbeat and when an account's
    bell rings (Topic.ACCOUNT), and need not care who leases them.

    `step` does a little of it and tells whether more can be done at once.  It may raise what a MailSource raises: the
    session is then opened anew, after a rest if need be.  What it writes through `Desk.session` is conditional on the
    lease, so no two engines do it at once.
    """

    waiting: Callable[[Session, datetime], Collection[int]]
    step: Callable[[Desk, MailSource], bool]


JOBS: dict[str, AccountJob] = {}
