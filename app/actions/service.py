"""What people do to messages: written and shown in the mirror in one step, carried out by the engine behind.

Each function takes ids of messages of one folder; those that are gone, or somebody else's, are passed over, and if none
is left it raises NoSuchMessage.  It returns the action, or None where there was nothing to change.
"""

from __future__ import annotations

from collections.abc import Callable, Collection, Iterable, Mapping, Sequence
from contextlib import suppress
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any

from flask_babel import gettext as _
from sqlalchemy import select, update
from sqlalchemy.orm import Session

from app.accounts.models import MailAccount
from app.actions.models import Action, ActionKind, ActionState
from app.actions.pending import changes_of, flags_of, pending_actions, turn_back
from app.bus import Bell, Bus, Topic
from app.clock import Clock
from app.db import row_count
from app.errors import ActionRefused, BadInput, NoSuchFolder, NoSuchMessage, NotFound
from app.mirror import labels, queries, rows, snapshot
from app.mirror.folders import get_role_folder
from app.mirror.models import Folder
from app.mirror.rows import MESSAGE
from app.sources import Role
from app.users.models import User

__all__ = ["Action", "pending_actions"]

MAX_AT_ONCE = 1_000
_FAR_BELOW = -(2**62)  # UIDs of copies until their rows have ids; no -id is that small
FINAL_IN = (Role.TRASH, Role.JUNK)


@dataclass(frozen=True)
class _Deed:
    """Messages of one folder under the account's lock, and who does something to them when."""

    db: Session
    user_id: int
    folder: Folder
    messages: Sequence[Any]
    now: datetime
    bus: Bus

    def write(self, kind: ActionKind, deed: str, **columns: Any) -> Action:
        action = Action(
            account_id=self.folder.account_id,
            user_id=self.user_id,
            kind=kind,
            deed=deed,
            folder_id=self.folder.id,
            uids=[message.uid for message in self.messages],
            message_ids=[message.id for message in self.messages],
            created_at=self.now,
            **{"not_before": self.now, **columns},
        )
        self.db.add(action)
        return action

    def end(self, action: Action | None) -> Action | None:
        """Commit, and ring those who show it and the engine that carries it out."""
        self.db.commit()
        self.db.expire_all()
        if action is not None:
            self.bus.ring(*bells(self.db, action))
        return action


def bells(db: Session, action: Action) -> list[Bell]:
    """Those for the engine, for pages that show a folder the action changed (on Gmail its views, too), and the tree."""
    named = {folder_id for folder_id in (action.folder_id, action.target_id) if folder_id}
    folders = sorted(named | labels.take_changed(db))
    shown = [Bell(Topic.FOLDER, folder_id) for folder_id in folders]
    return [Bell(Topic.ACTIONS, action.account_id), *shown, Bell(Topic.TREE, action.user_id)]


def _begin(db: Session, user_id: int, message_ids: Iterable[int], clock: Clock, bus: Bus) -> _Deed:
    """Raises NoSuchMessage; BadInput for messages of several folders, or too many."""
    wanted = list(dict.fromkeys(message_ids))
    if len(wanted) > MAX_AT_ONCE:
        raise BadInput("message", _("At most %(count)s messages at once.", count=MAX_AT_ONCE))
    mine = select(MESSAGE).join(MailAccount, MailAccount.id == MESSAGE.c.account_id)
    mine = mine.where(MESSAGE.c.id.in_(wanted), MailAccount.owner_id == user_id)
    account_id = db.scalar(mine.with_only_columns(MESSAGE.c.account_id).limit(1))
    if account_id is None:
        raise NoSuchMessage
    rows.lock_account(db, account_id)
    messages = db.execute(mine.order_by(MESSAGE.c.received_at.desc(), MESSAGE.c.uid.desc())).all()
    folders = {message.folder_id for message in messages}
    if len(folders) > 1:
        db.rollback()
        raise BadInput("message", _("Choose messages of one folder."))
    folder = db.get(Folder, folders.pop(), populate_existing=True) if folders else None
    if folder is None:
        db.rollback()
        raise NoSuchMessage
    return _Deed(db, user_id, folder, messages, clock.now(), bus)


