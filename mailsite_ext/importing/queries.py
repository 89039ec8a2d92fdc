"""What pages show of imports, and which accounts wait for the engine."""

from __future__ import annotations

from collections.abc import Collection, Sequence
from dataclasses import dataclass
from datetime import datetime

from sqlalchemy import or_, select
from sqlalchemy.orm import Session

from app.extension_api import SWITCHES, MailAccount, MirroredFolder, NotFound, RemoteFolder, current_mode
from mailsite_ext.domains.sources import SOURCE
from mailsite_ext.importing.models import Import, ImportFailure, ImportFolder, ImportState
from mailsite_ext.importing.plan import Offered, offered

FAILURES_SHOWN = 100


@dataclass(frozen=True, slots=True)
class Progress:
    """How far an import is, in messages."""

    imported: Import
    folders: Sequence[ImportFolder]
    failures: Sequence[tuple[ImportFailure, str]]  # with the name of its folder; the newest FAILURES_SHOWN

    @property
    def done(self) -> int:
        return sum(folder.done for folder in self.folders)

    @property
    def total(self) -> int:
        return sum(folder.total for folder in self.folders)

    @property
    def failed(self) -> int:
        return sum(folder.failed for folder in self.folders)


def allows_import(db: Session) -> bool:
    """Does the mode have both, external accounts and mailboxes here (M4)?"""
    switches = SWITCHES[current_mode(db)]
    return switches.hosting and switches.external


def list_accounts(db: Session, user_id: int) -> Sequence[tuple[MailAccount, Import | None]]:
    """A person's external accounts, in their order, each with its import."""
    query = select(MailAccount, Import).join(Import, Import.account_id == MailAccount.id, isouter=True)
    mine = query.where(MailAccount.owner_id == user_id, MailAccount.source != SOURCE)
    return [(row[0], row[1]) for row in db.execute(mine.order_by(MailAccount.position, MailAccount.id))]


def get_account(db: Session, user_id: int, account_id: int) -> MailAccount:
    """An external account of this person.  Raises NotFound."""
    mine = select(MailAccount).where(MailAccount.owner_id == user_id, MailAccount.source != SOURCE)
    account = db.scalar(mine.where(MailAccount.id == account_id))
    if account is None:
        raise NotFound
    return account


def list_offered(db: Session, account: MailAccount) -> Sequence[Offered]:
    """The account's folders that can be imported, as the mirror has them."""
    rows = db.scalars(select(MirroredFolder).where(MirroredFolder.account_id == account.id))
    folders = [(_remote(row), row.total) for row in rows]
    return offered(folders, is_gmail=account.is_gmail)


def _remote(row: MirroredFolder) -> RemoteFolder:
    return RemoteFolder(row.name, row.delimiter, row.role, row.selectable, label=row.label)


def find_import(db: Session, account_id: int) -> Import | None:
    return db.scalar(select(Import).where(Import.account_id == account_id))


def find_progress(db: Session, account_id: int) -> Progress | None:
    """The import from an account, its chosen folders in their order, and what failed in them."""
    found = find_import(db, account_id)
    if found is None:
        return None
    wanted = select(ImportFolder).where(ImportFolder.import_id == found.id, ImportFolder.is_wanted)
    failed = select(ImportFailure, ImportFolder.name).join(ImportFolder).where(ImportFolder.import_id == found.id)
    failed = failed.where(ImportFolder.is_wanted).order_by(ImportFailure.id.desc()).limit(FAILURES_SHOWN)
    folders = db.scalars(wanted.order_by(ImportFolder.position)).all()
    return Progress(found, folders, [(row[0], row[1]) for row in db.execute(failed)])


def waiting_accounts(db: Session, now: datetime) -> Collection[int]:
    """Accounts whose import can go on by now."""
    if not allows_import(db):
        return ()
    is_due = or_(Import.retry_at.is_(None), Import.retry_at <= now)
    return db.scalars(select(Import.account_id).where(Import.state == ImportState.RUNNING, is_due)).all()
