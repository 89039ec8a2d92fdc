"""The engine's hand on the mirror: every function works in commits of at most some tens of milliseconds.

Each can be done again after a crash, and each holds the account's lock while it counts (`rows.lock_account`); the
sessions the engine passes in commit only while its lease holds.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Callable, Iterator, Mapping, Sequence, Set
from contextlib import AbstractContextManager, nullcontext
from dataclasses import replace
from datetime import datetime
from math import inf
from typing import Any

import sqlalchemy as sa
from sqlalchemy import select, update
from sqlalchemy.orm import Session

from app.actions.models import Action, ActionKind
from app.actions.pending import actions_unseen_by, flags_of, hidden_uids, tell_uids, void_actions
from app.errors import NoSuchFolder
from app.imap.bodystructure import has_attachments
from app.mirror import flags as mail_flags
from app.mirror import labels, linking, rows, view_folders
from app.mirror.counters import AT_ONCE, chunks, recount
from app.mirror.envelope import Envelope, read_envelope
from app.mirror.folders import get_role_folder, store_folders
from app.mirror.models import Folder
from app.mirror.plan import Known, Overlay, Plan, overlay_of, plan_changes
from app.mirror.rows import MESSAGE, label_lines
from app.sources import Delta, RemoteMessage, StoreFlags, StoreLabels

__all__ = [
    "Arrival",
    "add_arrivals",
    "add_messages",
    "apply_delta",
    "get_role_folder",
    "known_uids",
    "mark_complete",
    "read_arrivals",
    "store_folders",
    "store_previews",
]

Arrival = tuple[RemoteMessage, Envelope]
Turn = Callable[[], AbstractContextManager[None]]

COMMIT_MESSAGES = 500
"""Messages in one commit of `add_messages`, so that it takes no longer than 50 ms."""
MAX_BODYSTRUCTURE_OCTETS = 16_384  # a longer one is not kept; the message is then read whole
MAX_PREVIEW_CHARS = 200
ALL_AT_ONCE = 2_000
"""Vanished UIDs are looked up one by one to here; beyond, all of the folder are read."""


def known_uids(db: Session, folder_id: int) -> Sequence[int]:
    """The UIDs of a folder the server need not tell, ascending: mirrored, or gone from here but not yet there."""
    folder = _get_folder(db, folder_id)
    mirrored = db.scalars(select(MESSAGE.c.uid).where(MESSAGE.c.folder_id == folder_id, MESSAGE.c.uid > 0))
    return sorted({*mirrored, *hidden_uids(db, folder.account_id, folder_id)})


def apply_delta(db: Session, folder_id: int, delta: Delta, asked_at: datetime) -> Set[int]:
    """Bring the mirror of a folder to what the server said when asked at `asked_at`.

    Returns the folders that show something else now: this one, and on Gmail the views of its messages.  What people did
    since then stays.  Raises NoSuchFolder.
    """
    folder = _lock_folder(db, folder_id)
    changed = _start_over(db, folder) if _is_another(folder, delta) else False
    for piece in _pieces(db, folder_id, delta):
        changed |= _apply_piece(db, folder_id, piece, asked_at)
    changed |= _store_state(db, folder_id, delta, asked_at)
    return labels.take_changed(db) | ({folder_id} if changed else set())


def add_messages(db: Session, folder_id: int, messages: Sequence[RemoteMessage]) -> int:
    """Store older messages of a folder; those it has already stay as they are.  How many were new."""
    return add_arrivals(db, folder_id, read_arrivals(messages))


def add_arrivals(db: Session, folder_id: int, arrivals: Sequence[Arrival], *, turn: Turn = nullcontext) -> int:
    """The same, of messages whose envelopes were read; `turn` is entered around each write: bulk waits its turn."""
    added = 0
    for chunk in chunks(arrivals, COMMIT_MESSAGES):
        with turn():
            folder = _lock_folder(db, folder_id)
            known = _mirrored(db, folder_id, [message.uid for message, _ in chunk])
            hidden = hidden_uids(db, folder.account_id, folder_id)
            new = [a for a in chunk if a[0].uid not in known and a[0].uid not in hidden]
            _insert(db, folder, new, Overlay())
            _commit(db)
        added += len(new)
    return added


def read_arrivals(messages: Sequence[RemoteMessage]) -> Sequence[Arrival]:
    """Messages with their envelopes, worked out before any lock is taken: parsing holds no other writer up."""
    return [(message, read_envelope(message.header)) for message in messages]


def mark_complete(db: Session, folder_id: int) -> None:
    """The first sync has reached the oldest message: from here on the counters are the mirror's own."""
    _lock_folder(db, folder_id)
    recount(db, folder_id)
    view_folders.complete(db, folder_id)
    _set_folder(db, folder_id, complete=True)
    _commit(db)


