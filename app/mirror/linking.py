"""Conversations of new messages: one look-up and one write for a whole batch."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from functools import cache
from typing import cast

import sqlalchemy as sa
from sqlalchemy import select, update
from sqlalchemy.dialects import postgresql, sqlite
from sqlalchemy.orm import Session

from app.mirror import rows
from app.mirror.conversations import Linked, assign
from app.mirror.counters import chunks, padded
from app.mirror.envelope import Envelope
from app.mirror.many import insert_many
from app.mirror.models import ConversationLink
from app.mirror.rows import MESSAGE
from app.sources import RemoteMessage

LINK = cast(sa.Table, ConversationLink.__table__)
LINKS_AT_ONCE = 5_000
POSITIVE = 2**63 - 1
STORED = select(LINK.c.id_hash, LINK.c.conversation_id).where(
    LINK.c.account_id == sa.bindparam("account_id"), LINK.c.id_hash.in_(sa.bindparam("named", expanding=True))
)


def assign_conversations(
    db: Session, account_id: int, messages: Sequence[tuple[RemoteMessage, Envelope]]
) -> Sequence[int]:
    """The conversation of each message; those that turn out to be one are merged."""
    linked = [_linked(message, envelope) for message, envelope in messages]
    named = {link for message in linked if message.gmail_thread is None for link in message.links}
    assigned = assign(linked, _known_links(db, account_id, named))
    for old, kept in assigned.merged.items():
        _merge(db, account_id, old, kept)
    _store_links(db, account_id, assigned.links)
    if assigned.merged:
        rows.refresh_leads(db, account_id, set(assigned.merged.values()))
    return assigned.conversations


def _linked(message: RemoteMessage, envelope: Envelope) -> Linked:
    thread = message.gmail.thrid & POSITIVE if message.gmail else None
    return Linked(envelope.message_id_hash, envelope.links, thread)


def _known_links(db: Session, account_id: int, named: set[int]) -> Mapping[int, int]:
    known: dict[int, int] = {}
    for chunk in chunks(named, LINKS_AT_ONCE):
        found = db.execute(STORED, {"account_id": account_id, "named": padded(chunk)})
        known.update((id_hash, conversation) for id_hash, conversation in found)
    return known


def _merge(db: Session, account_id: int, old: int, kept: int) -> None:
    for table in (LINK, MESSAGE):
        of_old = (table.c.account_id == account_id) & (table.c.conversation_id == old)
        db.execute(update(table).where(of_old).values(conversation_id=kept))


def _store_links(db: Session, account_id: int, links: Mapping[int, int]) -> None:
    values = [
        {"account_id": account_id, "id_hash": link, "conversation_id": conversation}
        for link, conversation in links.items()
    ]
    upsert = _upsert(db.get_bind().dialect.name)
    for chunk in chunks(values, LINKS_AT_ONCE):
        insert_many(db, upsert, chunk)


@cache
def _upsert(dialect_name: str) -> sa.Insert:
    new = (postgresql if dialect_name == "postgresql" else sqlite).insert(LINK)
    upsert: sa.Insert = new.on_conflict_do_update(
        index_elements=[LINK.c.account_id, LINK.c.id_hash], set_={"conversation_id": new.excluded.conversation_id}
    )
    return upsert