def flag(
    db: Session,
    user_id: int,
    message_ids: Iterable[int],
    add: Collection[str],
    remove: Collection[str],
    clock: Clock,
    bus: Bus,
    *,
    deed: str = "flag",
) -> Action | None:
    """Add and remove flags or keywords."""
    return _flag(_begin(db, user_id, message_ids, clock, bus), frozenset(add), frozenset(remove), deed)


def _flag(deed: _Deed, add: frozenset[str], remove: frozenset[str], verb: str) -> Action | None:
    before = {message.id: flags_of(message) for message in deed.messages}
    after = {row_id: (flags - remove) | add for row_id, flags in before.items()}
    return _change(
        deed,
        ActionKind.FLAG,
        verb,
        add=add,
        remove=remove,
        before={row_id: {"flags": sorted(flags)} for row_id, flags in before.items() if flags != after[row_id]},
        show=lambda changed: rows.set_flags(deed.db, deed.folder.id, {row_id: after[row_id] for row_id in changed}),
    )


def _change(
    deed: _Deed,
    kind: ActionKind,
    verb: str,
    *,
    add: frozenset[str],
    remove: frozenset[str],
    before: Mapping[int, Mapping[str, Any]],
    show: Callable[[Collection[int]], None],
    target_id: int | None = None,
) -> Action | None:
    """Write an action on the messages in `before`: those it changes."""
    changed = _Deed(
        deed.db, deed.user_id, deed.folder, [m for m in deed.messages if m.id in before], deed.now, deed.bus
    )
    if not changed.messages:
        return deed.end(None)
    old = [dict(before[message.id]) for message in changed.messages]
    action = changed.write(kind, verb, add=sorted(add), remove=sorted(remove), before=old, target_id=target_id)
    show(before.keys())
    return changed.end(action)


def label(
    db: Session,
    user_id: int,
    message_ids: Iterable[int],
    add: Collection[str],
    remove: Collection[str],
    clock: Clock,
    bus: Bus,
    *,
    deed: str = "label",
) -> Action | None:
    """Add and remove Gmail labels (X-GM-LABELS)."""
    return _label(_begin(db, user_id, message_ids, clock, bus), frozenset(add), frozenset(remove), deed)


def _label(
    deed: _Deed, add: frozenset[str], remove: frozenset[str], verb: str, target_id: int | None = None
) -> Action | None:
    if any("\n" in name or "\r" in name or "\0" in name for name in (*add, *remove)):
        deed.db.rollback()
        raise BadInput("label", _("A label is one line of text."))
    before = {message.id: frozenset(message.labels.splitlines()) for message in deed.messages}
    after = {row_id: (words - remove) | add for row_id, words in before.items()}
    return _change(
        deed,
        ActionKind.LABEL,
        verb,
        add=add,
        remove=remove,
        before={row_id: {"labels": sorted(words)} for row_id, words in before.items() if words != after[row_id]},
        show=lambda changed: rows.set_labels(deed.db, deed.folder.id, {row_id: after[row_id] for row_id in changed}),
        target_id=target_id,
    )


def move(
    db: Session,
    user_id: int,
    message_ids: Iterable[int],
    target_id: int,
    clock: Clock,
    bus: Bus,
    *,
    deed: str = "move",
    seen_in: int | None = None,
) -> Action | None:
    """Move to another folder of the same account.  Raises NoSuchFolder.

    On Gmail messages of All Mail stay there: they get the label of the target and lose that of the view `seen_in`.
    """
    begun = _begin(db, user_id, message_ids, clock, bus)
    return _move(begun, target_id, deed, leaves=_label_left(begun, seen_in))


def _label_left(deed: _Deed, seen_in: int | None) -> frozenset[str]:
    """The label a move out of a view takes away; stars and Gmail's own marks stay."""
    view = deed.db.get(Folder, seen_in) if seen_in else None
    if view is None or view.account_id != deed.folder.account_id or view.role not in (None, Role.INBOX):
        return frozenset()
    return frozenset({view.label} if view.label else ())


def _move(deed: _Deed, target_id: int, verb: str, *, leaves: frozenset[str] = frozenset()) -> Action | None:
    target = _target(deed, target_id)
    store = labels.find_store(deed.db, target)
    given = frozenset({target.label} if target.label else ())
    if store.id == deed.folder.id:
        return _label(deed, given, leaves - given, verb, target.id)
    return _move_rows(deed, target, store, given, verb)


