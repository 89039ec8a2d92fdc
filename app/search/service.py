"""Searching: the mirror answers at once, servers are asked behind, and what they find joins in.

Where is searched: one folder, an account, or all of a person's accounts; Junk and Trash only where they are named.
"""

from __future__ import annotations

import re
from collections.abc import Collection, Iterable, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta, tzinfo

from flask_babel import gettext as _
from sqlalchemy import delete, func, select
from sqlalchemy.exc import IntegrityError
from sqlalchemy.orm import Session

from app.bus import Bell, Topic
from app.errors import BadInput, NoSuchFolder, NotFound
from app.mailbox.several import Place
from app.mirror.queries import Cursor, ListRow, newest_of
from app.mirror.tree import AccountTree, FolderRow
from app.runtime import Runtime
from app.search import local
from app.search.models import SavedSearch, SearchState, ServerSearch
from app.search.query import Query
from app.sources import Role

FRESH = timedelta(minutes=2)
"""What a server found is believed for so long; then it is asked again."""
PATIENCE = timedelta(seconds=30)
"""A server that has not answered by then is not waited for any more."""
KEPT = 40
"""Searches of servers, a person's; older ones are forgotten."""
MAX_SAVED = 50
LEFT_OUT = frozenset({Role.JUNK, Role.TRASH})
SCOPE = re.compile(r"(folder|account)-([0-9]{1,10})", re.ASCII)


@dataclass(frozen=True, slots=True)
class Scope:
    """Where to search; all accounts where `kind` is empty."""

    kind: str = ""
    id: int = 0

    @classmethod
    def of(cls, text: str) -> Scope:
        """From an address; what makes no sense is everywhere."""
        found = SCOPE.fullmatch(text)
        return cls(found[1], int(found[2])) if found else cls()

    def encode(self) -> str:
        return f"{self.kind}-{self.id}" if self.kind else ""


@dataclass(frozen=True, slots=True)
class Found:
    """A page of results; `waits_for` names accounts whose server is still at it, `refused` is what servers said."""

    rows: Sequence[ListRow]
    older: Cursor | None
    waits_for: Sequence[str]
    refused: Sequence[str]
    not_here: int


def find_places(tree: Sequence[AccountTree], scope: Scope, query: Query) -> Sequence[Place]:
    """The folders that are searched.  Raises NoSuchFolder for a scope that is not the person's."""
    branches = [branch for branch in tree if scope.kind != "account" or branch.account.id == scope.id]
    places = [Place(branch, folder) for branch in branches for folder in branch.folders if _holds_mail(folder)]
    if scope.kind == "folder":
        places = _of_folder(tree, scope.id)
    if not places and scope.kind:
        raise NoSuchFolder
    if query.folder:
        return [place for place in places if is_called(place.folder, query.folder)]
    return [place for place in places if scope.kind == "folder" or place.folder.role not in LEFT_OUT]


def _holds_mail(folder: FolderRow) -> bool:
    """Gmail's views show what All Mail holds."""
    return folder.selectable and not folder.is_view


def _of_folder(tree: Sequence[AccountTree], folder_id: int) -> list[Place]:
    """The folder itself; for a view of Gmail's the folder that holds its messages."""
    for branch in tree:
        shown = next((folder for folder in branch.folders if folder.id == folder_id), None)
        if shown is not None:
            stores = [folder for folder in branch.folders if folder.role is Role.ALL and _holds_mail(folder)]
            return [Place(branch, folder) for folder in (stores if shown.is_view else [shown])]
    return []


def is_called(folder: FolderRow, name: str) -> bool:
    """By its whole name, the last part of it, or what it is for."""
    called = {folder.name.casefold(), folder.label.casefold(), (folder.role or folder.label).casefold()}
    return name.casefold() in called


def search(
    parts: Runtime,
    db: Session,
    user_id: int,
    text: str,
    query: Query,
    scope: Scope,
    places: Sequence[Place],
    zone: tzinfo,
    *,
    before: Cursor | None,
    limit: int,
) -> Found:
    """A page of what is found by now; servers that were not asked lately are asked."""
    now = parts.clock.now()
    asked = _asked(db, user_id, text, scope, now)
    missing = [] if query.is_empty else _missing(places, asked)
    if missing and before is None:
        asked = {**asked, **_ask(parts, db, user_id, text, scope, missing, now)}
    return _found(db, query, places, asked, zone, now, before=before, limit=limit)


