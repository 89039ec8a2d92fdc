"""Drafts into the account's Drafts folder, sent mail into Sent, and the search for messages of unknown fate.

Everything here takes a MailSource and is called by the engine, on the account's interactive session; no transaction
is open while the server is spoken to.  Each step may be cut off anywhere: what is in SQL says what is left to do, and
a copy's Message-ID says whether it was made already.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Sequence
from contextlib import suppress
from datetime import datetime, timedelta

import sqlalchemy as sa
from sqlalchemy import select, update
from sqlalchemy.orm import Session, aliased

from app.accounts.models import MailAccount
from app.actions import service as actions
from app.bus import Bell, Topic
from app.compose import letters
from app.compose import service as drafts
from app.compose.addresses import parse_addresses
from app.compose.build import add_bcc, build
from app.compose.models import Draft, FiledDraft
from app.errors import ActionRefused, FolderMissing, NoSuchFolder, NoSuchMessage
from app.mirror.folders import get_role_folder
from app.mirror.models import Folder
from app.outbox import service
from app.outbox.models import Outgoing
from app.outbox.states import Event, OutboxState
from app.runtime import Runtime
from app.sources import Expunge, MailSource, Role

LOOK_AGAIN = timedelta(seconds=60)
LOOK_FOR = timedelta(hours=1)
PROVIDER_FILES_WITHIN = timedelta(minutes=10)  # after that the copy in Sent is made by us after all
AT_ONCE = 20

OpenSession = Callable[[], Session]


def file_due(
    parts: Runtime, source: MailSource, account: MailAccount, *, open_session: OpenSession | None = None
) -> frozenset[int]:
    """Do all filing of `account` that is due; the ids of the folders that changed on the server.

    Raises what MailSource raises; whatever was not reached is done by the next call.
    """
    with (open_session or parts.public.session)() as db:
        now = parts.clock.now()
        changed = {file_draft(source, db, draft, now=now) for draft in due_drafts(db, account.id, now)}
        changed |= {remove_copy(source, db, copy) for copy in stale_copies(db, account.id)}
        for outgoing in unknown_to_look_for(db, account.id, now):
            look_for(source, db, outgoing, now)
            parts.bus.ring(Bell(Topic.SENT, outgoing.user_id))
        for outgoing in to_file(db, account.id):
            changed |= {file_sent(source, db, account, outgoing, parts)}
    return frozenset(id for id in changed if id is not None)


def next_filing_at(db: Session, account_id: int, now: datetime) -> datetime | None:
    """When `file_due` has something to do again; None: nothing waits."""
    draft_due = db.scalar(
        select(Draft.file_after)
        .where(Draft.account_id == account_id, Draft.file_after.is_not(None), ~Draft.handed_over)
        .order_by(Draft.file_after)
        .limit(1)
    )
    open_ends = sa.or_(Outgoing.state == OutboxState.ACCEPTED, _may_be_looked_for(now + LOOK_AGAIN))
    waiting = db.scalar(select(Outgoing.id).where(Outgoing.account_id == account_id, open_ends).limit(1)) is not None
    times = [time for time in (draft_due, now + LOOK_AGAIN if waiting else None) if time is not None]
    return min(times, default=None)


# Drafts


def due_drafts(db: Session, account_id: int, now: datetime) -> Sequence[Draft]:
    """Drafts to be put into the account's Drafts folder now."""
    changed = select(Draft).where(Draft.account_id == account_id, Draft.file_after <= now, ~Draft.handed_over)
    return db.scalars(changed.order_by(Draft.file_after).limit(AT_ONCE)).all()


def file_draft(source: MailSource, db: Session, draft: Draft, *, now: datetime) -> int | None:
    """Put `draft`, as it stands, into its account's Drafts folder; the folder's id.

    The copy's row is written first: cut off after that, the next call makes another copy and removes this one.
    """
    identity = drafts.find_identity(db, draft.user_id, draft.identity_id)
    if identity is None:
        return None
    seen = update(Draft).where(Draft.id == draft.id, Draft.version == draft.version)
    unchanged = seen.where(Draft.file_after == draft.file_after)
    letter = letters.letter_of(db, draft, identity, now)
    folder = get_role_folder(db, identity.account_id, Role.DRAFTS)
    copy = FiledDraft(
        account_id=identity.account_id,
        folder_id=folder.id,
        draft_id=draft.id,
        version=draft.version,
        message_id=letter.message_id.strip("<>"),
    )
    db.add(copy)
    db.commit()
    copy.uid = _append(source, folder, build(letter, keep_bcc=True), ("\\Draft", "\\Seen"), now)
    copy.uidvalidity = folder.uidvalidity
    db.execute(unchanged.values(file_after=None))
    db.commit()
    return folder.id


def stale_copies(db: Session, account_id: int) -> Sequence[FiledDraft]:
    """Copies to be removed: their draft is gone (sent, discarded), in another account, or filed again since."""
    newer = aliased(FiledDraft)
    replaced = sa.exists().where(
        newer.draft_id == FiledDraft.draft_id, newer.account_id == account_id, newer.id > FiledDraft.id
    )
    gone = sa.or_(Draft.id.is_(None), Draft.account_id != account_id, replaced)
    stale = select(FiledDraft).outerjoin(Draft, Draft.id == FiledDraft.draft_id)
    return db.scalars(stale.where(FiledDraft.account_id == account_id, gone).limit(AT_ONCE)).all()


