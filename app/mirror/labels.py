"""Views of All Mail: what each of Gmail's labels shows (X-GM-EXT-1), kept beside the messages in one transaction.

A message is stored once, in All Mail; each of its labels that is a folder has an entry for it.  Whoever changes rows of
messages (`rows.py`) calls `show` and `hide`: they compare the entries with the rows, so they may be called twice.  On
other servers there are no views, and each call costs one look-up.

For services only: nothing here commits.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Collection, Iterable, Mapping, Sequence
from typing import Any, NamedTuple, cast

import sqlalchemy as sa
from sqlalchemy import delete, insert, select, update
from sqlalchemy.orm import Session, aliased

from app.mirror.counters import chunks, count
from app.mirror.models import Folder, LabelEntry, Message
from app.sources import Role

ENTRY = cast(sa.Table, LabelEntry.__table__)
INBOX = "\\Inbox"
STARRED = "\\Starred"
CHANGED = "changed_views"  # in Session.info


class View(NamedTuple):
    """A folder that shows a label; until it is complete its counters are the server's."""

    id: int
    label: str
    complete: bool


class Entry(NamedTuple):
    """What a list needs of a message; `leads` is worked out from the others."""

    conversation_id: int
    received_at: Any
    uid: int
    seen: bool
    flagged: bool
    has_attachments: bool


Place = tuple[int, int]
"""A view and a message, by id."""
Entries = Mapping[Place, Entry]


def labels_of(labels: str, *, flagged: bool) -> frozenset[str]:
    """The labels of a row; a star is a flag and a label at once, and the flag is what people change here."""
    words = frozenset(labels.splitlines())
    return words | {STARRED} if flagged else words - {STARRED}


def note_changed(db: Session, view_ids: Iterable[int]) -> None:
    db.info.setdefault(CHANGED, set()).update(view_ids)


def take_changed(db: Session) -> set[int]:
    """The views that changed in this session since it was last asked: those whose pages are to be rung."""
    changed: set[int] = db.info.pop(CHANGED, set())
    return changed


def find_store(db: Session, folder: Folder) -> Folder:
    """Where the messages of a folder are: All Mail for a view, else the folder itself."""
    if folder.label is None:
        return folder
    all_mail = select(Folder).where(Folder.account_id == folder.account_id, Folder.role == Role.ALL)
    return db.scalar(all_mail.where(Folder.label.is_(None)).order_by(Folder.id).limit(1)) or folder


def has_views(db: Session, account_id: int) -> bool:
    """Whether the account's messages carry labels instead of lying in folders."""
    views = select(Folder.id).where(Folder.account_id == account_id, Folder.label.is_not(None))
    return db.scalar(views.limit(1)) is not None


def find_view(db: Session, account_id: int, label: str) -> Folder | None:
    return db.scalar(select(Folder).where(Folder.account_id == account_id, Folder.label == label).limit(1))


def show(db: Session, folder_id: int, row_ids: Collection[int], *, counted: bool = True) -> None:
    """Let the views show messages of a folder, by id, as their rows are now.

    `counted` False: messages the server has counted already in views that are not complete.
    """
    if views := views_of(db, folder_id):
        for chunk in chunks(row_ids):
            here = (Message.folder_id == folder_id) & Message.id.in_(chunk)
            _bring(db, _shown(db, chunk), _wanted(db, views, here), views, counted=counted)


def show_new(db: Session, folder_id: int, uids: Collection[int], *, counted: bool) -> None:
    """`show` for rows just inserted that have labels."""
    if uids and (views := views_of(db, folder_id)):
        for chunk in chunks(uids):
            here = (Message.folder_id == folder_id) & Message.uid.in_(chunk)
            _bring(db, {}, _wanted(db, views, here), views, counted=counted)


def hide(db: Session, row_ids: Collection[int]) -> None:
    """Take messages out of all views: they leave All Mail, or are about to be deleted."""
    for chunk in chunks(row_ids):
        _bring(db, _shown(db, chunk), {}, (), counted=True)


def views_of(db: Session, folder_id: int) -> Sequence[View]:
    """The views of a folder: none unless it is a Gmail account's All Mail."""
    store = aliased(Folder)
    views = select(Folder.id, Folder.label, Folder.complete).join(store, store.account_id == Folder.account_id)
    of_store = views.where(store.id == folder_id, store.role == Role.ALL, Folder.label.is_not(None))
    return [View(row.id, row.label or "", row.complete) for row in db.execute(of_store)]


_COLUMNS = tuple(getattr(Message, name) for name in Entry._fields)
_ENTRY_COLUMNS = tuple(ENTRY.c[name] for name in Entry._fields)