def _found(
    db: Session,
    query: Query,
    places: Sequence[Place],
    asked: Mapping[int, ServerSearch],
    zone: tzinfo,
    now: datetime,
    *,
    before: Cursor | None,
    limit: int,
) -> Found:
    folder_ids = [place.folder.id for place in places]
    ids = {row_id for search in asked.values() for row_id in search.found}
    near = local.find(db, folder_ids, query, zone, before=before, limit=limit + 1)
    far = local.found(db, ids, folder_ids, query, before=before, limit=limit + 1) if ids else ()
    rows = newest_of((near, far))[: limit + 1]
    names = {place.account.account.id: place.account.account.label for place in places}
    waiting = [s for s in asked.values() if s.state is SearchState.WANTED and now - s.asked_at < PATIENCE]
    return Found(
        rows=rows[:limit],
        older=Cursor.of(rows[limit - 1]) if len(rows) > limit else None,
        waits_for=[names.get(search.account_id, "") for search in waiting],
        refused=list(dict.fromkeys(search.error for search in asked.values() if search.error)),
        not_here=sum(search.not_here for search in asked.values()),
    )


def _asked(db: Session, user_id: int, text: str, scope: Scope, now: datetime) -> Mapping[int, ServerSearch]:
    """What servers were asked lately, by account."""
    mine = select(ServerSearch).where(ServerSearch.user_id == user_id, ServerSearch.asked_at > now - FRESH)
    same = mine.where(ServerSearch.text == text, ServerSearch.scope == scope.encode())
    return {search.account_id: search for search in db.scalars(same.order_by(ServerSearch.id))}


def _missing(places: Iterable[Place], asked: Collection[int]) -> Sequence[Place]:
    return [place for place in places if place.account.account.id not in asked]


def _ask(
    parts: Runtime, db: Session, user_id: int, text: str, scope: Scope, places: Sequence[Place], now: datetime
) -> Mapping[int, ServerSearch]:
    by_account: dict[int, list[int]] = {}
    for place in places:
        by_account.setdefault(place.account.account.id, []).append(place.folder.id)
    searches = {
        account_id: ServerSearch(
            user_id=user_id, account_id=account_id, text=text, scope=scope.encode(), folder_ids=folder_ids, asked_at=now
        )
        for account_id, folder_ids in by_account.items()
    }
    _forget_old(db, user_id)
    db.add_all(searches.values())
    db.commit()
    parts.bus.ring(*(Bell(Topic.SEARCH, account_id) for account_id in searches))
    return searches


def _forget_old(db: Session, user_id: int) -> None:
    mine = select(ServerSearch.id).where(ServerSearch.user_id == user_id).order_by(ServerSearch.id.desc())
    old = db.scalars(mine.offset(KEPT)).all()
    if old:
        db.execute(delete(ServerSearch).where(ServerSearch.id.in_(old)))


# Kept searches


def list_saved(db: Session, user_id: int) -> Sequence[SavedSearch]:
    return db.scalars(select(SavedSearch).where(SavedSearch.user_id == user_id).order_by(SavedSearch.name)).all()


def save(db: Session, user_id: int, name: str, text: str) -> None:
    """Keep a search under a name; one that had the name is replaced.  Raises BadInput."""
    if not name or not text:
        raise BadInput("name", _("Type a name for the search."))
    count = db.scalar(select(func.count(SavedSearch.id)).where(SavedSearch.user_id == user_id)) or 0
    if count >= MAX_SAVED:
        raise BadInput("name", _("At most %(count)s searches are kept. Remove one first.", count=MAX_SAVED))
    db.execute(delete(SavedSearch).where(SavedSearch.user_id == user_id, SavedSearch.name == name))
    db.add(SavedSearch(user_id=user_id, name=name, text=text))
    try:
        db.commit()
    except IntegrityError:  # saved in another tab this instant
        db.rollback()


def remove(db: Session, user_id: int, search_id: int) -> None:
    """Raises NotFound."""
    mine = delete(SavedSearch).where(SavedSearch.id == search_id, SavedSearch.user_id == user_id)
    gone = db.execute(mine.returning(SavedSearch.id)).all()
    db.commit()
    if not gone:
        raise NotFound