def store_previews(db: Session, folder_id: int, previews: Mapping[int, str]) -> None:
    """First words of messages, by UID."""
    values = [{"told": uid, "words": text[:MAX_PREVIEW_CHARS]} for uid, text in previews.items()]
    here = update(MESSAGE).where(MESSAGE.c.folder_id == folder_id, MESSAGE.c.uid == sa.bindparam("told"))
    for chunk in chunks(values):
        _lock_folder(db, folder_id)
        db.execute(here.values(preview=sa.bindparam("words")), chunk)
        _commit(db)


def _commit(db: Session) -> None:
    """Commit, and let objects read before be read anew: the changes went past them."""
    db.commit()
    db.expire_all()


def _get_folder(db: Session, folder_id: int) -> Folder:
    folder = db.get(Folder, folder_id, populate_existing=True)
    if folder is None:
        raise NoSuchFolder
    return folder


def _lock_folder(db: Session, folder_id: int) -> Folder:
    """The folder as it stands under its account's lock."""
    rows.lock_account(db, _get_folder(db, folder_id).account_id)
    return _get_folder(db, folder_id)


def _set_folder(db: Session, folder_id: int, **values: Any) -> None:
    changed = update(Folder).where(Folder.id == folder_id).values(**values)
    db.execute(changed, execution_options={"synchronize_session": False})


def _is_another(folder: Folder, delta: Delta) -> bool:
    """Whether the folder on the server is no longer the one mirrored (RFC 9051 §2.3.1.1)."""
    return delta.reset or (folder.uidvalidity != delta.state.uidvalidity)


def _start_over(db: Session, folder: Folder) -> bool:
    """Empty the folder's mirror.  Its state goes first: a crash on the way starts over again.

    A folder never synced is empty already, and what STATUS counted in it stands.
    """
    folder_id, account_id = folder.id, folder.account_id
    if folder.uidvalidity is not None:
        _set_folder(db, folder_id, uidvalidity=None, uidnext=0, highestmodseq=None, complete=False, total=0, unread=0)
        view_folders.reopen(db, folder_id)
        void_actions(db, account_id, folder_id)
    _commit(db)
    emptied = False
    old = select(MESSAGE.c.id).where(MESSAGE.c.folder_id == folder_id, MESSAGE.c.uid > 0).limit(AT_ONCE)
    while doomed := db.scalars(old).all():
        rows.lock_account(db, account_id)
        rows.remove(db, account_id, folder_id, doomed)
        _commit(db)
        emptied = True
    return emptied


def _pieces(db: Session, folder_id: int, delta: Delta) -> Iterator[Delta]:
    """The delta in parts that fit one commit each."""
    vanished: Sequence[int] = sorted(delta.vanished)
    if len(vanished) > ALL_AT_ONCE:
        there = db.scalars(select(MESSAGE.c.uid).where(MESSAGE.c.folder_id == folder_id))
        vanished = sorted(delta.vanished.intersection(there))
    nothing = replace(delta, flags={}, vanished=frozenset(), new=())
    for uids in chunks(vanished):
        yield replace(nothing, vanished=frozenset(uids))
    for states in chunks(delta.flags.items()):
        yield replace(nothing, flags=dict(states))
    for messages in chunks(delta.new):
        yield replace(nothing, new=messages)


