"""Alembic, driven from code: one environment, branches `app` (public), `private` and `mailsite`.

It is imported where it is used: a web process, which never migrates, is 11 MiB smaller without it.
"""

from __future__ import annotations

from collections.abc import Iterable
from pathlib import Path
from typing import TYPE_CHECKING

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
    """Where `database` stands, and the newest revision of its branch."""
    from alembic.runtime.migration import MigrationContext
    from alembic.script import ScriptDirectory

    newest = ScriptDirectory.from_config(alembic_config(database, branch)).get_current_head()
    with database.engine.connect() as connection:
        return MigrationContext.configure(connection).get_current_revision(), newest
