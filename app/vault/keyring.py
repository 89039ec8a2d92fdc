"""The key ring in the private database (C2): master keys, and secrets every machine shares."""

from __future__ import annotations

from collections.abc import Mapping

from sqlalchemy import select
from sqlalchemy.exc import IntegrityError

from app.clock import Clock
from app.db import Database
from app.vault.models import MasterKey, ServerSecret
from app.vault.secretbox import Vault, new_key


def open_vault(private: Database) -> Vault:
    """A vault on the keys of `private`, read when first used: an unmigrated database opens too."""
    return Vault(lambda: load_keys(private))


def load_keys(private: Database) -> Mapping[int, bytes]:
    """All master keys that still open, by id."""
    with private.session() as db:
        return {row.id: row.key for row in db.scalars(select(MasterKey).order_by(MasterKey.id))}


def ensure_keys(private: Database, clock: Clock) -> None:
    """Create what a fresh installation lacks: the first master key and the cookie key.  Safe to repeat."""
    with private.session() as db:
        if db.scalar(select(MasterKey.id).limit(1)) is None:
            db.add(MasterKey(key=new_key(), created_at=clock.now()))
            db.commit()
    server_secret(private, "cookie")


def server_secret(private: Database, name: str) -> bytes:
    """32 random octets called `name`, made on first use and the same on every machine."""
    with private.session() as db:
        found = db.get(ServerSecret, name)
        if found is not None:
            return found.value
        db.add(ServerSecret(name=name, value=new_key()))
        try:
            db.commit()
        except IntegrityError:  # another process made it this instant
            db.rollback()
        return db.get_one(ServerSecret, name).value
