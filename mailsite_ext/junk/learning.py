"""Learning from what people put into Junk and take out of it: work of the engine for their account, a few at a time.

Hardly anybody takes much out of Junk, and a filter that knows junk alone knows nothing.  So for each message thrown
into it another is learned as good: the newest one that was read and then kept in INBOX or Archive for KEPT_FOR.
"""

from __future__ import annotations

from collections.abc import Collection, Iterator
from datetime import datetime, timedelta

from sqlalchemy import select
from sqlalchemy.orm import Session

from app.extension_api import SWITCHES, Desk, MailAccount, MailSource, NoSuchMessage, Role, Runtime, current_mode
from mailsite_ext.domains.directory import Hosted, find_by_user
from mailsite_ext.domains.models import Mailbox
from mailsite_ext.domains.sources import SOURCE
from mailsite_ext.errors import StorageDamaged, StorageElsewhere
from mailsite_ext.junk import memory
from mailsite_ext.junk.models import JunkFilter
from mailsite_ext.junk.score import Learned
from mailsite_ext.junk.words import READ_OCTETS, words_of
from mailsite_ext.settings.service import load_settings
from mailsite_ext.storage.engine import StorageEngine
from mailsite_ext.storage.open import StorageInUse, open_storage
from mailsite_ext.storage.values import DELETED, SEEN, Column, Refiled

AT_ONCE = 10
KEPT_FOR = timedelta(days=2)
LOOKED_AT = 500
"""The newest messages of a folder; one that was kept is among them, or none is learned."""
KEEPING = (Role.INBOX, Role.ARCHIVE)


class Learner:
    """An AccountJob: `waiting` and `step`."""

    def __init__(self, parts: Runtime) -> None:
        self._parts = parts

    def waiting(self, db: Session, _now: datetime) -> Collection[int]:
        """Accounts whose mailboxes have notes of messages that were moved."""
        if not SWITCHES[current_mode(db)].hosting:
            return ()
        names = self._refiled_mailboxes(db)
        if not names:
            return ()
        owned = select(MailAccount.id).join(Mailbox, Mailbox.user_id == MailAccount.owner_id)
        return db.scalars(owned.where(MailAccount.source == SOURCE, Mailbox.name.in_(names))).all()

    def _refiled_mailboxes(self, db: Session) -> Collection[str]:
        """None where the storage cannot be opened: it is another machine's, or being converted."""
        try:
            return open_storage(self._parts, load_settings(db)).refiled_mailboxes()
        except (StorageInUse, StorageElsewhere, StorageDamaged):
            return ()

    def step(self, desk: Desk, _source: MailSource) -> bool:
        with desk.parts.public.session() as db:
            account = db.get_one(MailAccount, desk.account_id)
            hosted = find_by_user(db, account.owner_id)
            storage = open_storage(desk.parts, load_settings(db))
        if hosted is None:
            return False
        notes = storage.refiled(hosted.name, AT_ONCE)
        for note in notes:
            with desk.session() as db:
                learn_refiled(db, storage, hosted, note, desk.parts.clock.now())
        if notes:
            storage.forget_refiled([note.id for note in notes])
        return len(notes) == AT_ONCE


def learn_refiled(db: Session, storage: StorageEngine, hosted: Hosted, note: Refiled, now: datetime) -> None:
    """Learn a message that was moved, unless the filter is off; with one thrown into Junk, one that was kept."""
    if not is_on(db, hosted.id):
        return
    if learn(db, storage, hosted.id, note, now) and note.is_junk:
        kept = find_kept(db, storage, hosted, now)
        if kept is not None:
            learn(db, storage, hosted.id, kept, now)


def learn(db: Session, storage: StorageEngine, mailbox_id: int, note: Refiled, now: datetime) -> bool:
    """Learn one message; False: it is gone, or was learned as this kind already.

    In one transaction: who is stopped in between learns it another time, and not twice.
    """
    known = memory.find_lesson(db, mailbox_id, note.email_id)
    if not note.email_id or (known is not None and known.is_junk == note.is_junk):
        return False
    words, again = _words(storage, note), known is not None
    if not words or not memory.claim_lesson(db, mailbox_id, note.email_id, now, is_junk=note.is_junk, again=again):
        return False
    memory.count(db, mailbox_id, words, change_of(is_junk=note.is_junk, again=again), now)
    memory.age(db, mailbox_id)
    db.commit()
    return True


def find_kept(db: Session, storage: StorageEngine, hosted: Hosted, now: datetime) -> Refiled | None:
    """The newest message that is surely good, and not learned yet."""
    before = int((now - KEPT_FOR).timestamp())
    for folder in storage.folders(hosted.name):
        kept = list(_kept(storage, folder.id, before)) if folder.role in KEEPING else []
        known = memory.known_lessons(db, hosted.id, [each.email_id for each in kept])
        for each in reversed(kept):
            if each.email_id not in known:
                return each
    return None


def _kept(storage: StorageEngine, folder_id: int, before: int) -> Iterator[Refiled]:
    columns = (Column.UID, Column.FLAGS, Column.INTERNAL_DATE, Column.EMAIL_ID)
    for uid, flags, received_s, email_id in storage.rows(folder_id, columns, storage.uids(folder_id)[-LOOKED_AT:]):
        words = flags.split()
        if received_s <= before and SEEN in words and DELETED not in words:
            yield Refiled(0, folder_id, uid, is_junk=False, email_id=email_id)


def is_on(db: Session, mailbox_id: int) -> bool:
    found = db.get(JunkFilter, mailbox_id)
    return found is None or found.is_on


def change_of(*, is_junk: bool, again: bool) -> Learned:
    """How the counts of a message's words change; `again`: it was learned as the other kind."""
    taken_back = -1 if again else 0
    return Learned(taken_back, 1) if is_junk else Learned(1, taken_back)


def _words(storage: StorageEngine, note: Refiled) -> Collection[str]:
    try:
        with storage.open_message(note.folder_id, note.uid) as message:
            return words_of(message.read(0, READ_OCTETS))
    except (NoSuchMessage, StorageDamaged):
        return ()
