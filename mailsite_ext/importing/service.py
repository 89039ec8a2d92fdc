"""Starting an import, pausing, resuming or stopping it, and trying again what failed.

What is imported already stays, and is remembered.
"""

from __future__ import annotations

from collections.abc import Collection
from datetime import datetime

from sqlalchemy import select, update
from sqlalchemy.exc import IntegrityError
from sqlalchemy.orm import Session

from app.extension_api import BadInput, Bell, MailAccount, NotFound, Runtime, Topic, row_count
from mailsite_ext.importing.models import TRY_AGAIN, Import, ImportFailure, ImportFolder, ImportState
from mailsite_ext.importing.plan import Offered, target_name
from mailsite_ext.importing.queries import find_import, list_offered

AT_WORK = (ImportState.RUNNING, ImportState.PAUSED)
CAN_RETRY = (ImportState.RUNNING, ImportState.DONE)
DEEDS = {
    "pause": ((ImportState.RUNNING,), ImportState.PAUSED),
    "resume": (AT_WORK, ImportState.RUNNING),
    "stop": (AT_WORK, ImportState.STOPPED),
}
"""What a person may do: from which states, to which one."""


def start(parts: Runtime, db: Session, account: MailAccount, names: Collection[str], *, is_apart: bool) -> None:
    """Import the folders `names`; of one imported before, what has come since.  An import at work stays as it is.

    Raises BadInput on `folders` if none of them is a folder of the account.
    """
    chosen = [folder for folder in list_offered(db, account) if folder.name in names]
    if not chosen:
        raise BadInput("folders", "")
    if _begin(db, account, is_apart, parts.clock.now()):
        _choose(db, account, chosen, below=account.label if is_apart else "")
        db.commit()
        parts.bus.ring(Bell(Topic.ACCOUNT, account.id))


def _begin(db: Session, account: MailAccount, is_apart: bool, now: datetime) -> bool:
    """Make the import of an account, or start it again; False if it is at work, or another request was quicker."""
    values = {"state": ImportState.RUNNING, "is_apart": is_apart, "started_at": now, "finished_at": None,
              "error": "", "error_detail": "", "retry_at": None}  # fmt: skip
    if find_import(db, account.id) is not None:
        ended = (Import.account_id == account.id) & Import.state.not_in(AT_WORK)
        return row_count(db.execute(update(Import).where(ended).values(values))) == 1
    db.add(Import(account_id=account.id, **values))
    try:
        db.flush()
    except IntegrityError:
        db.rollback()
        return False
    return True


def _choose(db: Session, account: MailAccount, chosen: Collection[Offered], *, below: str) -> None:
    """Of these folders what is not there yet; the others wait until they are chosen again."""
    imported = db.scalars(select(Import.id).where(Import.account_id == account.id)).one()
    db.execute(update(ImportFolder).where(ImportFolder.import_id == imported).values(is_wanted=False))
    known = {row.name: row for row in db.scalars(select(ImportFolder).where(ImportFolder.import_id == imported))}
    for position, folder in enumerate(chosen):
        row = known.get(folder.name) or ImportFolder(import_id=imported, name=folder.name)
        row.role, row.position = folder.role, position
        row.target = target_name(folder.name, folder.delimiter, folder.role, below)
        row.is_wanted, row.is_complete, row.error = True, False, ""
        row.total = max(row.total or 0, folder.messages)
        row.tries = row.failed_in_row = 0
        db.add(row)


def change_state(parts: Runtime, db: Session, account: MailAccount, deed: str) -> None:
    """Do one of DEEDS, where it can be done.  Raises NotFound if nothing was ever imported from the account."""
    if find_import(db, account.id) is None:
        raise NotFound
    before, after = DEEDS[deed]
    values = {"state": after, "error": "", "error_detail": "", "retry_at": None}
    mine = update(Import).where(Import.account_id == account.id, Import.state.in_(before))
    db.execute(mine.values(values))
    db.commit()
    parts.bus.ring(Bell(Topic.ACCOUNT, account.id))


def try_again(parts: Runtime, db: Session, account: MailAccount) -> None:
    """Once more for each message that failed in the folders chosen last, where the import runs or is done.

    Raises NotFound if nothing was ever imported from the account.
    """
    found = find_import(db, account.id)
    if found is None:
        raise NotFound
    values = {"state": ImportState.RUNNING, "finished_at": None, "error": "", "error_detail": "", "retry_at": None}
    ready = update(Import).where(Import.id == found.id, Import.state.in_(CAN_RETRY))
    if row_count(db.execute(ready.values(values))):
        chosen = select(ImportFolder.id).where(ImportFolder.import_id == found.id, ImportFolder.is_wanted)
        failed = update(ImportFailure).where(ImportFailure.folder_id.in_(chosen))
        db.execute(failed.values(error=TRY_AGAIN, error_detail=""))
    db.commit()
    parts.bus.ring(Bell(Topic.ACCOUNT, account.id))
