"""Keys: the only rows of the private database."""

from __future__ import annotations

from datetime import datetime

from sqlalchemy import String
from sqlalchemy.orm import Mapped, mapped_column

from app.db import PrivateBase, UtcDateTime


class MasterKey(PrivateBase):
    """A secretbox key.  The newest that is not retired seals; retired ones still open until purged (C3)."""

    __tablename__ = "master_key"
    __table_args__ = {"sqlite_autoincrement": True}

    id: Mapped[int] = mapped_column(primary_key=True)  # the key id in front of each ciphertext
    key: Mapped[bytes]
    created_at: Mapped[datetime] = mapped_column(UtcDateTime)
    retired_at: Mapped[datetime | None] = mapped_column(UtcDateTime)


class ServerSecret(PrivateBase):
    """Other secrets of the installation that every machine shares, such as the cookie key."""

    __tablename__ = "server_secret"

    name: Mapped[str] = mapped_column(String(40), primary_key=True)
    value: Mapped[bytes]
