"""Alembic's environment: runs the revisions of one branch on the engine it was handed (see app/migrate.py)."""

from typing import Any, Literal

import sqlalchemy as sa
from alembic import context

from app import tables
from app.db import Base, PrivateBase, UtcDateTime

METADATA = {"app": Base.metadata, "private": PrivateBase.metadata}

assert tables


def render_type(kind: str, value: Any, _autogen: object) -> str | Literal[False]:
    """Revisions are history: they name plain types, not our classes, which may change."""
    if kind == "type" and isinstance(value, UtcDateTime):
        return "sa.DateTime(timezone=True)"
    if kind == "type" and isinstance(value, sa.Enum):
        return f"sa.String(length={value.length})"
    return False


engine = context.config.attributes["engine"]
branch = context.config.attributes["branch"]

with engine.connect() as connection:
    context.configure(
        connection=connection,
        target_metadata=METADATA[branch],
        render_item=render_type,
        render_as_batch=connection.dialect.name == "sqlite",
    )
    with context.begin_transaction():
        context.run_migrations()
    connection.commit()
