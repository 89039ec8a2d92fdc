"""The settings form as a browser sends it, and what came of it."""

from __future__ import annotations

from sqlalchemy import select

from app.accounts.models import MailAccount
from app.accounts.presets import Preset


def fields(preset: Preset, user, **changed):
    """The settings form as a browser sends it."""
    form = {"address": user.name, "password": user.password, "name": "Alice"}
    for kind, endpoint in (("imap", preset.imap), ("smtp", preset.smtp)):
        form |= {f"{kind}_host": endpoint.host, f"{kind}_port": endpoint.port, f"{kind}_tls": endpoint.tls.value}
        form[f"{kind}_username"] = user.name
    return {**form, "color": "moss", "label": "Home", "provider": "holt", **changed}


def accounts_of(db, user):
    db.expire_all()
    return db.scalars(select(MailAccount).where(MailAccount.owner_id == user.id).order_by(MailAccount.position)).all()
