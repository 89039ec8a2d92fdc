"""Which kinds of account are awake in the mode of this moment; the others sleep: kept whole, and nowhere to be seen."""

from __future__ import annotations

from collections.abc import Callable
from functools import lru_cache

from sqlalchemy import ColumnElement, and_, or_, select
from sqlalchemy.orm import Session

from app.accounts.models import EXTERNAL, MailAccount
from app.mail_services.models import MailServices
from app.mail_services.modes import SWITCHES, Switches
from app.mail_services.service import current_mode

AWAKE: dict[str, Callable[[Switches], bool]] = {EXTERNAL: lambda switches: switches.external}
"""`mail_account.source` → is it awake?  An extension adds its own."""


def awake_sources(db: Session) -> frozenset[str]:
    """Kinds of account that are shown, synced and written from now (M1-M4)."""
    switches = SWITCHES[current_mode(db)]
    return frozenset(name for name, is_awake in AWAKE.items() if is_awake(switches))


def is_awake() -> ColumnElement[bool]:
    """The same of an account, asked in the statement that reads it."""
    return _is_awake(tuple(AWAKE.items()))


@lru_cache(maxsize=4)
def _is_awake(kinds: tuple[tuple[str, Callable[[Switches], bool]], ...]) -> ColumnElement[bool]:
    """Built once for the kinds that are registered, so that statements with it in them can be built once."""
    mode = select(MailServices.mode).where(MailServices.id == 1).scalar_subquery()
    return or_(
        *(
            and_(MailAccount.source == name, mode.in_([each for each, switches in SWITCHES.items() if runs(switches)]))
            for name, runs in kinds
        )
    )
