"""`flask mailsite verify | recount | rebuild | reindex | convert | export | import | backup`: care of stored mail."""

from __future__ import annotations

import contextlib
from collections.abc import Iterator
from dataclasses import replace
from datetime import UTC, datetime
from pathlib import Path

import click
from flask.cli import with_appcontext

from app.extension_api import MailError, Runtime, runtime
from mailsite_ext.settings.service import load_settings, store_settings
from mailsite_ext.settings.values import StorageKind
from mailsite_ext.storage import transfer
from mailsite_ext.storage.backup import SECURITY, back_up, back_up_security
from mailsite_ext.storage.catalogue_verify import verify_counters
from mailsite_ext.storage.convert import convert
from mailsite_ext.storage.file_mail_storage import FileMailStorage
from mailsite_ext.storage.open import Storage, StorageInUse, alone, mail_folder, new_storage
from mailsite_ext.storage.text_indexing import index_all
from mailsite_ext.storage.values import Finding

FORMAT = click.option("--mbox", "as_mbox", is_flag=True, help="mbox files instead of Maildir folders.")
FOLDER = click.argument("folder", type=click.Path(path_type=Path))


@click.command("verify")
@click.option("--fix", is_flag=True, help="Mend what can be mended; files nobody knows are put aside, not deleted.")
@with_appcontext
def verify_command(fix: bool) -> None:
    """Compare rows with files, counters with rows, UIDs with UIDNEXT.  Exit status 1: something is wrong."""
    with _storage() as storage:
        _tell(storage.verify(fix=fix))


@click.command("recount")
@with_appcontext
def recount_command() -> None:
    """Count messages and octets anew."""
    with _storage() as storage:
        _tell(verify_counters(storage, fix=True))


def _tell(findings: Iterator[Finding]) -> None:
    left = 0
    for finding in findings:
        left += not finding.mended
        click.echo(f"{'mended' if finding.mended else 'wrong'}: {finding.where}: {finding.kind}")
    if left:
        raise SystemExit(1)
    click.echo("All is well.")


@click.command("rebuild")
@with_appcontext
def rebuild_command() -> None:
    """Make the index of Files on Disk anew from the mail tree, as after a restore; UIDs stay, UIDNEXT jumps."""
    with _storage() as storage:
        if not isinstance(storage, FileMailStorage):
            raise click.ClickException("The mail is in the database: it has no index beside it to rebuild.")
        storage.rebuild()
        click.echo(f"{len(storage.mailboxes())} mailboxes are read anew.")


@click.command("reindex")
@with_appcontext
def reindex_command() -> None:
    """Make the index of text for IMAP's SEARCH anew; whoever searches meanwhile waits for a look at every message."""
    with _storage() as storage, storage.text.turn(waits=True):
        storage.text.remove_all()
        messages = sum(index_all(storage, storage.text))
        click.echo(f"{messages} messages are indexed.")


@click.command("convert")
@click.argument("kind", type=click.Choice([kind.value for kind in StorageKind]))
@click.option(
    "--force", is_flag=True, help="Though listeners may be running: mail that comes meanwhile is left behind."
)
@with_appcontext
def convert_command(kind: str, force: bool) -> None:
    """Bring all mail over to the other engine, and use it from then on.  Interrupted, it goes on where it was."""
    parts, to = runtime(), StorageKind(kind)
    if _kind(parts) is to:
        raise click.ClickException(f"The mail is kept so already: {kind}.")
    with _alone(parts) if not force else contextlib.nullcontext():
        with _open(parts, _kind(parts)) as source, _open(parts, to) as target:
            _begin(parts, target, to)
            for done in convert(source, target, _made(mail_folder(parts.config) / "converting")):
                click.echo(f"{done.mailbox}: {done.folder}: {done.messages}")
        _choose(parts, to)


@contextlib.contextmanager
def _alone(parts: Runtime) -> Iterator[None]:
    try:
        with alone(parts.config):
            yield
    except StorageInUse:
        words = "Stop the listeners and the web first (or --force): mail must not change meanwhile."
        raise click.ClickException(words) from None


def _begin(parts: Runtime, target: Storage, to: StorageKind) -> None:
    """A target that holds mail of an earlier time is none; one that holds part of this conversion goes on."""
    begun = mail_folder(parts.config) / f"converting-to-{to.value}"
    if target.mailboxes() and not begun.exists():
        raise click.ClickException(f"There is mail kept in {to.value} already: move it away first.")
    begun.touch()


def _choose(parts: Runtime, kind: StorageKind) -> None:
    with parts.public.session() as db:
        settings = load_settings(db)
        store_settings(db, replace(settings, storage_engine=kind))
        db.commit()
    (mail_folder(parts.config) / f"converting-to-{kind.value}").unlink(missing_ok=True)


@click.command("export")
@click.argument("mailbox")
@FOLDER
@FORMAT
@with_appcontext
def export_command(mailbox: str, folder: Path, as_mbox: bool) -> None:
    """Write a mailbox to a new FOLDER, with flags and dates."""
    with _storage() as storage:
        for moved in transfer.export_mailbox(storage, mailbox, folder, as_mbox=as_mbox):
            click.echo(f"{moved.folder}: {moved.messages}")


@click.command("import")
@click.argument("mailbox")
@FOLDER
@FORMAT
@with_appcontext
def import_command(mailbox: str, folder: Path, as_mbox: bool) -> None:
    """Add what is in FOLDER to a mailbox, with flags and dates."""
    with _storage() as storage:
        for moved in transfer.import_mailbox(storage, mailbox, folder, as_mbox=as_mbox):
            click.echo(f"{moved.folder}: {moved.messages}")


@click.command("backup")
@FOLDER
@with_appcontext
def backup_command(folder: Path) -> None:
    """Make a backup in FOLDER/<time> while everything runs: mail, linked where the file system can, and keys."""
    target = folder / datetime.now(UTC).strftime("%Y-%m-%dT%H%M%SZ")
    with _storage() as storage:
        click.echo(f"{target}: {back_up(storage, target)} files")
        keys = back_up_security(runtime().config.work_directory.absolute(), target)
        click.echo(f"{target / SECURITY}: {keys} files, secret")


COMMANDS = (
    verify_command,
    recount_command,
    rebuild_command,
    reindex_command,
    convert_command,
    export_command,
    import_command,
    backup_command,
)


@contextlib.contextmanager
def _storage() -> Iterator[Storage]:
    with _open(runtime(), _kind(runtime())) as storage:
        yield storage


@contextlib.contextmanager
def _open(parts: Runtime, kind: StorageKind) -> Iterator[Storage]:
    """What happened and what to do, in words, where it fails."""
    try:
        with contextlib.closing(new_storage(parts, kind)) as storage:
            yield storage
    except (MailError, OSError) as error:
        raise click.ClickException(f"{type(error).__name__}: {error}") from error


def _kind(parts: Runtime) -> StorageKind:
    with parts.public.session() as db:
        return load_settings(db).storage_engine


def _made(folder: Path) -> Path:
    folder.mkdir(parents=True, exist_ok=True, mode=0o700)
    return folder
