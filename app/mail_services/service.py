"""The mode and what goes with it: read per request, so that every process sees a switch at once."""

from __future__ import annotations

from typing import cast

import sqlalchemy as sa
from sqlalchemy import select
from sqlalchemy.orm import Session

from app.mail_services.models import MailServices
from app.mail_services.modes import Mode

MODE = select(cast(sa.Table, MailServices.__table__).c.mode).where(MailServices.id == 1)  # asked by every request


def current_mode(db: Session) -> Mode:
    """The mode the admin chose; a fresh installation is Mail Disabled (M1)."""
    return db.scalar(MODE) or Mode.DISABLED


def load_settings(db: Session) -> MailServices:
    """The one row of settings; a fresh installation's defaults are a row not stored yet."""
    return db.get(MailServices, 1) or MailServices(id=1, mode=Mode.DISABLED, private_hosts="", cleartext_hosts="")


def save_settings(db: Session, mode: Mode, private_hosts: str, cleartext_hosts: str) -> None:
    """Store what the admin wants.  Nothing is deleted by any mode (M5)."""
    row = load_settings(db)
    row.mode, row.private_hosts, row.cleartext_hosts = mode, private_hosts, cleartext_hosts
    db.add(row)
    db.commit()
