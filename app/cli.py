"""The command line: `flask --app wsgi …`."""

from __future__ import annotations

import click
from flask import Flask
from flask.cli import AppGroup

from app import extensions, migrate
from app.runtime import runtime
from app.vault.keyring import ensure_keys

database_commands = AppGroup("db", help="The public and the private database.")


@database_commands.command("upgrade")
def upgrade_command() -> None:
    """Migrate both databases to this version, and create the keys a fresh installation lacks."""
    parts = runtime()
    migrate.upgrade(parts.public, parts.private, branches=extensions.registry().branches)
    ensure_keys(parts.private, parts.clock)
    click.echo("Both databases are up to date.")


def init_app(app: Flask) -> None:
    app.cli.add_command(database_commands)
