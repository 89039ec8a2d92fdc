"""`flask users …`: the first admin's link, and people without a browser."""

from __future__ import annotations

from typing import TextIO

import click
from flask import Flask
from flask.cli import AppGroup

from app.errors import BadInput
from app.runtime import runtime
from app.users import passwords, service
from app.users.addresses import canonical_address
from app.users.mails import link_address
from app.users.models import LinkPurpose, UserRole

user_commands = AppGroup("users", help="People who can sign in.")


@user_commands.command("setup-link")
def setup_link_command() -> None:
    """Print the one-time link that makes the first admin; only while there is none."""
    parts = runtime()
    with parts.public.session() as db:
        token = service.make_setup_link(db, parts.clock.now())
    if token is None:
        click.echo(f"There is an admin already. Sign in at {parts.config.base_url}/")
        return
    click.echo(f"Set up this installation at {link_address(parts.config, LinkPurpose.SETUP, token)}")


@user_commands.command("create")
@click.argument("email")
@click.option("--name", default="", help="What the person is called.")
@click.option("--admin", is_flag=True, help="Make an admin.")
@click.option(
    "--password-file", type=click.File(), help="Where the password stands in the first line; -: standard input."
)
def create_command(email: str, name: str, admin: bool, password_file: TextIO | None) -> None:
    """Create someone who can sign in with EMAIL."""
    address, password = _address(email), _read_password(password_file)
    parts = runtime()
    with parts.public.session() as db:
        try:
            role = UserRole.ADMIN if admin else UserRole.USER
            service.create_user(db, address, name, password, parts.clock.now(), role=role)
        except BadInput:
            raise click.ClickException(f"{address} has an account already.") from None
    click.echo(f"{address} can sign in at {parts.config.base_url}/")


def _address(email: str) -> str:
    try:
        return canonical_address(email)
    except ValueError as error:
        raise click.BadParameter(str(error), param_hint="EMAIL") from None


def _read_password(file: TextIO | None) -> str:
    typed: str
    if file is not None:
        typed = file.readline().rstrip("\r\n")
    else:
        typed = click.prompt("Password", hide_input=True, confirmation_prompt=True)
    if not passwords.SHORTEST <= len(typed) <= passwords.LONGEST:
        raise click.ClickException(f"A password has between {passwords.SHORTEST} and {passwords.LONGEST} characters.")
    return typed


def init_app(app: Flask) -> None:
    app.cli.add_command(user_commands)
