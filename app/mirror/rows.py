"""Changes of message rows, with everything that hangs on them: counters, which message leads its
conversation, and the views that show it.

For services only: nothing here commits.  Whoever writes rows of an account holds its lock until the commit, so that
the engine and the web never count past each other.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Collection, Iterable, Mapping, Sequence
from datetime import datetime
from typing import Any, cast

import sqlalchemy as sa
from sqlalchemy import delete, insert, select, update
from sqlalchemy.orm import Session

from app.accounts.models import MailAccount
from app.db import row_count
from app.errors import NotFound
from app.mirror import flags as mail_flags
from app.mirror import labels
from app.mirror.counters import chunks, count, padded
from app.mirror.many import insert_many
from app.mirror.models import Message

MESSAGE = cast(sa.Table, Message.__table__)
INSERT = insert(MESSAGE)
LEADING = select(MESSAGE.c.id, MESSAGE.c.conversation_id, MESSAGE.c.received_at, MESSAGE.c.uid).where(
    MESSAGE.c.account_id == sa.bindparam("account_id"),
    MESSAGE.c.conversation_id.in_(sa.bindparam("conversations", expanding=True)),
    MESSAGE.c.folder_id == sa.bindparam("folder_id"),
    sa.text("message.leads"),
)
MAX_LABELS_CHARS = 2_000
ADDED_AT_ONCE = 1_000


def lock_account(db: Session, account_id: int) -> None:
    """Write-lock the account until this transaction ends.  Raises NotFound if its row is gone."""
    touched = update(MailAccount).where(MailAccount.id == account_id).values(position=MailAccount.position)
    if row_count(db.execute(touched, execution_options={"synchronize_session": False})) == 0:
        db.rollback()
        raise NotFound


def set_flags(db: Session, folder_id: int, flags: Mapping[int, Collection[str]]) -> None:
    """Give the rows, by id, these flags."""
    if not flags:
        return
    for chunk in chunks(flags.items()):
        _set_flags(db, folder_id, dict(chunk))


def _set_flags(db: Session, folder_id: int, flags: Mapping[int, Collection[str]]) -> None:
    columns = {row_id: mail_flags.to_columns(marks) for row_id, marks in flags.items()}
    were_unread = set(db.scalars(select(Message.id).where(Message.id.in_(flags), Message.seen.is_(False))))
    by_columns: dict[mail_flags.FlagColumns, list[int]] = defaultdict(list)
    for row_id, marks in columns.items():
        by_columns[marks].append(row_id)
    for marks, row_ids in by_columns.items():
        db.execute(update(MESSAGE).where(MESSAGE.c.id.in_(row_ids)).values(**marks._asdict()))
    are_unread = sum(not marks.seen for marks in columns.values())
    count(db, folder_id, unread=are_unread - len(were_unread))
    labels.show(db, folder_id, flags.keys())


def set_labels(db: Session, folder_id: int, words: Mapping[int, Collection[str]]) -> None:
    """Give the rows, by id, these of Gmail's labels."""
    if words:
        by_id = update(MESSAGE).where(MESSAGE.c.id == sa.bindparam("row_id"))
        values = [{"row_id": row_id, "words": label_lines(some)} for row_id, some in words.items()]
        db.execute(by_id.values(labels=sa.bindparam("words")), values)
        labels.show(db, folder_id, words.keys())


def label_lines(words: Collection[str]) -> str:
    """Labels as they stand in a row, one a line."""
    if not words:
        return ""
    return "\n".join(sorted(" ".join(label.splitlines()) for label in words))[:MAX_LABELS_CHARS]


def move(db: Session, account_id: int, source_id: int, target_id: int, uids: Mapping[int, int]) -> None:
    """Put rows, by id, from one folder into another, under the UIDs they have there (negative: not known yet).

    Rows that are no longer in the source stay where they are; a row that has the UID already was this message too.
    """
    for chunk in chunks(uids):
        _clear(db, account_id, target_id, {row_id: uids[row_id] for row_id in chunk})
        here = MESSAGE.c.id.in_(chunk) & (MESSAGE.c.folder_id == source_id)
        moving = db.execute(select(MESSAGE.c.id, MESSAGE.c.conversation_id, MESSAGE.c.seen).where(here)).all()
        if not moving:
            continue
        to_place = update(MESSAGE).where(MESSAGE.c.id == sa.bindparam("row_id"))
        places = [{"row_id": row.id, "folder_id": target_id, "uid": uids[row.id]} for row in moving]
        db.execute(to_place.values(folder_id=sa.bindparam("folder_id"), uid=sa.bindparam("uid")), places)
        labels.hide(db, [row.id for row in moving])
        labels.show(db, target_id, [row.id for row in moving])
        unread = sum(not row.seen for row in moving)
        count(db, source_id, total=-len(moving), unread=-unread)
        count(db, target_id, total=len(moving), unread=unread)
        refresh_leads(db, account_id, {row.conversation_id for row in moving}, {source_id, target_id})


