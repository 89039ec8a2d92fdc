"""What people and admins do about mailboxes, addresses and app passwords."""

from __future__ import annotations

import secrets
from collections.abc import Sequence
from contextlib import suppress
from dataclasses import dataclass

from sqlalchemy import delete, select, update
from sqlalchemy.exc import IntegrityError
from sqlalchemy.orm import Session

from app.extension_api import (
    MAX_IDENTITIES,
    BadInput,
    Bell,
    Identity,
    MailAccount,
    NotAllowed,
    NotFound,
    Runtime,
    Topic,
    User,
    UserRole,
    UserState,
    add_hosted_account,
    row_count,
)
from mailsite_ext.domains import app_passwords, scram
from mailsite_ext.domains.directory import addresses_of
from mailsite_ext.domains.identities import add_identities, follow_addresses
from mailsite_ext.domains.models import EVERY_DOMAIN, Address, AppPassword, Mailbox, MailboxState
from mailsite_ext.domains.names import EVERYTHING, is_reserved, parse_name, suggest_name
from mailsite_ext.domains.newcomers import new_row
from mailsite_ext.domains.sources import SOURCE
from mailsite_ext.forwarding.models import OutsideAlias
from mailsite_ext.settings.service import load_settings
from mailsite_ext.storage.engine import StorageEngine

MAX_APP_PASSWORDS = 50


@dataclass(frozen=True, slots=True)
class NewPassword:
    """An app password as it is shown, this once."""

    label: str
    password: str


# Mailboxes


def find_mailbox(db: Session, user_id: int) -> Mailbox | None:
    """A person's mailbox, open or closed."""
    return db.scalar(select(Mailbox).where(Mailbox.user_id == user_id))


def get_mailbox(db: Session, mailbox_id: int) -> Mailbox:
    """Raises NotFound."""
    mailbox = db.get(Mailbox, mailbox_id)
    if mailbox is None:
        raise NotFound
    return mailbox


def ensure_mailbox(parts: Runtime, db: Session, user: User, name: str | None = None) -> Mailbox:
    """The person's mailbox, made as `name` (None: after their mail address) if there is none, and its account in the
    webmail, first in their order.

    Raises BadInput on `name`: it cannot be one, is taken or retired, or belongs to admins.
    """
    mailbox = find_mailbox(db, user.id) or _new_mailbox(db, parts, user, name)
    _commit(db, "name", mailbox.name)
    if not _has_account(db, user.id):
        _add_account(parts, db, user, mailbox)
    return mailbox


def _has_account(db: Session, user_id: int) -> bool:
    query = select(MailAccount.id).where(MailAccount.owner_id == user_id, MailAccount.source == SOURCE)
    return db.scalar(query) is not None


def _add_account(parts: Runtime, db: Session, user: User, mailbox: Mailbox) -> None:
    """Of two requests at once the second waits for the first, and finds its account."""
    db.execute(update(Mailbox).where(Mailbox.id == mailbox.id).values(user_id=user.id))
    if _has_account(db, user.id):
        db.rollback()
        return
    address = f"{mailbox.name}@{load_settings(db).hosted_domains[0]}"
    account = add_hosted_account(parts, db, user.id, SOURCE, address, name=user.name, label=address)
    db.flush()
    further = addresses_of(db, mailbox.name, load_settings(db).hosted_domains)[1:MAX_IDENTITIES]
    add_identities(db, account, further)
    db.commit()
    parts.bus.ring(Bell(Topic.ACCOUNT, account.id), Bell(Topic.TREE, user.id))


def ensure_admin_mailbox(parts: Runtime, db: Session) -> None:
    """A mailbox for the first admin, so that postmaster reaches somebody (RFC 5321 §4.5.1); none without admins."""
    active = select(User).where(User.role == UserRole.ADMIN, User.state == UserState.ACTIVE)
    admin = db.scalar(active.order_by(User.id).limit(1))
    if admin is None:
        return
    for name in (None, "postmaster", f"admin-{admin.id}"):
        with suppress(BadInput):  # somebody has it; the next one
            ensure_mailbox(parts, db, admin, name)
            return