def remove_copy(source: MailSource, db: Session, copy: FiledDraft) -> int | None:
    """Take a copy out of the Drafts folder, found by its Message-ID; by its UID where another program gave it none."""
    folder = db.get(Folder, copy.folder_id)
    db.commit()
    if folder is not None:
        uids = _find(source, folder, copy.message_id) if copy.message_id else _own_uid(copy, folder)
        if uids:
            source.apply(Expunge(folder.name, tuple(uids)))
    db.delete(copy)
    db.commit()
    return folder.id if folder else None


def _own_uid(copy: FiledDraft, folder: Folder) -> Sequence[int]:
    """A UID means something only as long as UIDVALIDITY stays (RFC 9051 §2.3.1.1)."""
    return [copy.uid] if copy.uid is not None and copy.uidvalidity == folder.uidvalidity else []


# Sent mail


def to_file(db: Session, account_id: int) -> Sequence[Outgoing]:
    """Accepted messages whose copy and flag are still to be made."""
    accepted = select(Outgoing).where(Outgoing.account_id == account_id, Outgoing.state == OutboxState.ACCEPTED)
    return db.scalars(accepted.order_by(Outgoing.id).limit(AT_ONCE)).all()


def file_sent(source: MailSource, db: Session, account: MailAccount, outgoing: Outgoing, parts: Runtime) -> int | None:
    """File an accepted message in Sent, mark what it answers; the folder's id.

    Never twice: a copy with this Message-ID, made by us before a crash or by the provider, is enough.
    """
    folder_id = None
    if not outgoing.is_remainder:
        folder = get_role_folder(db, account.id, Role.SENT)
        message = add_bcc(outgoing.message, parse_addresses(outgoing.bcc).addresses)
        db.commit()
        accepted_at = outgoing.accepted_at or outgoing.created_at
        if not _find(source, folder, outgoing.message_id):
            if account.files_sent_itself and parts.clock.now() - accepted_at < PROVIDER_FILES_WITHIN:
                return None
            _append(source, folder, message, ("\\Seen",), accepted_at)
        folder_id = folder.id
        _mark_answered(db, outgoing, parts)
    service.move(db, outgoing.id, Event.FILE, message=b"")
    db.commit()
    parts.bus.ring(Bell(Topic.SENT, outgoing.user_id))
    return folder_id


def _mark_answered(db: Session, outgoing: Outgoing, parts: Runtime) -> None:
    """\\Answered (RFC 9051 §2.3.2) or $Forwarded (RFC 5788) on the original, unless it is gone."""
    if outgoing.answers_message_id and outgoing.answer_flag:
        with suppress(NoSuchMessage):
            actions.flag(
                db,
                outgoing.user_id,
                [outgoing.answers_message_id],
                add=[outgoing.answer_flag],
                remove=[],
                clock=parts.clock,
                bus=parts.bus,
            )


# Unknown fates


def _may_be_looked_for(now: datetime) -> sa.ColumnElement[bool]:
    """Not looked for lately, and not given up."""
    return sa.and_(
        Outgoing.state == OutboxState.UNKNOWN,
        sa.or_(
            Outgoing.looked_at.is_(None),
            sa.and_(Outgoing.looked_at <= now - LOOK_AGAIN, Outgoing.created_at > now - LOOK_FOR),
        ),
    )


def unknown_to_look_for(db: Session, account_id: int, now: datetime) -> Sequence[Outgoing]:
    unknown = select(Outgoing).where(Outgoing.account_id == account_id, _may_be_looked_for(now))
    return db.scalars(unknown.order_by(Outgoing.id).limit(AT_ONCE)).all()


def look_for(source: MailSource, db: Session, outgoing: Outgoing, now: datetime) -> bool:
    """Search Sent for a message of unknown fate.  Found: it was sent.  Not found: the person is asked."""
    assert outgoing.account_id is not None
    folder = get_role_folder(db, outgoing.account_id, Role.SENT)
    db.commit()
    if _find(source, folder, outgoing.message_id):
        return service.call_sent(db, outgoing, now)
    looked = update(Outgoing).where(Outgoing.id == outgoing.id, Outgoing.state == OutboxState.UNKNOWN)
    db.execute(looked.values(looked_at=now))
    db.commit()
    return False


# The server's folders


def _find(source: MailSource, folder: Folder, message_id: str) -> Sequence[int]:
    """UIDs of the copies with this Message-ID; none in a folder that does not exist yet."""
    try:
        return source.find_by_message_id(folder.name, message_id)
    except (NoSuchFolder, FolderMissing):
        return ()


def _append(
    source: MailSource, folder: Folder, message: bytes, flags: Iterable[str], received_at: datetime
) -> int | None:
    """Store a message, creating the folder where the server has none (TRYCREATE, RFC 9051 §7.1)."""
    try:
        return source.append(folder.name, message, flags, received_at)
    except (NoSuchFolder, FolderMissing):
        with suppress(ActionRefused):  # somebody else was quicker
            source.create_folder(folder.name)
        return source.append(folder.name, message, flags, received_at)