def settle(db: Session, account_id: int, folder_id: int, uids: Mapping[int, int]) -> None:
    """Give rows of a folder, by id, the UIDs the server told."""
    for chunk in chunks(uids):
        found = {row_id: uids[row_id] for row_id in chunk}
        _clear(db, account_id, folder_id, found)
        here = update(MESSAGE).where(MESSAGE.c.id == sa.bindparam("row_id"), MESSAGE.c.folder_id == folder_id)
        places = [{"row_id": row_id, "told": uid} for row_id, uid in found.items()]
        db.execute(here.values(uid=sa.bindparam("told")), places)
        labels.show(db, folder_id, chunk)


def _clear(db: Session, account_id: int, folder_id: int, uids: Mapping[int, int]) -> None:
    """Make room for rows to come under these UIDs: others that have them are older sightings of the same messages."""
    taken = select(MESSAGE.c.id).where(MESSAGE.c.folder_id == folder_id, MESSAGE.c.uid.in_(uids.values()))
    remove(db, account_id, folder_id, db.scalars(taken.where(MESSAGE.c.id.not_in(uids))).all())


def remove(db: Session, account_id: int, folder_id: int, row_ids: Collection[int]) -> None:
    """Delete rows of one folder; what hangs on them goes with them."""
    for chunk in chunks(row_ids):
        doomed = MESSAGE.c.id.in_(chunk) & (MESSAGE.c.folder_id == folder_id)
        gone = db.execute(select(MESSAGE.c.id, MESSAGE.c.conversation_id, MESSAGE.c.seen).where(doomed)).all()
        labels.hide(db, [row.id for row in gone])
        db.execute(delete(MESSAGE).where(doomed))
        count(db, folder_id, total=-len(gone), unread=-sum(not row.seen for row in gone))
        refresh_leads(db, account_id, {row.conversation_id for row in gone}, {folder_id})


def add(db: Session, account_id: int, folder_id: int, rows: Sequence[dict[str, Any]], *, counted: bool = True) -> None:
    """Insert rows of one folder, `leads` worked out here; `counted`: the counters do not know them yet."""
    for chunk in chunks(rows, ADDED_AT_ONCE):
        _crown_new(db, account_id, folder_id, chunk)
        insert_many(db, INSERT, chunk)
        labels.show_new(db, folder_id, [row["uid"] for row in chunk if row["labels"]], counted=counted)
    if counted:
        count(db, folder_id, total=len(rows), unread=sum(not row["seen"] for row in rows))


def _crown_new(db: Session, account_id: int, folder_id: int, rows: Sequence[dict[str, Any]]) -> None:
    """Set `leads` of rows about to be inserted, and take it from those they outshine."""
    newest: dict[int, tuple[datetime, int]] = {}
    for row in rows:
        place, conversation = (row["received_at"], row["uid"]), row["conversation_id"]
        if conversation not in newest or place > newest[conversation]:
            newest[conversation] = place
    dethroned = []
    asked = {"account_id": account_id, "folder_id": folder_id, "conversations": padded(list(newest))}
    for old in db.execute(LEADING, asked):
        if (old.received_at, old.uid) > newest[old.conversation_id]:
            newest[old.conversation_id] = (old.received_at, old.uid)
        else:
            dethroned.append(old.id)
    if dethroned:
        db.execute(update(MESSAGE).where(MESSAGE.c.id.in_(dethroned)).values(leads=False))
    for row in rows:
        row["leads"] = newest[row["conversation_id"]] == (row["received_at"], row["uid"])


def refresh_leads(
    db: Session, account_id: int, conversations: Collection[int], folders: Collection[int] | None = None
) -> None:
    """Work out anew who leads these conversations, in `folders` or in all of the account."""
    for chunk in chunks(conversations):
        of_them = select(MESSAGE.c.id, MESSAGE.c.folder_id, MESSAGE.c.conversation_id, MESSAGE.c.leads).where(
            MESSAGE.c.account_id == account_id, MESSAGE.c.conversation_id.in_(chunk)
        )
        if folders is not None:
            of_them = of_them.where(MESSAGE.c.folder_id.in_(folders))
        _crown(db, db.execute(of_them.order_by(MESSAGE.c.received_at.desc(), MESSAGE.c.uid.desc())).all())


def _crown(db: Session, newest_first: Iterable[Any]) -> None:
    crowned: set[tuple[int, int]] = set()
    changed: dict[bool, list[int]] = {True: [], False: []}
    for row in newest_first:
        kingdom = (row.folder_id, row.conversation_id)
        if row.leads != (kingdom not in crowned):
            changed[not row.leads].append(row.id)
        crowned.add(kingdom)
    for leads, row_ids in changed.items():
        for chunk in chunks(row_ids):
            db.execute(update(MESSAGE).where(MESSAGE.c.id.in_(chunk)).values(leads=leads))
