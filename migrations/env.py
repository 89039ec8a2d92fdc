"""Alembic's environment: runs the revisions of one branch on the engine it was handed (see app/migrate.py)."""

from typing import Any, Literal

import sqlalchemy as sa
from alembic import context

from app import tables
from app.db import Base, PrivateBase, UtcDateTime

OWN = ("app", "private")

assert tables


def is_of_branch(_obj: object, name: str | None, kind: str, _reflected: bool, _against: object) -> bool:
    """An extension's tables carry its branch's name: `mailsite_folder`; every other table of the database is ours."""
    if kind != "table" or branch == "private":
        return True
    return str(name).startswith(f"{branch}_") if branch not in OWN else not str(name).startswith("mailsite_")


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
        target_metadata=PrivateBase.metadata if branch == "private" else Base.metadata,
        version_table="alembic_version" if branch in OWN else f"{branch}_alembic_version",
        include_object=is_of_branch,
        render_item=render_type,
        render_as_batch=connection.dialect.name == "sqlite",
    )
    with context.begin_transaction():
        context.run_migrations()
    connection.commit()
