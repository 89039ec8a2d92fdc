"""The engine's side: servers asked for what people search, one folder at a time."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import datetime

from sqlalchemy import ColumnElement, select
from sqlalchemy.orm import Session

from app.bus import Bell, Bus, Topic
from app.errors import ActionRefused, BadInput, NoSuchFolder
from app.mirror.models import Folder
from app.mirror.rows import MESSAGE
from app.search.models import SearchState, ServerSearch
from app.search.query import parse
from app.search.service import PATIENCE
from app.sources import MailSource, SearchTerm

MOST_OF_A_FOLDER = 1_000
MOST = 5_000
AT_ONCE = 500


def is_wanted(now: datetime) -> ColumnElement[bool]:
    return (ServerSearch.state == SearchState.WANTED) & (ServerSearch.asked_at > now - PATIENCE)


def find_wanted(db: Session, account_id: int, now: datetime) -> ServerSearch | None:
    """The newest search somebody may still wait for."""
    wanted = select(ServerSearch).where(ServerSearch.account_id == account_id, is_wanted(now))
    return db.scalar(wanted.order_by(ServerSearch.id.desc()).limit(1).execution_options(populate_existing=True))


def step(db: Session, source: MailSource, search: ServerSearch, bus: Bus) -> None:
    """Ask for one folder.  Raises what breaks the session; no transaction is open while the source works."""
    if search.folder_ids:
        _ask_folder(db, source, search)
    if not search.folder_ids or len(search.found) >= MOST:
        search.state = SearchState.DONE
    db.commit()
    bus.ring(Bell(Topic.FOUND, search.user_id))


def _ask_folder(db: Session, source: MailSource, search: ServerSearch) -> None:
    folder_id, *others = search.folder_ids
    folder = db.get(Folder, folder_id)
    terms = parse(search.text, search.asked_at.date()).terms
    name = folder.name if folder else None
    db.rollback()
    uids = _uids(source, search, name, terms)[-MOST_OF_A_FOLDER:] if name is not None else ()
    ids = _rows_of(db, folder_id, uids)
    search.folder_ids, search.found = others, [*search.found, *ids]
    search.not_here += len(uids) - len(ids)


def _uids(source: MailSource, search: ServerSearch, folder: str, terms: Sequence[SearchTerm]) -> Sequence[int]:
    try:
        return source.search(folder, terms)
    except (ActionRefused, BadInput, NoSuchFolder) as error:
        search.error = error.detail
        return ()


def _rows_of(db: Session, folder_id: int, uids: Sequence[int]) -> list[int]:
    """Ids of those the mirror knows."""
    ids: list[int] = []
    for start in range(0, len(uids), AT_ONCE):
        some = uids[start : start + AT_ONCE]
        ids += db.scalars(select(MESSAGE.c.id).where(MESSAGE.c.folder_id == folder_id, MESSAGE.c.uid.in_(some)))
    return ids