def _move_rows(deed: _Deed, target: Folder, store: Folder, given: frozenset[str], verb: str) -> Action | None:
    """A real move; on Gmail it takes messages out of the inbox, and into a view by putting them into All Mail."""
    old = {message.id: frozenset(message.labels.splitlines()) for message in deed.messages}
    kept = [{"labels": sorted(words)} for words in old.values()] if any(old.values()) or given else []
    action = deed.write(ActionKind.MOVE, verb, target_id=target.id, before=kept)
    unknown = {message.id: -message.id for message in deed.messages}
    rows.move(deed.db, deed.folder.account_id, deed.folder.id, store.id, unknown)
    new = {row_id: (words - {labels.INBOX}) | given for row_id, words in old.items()}
    rows.set_labels(deed.db, store.id, {row_id: words for row_id, words in new.items() if words != old[row_id]})
    return deed.end(action)


def _target(deed: _Deed, target_id: int) -> Folder:
    """A folder mail can be put into, of the account the messages are in."""
    try:
        target = queries.get_folder(deed.db, deed.user_id, target_id)
    except NoSuchFolder:
        deed.db.rollback()
        raise
    if target.account_id != deed.folder.account_id or not target.selectable:
        deed.db.rollback()
        raise BadInput("target", _("Choose a folder of the same account."))
    return target


def copy(
    db: Session, user_id: int, message_ids: Iterable[int], target_id: int, clock: Clock, bus: Bus
) -> Action | None:
    """Copy to a folder of the same account.  Raises NoSuchFolder."""
    deed = _begin(db, user_id, message_ids, clock, bus)
    if labels.has_views(db, deed.folder.account_id):
        return _move(deed, target_id, "copy")  # a second place is a second label: nothing is ever there twice
    target = _target(deed, target_id)
    apart = {_FAR_BELOW - place: message for place, message in enumerate(deed.messages)}
    copies = [{**message._mapping, "folder_id": target.id, "uid": uid} for uid, message in apart.items()]
    for row in copies:
        del row["id"]
    rows.add(db, target.account_id, target.id, copies)
    made = select(MESSAGE.c.id).where(MESSAGE.c.folder_id == target.id, MESSAGE.c.uid.in_(apart))
    ids = db.scalars(made.order_by(MESSAGE.c.uid.desc())).all()
    rows.settle(db, target.account_id, target.id, {row_id: -row_id for row_id in ids})
    action = deed.write(ActionKind.COPY, "copy", target_id=target.id, before=[{"copy": row_id} for row_id in ids])
    return deed.end(action)


def archive(db: Session, user_id: int, message_ids: Iterable[int], clock: Clock, bus: Bus) -> Action | None:
    """Move to the archive; for Gmail that is All Mail, so only the inbox loses the message."""
    deed = _begin(db, user_id, message_ids, clock, bus)
    return _move_to_role(deed, Role.ARCHIVE, "archive", leaves=frozenset({labels.INBOX}))


def junk(db: Session, user_id: int, message_ids: Iterable[int], clock: Clock, bus: Bus) -> Action | None:
    return _move_to_role(_begin(db, user_id, message_ids, clock, bus), Role.JUNK, "junk")


def not_junk(db: Session, user_id: int, message_ids: Iterable[int], clock: Clock, bus: Bus) -> Action | None:
    """Move back to the inbox."""
    return _move_to_role(_begin(db, user_id, message_ids, clock, bus), Role.INBOX, "not-junk")


def delete(
    db: Session,
    user_id: int,
    message_ids: Iterable[int],
    clock: Clock,
    bus: Bus,
    *,
    seen_in: int | None = None,
    at_once: bool = False,
) -> Action | None:
    """Move to Trash; what is seen in Trash or Junk is deleted for good once the undo time has passed, or `at_once`.

    Who does not see them there does not mean that: messages that are in Trash meanwhile stay there.
    """
    deed = _begin(db, user_id, message_ids, clock, bus)
    if deed.folder.role in FINAL_IN and deed.folder.id == seen_in:
        return _expunge(deed, timedelta() if at_once else _undo_time(db, user_id))
    if deed.folder.role is Role.TRASH:
        return deed.end(None)
    return _move_to_role(deed, Role.TRASH, "delete")


