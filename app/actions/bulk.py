"""One deed on everything in a folder that matches: cut into actions of some hundred messages.

The first are shown in the mirror before the person is answered; the engine goes on from there, never far ahead of what
the server has been told, and takes all of them back when asked.  Mail that arrives meanwhile is left alone.
"""

from __future__ import annotations

from collections.abc import Sequence
from contextlib import suppress
from dataclasses import replace
from datetime import datetime

from flask_babel import gettext as _
from sqlalchemy import bindparam, exists, func, select, update
from sqlalchemy.orm import Session

from app.actions import service
from app.actions.deeds import ONE_BY_ONE, Doer, find_deed
from app.actions.models import Action, ActionState, BulkDeed, BulkState
from app.bus import Bell, Topic
from app.db import row_count
from app.errors import BadInput, MailError, NoSuchMessage, NotFound
from app.mirror import queries
from app.mirror.models import Folder
from app.mirror.queries import Cursor, ListFilter
from app.mirror.rows import MESSAGE, lock_account

AT_ONCE = 500
CONVERSATIONS_AT_ONCE = 100
MOST_AT_WORK = 20
"""Bulk deeds of one person that go on at a time."""
MOST_WAITING = 2
"""Actions of one bulk deed that wait for the server at a time."""
AT_WORK = (BulkState.RUNNING, BulkState.UNDOING)


def start(doer: Doer, folder: Folder, name: str, object_: str, filter: ListFilter, *, conversations: bool) -> BulkDeed:
    """Do `name` to all messages of a folder that pass `filter`.  Raises BadInput for what cannot be done."""
    find_deed(name)
    if len(list_at_work(doer.db, doer.user_id)) >= MOST_AT_WORK:
        raise BadInput("do", _("Much is being done to whole folders already. Wait until some of it is through."))
    bulk = BulkDeed(
        account_id=folder.account_id,
        user_id=doer.user_id,
        folder_id=folder.id,
        deed=name,
        object=object_,
        filter=filter,
        conversations=conversations and name not in ONE_BY_ONE and filter is not ListFilter.ALL,
        newest_id=doer.db.scalar(select(func.max(MESSAGE.c.id)).where(MESSAGE.c.account_id == folder.account_id)) or 0,
        total=count(doer.db, folder, filter),
        created_at=doer.clock.now(),
    )
    doer.db.add(bulk)
    doer.db.commit()
    try:
        go_on(doer, bulk)
    except MailError:
        doer.db.rollback()
        doer.db.delete(bulk)
        doer.db.commit()
        raise
    doer.bus.ring(Bell(Topic.ACTIONS, bulk.account_id), Bell(Topic.TREE, bulk.user_id))
    return bulk


def count(db: Session, folder: Folder, filter: ListFilter) -> int:
    """How many messages of a folder pass: for all and unread ones without counting rows."""
    match filter:
        case ListFilter.ALL:
            return folder.total
        case ListFilter.UNREAD:
            return folder.unread
        case _:
            return queries.count_messages(db, folder.id, filter)


def find_at_work(db: Session, account_id: int) -> BulkDeed | None:
    """The oldest of an account that has something left to do."""
    at_work = select(BulkDeed).where(BulkDeed.account_id == account_id, BulkDeed.state.in_(AT_WORK))
    return db.scalar(at_work.order_by(BulkDeed.id).limit(1).execution_options(populate_existing=True))


IS_AT_WORK = exists().where(BulkDeed.user_id == bindparam("user_id"), BulkDeed.state.in_(AT_WORK))
"""Whether something is done in bulk for a person: asked by every page that shows the folder tree."""


def list_at_work(db: Session, user_id: int) -> Sequence[BulkDeed]:
    """Oldest first."""
    at_work = select(BulkDeed).where(BulkDeed.user_id == user_id, BulkDeed.state.in_(AT_WORK))
    return db.scalars(at_work.order_by(BulkDeed.id).execution_options(populate_existing=True)).all()


def step(doer: Doer, bulk: BulkDeed) -> bool:
    """Do, or take back, some more of it; False if that has to wait for the server, or nothing is left.

    It ends early where it cannot go on: the folder it moves mail to is gone.
    """
    if bulk.state is BulkState.UNDOING:
        return take_back(doer, bulk)
    try:
        return go_on(doer, bulk)
    except (BadInput, NotFound):
        doer.db.rollback()
        _end(doer.db, bulk, BulkState.DONE, doer.clock.now())
        return False


