"""What the pages about mailboxes show."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from sqlalchemy import func, select
from sqlalchemy.orm import Session

from app.extension_api import User, UserState
from mailsite_ext.domains.models import Address, AppPassword, Mailbox
from mailsite_ext.domains.names import suggest_name
from mailsite_ext.domains.newcomers import Obstacle, obstacle, taken_names, without_mailbox

MOST = 1_000  # rows a page shows


@dataclass(frozen=True, slots=True)
class MailboxRow:
    """A mailbox, whose it is (None: retired), and how many app passwords open it."""

    mailbox: Mailbox
    person: User | None
    passwords: int


@dataclass(frozen=True, slots=True)
class Newcomer:
    """Somebody without a mailbox, the name one would get, and why they did not."""

    person: User
    name: str
    obstacle: Obstacle


def list_mailboxes(db: Session) -> Sequence[MailboxRow]:
    """Every mailbox by name, those of people who are gone last."""
    passwords = select(func.count()).where(AppPassword.mailbox_id == Mailbox.id).scalar_subquery()
    query = select(Mailbox, User, passwords).join(User, User.id == Mailbox.user_id, isouter=True)
    return [MailboxRow(*row) for row in db.execute(query.order_by(User.id.is_(None), Mailbox.name).limit(MOST))]


def list_newcomers(db: Session) -> Sequence[Newcomer]:
    """People without a mailbox, those who may sign in first."""
    people = db.scalars(without_mailbox().order_by(User.state != UserState.ACTIVE, User.email).limit(MOST)).all()
    names = [suggest_name(person.email) for person in people]
    taken = taken_names(db, names)
    return [Newcomer(person, name, obstacle(person, name, taken)) for person, name in zip(people, names, strict=True)]


def list_addresses(db: Session, mailbox_id: int | None = None) -> Sequence[tuple[Address, Mailbox]]:
    """Aliases and catch-alls, of one mailbox or of all, and the mailbox each leads to."""
    query = select(Address, Mailbox).join(Mailbox, Mailbox.id == Address.mailbox_id)
    if mailbox_id is not None:
        query = query.where(Mailbox.id == mailbox_id)
    return [(row[0], row[1]) for row in db.execute(query.order_by(Address.local_part, Address.domain).limit(MOST))]


def list_app_passwords(db: Session, mailbox_id: int) -> Sequence[AppPassword]:
    """The app passwords of a mailbox, the newest first."""
    query = select(AppPassword).where(AppPassword.mailbox_id == mailbox_id)
    return db.scalars(query.order_by(AppPassword.id.desc())).all()
