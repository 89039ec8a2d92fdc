"""A person's list of trusted senders (T6): addresses and whole domains."""

from __future__ import annotations

from collections.abc import Collection, Sequence
from datetime import datetime

from sqlalchemy import delete, func, select
from sqlalchemy.exc import IntegrityError
from sqlalchemy.orm import Session

from app.extension_api import BadInput, Database, MailError, NotFound, row_count
from mailsite_ext.protocol.smtp_address import Address, canonical_domain, parse_address
from mailsite_ext.trusted_senders.models import TrustedSender

MOST = 1_000


class TrustedSenders:
    """All lists, as reception asks them; may wait for the database."""

    def __init__(self, public: Database) -> None:
        self._public = public

    def trusting(self, people: Collection[int], author: Address) -> Collection[int]:
        """Those of `people`, by their ids, on whose list the author or their domain is."""
        query = select(TrustedSender.user_id).where(
            TrustedSender.user_id.in_(people), TrustedSender.sender.in_(entries_of(author))
        )
        with self._public.session() as db:
            return frozenset(db.scalars(query))


def entries_of(author: Address) -> Sequence[str]:
    """What a list may have for an author: their address, and everybody at their domain."""
    return [f"{author.local}@{author.domain}".lower(), f"@{author.domain}"]


def entry_of(typed: str) -> str:
    """What a person typed, as the list has it: ada@example.org, or a domain, with an @ before it or not.

    Raises BadInput.
    """
    text = typed.strip().removeprefix("@")
    try:
        if "@" not in text:
            return f"@{_full(canonical_domain(text))}"
        address = parse_address(text, utf8=True)
        return f"{address.local}@{_full(address.domain)}".lower()
    except MailError as error:
        raise BadInput("sender", typed[:100]) from error


def _full(domain: str) -> str:
    """Raises BadInput: everybody below .org is trusted by nobody."""
    if "." not in domain or domain.startswith("["):
        raise BadInput("sender", domain[:100])
    return domain


def list_trusted(db: Session, user_id: int) -> Sequence[TrustedSender]:
    """Domains first, then by name."""
    return db.scalars(
        select(TrustedSender).where(TrustedSender.user_id == user_id).order_by(TrustedSender.sender)
    ).all()


def is_trusted(db: Session, user_id: int, author: Address) -> bool:
    own = select(TrustedSender.id).where(TrustedSender.user_id == user_id)
    return db.scalar(own.where(TrustedSender.sender.in_(entries_of(author))).limit(1)) is not None


def trust(db: Session, user_id: int, entry: str, now: datetime) -> None:
    """Put `entry`, which `entry_of` gave, on the list; one that is there already is not put there twice.

    Raises BadInput where the list is full.
    """
    own = select(func.count()).select_from(TrustedSender).where(TrustedSender.user_id == user_id)
    if (db.scalar(own) or 0) >= MOST:
        raise BadInput("sender", str(MOST))
    db.add(TrustedSender(user_id=user_id, sender=entry, added_at=now))
    try:
        db.commit()
    except IntegrityError:
        db.rollback()


def distrust(db: Session, user_id: int, trusted_id: int) -> None:
    """Raises NotFound for what is not on this person's list."""
    found = delete(TrustedSender).where(TrustedSender.id == trusted_id, TrustedSender.user_id == user_id)
    if not row_count(db.execute(found)):
        raise NotFound
    db.commit()