def _apply_piece(db: Session, folder_id: int, delta: Delta, asked_at: datetime) -> bool:
    folder = _lock_folder(db, folder_id)
    overlay = _overlay(actions_unseen_by(db, folder.account_id, asked_at), folder_id)
    named = {*delta.flags, *delta.vanished, *(message.uid for message in delta.new)}
    plan = plan_changes(_known(db, folder_id, sorted(named)), delta, overlay)
    _carry_out(db, folder, plan, overlay)
    _commit(db)
    return plan.changes_something


def _overlay(actions: Sequence[Action], folder_id: int) -> Overlay:
    """What these actions did to one folder."""
    here = [action for action in actions if action.folder_id == folder_id]
    leaving = [action for action in here if action.kind in (ActionKind.MOVE, ActionKind.EXPUNGE)]
    return overlay_of(list(_changes(here)), (uid for action in leaving for uid in action.uids))


def _changes(actions: Sequence[Action]) -> Iterator[StoreFlags | StoreLabels]:
    kinds: dict[ActionKind, type[StoreFlags] | type[StoreLabels]] = {
        ActionKind.FLAG: StoreFlags,
        ActionKind.LABEL: StoreLabels,
    }
    for action in actions:
        if kind := kinds.get(action.kind):
            yield kind("", tuple(action.uids), frozenset(action.add), frozenset(action.remove))


def _mirrored(db: Session, folder_id: int, uids: Sequence[int]) -> Set[int]:
    """Which of the UIDs have rows.  Most lie close together: one look along the index is then all it takes."""
    here = select(MESSAGE.c.uid).where(MESSAGE.c.folder_id == folder_id)
    if max(uids) - min(uids) < 4 * len(uids):
        return set(db.scalars(here.where(MESSAGE.c.uid.between(min(uids), max(uids)))))
    return set(db.scalars(here.where(MESSAGE.c.uid.in_(uids))))


def _known(db: Session, folder_id: int, uids: Sequence[int]) -> Mapping[int, Known]:
    columns = [MESSAGE.c[name] for name in _KNOWN_COLUMNS]
    found = {}
    for chunk in chunks(uids):
        here = select(*columns).where(MESSAGE.c.folder_id == folder_id, MESSAGE.c.uid.in_(chunk))
        for row in db.execute(here):
            found[row.uid] = Known(row.id, flags_of(row), frozenset(row.labels.splitlines()), row.modseq)
    return found


_KNOWN_COLUMNS = (
    "id", "uid", "seen", "flagged", "answered", "forwarded", "draft", "keywords", "labels", "modseq"
)  # fmt: skip


def _carry_out(db: Session, folder: Folder, plan: Plan, overlay: Overlay) -> None:
    rows.remove(db, folder.account_id, folder.id, plan.delete)
    rows.set_flags(db, folder.id, plan.flags)
    rows.set_labels(db, folder.id, plan.labels)
    by_id = update(MESSAGE).where(MESSAGE.c.id == sa.bindparam("row_id"))
    if plan.modseqs:
        modseqs = [{"row_id": row_id, "told": modseq} for row_id, modseq in plan.modseqs.items()]
        db.execute(by_id.values(modseq=sa.bindparam("told")), modseqs)
    _insert(db, folder, read_arrivals(plan.insert), overlay)


def _insert(db: Session, folder: Folder, arrivals: Sequence[Arrival], overlay: Overlay) -> None:
    """New rows, except for messages that wait here under no UID yet: those get theirs.

    While the first sync runs the counters are the server's, who counts old messages already.
    """
    if not arrivals:
        return
    waiting = _adopt(db, folder, arrivals, overlay)
    unknown = [arrival for arrival in arrivals if arrival[0].uid not in waiting]
    account_id, folder_id = folder.account_id, folder.id
    conversations = linking.assign_conversations(db, account_id, unknown)
    values = [
        _row(account_id, folder_id, message, envelope, conversation, overlay)
        for (message, envelope), conversation in zip(unknown, conversations, strict=True)
    ]
    first_new = 0 if folder.complete else folder.uidnext or inf
    rows.add(db, account_id, folder_id, [row for row in values if row["uid"] >= first_new])
    rows.add(db, account_id, folder_id, [row for row in values if row["uid"] < first_new], counted=False)


