"""Actions that wait, and what turning one back does to the mirror.  For services only: nothing here commits."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Mapping, Sequence
from datetime import datetime
from typing import Any

from sqlalchemy import or_, select, update
from sqlalchemy.orm import Session

from app.actions.models import Action, ActionKind, ActionState
from app.mirror import flags as mail_flags
from app.mirror import labels, rows, snapshot
from app.mirror.counters import chunks
from app.mirror.models import Folder
from app.mirror.rows import MESSAGE

WAITING = (ActionState.PENDING, ActionState.RUNNING)
LEAVING = (ActionKind.MOVE, ActionKind.EXPUNGE)


def pending_actions(db: Session, account_id: int) -> Sequence[Action]:
    """What the server has not been told, or not answered yet, in the order it was done."""
    waiting = select(Action).where(Action.account_id == account_id, Action.state.in_(WAITING))
    return db.scalars(waiting.order_by(Action.id).execution_options(populate_existing=True)).all()


def actions_unseen_by(db: Session, account_id: int, asked_at: datetime) -> Sequence[Action]:
    """What the server did not know of when it was asked at `asked_at`: what waits, and what was finished since."""
    finished = (Action.state == ActionState.DONE) & (Action.finished_at >= asked_at)
    unseen = select(Action).where(Action.account_id == account_id, or_(Action.state.in_(WAITING), finished))
    return db.scalars(unseen.order_by(Action.id).execution_options(populate_existing=True)).all()


def hidden_uids(db: Session, account_id: int, folder_id: int) -> set[int]:
    """UIDs that are still in a folder on the server though they have left it here."""
    leaving = [a for a in pending_actions(db, account_id) if a.kind in LEAVING and a.folder_id == folder_id]
    return {uid for action in leaving for uid in action.uids if uid > 0}


def turn_back(db: Session, action: Action, state: ActionState, words: str = "") -> None:
    """Undo an action in the mirror, and those that were built on it; it ends in `state`."""
    for later in reversed(_built_on(db, action)):
        turn_back(db, later, state, words)
    _REVERTS[action.kind](db, action)
    db.execute(update(Action).where(Action.id == action.id).values(state=state, error=words))


def _built_on(db: Session, action: Action) -> Sequence[Action]:
    """Waiting actions on messages where `action` put them."""
    store_id = find_target_store(db, action)
    if store_id is None:
        return []
    there = [a for a in pending_actions(db, action.account_id) if a.id > action.id and a.folder_id == store_id]
    messages = set(action.message_ids)
    return [later for later in there if messages.intersection(later.message_ids)]


def _revert_flags(db: Session, action: Action) -> None:
    """Only what the action changed goes back: a flag set since stays."""
    now = current_flags(db, action.message_ids)
    old: dict[int, frozenset[str]] = {}
    for row_id, added, removed in changes_of(action):
        if row_id in now:
            old[row_id] = (now[row_id] - added) | removed
    folders: dict[int, dict[int, frozenset[str]]] = defaultdict(dict)
    for row_id, folder_id in db.execute(select(MESSAGE.c.id, MESSAGE.c.folder_id).where(MESSAGE.c.id.in_(old))):
        folders[folder_id][row_id] = old[row_id]
    for folder_id, flags in folders.items():
        rows.set_flags(db, folder_id, flags)


def changes_of(action: Action) -> Sequence[tuple[int, frozenset[str], frozenset[str]]]:
    """Per message what the action really added and removed, seen from what was there before."""
    changes = []
    for row_id, before in zip(action.message_ids, action.before, strict=True):
        old = frozenset(before["flags" if action.kind is ActionKind.FLAG else "labels"])
        changes.append((row_id, frozenset(action.add) - old, frozenset(action.remove) & old))
    return changes


def current_flags(db: Session, row_ids: Sequence[int]) -> Mapping[int, frozenset[str]]:
    found = {}
    for chunk in chunks(row_ids):
        for row in db.execute(select(MESSAGE).where(MESSAGE.c.id.in_(chunk))):
            found[row.id] = flags_of(row)
    return found


def flags_of(row: Any) -> frozenset[str]:
    return mail_flags.from_columns(
        seen=row.seen,
        flagged=row.flagged,
        answered=row.answered,
        forwarded=row.forwarded,
        draft=row.draft,
        keywords=row.keywords,
    )


def find_target_store(db: Session, action: Action) -> int | None:
    """The folder whose rows a move or copy changed: All Mail where the target is a view."""
    if action.kind not in (ActionKind.MOVE, ActionKind.COPY):
        return None
    target = db.get(Folder, action.target_id) if action.target_id else None
    return labels.find_store(db, target).id if target else None


def _revert_move(db: Session, action: Action) -> None:
    store_id = find_target_store(db, action)
    if store_id is not None:
        home = dict(zip(action.message_ids, action.uids, strict=True))
        rows.move(db, action.account_id, store_id, action.folder_id, home)
        old = zip(action.message_ids, action.before, strict=True) if action.before else ()
        rows.set_labels(db, action.folder_id, {row_id: before["labels"] for row_id, before in old})


def _revert_copy(db: Session, action: Action) -> None:
    if action.target_id is not None:
        copies = [before["copy"] for before in action.before]
        rows.remove(db, action.account_id, action.target_id, copies)


def _revert_expunge(db: Session, action: Action) -> None:
    there = set(db.scalars(select(MESSAGE.c.uid).where(MESSAGE.c.folder_id == action.folder_id)))
    lost = [snapshot.restore(before["row"]) for before in action.before if before["row"]["uid"] not in there]
    rows.add(db, action.account_id, action.folder_id, lost)


def _revert_labels(db: Session, action: Action) -> None:
    """Only what the action changed goes back: a label given since stays."""
    there = select(MESSAGE.c.id, MESSAGE.c.labels).where(MESSAGE.c.id.in_(action.message_ids))
    now = {row.id: frozenset(row.labels.splitlines()) for row in db.execute(there)}
    changes = [change for change in changes_of(action) if change[0] in now]
    old = {row_id: (now[row_id] - added) | removed for row_id, added, removed in changes}
    rows.set_labels(db, action.folder_id, old)


_REVERTS = {
    ActionKind.FLAG: _revert_flags,
    ActionKind.MOVE: _revert_move,
    ActionKind.COPY: _revert_copy,
    ActionKind.EXPUNGE: _revert_expunge,
    ActionKind.LABEL: _revert_labels,
}


def tell_uids(db: Session, account_id: int, folder_id: int, uids: Mapping[int, int]) -> None:
    """Waiting actions on rows of a folder, by id, learn the UIDs that were not known when they were written."""
    for action in pending_actions(db, account_id):
        if action.folder_id == folder_id and any(uid < 0 for uid in action.uids):
            pairs = zip(action.message_ids, action.uids, strict=True)
            told = [uids.get(row_id, uid) if uid < 0 else uid for row_id, uid in pairs]
            db.execute(update(Action).where(Action.id == action.id).values(uids=told))


def void_actions(db: Session, account_id: int, folder_id: int) -> None:
    """A folder's UIDs mean nothing any more: what waits on them cannot be done, and what left it is not elsewhere."""
    for action in pending_actions(db, account_id):
        if action.folder_id != folder_id or all(uid < 0 for uid in action.uids):
            continue
        store_id = find_target_store(db, action)
        if action.kind is ActionKind.MOVE and store_id is not None:
            unknown = select(MESSAGE.c.id).where(MESSAGE.c.id.in_(action.message_ids), MESSAGE.c.uid < 0)
            rows.remove(db, account_id, store_id, db.scalars(unknown).all())
        if action.kind is ActionKind.COPY:
            _revert_copy(db, action)
        db.execute(update(Action).where(Action.id == action.id).values(state=ActionState.REFUSED))