def _move_to_role(deed: _Deed, role: Role, verb: str, *, leaves: frozenset[str] = frozenset()) -> Action | None:
    return _move(deed, get_role_folder(deed.db, deed.folder.account_id, role).id, verb, leaves=leaves)


def _undo_time(db: Session, user_id: int) -> timedelta:
    return timedelta(seconds=db.scalar(select(User.undo_s).where(User.id == user_id)) or 0)


def _expunge(deed: _Deed, held: timedelta) -> Action | None:
    snapshots = [{"row": snapshot.take(message)} for message in deed.messages]
    action = deed.write(ActionKind.EXPUNGE, "expunge", before=snapshots, not_before=deed.now + held)
    gone = [message.id for message in deed.messages]
    rows.remove(deed.db, deed.folder.account_id, deed.folder.id, gone)
    return deed.end(action)


def get_action(db: Session, user_id: int, action_id: int) -> Action:
    """Raises NotFound."""
    found = db.scalar(select(Action).where(Action.id == action_id, Action.user_id == user_id))
    if found is None:
        raise NotFound
    return found


def undo(db: Session, user_id: int, action_id: int, clock: Clock, bus: Bus) -> None:
    """Take an action back: cancelled if the engine has not begun it, else reversed by further actions.

    Raises NotFound, or ActionRefused for what is gone for good.
    """
    action = get_action(db, user_id, action_id)
    rows.lock_account(db, action.account_id)
    waiting = update(Action).where(Action.id == action.id, Action.state == ActionState.PENDING)
    if row_count(db.execute(waiting.values(state=ActionState.UNDONE))):
        turn_back(db, action, ActionState.UNDONE)
        db.commit()
        db.expire_all()
        bus.ring(*bells(db, action))
        return
    db.refresh(action)
    db.rollback()  # frees the lock: each reversing action takes it again
    if action.state in (ActionState.DONE, ActionState.RUNNING):
        _reverse(db, action, clock, bus)


def _reverse(db: Session, action: Action, clock: Clock, bus: Bus) -> None:
    """Do the opposite; messages that are gone meanwhile need none."""
    who = action.user_id
    match action.kind:
        case ActionKind.FLAG | ActionKind.LABEL:
            again = flag if action.kind is ActionKind.FLAG else label
            for row_ids, added, removed in _grouped(action):
                with suppress(NoSuchMessage):
                    again(db, who, row_ids, removed, added, clock, bus, deed="undo")
        case ActionKind.MOVE:
            for home_id, moved in _homes(db, action).items():
                with suppress(NoSuchMessage):
                    move(db, who, moved, home_id, clock, bus, deed="undo")
        case ActionKind.COPY:
            copies = [before["copy"] for before in action.before]
            with suppress(NoSuchMessage):
                _expunge(_begin(db, who, copies, clock, bus), timedelta())
        case ActionKind.EXPUNGE:
            raise ActionRefused(_("These messages are deleted for good."))


def _homes(db: Session, action: Action) -> Mapping[int, Sequence[int]]:
    """Where moved messages belong, folder to rows: what a move took out of Gmail's inbox goes back there."""
    inbox = labels.find_view(db, action.account_id, labels.INBOX)
    if inbox is None or not action.before or labels.find_store(db, inbox).id != action.folder_id:
        return {action.folder_id: action.message_ids}
    homes: dict[int, list[int]] = {}
    for row_id, before in zip(action.message_ids, action.before, strict=True):
        home_id = inbox.id if labels.INBOX in before["labels"] else action.folder_id
        homes.setdefault(home_id, []).append(row_id)
    return homes


def _grouped(action: Action) -> list[tuple[list[int], frozenset[str], frozenset[str]]]:
    """Messages by what the action really changed on them."""
    groups: dict[tuple[frozenset[str], frozenset[str]], list[int]] = {}
    for row_id, added, removed in changes_of(action):
        groups.setdefault((added, removed), []).append(row_id)
    return [(row_ids, added, removed) for (added, removed), row_ids in groups.items()]
