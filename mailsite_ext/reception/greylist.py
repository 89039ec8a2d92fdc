"""Greylisting: the first mail from somewhere new is put off: who sends junk in bulk rarely comes again (RFC 6647).

What is new is a network, an envelope sender and a recipient together.  A network from which FEWEST_GOOD such threes
came again is put off no more.  Whoever signed in never is, nor are peers of this machine and its private networks.
"""

from __future__ import annotations

from datetime import datetime, timedelta
from enum import StrEnum
from hashlib import sha256
from ipaddress import ip_address, ip_network
from typing import Any

from sqlalchemy import and_, delete, or_, select, update
from sqlalchemy.dialects import postgresql, sqlite
from sqlalchemy.orm import Session

from app.extension_api import row_count
from mailsite_ext.protocol.smtp_address import Address
from mailsite_ext.reception.models import Greylisted

WAIT = timedelta(minutes=5)
COMES_AGAIN_WITHIN = timedelta(days=1)
"""Whoever comes later than that after the first time is new once more (RFC 6647 §5: no less than a day)."""
KEPT_FOR = timedelta(days=35)
FEWEST_GOOD = 5


class Fate(StrEnum):
    NEW = "new"  # put off, and remembered
    EARLY = "early"  # put off: it has not waited long enough
    PASSED = "passed"
    KNOWN = "known"  # its network is: nothing is remembered


def decide(three: Greylisted | None, network: Greylisted | None, now: datetime) -> Fate:
    """Pure; rows that are too old count as none."""
    if network is not None and network.passed >= FEWEST_GOOD and now - network.seen_at <= KEPT_FOR:
        return Fate.KNOWN
    if three is None or now - three.seen_at > (KEPT_FOR if three.passed else COMES_AGAIN_WITHIN):
        return Fate.NEW
    return Fate.EARLY if not three.passed and now - three.begun_at < WAIT else Fate.PASSED


def is_exempt(peer: str) -> bool:
    return not ip_address(peer).is_global


def network_of(peer: str) -> str:
    """Servers of one sender stand side by side: /24, or /64."""
    address = ip_address(peer)
    return str(ip_network(f"{address}/{24 if address.version == 4 else 64}", strict=False))


def admits(db: Session, network: str, sender: Address | None, recipient: Address, now: datetime) -> bool:
    """May this mail be taken now?  Writes down that it came.  Commits."""
    name = name_of(network, sender, recipient)
    rows = {row.name: row for row in db.scalars(select(Greylisted).where(Greylisted.name.in_([name, network])))}
    three, fate = rows.get(name), decide(rows.get(name), rows.get(network), now)
    if fate is Fate.NEW:
        db.execute(_begun(db, name, now, passed=0, begins_anew=True))
    elif fate is Fate.PASSED and three is not None:
        _pass(db, three, network, now)
    elif fate is Fate.KNOWN and now - rows[network].seen_at > COMES_AGAIN_WITHIN:
        db.execute(update(Greylisted).where(Greylisted.name == network).values(seen_at=now))
    db.commit()
    return fate in (Fate.PASSED, Fate.KNOWN)


def name_of(network: str, sender: Address | None, recipient: Address) -> str:
    three = "\0".join([network, str(sender or "").lower(), str(recipient).lower()])
    return sha256(three.encode("utf-8", "surrogatepass")).hexdigest()


def _pass(db: Session, three: Greylisted, network: str, now: datetime) -> None:
    """Of several processes that see the same pass for the first time one counts it for the network."""
    passed = three.passed
    same = update(Greylisted).where(Greylisted.name == three.name, Greylisted.passed == passed)
    if row_count(db.execute(same.values(passed=passed + 1, seen_at=now))) == 1 and passed == 0:
        db.execute(_begun(db, network, now, passed=1, begins_anew=False))


def _begun(db: Session, name: str, now: datetime, *, passed: int, begins_anew: bool) -> Any:
    """A row; where there is one already it begins anew, or has passed once more."""
    dialect = postgresql if db.get_bind().dialect.name == "postgresql" else sqlite
    new = dialect.insert(Greylisted).values(name=name, begun_at=now, seen_at=now, passed=passed)
    once_more: dict[str, Any] = {"seen_at": now, "passed": Greylisted.passed + passed}
    anew = {"begun_at": now, "seen_at": now, "passed": 0}
    return new.on_conflict_do_update(index_elements=["name"], set_=anew if begins_anew else once_more)


def forget_old(db: Session, now: datetime) -> None:
    """Commits."""
    unconfirmed = and_(Greylisted.passed == 0, Greylisted.seen_at < now - COMES_AGAIN_WITHIN)
    db.execute(delete(Greylisted).where(or_(Greylisted.seen_at < now - KEPT_FOR, unconfirmed)))
    db.commit()
