"""A search in the mirror: what envelopes, first words and flags tell, newest first.

Texts are found anywhere in a word, by a look at the rows: fifty thousand take some 80 ms where nothing is found, and a
common word ends the look as soon as the page is full.  An index of words would find no parts of words, and cost every
fetched message.  Of larger folders the newest LOOKED_AT rows are looked at; what is older the server finds.
"""

from __future__ import annotations

from collections.abc import Collection, Iterable, Sequence
from datetime import date, datetime, time, tzinfo
from typing import Any, cast

import sqlalchemy as sa
from sqlalchemy import not_, or_, select
from sqlalchemy.orm import Session

from app.mirror.models import Message
from app.mirror.queries import ROW_COLUMNS, Cursor, ListRow, newest_of
from app.search.query import Query
from app.sources import SearchField, SearchTerm

LOOKED_AT = 50_000
MESSAGE = cast(sa.Table, Message.__table__)
TEXTS = {
    SearchField.ANY: ("subject", "from_name", "from_address", "recipients", "preview"),
    SearchField.FROM: ("from_name", "from_address"),
    SearchField.TO: ("recipients",),
    SearchField.SUBJECT: ("subject",),
    SearchField.BODY: ("preview",),
}
FLAGS = {
    SearchField.UNREAD: MESSAGE.c.seen.is_(False),
    SearchField.STARRED: MESSAGE.c.flagged.is_(True),
    SearchField.ANSWERED: MESSAGE.c.answered.is_(True),
    SearchField.ATTACHMENT: MESSAGE.c.has_attachments.is_(True),
}


def find(
    db: Session, folder_ids: Iterable[int], query: Query, zone: tzinfo, *, before: Cursor | None, limit: int
) -> Sequence[ListRow]:
    """The newest messages of these folders that envelopes show to match."""
    if not query.is_decidable_here:
        return []
    conditions = [condition(term, zone) for term in query.terms]
    pages = [_page(db, folder_id, conditions, before, limit) for folder_id in folder_ids]
    return newest_of(pages)[:limit]


def found(
    db: Session, ids: Collection[int], folder_ids: Collection[int], query: Query, *, before: Cursor | None, limit: int
) -> Sequence[ListRow]:
    """Those of `ids`, found by servers, that are still in these folders; whether a message has attachments we know."""
    attachments = [condition(term, None) for term in query.terms if term.field is SearchField.ATTACHMENT]
    there = select(*ROW_COLUMNS).where(MESSAGE.c.id.in_(ids), MESSAGE.c.folder_id.in_(folder_ids), *attachments)
    return _rows(db, _older(there, before), limit)


def _page(
    db: Session,
    folder_id: int,
    conditions: Sequence[sa.ColumnElement[bool]],
    before: Cursor | None,
    limit: int,
) -> Sequence[ListRow]:
    page = select(*ROW_COLUMNS).where(MESSAGE.c.folder_id == folder_id, *conditions)
    oldest = select(MESSAGE.c.received_at).where(MESSAGE.c.folder_id == folder_id)
    oldest = oldest.order_by(MESSAGE.c.received_at.desc(), MESSAGE.c.uid.desc()).offset(LOOKED_AT).limit(1)
    if (ends := db.scalar(oldest)) is not None:
        page = page.where(MESSAGE.c.received_at > ends)
    return _rows(db, _older(page, before), limit)


def _older(page: sa.Select[Any], before: Cursor | None) -> sa.Select[Any]:
    if before is None:
        return page
    place = (sa.literal(before.received_at, MESSAGE.c.received_at.type), sa.literal(before.uid, sa.BigInteger()))
    return page.where(sa.tuple_(MESSAGE.c.received_at, MESSAGE.c.uid) < sa.tuple_(*place))


def _rows(db: Session, page: sa.Select[Any], limit: int) -> Sequence[ListRow]:
    newest_first = page.order_by(MESSAGE.c.received_at.desc(), MESSAGE.c.uid.desc()).limit(limit)
    return [ListRow(*row) for row in db.execute(newest_first)]


def condition(term: SearchTerm, zone: tzinfo | None) -> sa.ColumnElement[bool]:
    """A term as SQL; days begin at midnight in `zone`."""
    holds = _condition(term, zone)
    return not_(holds) if term.negated else holds


def _condition(term: SearchTerm, zone: tzinfo | None) -> sa.ColumnElement[bool]:
    match term.value:
        case date():
            begins = datetime.combine(term.value, time(), zone)
            received = MESSAGE.c.received_at
            return received >= begins if term.field is SearchField.SINCE else received < begins
        case int():
            size = MESSAGE.c.size_octets
            return size > term.value if term.field is SearchField.LARGER else size < term.value
        case text if term.field in TEXTS:
            return or_(*(_holds(MESSAGE.c[name], text) for name in TEXTS[term.field]))
        case _:
            return FLAGS[term.field]


def _holds(column: sa.ColumnElement[str], text: str) -> sa.ColumnElement[bool]:
    """In any case; SQLite folds the case of ASCII alone, so other texts are looked for as they may be written."""
    column = sa.func.coalesce(column, "")
    if text.isascii():
        return column.icontains(text, autoescape=True)
    spellings = dict.fromkeys((text, text.lower(), text.upper(), text.title(), text.capitalize()))
    return or_(*(column.icontains(spelling, autoescape=True) for spelling in spellings))