def _wanted(db: Session, views: Sequence[View], here: sa.ColumnElement[bool]) -> Entries:
    by_label = {view.label: view.id for view in views}
    wanted = {}
    for row_id, labels, *values in db.execute(select(Message.id, Message.labels, *_COLUMNS).where(here)):
        entry = Entry(*values)
        for label in labels_of(labels, flagged=entry.flagged) & by_label.keys():
            wanted[by_label[label], row_id] = entry
    return wanted


def _shown(db: Session, row_ids: Collection[int]) -> Entries:
    there = select(ENTRY.c.folder_id, ENTRY.c.message_id, *_ENTRY_COLUMNS).where(ENTRY.c.message_id.in_(row_ids))
    return {(view_id, row_id): Entry(*values) for view_id, row_id, *values in db.execute(there)}


def _bring(db: Session, shown: Entries, wanted: Entries, views: Sequence[View], *, counted: bool) -> None:
    """Bring what is shown to what is wanted, with counters and leads."""
    before = {place: entry for place, entry in shown.items() if wanted.get(place) != entry}
    after = {place: entry for place, entry in wanted.items() if shown.get(place) != entry}
    if not before and not after:
        return
    _delete(db, before.keys() - after.keys())
    _insert(db, {place: entry for place, entry in after.items() if place not in before})
    _update(db, {place: entry for place, entry in after.items() if place in before})
    told = set() if counted else {view.id for view in views if not view.complete}
    _count(db, before, {place: entry for place, entry in after.items() if place in before or place[0] not in told})
    changed = [*before.items(), *after.items()]
    _crown(db, {(view_id, entry.conversation_id) for (view_id, _row_id), entry in changed})
    note_changed(db, (view_id for (view_id, _row_id), _entry in changed))


def _delete(db: Session, places: Iterable[Place]) -> None:
    by_view: dict[int, list[int]] = defaultdict(list)
    for view_id, row_id in places:
        by_view[view_id].append(row_id)
    for view_id, row_ids in by_view.items():
        db.execute(delete(ENTRY).where(ENTRY.c.folder_id == view_id, ENTRY.c.message_id.in_(row_ids)))


def _insert(db: Session, entries: Entries) -> None:
    values = [
        {"folder_id": view_id, "message_id": row_id, "leads": False, **entry._asdict()}
        for (view_id, row_id), entry in entries.items()
    ]
    if values:
        db.execute(insert(ENTRY), values)


def _update(db: Session, entries: Entries) -> None:
    values = [
        {"view": view_id, "row": row_id, **{f"new_{name}": value for name, value in entry._asdict().items()}}
        for (view_id, row_id), entry in entries.items()
    ]
    if values:
        db.execute(_by_place().values({name: sa.bindparam(f"new_{name}") for name in Entry._fields}), values)


def _by_place() -> sa.Update:
    return update(ENTRY).where(ENTRY.c.folder_id == sa.bindparam("view"), ENTRY.c.message_id == sa.bindparam("row"))


def _count(db: Session, before: Entries, after: Entries) -> None:
    totals: dict[int, int] = defaultdict(int)
    unread: dict[int, int] = defaultdict(int)
    for entries, sign in ((before, -1), (after, 1)):
        for (view_id, _row_id), entry in entries.items():
            totals[view_id] += sign
            unread[view_id] += sign * (not entry.seen)
    for view_id, total in totals.items():
        count(db, view_id, total=total, unread=unread[view_id])


def _crown(db: Session, pairs: Collection[tuple[int, int]]) -> None:
    """Work out who leads these conversations in these views, and write what is another."""
    views = {view_id for view_id, _conversation in pairs}
    for chunk in chunks({conversation for _view_id, conversation in pairs}):
        of_them = select(ENTRY.c.folder_id, ENTRY.c.message_id, ENTRY.c.conversation_id, ENTRY.c.leads).where(
            ENTRY.c.folder_id.in_(views), ENTRY.c.conversation_id.in_(chunk)
        )
        newest_first = of_them.order_by(ENTRY.c.received_at.desc(), ENTRY.c.uid.desc())
        crowned: set[tuple[int, int]] = set()
        changed = []
        for row in db.execute(newest_first):
            kingdom = (row.folder_id, row.conversation_id)
            if row.leads != (kingdom not in crowned):
                changed.append({"view": row.folder_id, "row": row.message_id, "is_leading": not row.leads})
            crowned.add(kingdom)
        if changed:
            db.execute(_by_place().values(leads=sa.bindparam("is_leading")), changed)
