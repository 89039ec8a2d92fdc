"""Loading and saving the MailSite sub-options.  Saving records intent and touches no listener (N1)."""

from __future__ import annotations

from dataclasses import asdict, fields
from typing import Any

from sqlalchemy.orm import Session

from mailsite_ext.settings.models import MailsiteSettings
from mailsite_ext.settings.values import DOMAIN_LISTS, Settings


def load_settings(db: Session) -> Settings:
    """What the admin decided; a fresh installation has the defaults."""
    row = db.get(MailsiteSettings, 1)
    if row is None:
        return Settings()
    values: dict[str, Any] = {field.name: getattr(row, field.name) for field in fields(Settings)}
    lists = {name: tuple(filter(None, values[name].split(","))) for name in DOMAIN_LISTS}
    return Settings(**values | lists)


def store_settings(db: Session, settings: Settings) -> None:
    """Put the values into the row.  The caller commits: they are saved together with the mode."""
    row = db.get(MailsiteSettings, 1) or MailsiteSettings(id=1)
    for name, value in asdict(settings).items():
        setattr(row, name, ",".join(value) if name in DOMAIN_LISTS else value)
    db.add(row)
