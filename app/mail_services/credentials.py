"""Every stored credential of an external account, and taking one away (N5)."""

from __future__ import annotations

from collections.abc import Sequence

from sqlalchemy import func, select
from sqlalchemy.orm import Session

from app.accounts.models import MailAccount
from app.accounts.service import remove_account
from app.errors import NotFound
from app.mail_services.consequences import InUse
from app.runtime import Runtime
from app.users.models import User

IMAP = "imap"


def list_credentials(db: Session) -> Sequence[tuple[MailAccount, User]]:
    """Accounts with a stored password or grant, and whose they are, by owner."""
    query = select(MailAccount, User).join(User, User.id == MailAccount.owner_id).where(MailAccount.source == IMAP)
    return [(account, owner) for account, owner in db.execute(query.order_by(User.email, MailAccount.position))]


def revoke(parts: Runtime, db: Session, account_id: int) -> str:
    """Delete the account's row and with it all that hangs on it; the address it was for.  Raises NotFound."""
    account = db.get(MailAccount, account_id)
    if account is None or account.source != IMAP:
        raise NotFound
    remove_account(parts, db, account)
    return account.address


def accounts_in_use(db: Session) -> InUse:
    """How much reading and sending with external accounts goes on."""
    columns = select(func.count(), func.count(MailAccount.owner_id.distinct()))
    accounts, people = db.execute(columns.where(MailAccount.source == IMAP, ~MailAccount.paused)).one()
    return InUse(accounts, people)
