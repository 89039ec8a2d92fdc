"""`flask doctor`: checks an installation and says, for each fault, what to do."""

from __future__ import annotations

import os
import stat
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path

import click
import sqlalchemy as sa
from flask import Flask
from flask.cli import with_appcontext

from app import migrate
from app.db import Database
from app.engine.queries import engine_is_alive
from app.errors import MailError
from app.extensions import registry
from app.mail_services.modes import SWITCHES
from app.mail_services.service import current_mode
from app.runtime import Runtime, runtime
from app.users.queries import count_admins

VENDORED = ("squire", "dompurify")


@dataclass(frozen=True, slots=True)
class Finding:
    """One thing looked at: right or not, and what to do about it."""

    what: str
    is_right: bool
    words: str = ""


Check = Callable[[Runtime], Iterator[Finding]]


def findings(parts: Runtime, more: Sequence[Check] = ()) -> Iterator[Finding]:
    """Everything worth checking, in the order in which faults explain each other; `more`: of extensions."""
    own = (work_directory, databases, private_file, keys, people, front_end, address, engine)
    for check in (*own, *more):
        try:
            yield from check(parts)
        except (MailError, sa.exc.SQLAlchemyError, OSError) as error:
            yield Finding(check.__name__.replace("_", " "), False, f"{type(error).__name__}: {error}")


def work_directory(parts: Runtime) -> Iterator[Finding]:
    path = parts.config.work_directory.absolute()
    writable = os.access(path, os.W_OK)
    yield Finding(f"Work directory {path}", writable, "" if writable else "Make it writable for this user.")


def databases(parts: Runtime) -> Iterator[Finding]:
    for name, database, branch in (("Public", parts.public, "app"), ("Private", parts.private, "private")):
        found, newest = migrate.revisions(database, branch)
        words = "" if found == newest else f"It is at {found or 'no revision'}; run: flask --app wsgi db upgrade"
        yield Finding(f"{name} database ({describe(database)})", found == newest, words)


def describe(database: Database) -> str:
    """The database's address without its password."""
    return database.url.render_as_string(hide_password=True)


def private_file(parts: Runtime) -> Iterator[Finding]:
    if not parts.private.is_sqlite or not parts.private.url.database:
        return
    mode = stat.S_IMODE(Path(parts.private.url.database).stat().st_mode)
    words = "" if mode == 0o600 else f"Its mode is {mode:o}; run: chmod 600 {parts.private.url.database}"
    yield Finding("Private database readable by its owner only", mode == 0o600, words)


def keys(parts: Runtime) -> Iterator[Finding]:
    sealed = parts.vault.seal("doctor", "a secret")
    yield Finding("Master key seals and opens", parts.vault.open_text("doctor", sealed) == "a secret")


def people(parts: Runtime) -> Iterator[Finding]:
    with parts.public.session() as db:
        admins = count_admins(db)
    yield Finding("Somebody is an admin", admins > 0, "" if admins else "Run: flask --app wsgi users setup-link")


def front_end(_parts: Runtime) -> Iterator[Finding]:
    folder = Path(__file__).parent.parent / "static" / "vendor"
    missing = [name for name in VENDORED if not any(folder.glob(f"*{name}*"))]
    words = f"Missing: {', '.join(missing)}. Pages work without, more slowly; run: make ready" if missing else ""
    yield Finding("Browser files in static/vendor", not missing, words)


def address(parts: Runtime) -> Iterator[Finding]:
    url = parts.config.public_url
    if url and not parts.config.is_https:
        yield Finding("PUBLIC_URL", False, "It begins with http: passwords travel in the clear. Serve it by https.")
    else:
        yield Finding("PUBLIC_URL", True, url or "Not set: reachable from this machine only.")


def engine(parts: Runtime) -> Iterator[Finding]:
    with parts.public.session() as db:
        mode = current_mode(db)
        alive = engine_is_alive(db, parts.clock.now())
    needed = SWITCHES[mode].mail
    words = "" if alive or not needed else "Start gunicorn, or: flask --app wsgi engine run"
    yield Finding(f"Mail engine (mode: {mode})", alive or not needed, words)


@click.command("doctor")
@with_appcontext
def doctor_command() -> None:
    """Check this installation; exit status 1 if something needs mending."""
    found = list(findings(runtime(), registry().checks))
    for finding in found:
        click.echo(
            f"{'  ok ' if finding.is_right else 'MEND '} {finding.what}{': ' if finding.words else ''}{finding.words}"
        )
    if not all(finding.is_right for finding in found):
        raise SystemExit(1)


def init_app(app: Flask) -> None:
    app.cli.add_command(doctor_command)
