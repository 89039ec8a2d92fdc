"""A mailbox for everybody who may have mail, made before the first message for them comes."""

from __future__ import annotations

import secrets
from collections.abc import Iterable, Sequence
from datetime import datetime
from enum import StrEnum
from typing import Any

from sqlalchemy import Select, select
from sqlalchemy.dialects import postgresql, sqlite
from sqlalchemy.orm import Session

from app.extension_api import SWITCHES, Runtime, User, UserRole, UserState, current_mode
from mailsite_ext.domains import scram
from mailsite_ext.domains.models import Address, Mailbox, MailboxState
from mailsite_ext.domains.names import is_reserved, suggest_name
from mailsite_ext.forwarding.models import OutsideAlias

BATCH = 500  # mailboxes of one commit


class Obstacle(StrEnum):
    """Why somebody did not get a mailbox by themselves."""

    INACTIVE = "inactive"  # may not sign in yet, or not any more
    NO_NAME = "no name"  # the local part of their address cannot be one
    RESERVED = "reserved"  # it belongs to admins
    TAKEN = "taken"  # by another mailbox, an alias, or somebody who is gone
    NONE = "none"  # theirs is made at the next occasion


def obstacle(person: User, name: str, taken: frozenset[str]) -> Obstacle:
    """What keeps `person` from the mailbox `name`, the one suggested by their address."""
    if person.state != UserState.ACTIVE:
        return Obstacle.INACTIVE
    if not name:
        return Obstacle.NO_NAME
    if is_reserved(name) and person.role is not UserRole.ADMIN:
        return Obstacle.RESERVED
    return Obstacle.TAKEN if name in taken else Obstacle.NONE


def welcome(db: Session, person: User, now: datetime) -> None:
    """A mailbox for one who may sign in since now, where mail is hosted.  Does not commit."""
    if SWITCHES[current_mode(db)].hosting:
        _make(db, db.scalars(without_mailbox().where(User.id == person.id)).all(), now)


def make_mailboxes(parts: Runtime) -> None:
    """A mailbox for everybody who has none and whose address suggests a name they may have: the first to come has it.

    Commits by the batch, and is as good as free when there is nothing to do.
    """
    last = 0
    active = without_mailbox().where(User.state == UserState.ACTIVE).order_by(User.id).limit(BATCH)
    with parts.public.session() as db:
        if not SWITCHES[current_mode(db)].hosting:
            return
        while people := db.scalars(active.where(User.id > last)).all():
            last = people[-1].id
            _make(db, people, parts.clock.now())
            db.commit()


def without_mailbox() -> Select[User]:
    return select(User).join(Mailbox, Mailbox.user_id == User.id, isouter=True).where(Mailbox.id.is_(None))


def taken_names(db: Session, names: Iterable[str]) -> frozenset[str]:
    """Those of `names` that a mailbox or an alias has, also of people who are gone."""
    wanted = {name for name in names if name}
    mailboxes = db.scalars(select(Mailbox.name).where(Mailbox.name.in_(wanted)))
    aliases = db.scalars(select(Address.local_part).where(Address.local_part.in_(wanted)).distinct())
    outside = db.scalars(select(OutsideAlias.local_part).where(OutsideAlias.local_part.in_(wanted)).distinct())
    return frozenset([*mailboxes, *aliases, *outside])


def _make(db: Session, people: Sequence[User], now: datetime) -> None:
    """Whoever is in the way of a name by now, from another process, keeps it."""
    names = {person.id: suggest_name(person.email) for person in people}
    taken = taken_names(db, names.values())
    free = [person for person in people if obstacle(person, names[person.id], taken) is Obstacle.NONE]
    rows = [new_row(person.id, names[person.id], now) for person in free]
    if rows:
        dialect = postgresql if db.get_bind().dialect.name == "postgresql" else sqlite
        db.execute(dialect.insert(Mailbox).on_conflict_do_nothing(), rows)


def new_row(user_id: int, name: str, now: datetime) -> dict[str, Any]:
    """The columns of an open mailbox."""
    return {
        "user_id": user_id,
        "name": name,
        "state": MailboxState.OPEN,
        "hidden_capabilities": "",
        "scram_salt": secrets.token_bytes(scram.SALT_OCTETS),
        "scram_iterations": scram.ITERATIONS,
        "created_at": now,
    }
