"""The engine's side of actions: what is due, told to the source, and what came of it.

An action is begun by a conditional UPDATE, so undo and engine never both win; one left RUNNING by a crash is done
again, which changes nothing where it had been done.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import replace
from datetime import datetime, timedelta
from itertools import groupby

from sqlalchemy import select, update
from sqlalchemy.orm import Session

from app.actions.models import Action, ActionKind, ActionState
from app.actions.pending import WAITING, tell_uids, turn_back
from app.actions.service import bells
from app.bus import Bell, Bus
from app.clock import Clock
from app.db import row_count
from app.errors import ActionRefused, FolderMissing, ServerUnreachable
from app.mirror import rows
from app.mirror.models import Folder
from app.mirror.rows import MESSAGE
from app.sources import Applied, Copy, Expunge, MailSource, Move, SourceAction, StoreFlags, StoreLabels

MAX_ATTEMPTS = 5
RETRY_AFTER = timedelta(seconds=5)  # and twice as long each time


def due_actions(db: Session, account_id: int, now: datetime) -> Sequence[Action]:
    """What is to be carried out now, in the order it was done."""
    due = select(Action).where(Action.account_id == account_id, Action.state.in_(WAITING), Action.not_before <= now)
    return db.scalars(due.order_by(Action.id).execution_options(populate_existing=True)).all()


def next_due_at(db: Session, account_id: int) -> datetime | None:
    """When the next held action is due."""
    waiting = select(Action.not_before).where(Action.account_id == account_id, Action.state.in_(WAITING))
    return db.scalar(waiting.order_by(Action.not_before).limit(1))


def carry_out(db: Session, source: MailSource, account_id: int, clock: Clock, bus: Bus) -> int:
    """Carry out all that is due through `source`; how many actions that were.

    Refusals go back into the mirror.  Raises what breaks the session (ConnectionLost, TimedOut, ProtocolError), with
    the actions still waiting.  No transaction is open while the source works.
    """
    done = 0
    for batch in _batches(due_actions(db, account_id, clock.now())):
        begun = [action for action in batch if begin(db, action)]
        if begun:
            _carry_out_batch(db, source, begun, clock, bus)
            done += len(begun)
    return done


def _batches(due: Sequence[Action]) -> list[list[Action]]:
    """Equal actions one after the other are one command."""

    def likeness(action: Action) -> tuple[object, ...]:
        return action.kind, action.folder_id, action.target_id, tuple(action.add), tuple(action.remove)

    return [list(batch) for _, batch in groupby(due, likeness)]


def _carry_out_batch(db: Session, source: MailSource, batch: Sequence[Action], clock: Clock, bus: Bus) -> None:
    try:
        told = to_source_action(db, batch, _look_up(db, source, batch))
        db.rollback()  # reading is over: nothing is held while the server works
        applied = _apply(source, told) if told else Applied()
    except ActionRefused as error:
        for action in reversed(batch):
            refuse(db, action, error.detail, bus)
    except ServerUnreachable:
        for action in batch:
            postpone(db, action, clock.now())
        raise
    else:
        for action in batch:
            finish(db, action, applied, clock.now(), bus)


def _apply(source: MailSource, told: SourceAction) -> Applied:
    """A target that does not exist yet (Archive, Trash) is made (RFC 9051 §7.1, TRYCREATE)."""
    try:
        return source.apply(told)
    except FolderMissing:
        if not isinstance(told, Move | Copy):
            raise
        source.create_folder(told.target)
        return source.apply(told)


def begin(db: Session, action: Action) -> bool:
    """Claim an action; False if it was undone this instant."""
    rows.lock_account(db, action.account_id)
    waiting = update(Action).where(Action.id == action.id, Action.state.in_(WAITING))
    begun = db.execute(waiting.values(state=ActionState.RUNNING, attempts=Action.attempts + 1))
    db.commit()
    return row_count(begun) == 1


def _look_up(db: Session, source: MailSource, batch: Sequence[Action]) -> Mapping[int, int]:
    """UIDs, by row, of messages the server moved without telling (no UIDPLUS): found by Message-ID."""
    nameless = [row_id for a in batch for row_id, uid in zip(a.message_ids, a.uids, strict=True) if uid < 0]
    if not nameless:
        return {}
    folder = db.get_one(Folder, batch[0].folder_id).name
    ids = db.execute(select(MESSAGE.c.id, MESSAGE.c.message_id).where(MESSAGE.c.id.in_(nameless))).all()
    db.rollback()
    found = {row.id: source.find_by_message_id(folder, row.message_id) for row in ids if row.message_id}
    return {row_id: max(uids) for row_id, uids in found.items() if uids}


def to_source_action(
    db: Session, batch: Sequence[Action], found: Mapping[int, int] | None = None
) -> SourceAction | None:
    """Equal actions as the source takes them; None if none of their messages can be named.

    `found` are UIDs, by row, of messages moved before without their new UID being told.
    """
    first, found = batch[0], found or {}
    uids = [
        uid if uid > 0 else found.get(row_id, 0)
        for action in batch
        for row_id, uid in zip(action.message_ids, action.uids, strict=True)
    ]
    named = tuple(sorted({uid for uid in uids if uid > 0}))
    if not named:
        return None
    folder = _get_folder(db, first.folder_id)
    return replace(_as_told(db, first, folder.name, named), uidvalidity=folder.uidvalidity)


def _as_told(db: Session, action: Action, folder: str, uids: tuple[int, ...]) -> SourceAction:
    match action.kind:
        case ActionKind.FLAG:
            return StoreFlags(folder, uids, frozenset(action.add), frozenset(action.remove))
        case ActionKind.LABEL:
            return StoreLabels(folder, uids, frozenset(action.add), frozenset(action.remove))
        case ActionKind.EXPUNGE:
            return Expunge(folder, uids)
        case ActionKind.MOVE:
            return Move(folder, uids, _get_folder(db, action.target_id).name)
        case ActionKind.COPY:
            return Copy(folder, uids, _get_folder(db, action.target_id).name)


def _get_folder(db: Session, folder_id: int | None) -> Folder:
    folder = db.get(Folder, folder_id, populate_existing=True) if folder_id else None
    if folder is None:
        raise FolderMissing
    return folder


def finish(db: Session, action: Action, applied: Applied, now: datetime, bus: Bus) -> None:
    """The server has done it; messages it moved get the UIDs it told (COPYUID, RFC 4315 §3)."""
    rows.lock_account(db, action.account_id)
    running = update(Action).where(Action.id == action.id, Action.state == ActionState.RUNNING)
    if row_count(db.execute(running.values(state=ActionState.DONE, finished_at=now, error=""))):
        _settle(db, action, applied)
    db.commit()
    bus.ring(*_shown(db, action))


def _settle(db: Session, action: Action, applied: Applied) -> None:
    """On a view COPYUID would tell UIDs of the label's own folder; those in All Mail come with its next delta."""
    if action.target_id is None or action.kind is ActionKind.LABEL:
        return
    moved = action.kind is ActionKind.MOVE
    row_ids = action.message_ids if moved else [before["copy"] for before in action.before]
    target = db.get(Folder, action.target_id, populate_existing=True)
    uids = {
        row_id: applied.copied[uid] for row_id, uid in zip(row_ids, action.uids, strict=True) if uid in applied.copied
    }
    if target is None or target.label is not None or not _same_validity(target, applied):
        return
    rows.settle(db, action.account_id, action.target_id, uids)
    tell_uids(db, action.account_id, action.target_id, uids)


