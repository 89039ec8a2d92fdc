"""Whose remote images a person always wants to see."""

from __future__ import annotations

from sqlalchemy import bindparam, delete, select
from sqlalchemy.orm import Session

from app.messages.models import TrustedImageSender

TRUSTED = select(TrustedImageSender.sender).where(
    TrustedImageSender.user_id == bindparam("user_id"),
    TrustedImageSender.sender.in_((bindparam("address"), bindparam("domain"))),
)


def is_trusted(db: Session, user_id: int, address: str) -> bool:
    """Whether this person always wants remote images from `address`."""
    lowered = address.lower()
    if "@" not in lowered:
        return False
    theirs = {"user_id": user_id, "address": lowered, "domain": "@" + lowered.rpartition("@")[2]}
    return db.scalar(TRUSTED, theirs) is not None


def trust_sender(db: Session, user_id: int, address: str, *, whole_domain: bool) -> None:
    """From now on show remote images in mail from `address`, or from anybody at its domain."""
    sender = address.lower().rpartition("@")[2] if whole_domain else address.lower()
    if "@" not in address or len(sender) > 253:
        return
    db.merge(TrustedImageSender(user_id=user_id, sender="@" + sender if whole_domain else sender))
    db.commit()


def distrust_sender(db: Session, user_id: int, address: str) -> None:
    """Hold remote images back again, from this address and its domain."""
    lowered = address.lower()
    theirs = TrustedImageSender.sender.in_([lowered, "@" + lowered.rpartition("@")[2]])
    db.execute(delete(TrustedImageSender).where(TrustedImageSender.user_id == user_id, theirs))
    db.commit()
