"""Which identities a hosted account has: they come and go with the addresses an admin gives and takes."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from sqlalchemy import func, select
from sqlalchemy.orm import Session

from app.extension_api import MAX_IDENTITIES, Identity, MailAccount
from mailsite_ext.domains.directory import addresses_of, find_mailboxes
from mailsite_ext.domains.models import Mailbox
from mailsite_ext.domains.names import fold, split_detail
from mailsite_ext.domains.sources import SOURCE
from mailsite_ext.settings.service import load_settings


@dataclass(frozen=True, slots=True)
class Hosted:
    """A person's mailbox, and its account in the webmail."""

    mailbox: Mailbox
    account: MailAccount


def find_hosted(db: Session, user_id: int) -> Hosted | None:
    """None: no mailbox, or never opened Mail."""
    query = select(Mailbox, MailAccount).join(MailAccount, MailAccount.owner_id == Mailbox.user_id)
    found = db.execute(query.where(MailAccount.source == SOURCE, Mailbox.user_id == user_id)).first()
    return Hosted(*found) if found else None


def may_write_from(db: Session, mailbox: Mailbox, address: str) -> bool:
    """Does mail to `address` reach the mailbox?  A subaddress of its own does (RFC 5233)."""
    local, _at, domain = address.rpartition("@")
    if domain.lower() not in load_settings(db).hosted_domains:
        return False
    name, _detail = split_detail(fold(local))
    return any(hosted.id == mailbox.id for hosted in find_mailboxes(db, name, domain.lower()))


def follow_addresses(db: Session, mailbox: Mailbox, before: Sequence[str]) -> None:
    """Bring the identities from the addresses of `before` to those of now; what people wrote themselves stays.

    The last identity stays too: every account has somebody to write from.  Does not commit.
    """
    hosted = find_hosted(db, mailbox.user_id or 0)
    if hosted is None:
        return
    now = addresses_of(db, mailbox.name, load_settings(db).hosted_domains)
    kept = [identity for identity in hosted.account.identities if identity.address not in set(before) - set(now)]
    for identity in set(hosted.account.identities) - set(kept or hosted.account.identities[:1]):
        db.delete(identity)
    known = {identity.address for identity in kept}
    new = [address for address in now if address not in before and address not in known]
    add_identities(db, hosted.account, new[: max(0, MAX_IDENTITIES - len(kept))])


def add_identities(db: Session, account: MailAccount, addresses: Sequence[str]) -> None:
    """After those there are, under the name of the first.  Does not commit."""
    query = select(Identity).where(Identity.account_id == account.id).order_by(Identity.position).limit(1)
    first = db.scalar(query)
    last = db.scalar(select(func.max(Identity.position)).where(Identity.account_id == account.id)) or 0
    for position, address in enumerate(addresses, last + 1):
        name = first.name if first else ""
        db.add(Identity(account_id=account.id, name=name, address=address, position=position))
