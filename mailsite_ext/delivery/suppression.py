"""Addresses that bounced for good: refused at once to who sent there, for a week or until lifted (X4)."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import datetime, timedelta

from sqlalchemy import delete, select
from sqlalchemy.dialects import postgresql, sqlite
from sqlalchemy.orm import Session

from app.extension_api import NotFound, row_count
from mailsite_ext.delivery.bounce import status_of
from mailsite_ext.delivery.models import BouncedAddress
from mailsite_ext.domains.models import Mailbox
from mailsite_ext.errors import BouncedLately
from mailsite_ext.replies import Reply

SUPPRESSED_FOR = timedelta(days=7)
LONGEST_WORDS = 200  # of the other server, in a reply of ours: a line of SMTP has 512 octets
MOST_LISTED = 200
ABOUT_THE_SENDER = ("5.1.7", "5.1.8")


def is_about_the_address(reply: Reply) -> bool:
    """Is it the address that is wrong, and for good?  RFC 3463 §3.2: 5.1.x, but two of those mean the sender's."""
    status = status_of(reply)
    return reply.code >= 500 and status.startswith("5.1.") and status not in ABOUT_THE_SENDER


def remember(db: Session, mailbox: str, address: str, reply: Reply, now: datetime) -> None:
    """Does not commit.  Nothing is kept for a mailbox that is gone."""
    mailbox_id = db.scalar(select(Mailbox.id).where(Mailbox.name == mailbox))
    if mailbox_id is None:
        return
    said = {"code": reply.code, "words": reply.words, "bounced_at": now}
    dialect = postgresql if db.get_bind().dialect.name == "postgresql" else sqlite
    new = dialect.insert(BouncedAddress).values(mailbox_id=mailbox_id, address=address.lower(), **said)
    db.execute(new.on_conflict_do_update(index_elements=["mailbox_id", "address"], set_=said))


def check(db: Session, mailbox_id: int, address: str, now: datetime) -> None:
    """Raises BouncedLately, which says when and with what."""
    query = select(BouncedAddress).where(
        BouncedAddress.mailbox_id == mailbox_id,
        BouncedAddress.address == address.lower(),
        BouncedAddress.bounced_at > now - SUPPRESSED_FOR,
    )
    found = db.scalar(query)
    if found is not None:
        raise BouncedLately(_words(found))


def _words(found: BouncedAddress) -> str:
    said = " ".join(f"{found.code} {found.words}".split())
    quoted = "".join(letter for letter in said if letter.isprintable())[:LONGEST_WORDS]
    return f"mail to it bounced on {found.bounced_at:%-d %B %Y}: {quoted}"


def list_bounced(db: Session, now: datetime, mailbox_id: int | None = None) -> Sequence[tuple[BouncedAddress, str]]:
    """Those refused now, of one mailbox or of all, the latest first, each with the mailbox's name."""
    both = select(BouncedAddress, Mailbox.name).join(Mailbox, Mailbox.id == BouncedAddress.mailbox_id)
    query = both.where(BouncedAddress.bounced_at > now - SUPPRESSED_FOR)
    if mailbox_id is not None:
        query = query.where(BouncedAddress.mailbox_id == mailbox_id)
    newest = query.order_by(BouncedAddress.bounced_at.desc(), BouncedAddress.id.desc()).limit(MOST_LISTED)
    return [(row[0], row[1]) for row in db.execute(newest)]


def lift(db: Session, bounced_id: int, mailbox_id: int | None = None) -> str:
    """Let mail to it go again; the address.  `mailbox_id`: only if it is theirs.  Raises NotFound."""
    found = db.get(BouncedAddress, bounced_id)
    if found is None or mailbox_id not in (None, found.mailbox_id):
        raise NotFound
    address = found.address
    if row_count(db.execute(delete(BouncedAddress).where(BouncedAddress.id == bounced_id))) != 1:
        raise NotFound
    db.commit()
    return address


def forget_old(db: Session, now: datetime) -> None:
    """Does not commit."""
    db.execute(delete(BouncedAddress).where(BouncedAddress.bounced_at <= now - SUPPRESSED_FOR))