def go_on(doer: Doer, bulk: BulkDeed) -> bool:
    """The next messages, newest first.

    Under the account's lock from the first look to the deed: the page that began it and the engine may both be here,
    and whoever comes second has to see what the first has done.
    """
    lock_account(doer.db, bulk.account_id)
    doer.db.refresh(bulk)
    if bulk.state is not BulkState.RUNNING or _waiting(doer.db, bulk) >= MOST_WAITING:
        doer.db.rollback()
        return False
    rows = queries.list_messages(
        doer.db,
        bulk.folder_id,
        before=Cursor.decode(bulk.cursor),
        limit=CONVERSATIONS_AT_ONCE if bulk.conversations else AT_ONCE,
        filter=ListFilter(bulk.filter),
    )
    if not rows:
        _end(doer.db, bulk, BulkState.DONE, doer.clock.now())
        return False
    bulk.cursor, bulk.done = Cursor.of(rows[-1]).encode(), bulk.done + len(rows)
    wanted = [row.id for row in rows if row.id <= bulk.newest_id]
    _note(doer.db, bulk, _do(replace(doer, seen_in=bulk.folder_id, in_bulk=True), bulk, wanted))
    return True


def _do(doer: Doer, bulk: BulkDeed, ids: Sequence[int]) -> Action | None:
    if bulk.conversations:
        ids = queries.conversation_members(doer.db, bulk.user_id, ids, limit=service.MAX_AT_ONCE)
    with suppress(NoSuchMessage):
        return find_deed(bulk.deed)(doer, ids, bulk.object)
    return None


def _note(db: Session, bulk: BulkDeed, action: Action | None) -> None:
    """What to take back one day."""
    lock_account(db, bulk.account_id)
    db.refresh(bulk)
    bulk.actions = [*bulk.actions, action.id] if action else bulk.actions
    db.commit()


def _waiting(db: Session, bulk: BulkDeed) -> int:
    """Actions of it the server has not done yet."""
    waiting = select(func.count(Action.id)).where(Action.id.in_(bulk.actions[-MOST_WAITING:]))
    return db.scalar(waiting.where(Action.state.in_((ActionState.PENDING, ActionState.RUNNING)))) or 0


def undo(doer: Doer, bulk_id: int) -> BulkDeed:
    """Stop it, and take back what was done: the newest mail at once, the rest behind.  Raises NotFound."""
    bulk = doer.db.scalar(select(BulkDeed).where(BulkDeed.id == bulk_id, BulkDeed.user_id == doer.user_id))
    if bulk is None:
        raise NotFound
    stopped = update(BulkDeed).where(BulkDeed.id == bulk.id, BulkDeed.state.in_((BulkState.RUNNING, BulkState.DONE)))
    if not row_count(doer.db.execute(stopped.values(state=BulkState.UNDOING))):
        doer.db.rollback()
        raise BadInput("undo", _("This was undone already."))
    doer.db.commit()
    doer.db.refresh(bulk)
    take_back(doer, bulk)
    doer.bus.ring(Bell(Topic.ACTIONS, bulk.account_id), Bell(Topic.TREE, bulk.user_id))
    return bulk


def take_back(doer: Doer, bulk: BulkDeed) -> bool:
    """One more of its actions; what is gone for good, or was refused, stays as it is."""
    if not bulk.actions:
        _end(doer.db, bulk, BulkState.UNDONE, doer.clock.now())
        return False
    first = bulk.actions[0]
    with suppress(MailError):
        service.undo(doer.db, doer.user_id, first, doer.clock, doer.bus)
    lock_account(doer.db, bulk.account_id)
    doer.db.refresh(bulk)
    bulk.actions = [action_id for action_id in bulk.actions if action_id != first]
    bulk.done = max(bulk.done - AT_ONCE, 0) if bulk.actions else 0
    doer.db.commit()
    return True


def _end(db: Session, bulk: BulkDeed, state: BulkState, now: datetime) -> None:
    """Unless it was asked to be taken back meanwhile."""
    unchanged = update(BulkDeed).where(BulkDeed.id == bulk.id, BulkDeed.state == bulk.state)
    db.execute(unchanged.values(state=state, finished_at=now))
    db.commit()
    db.refresh(bulk)
