"""What admins and people do about forwarding.  Its functions commit."""

from __future__ import annotations

from collections.abc import Sequence

from sqlalchemy import delete, func, select
from sqlalchemy.exc import IntegrityError
from sqlalchemy.orm import Session

from app.extension_api import BadInput, MailError, NotAllowed, NotFound, row_count
from mailsite_ext.domains.models import EVERY_DOMAIN, Mailbox
from mailsite_ext.domains.names import TAKES_REPORTS, parse_name
from mailsite_ext.domains.service import find_mailbox
from mailsite_ext.forwarding.models import OutsideAlias
from mailsite_ext.forwarding.srs import is_rewritten
from mailsite_ext.protocol.smtp_address import parse_address
from mailsite_ext.settings.mail_domains import is_full_domain
from mailsite_ext.settings.service import load_settings

MOST_ALIASES = 1_000
MOST_TARGETS = 20  # of one name


def list_aliases(db: Session) -> Sequence[OutsideAlias]:
    ordered = select(OutsideAlias).order_by(OutsideAlias.local_part, OutsideAlias.domain, OutsideAlias.target)
    return db.scalars(ordered.limit(MOST_ALIASES)).all()


def add_alias(db: Session, local: str, domain: str, target: str) -> OutsideAlias:
    """Raises BadInput on `local`, `domain` or `target`."""
    name = parse_name("local", local)
    if name in TAKES_REPORTS:
        raise BadInput("local", name)
    if domain not in (EVERY_DOMAIN, *load_settings(db).hosted_domains):
        raise BadInput("domain", domain[:100])
    same = select(func.count()).select_from(OutsideAlias).where(OutsideAlias.local_part == name)
    if (db.scalar(same) or 0) >= MOST_TARGETS:
        raise BadInput("local", name)
    alias = OutsideAlias(local_part=name, domain=domain, target=_target(db, target))
    db.add(alias)
    try:
        db.commit()
    except IntegrityError:
        db.rollback()
        raise BadInput("target", target[:100]) from None
    return alias


def remove_alias(db: Session, alias_id: int) -> None:
    """Raises NotFound."""
    if row_count(db.execute(delete(OutsideAlias).where(OutsideAlias.id == alias_id))) != 1:
        raise NotFound
    db.commit()


def allow(db: Session, mailbox_id: int, *, may_forward: bool) -> None:
    """Let the person of a mailbox forward their mail; taken away, what they set rests.  Raises NotFound."""
    mailbox = db.get(Mailbox, mailbox_id)
    if mailbox is None:
        raise NotFound
    mailbox.may_forward = may_forward
    db.commit()


def forward_own(db: Session, user_id: int, target: str, *, keeps_copy: bool) -> None:
    """A person's own mail; `target` empty: no longer.  Raises NotFound, NotAllowed, BadInput on `target`."""
    mailbox = find_mailbox(db, user_id)
    if mailbox is None:
        raise NotFound
    if not mailbox.may_forward:
        raise NotAllowed
    mailbox.forward_to = _target(db, target) if target else ""
    mailbox.keeps_copy = keeps_copy
    db.commit()


def _target(db: Session, typed: str) -> str:
    """An address elsewhere: what is hosted here has aliases.  Raises BadInput on `target`."""
    try:
        address = parse_address(typed.strip(), utf8=True)
    except MailError:
        raise BadInput("target", typed[:100]) from None
    settings = load_settings(db)
    is_reachable = settings.test_mode or is_full_domain(address.domain)
    if address.domain in settings.hosted_domains or not is_reachable or is_rewritten(address.local):
        raise BadInput("target", typed[:100])
    return str(address)