def _same_validity(target: Folder, applied: Applied) -> bool:
    """UIDs of another UIDVALIDITY than the mirror's say nothing; a folder just made has none yet."""
    return target.uidvalidity is None or applied.target_uidvalidity in (None, target.uidvalidity)


def refuse(db: Session, action: Action, words: str, bus: Bus) -> None:
    """The server said no, in these words: the mirror goes back, and the person is told."""
    rows.lock_account(db, action.account_id)
    current = db.get(Action, action.id, populate_existing=True)
    if current is not None and current.state in WAITING:
        turn_back(db, current, ActionState.REFUSED, words)
    db.commit()
    bus.ring(*_shown(db, action))


def postpone(db: Session, action: Action, now: datetime) -> None:
    """The session broke: once more later, and undo may cancel it again.  After MAX_ATTEMPTS it goes on, but rarely."""
    rows.lock_account(db, action.account_id)
    wait = RETRY_AFTER * 2 ** min(action.attempts, MAX_ATTEMPTS)
    running = update(Action).where(Action.id == action.id, Action.state == ActionState.RUNNING)
    db.execute(running.values(state=ActionState.PENDING, not_before=now + wait))
    db.commit()


def _shown(db: Session, action: Action) -> list[Bell]:
    """Those who show it; the engine knows already."""
    return bells(db, action)[1:]