def follow_domains(db: Session, domains: Sequence[str]) -> None:
    """Accounts in the webmail whose domain is hosted no more move to the first of `domains`.  Does not commit."""
    hosted = select(MailAccount, Mailbox.name).join(Mailbox, Mailbox.user_id == MailAccount.owner_id)
    for account, name in db.execute(hosted.where(MailAccount.source == SOURCE)):
        old, new = account.address, f"{name}@{domains[0]}"
        if old.rpartition("@")[2] in domains:
            continue
        account.address, account.label = new, new if account.label == old else account.label
        own = (Identity.account_id == account.id) & (Identity.address == old)
        db.execute(update(Identity).where(own).values(address=new))


def _new_mailbox(db: Session, parts: Runtime, user: User, name: str | None) -> Mailbox:
    parsed = suggest_name(user.email) if name is None else parse_name("name", name)
    check_name(db, "name", parsed, user.role)
    mailbox = Mailbox(**new_row(user.id, parsed, parts.clock.now()))
    db.add(mailbox)
    return mailbox


def check_name(db: Session, field: str, name: str, role: UserRole) -> None:
    """May somebody of this role have the folded `name`?  Raises BadInput on `field`."""
    if not name or (is_reserved(name) and role is not UserRole.ADMIN) or is_taken(db, name):
        raise BadInput(field, name)


def is_taken(db: Session, name: str) -> bool:
    """Is it the name of a mailbox, also of a person who is gone, or of an alias?"""
    mailbox = db.scalar(select(Mailbox.id).where(Mailbox.name == name))
    aliases = select(Address.id).where(Address.local_part == name)
    outside = select(OutsideAlias.id).where(OutsideAlias.local_part == name)
    return mailbox is not None or db.scalar(aliases.union_all(outside).limit(1)) is not None


def set_state(db: Session, mailbox_id: int, state: MailboxState) -> Mailbox:
    """Open a mailbox, or close it to mail and sign-in.  Raises NotFound."""
    mailbox = get_mailbox(db, mailbox_id)
    mailbox.state = state
    db.commit()
    return mailbox


def save_limits(
    db: Session, storage: StorageEngine, mailbox_id: int, quota_octets: int | None, hidden_capabilities: str
) -> None:
    """A quota (None: none), and capabilities of IMAP to keep from a client that breaks on them, separated by spaces.

    Raises NotFound, and what the storage raises: nothing is stored then.
    """
    name = get_mailbox(db, mailbox_id).name
    db.rollback()  # no transaction waits for the disk
    storage.create_mailbox(name)
    storage.set_quota(name, quota_octets)
    values = {"quota_octets": quota_octets, "hidden_capabilities": hidden_capabilities}
    db.execute(update(Mailbox).where(Mailbox.id == mailbox_id).values(values))
    db.commit()


def save_sending(db: Session, mailbox_id: int, per_hour: int | None, per_day: int | None) -> None:
    """How many recipients elsewhere it may send to; None: as many as all may.  Raises NotFound."""
    mailbox = get_mailbox(db, mailbox_id)
    mailbox.recipients_per_hour, mailbox.recipients_per_day = per_hour, per_day
    db.commit()


def is_retired(db: Session, mailbox: Mailbox) -> bool:
    """Is its person gone?"""
    return mailbox.user_id is None or db.get(User, mailbox.user_id) is None


def delete_mail(db: Session, storage: StorageEngine, mailbox_id: int) -> str:
    """Remove the mail of a person who is gone, for good; the name stays retired.  The name.

    Raises NotFound, NotAllowed while somebody has the mailbox, and what the storage raises.
    """
    mailbox = get_mailbox(db, mailbox_id)
    if not is_retired(db, mailbox):
        raise NotAllowed
    name = mailbox.name
    db.rollback()  # no transaction waits for the disk
    storage.remove_mailbox(name)
    return name


