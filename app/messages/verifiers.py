"""Whom we believe about a message's author, by `mail_account.source`; an extension adds its own."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace

from sqlalchemy import select
from sqlalchemy.orm import Session

from app.accounts.models import MailAccount
from app.errors import MailError
from app.messages.verification import Verification
from app.mirror import wanted
from app.mirror.models import Folder, Message
from app.runtime import Runtime
from app.sources import Role

Verifier = Callable[[Runtime, Session, Message, bytes], Verification | None]
"""The last is the message's header.  None: nothing in it is to be believed."""

VERIFIERS: dict[str, Verifier] = {}


def find_verification(parts: Runtime, db: Session, message: Message) -> Verification | None:
    """None also where the header cannot be had: the body says why."""
    where = select(MailAccount.source, Folder.role).join(Folder, Folder.account_id == MailAccount.id)
    source, role = db.execute(where.where(Folder.id == message.folder_id)).one()
    if source not in VERIFIERS:
        return None
    try:
        header = wanted.get_sections(parts, db, message, ["HEADER"]).get("HEADER", b"")
    except MailError:
        return None
    found = VERIFIERS[source](parts, db, message, header)
    return replace(found, is_junk=found.is_junk and role is Role.JUNK) if found else None