def _adopt(db: Session, folder: Folder, arrivals: Sequence[Arrival], overlay: Overlay) -> Mapping[int, int]:
    """Messages moved or copied here whose UID the server did not tell: recognised by Message-ID, UID to row."""
    waiting = select(MESSAGE.c.id, MESSAGE.c.message_id_hash)
    nameless = waiting.where(MESSAGE.c.folder_id == folder.id, MESSAGE.c.uid < 0).order_by(MESSAGE.c.id)
    by_hash: dict[int, list[int]] = defaultdict(list)
    for row in db.execute(nameless):
        by_hash[row.message_id_hash].append(row.id)
    found = {}
    flags, words = {}, {}
    for message, envelope in arrivals:
        if candidates := by_hash.get(envelope.message_id_hash):
            found[message.uid] = candidates.pop(0)
            flags[found[message.uid]] = overlay.flags_over(message.uid, message.flags)
            words[found[message.uid]] = _labels(message, overlay)
    if found:
        uids = {row_id: uid for uid, row_id in found.items()}
        rows.settle(db, folder.account_id, folder.id, uids)
        tell_uids(db, folder.account_id, folder.id, uids)
        rows.set_flags(db, folder.id, flags)
        rows.set_labels(db, folder.id, words)
    return found


def _labels(message: RemoteMessage, overlay: Overlay) -> frozenset[str]:
    return overlay.labels_over(message.uid, message.gmail.labels) if message.gmail else frozenset()


def _row(
    account_id: int,
    folder_id: int,
    message: RemoteMessage,
    envelope: Envelope,
    conversation_id: int,
    overlay: Overlay,
) -> dict[str, Any]:
    structure = message.bodystructure if len(message.bodystructure) <= MAX_BODYSTRUCTURE_OCTETS else b""
    marks = mail_flags.to_columns(overlay.flags_over(message.uid, message.flags))
    return {
        "account_id": account_id,
        "folder_id": folder_id,
        "uid": message.uid,
        "modseq": message.modseq,
        "seen": marks.seen,
        "flagged": marks.flagged,
        "answered": marks.answered,
        "forwarded": marks.forwarded,
        "draft": marks.draft,
        "keywords": marks.keywords,
        "labels": label_lines(_labels(message, overlay)),
        "received_at": message.received_at,
        "sent_at": envelope.sent_at,
        "size_octets": message.size_octets,
        "from_name": envelope.from_name,
        "from_address": envelope.from_address,
        "recipients": envelope.recipients,
        "subject": envelope.subject,
        "preview": None,
        "has_attachments": has_attachments(message.bodystructure),
        "message_id": envelope.message_id,
        "message_id_hash": envelope.message_id_hash,
        "header": envelope.header,
        "bodystructure": structure,
        "conversation_id": conversation_id,
        "gmail_msgid": message.gmail.msgid if message.gmail else None,
    }


def _store_state(db: Session, folder_id: int, delta: Delta, asked_at: datetime) -> bool:
    """How far the mirror is now; last of all, so that a delta cut off on its way is asked for again."""
    folder = _lock_folder(db, folder_id)
    before = (folder.total, folder.unread)
    state = delta.state
    values: dict[str, Any] = {
        "uidvalidity": state.uidvalidity,
        "uidnext": state.uidnext,
        "highestmodseq": state.highestmodseq,
        "synced_at": asked_at,
    }
    if not folder.complete:
        hidden = hidden_uids(db, folder.account_id, folder_id)
        values["total"] = max(delta.messages - len(hidden), 0)
        unseen = delta.unseen if delta.unseen is not None else folder.unread
        values["unread"] = max(unseen, _unread_here(db, folder_id))
    _set_folder(db, folder_id, **values)
    _commit(db)
    return before != (values.get("total", folder.total), values.get("unread", folder.unread))


def _unread_here(db: Session, folder_id: int) -> int:
    unread = select(sa.func.count()).select_from(MESSAGE)
    return db.scalar(unread.where(MESSAGE.c.folder_id == folder_id, sa.text("NOT message.seen"))) or 0