def release(db: Session, storage: StorageEngine, mailbox_id: int) -> str:
    """Give the name of a person who is gone free again, and the addresses that led to it; the name.

    Their mail is removed first, so that the next one of the name does not find it.  Raises NotFound, NotAllowed while
    somebody has it, and what the storage raises: the name stays retired then.
    """
    name = delete_mail(db, storage, mailbox_id)
    db.execute(delete(Mailbox).where(Mailbox.id == mailbox_id))
    db.commit()
    return name


# Addresses


def add_address(db: Session, mailbox_id: int, local: str, domain: str) -> Address:
    """An alias; `local` is EVERYTHING for a catch-all, `domain` may be EVERY_DOMAIN.

    Raises NotFound, BadInput on `local` or `domain`.  A reserved name leads to admins alone.
    """
    mailbox = get_mailbox(db, mailbox_id)
    owner = db.get(User, mailbox.user_id) if mailbox.user_id is not None else None
    if owner is None:
        raise NotFound
    if domain not in (EVERY_DOMAIN, *load_settings(db).hosted_domains):
        raise BadInput("domain", domain[:100])
    name = EVERYTHING if local.strip() == EVERYTHING else parse_name("local", local)
    if _is_anothers(db, name) or (is_reserved(name) and owner.role is not UserRole.ADMIN):
        raise BadInput("local", name)
    address = Address(local_part=name, domain=domain, mailbox_id=mailbox_id)
    before = addresses_of(db, mailbox.name, load_settings(db).hosted_domains)
    db.add(address)
    try:
        db.flush()
    except IntegrityError:
        db.rollback()
        raise BadInput("local", name) from None
    follow_addresses(db, mailbox, before)
    _commit(db, "local", name)
    return address


def _is_anothers(db: Session, name: str) -> bool:
    """Is it a mailbox's own name, or did it lead to somebody who is gone?  Several people may share an alias."""
    if db.scalar(select(Mailbox.id).where(Mailbox.name == name)) is not None:
        return True
    gone = select(Address.id).join(Mailbox).join(User, User.id == Mailbox.user_id, isouter=True)
    found = db.scalar(gone.where(Address.local_part == name, User.id.is_(None)).limit(1))
    return found is not None and name != EVERYTHING


def remove_address(db: Session, mailbox_id: int, address_id: int) -> None:
    """Raises NotFound."""
    mailbox = get_mailbox(db, mailbox_id)
    before = addresses_of(db, mailbox.name, load_settings(db).hosted_domains)
    found = delete(Address).where(Address.id == address_id, Address.mailbox_id == mailbox_id)
    if row_count(db.execute(found)) != 1:
        raise NotFound
    follow_addresses(db, mailbox, before)
    db.commit()


# App passwords


def add_app_password(parts: Runtime, db: Session, mailbox: Mailbox, label: str) -> NewPassword:
    """A new password for one mail client, to be shown now and never again.  Raises BadInput on `label`: too many."""
    kept = db.scalars(select(AppPassword.id).where(AppPassword.mailbox_id == mailbox.id)).all()
    if len(kept) >= MAX_APP_PASSWORDS:
        raise BadInput("label", str(MAX_APP_PASSWORDS))
    password = app_passwords.as_typed(secrets.token_bytes(app_passwords.RANDOM_OCTETS))
    stored_key, server_key = scram.derive(password, mailbox.scram_salt, mailbox.scram_iterations)
    row = AppPassword(
        mailbox_id=mailbox.id,
        label=label,
        stored_key=stored_key,
        server_key=server_key,
        created_at=parts.clock.now(),
        last_address="",
    )
    db.add(row)
    db.commit()
    return NewPassword(label, password)


def revoke_app_password(db: Session, mailbox_id: int, password_id: int) -> None:
    """Open connections live on; new ones need another password.  Raises NotFound."""
    mine = delete(AppPassword).where(AppPassword.id == password_id, AppPassword.mailbox_id == mailbox_id)
    if row_count(db.execute(mine)) != 1:
        raise NotFound
    db.commit()


def _commit(db: Session, field: str, value: str) -> None:
    """Raises BadInput on `field` where another one of the same name was quicker."""
    try:
        db.commit()
    except IntegrityError:
        db.rollback()
        raise BadInput(field, value) from None
