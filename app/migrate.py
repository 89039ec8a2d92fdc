"""Alembic, driven from code: one environment, branches `app` (public), `private` and `mailsite`.

It is imported where it is used: a web process, which never migrates, is 11 MiB smaller without it.
"""

from __future__ import annotations

from collections.abc import Iterable
from functools import cache
from pathlib import Path
from typing import TYPE_CHECKING

import sqlalchemy as sa

from app.db import Database

if TYPE_CHECKING:
    from alembic.config import Config as AlembicConfig

MIGRATIONS = Path(__file__).parent.parent / "migrations"


def upgrade(public: Database, private: Database, revision: str = "head", branches: Iterable[str] = ()) -> None:
    """Bring both databases to `revision` of their branches; `branches` are those of the extensions (public too)."""
    from alembic import command

    for branch in ("app", *branches):
        command.upgrade(alembic_config(public, branch), revision)
    command.upgrade(alembic_config(private, "private"), revision)


def alembic_config(database: Database, branch: str) -> AlembicConfig:
    """Alembic's view of one database; `migrations/env.py` reads the engine and the branch from it."""
    from alembic.config import Config as AlembicConfig

    config = AlembicConfig()
    config.set_main_option("script_location", str(MIGRATIONS))
    config.set_main_option("version_locations", str(MIGRATIONS / "versions" / branch))
    config.set_main_option("path_separator", "os")
    config.attributes["engine"] = database.engine
    config.attributes["branch"] = branch
    return config


def revisions(database: Database, branch: str) -> tuple[str | None, str | None]:
    """Where `database` stands, and the newest revision of its branch, `app` or `private`; without Alembic, which a
    probe that is asked every few seconds would keep in memory.
    """
    with database.engine.connect() as connection:
        is_made = sa.inspect(connection).has_table("alembic_version")
        found = connection.scalar(sa.text("SELECT version_num FROM alembic_version")) if is_made else None
    return found, newest_revision(branch)


@cache
def newest_revision(branch: str) -> str:
    """Files are named `<branch>_<number>_<words>.py`, and each revision follows the number before."""
    names = (MIGRATIONS / "versions" / branch).glob(f"{branch}_*.py")
    return max("_".join(path.stem.split("_")[:2]) for path in names)
