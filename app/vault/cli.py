"""`flask vault …`: the master keys."""

from __future__ import annotations

from collections.abc import Callable

import click
from flask import Flask
from flask.cli import AppGroup

from app.errors import VaultError
from app.runtime import runtime
from app.vault import rotate as rotation

vault_commands = AppGroup("vault", help="The master keys of stored credentials.")


@vault_commands.command("rotate")
def rotate_command() -> None:
    """Make a new master key and seal everything anew under it, while the site runs.  Broken off, run it again."""
    parts = runtime()
    done = _or_fail(lambda: rotation.rotate(parts.public, parts.private, parts.vault, parts.clock.now()))
    click.echo(f"{done} credentials are sealed anew. The old key is kept, so that older backups open: see vault purge.")


@vault_commands.command("purge")
def purge_command() -> None:
    """Delete retired keys.  Backups of the public database from before the rotation do not open afterwards."""
    parts = runtime()
    gone = _or_fail(lambda: rotation.purge(parts.public, parts.private, parts.vault))
    click.echo(f"{gone} retired keys are deleted.")


@vault_commands.command("status")
def status_command() -> None:
    """Show the keys, and how many credentials need each."""
    parts = runtime()
    for key in rotation.status(parts.public, parts.private):
        state = f"retired {key.retired_at:%Y-%m-%d %H:%M}" if key.retired_at else "in use"
        click.echo(f"key {key.id}, made {key.created_at:%Y-%m-%d %H:%M}, {state}: {key.seals} credentials")


def _or_fail(work: Callable[[], int]) -> int:
    """Do the work; a fault of the vault ends the command with its words."""
    try:
        return work()
    except VaultError as error:
        raise click.ClickException(error.detail) from None


def init_app(app: Flask) -> None:
    app.cli.add_command(vault_commands)
