"""Drafts in SQL: saved by version, discarded, marked for the Drafts folder."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from uuid import UUID

import sqlalchemy as sa
from sqlalchemy import select, update
from sqlalchemy.exc import IntegrityError
from sqlalchemy.orm import Session, joinedload

from app.accounts.models import Identity, MailAccount
from app.compose import html as written_html
from app.compose.build import lines_of
from app.compose.models import Draft, DraftAttachment, DraftKind
from app.db import row_count
from app.errors import DraftConflict, NotFound
from app.mail_services.awake import is_awake

FILE_AFTER = timedelta(seconds=20)  # a draft is in the Drafts folder 30 s after a change; the engine needs some of them
MAX_FIELD = 65_536  # characters of To, Cc, Bcc
MAX_SUBJECT = 2_000
MAX_TEXT = 2_000_000


@dataclass(frozen=True, slots=True)
class Values:
    """What stands in the composer; `html` empty: a plain text message."""

    identity_id: int | None = None
    to: str = ""
    cc: str = ""
    bcc: str = ""
    subject: str = ""
    text: str = ""
    html: str = ""


@dataclass(frozen=True, slots=True)
class Answers:
    """What a new draft answers or forwards; the Message-IDs in angle brackets."""

    kind: DraftKind = DraftKind.NEW
    message_id: int | None = None  # the mirror's row
    in_reply_to: str = ""
    references: str = ""


NOTHING = Answers()


def identities(db: Session, user_id: int) -> Sequence[Identity]:
    """Whom a person may write as, in the order of their accounts; not from accounts that sleep in this mode."""
    mine = select(Identity).join(Identity.account).where(MailAccount.owner_id == user_id)
    mine = mine.where(is_awake())
    ordered = mine.order_by(MailAccount.position, MailAccount.id, Identity.position, Identity.id)
    return db.scalars(ordered.options(joinedload(Identity.account))).all()


def find_identity(db: Session, user_id: int, identity_id: int | None) -> Identity | None:
    mine = select(Identity).join(Identity.account).where(MailAccount.owner_id == user_id, Identity.id == identity_id)
    return db.scalar(mine.options(joinedload(Identity.account)))


def get_draft(db: Session, user_id: int, uuid: str) -> Draft:
    """Raises NotFound, also for somebody else's."""
    found = find_draft(db, user_id, uuid)
    if found is None:
        raise NotFound
    return found


def find_draft(db: Session, user_id: int, uuid: str) -> Draft | None:
    fresh = select(Draft).where(Draft.uuid == uuid, Draft.user_id == user_id).execution_options(populate_existing=True)
    return db.scalar(fresh)


def bounded(values: Values) -> Values:
    """`values` within our limits, without NUL (PostgreSQL stores none), HTML cleaned and with its own text."""
    html = written_html.clean(values.html) if values.html.strip() else ""
    text = written_html.to_text(html) if html else lines_of(values.text[:MAX_TEXT]).rstrip("\n")
    return Values(
        identity_id=values.identity_id,
        to=lines_of(values.to[:MAX_FIELD]).strip(),
        cc=lines_of(values.cc[:MAX_FIELD]).strip(),
        bcc=lines_of(values.bcc[:MAX_FIELD]).strip(),
        subject=lines_of(values.subject[:MAX_SUBJECT]).strip(),
        text=text,
        html=html,
    )


def save(
    db: Session,
    user_id: int,
    uuid: str,
    values: Values,
    *,
    version: int,
    now: datetime,
    answers: Answers = NOTHING,
) -> Draft:
    """Save what stands in the composer over `version`; 0 begins the draft `uuid`, which the page made up.

    Saving the same again changes nothing, so an answer that got lost does no harm.  Raises DraftConflict if another
    version is stored or the draft is on its way out, NotFound if there is none of that name.
    """
    values = bounded(values)
    identity = find_identity(db, user_id, values.identity_id)
    stored = find_draft(db, user_id, uuid)
    if stored is None and version == 0:
        return _begin(db, user_id, uuid, values, identity, answers, now)
    if stored is None:
        raise NotFound
    if values_of(stored) == values and not stored.handed_over:
        return stored
    if not _overwrite(db, stored, values, identity, version, now):
        db.rollback()
        raise DraftConflict
    db.commit()
    return get_draft(db, user_id, uuid)


def values_of(draft: Draft) -> Values:
    return Values(draft.identity_id, draft.to, draft.cc, draft.bcc, draft.subject, draft.text, draft.html)


def _begin(
    db: Session, user_id: int, uuid: str, values: Values, identity: Identity | None, answers: Answers, now: datetime
) -> Draft:
    draft = Draft(
        uuid=_checked_uuid(uuid),
        user_id=user_id,
        kind=answers.kind,
        answers_message_id=answers.message_id,
        in_reply_to=answers.in_reply_to,
        references=answers.references,
        created_at=now,
        updated_at=now,
        file_after=now + FILE_AFTER,
        **_columns(values, identity),
    )
    db.add(draft)
    try:
        db.commit()
    except IntegrityError:  # begun by another request at the same moment, or somebody else's name
        db.rollback()
        raise (DraftConflict if find_draft(db, user_id, uuid) else NotFound) from None
    return draft


def _checked_uuid(text: str) -> str:
    """Raises NotFound for what our pages would not have made up."""
    try:
        return str(UUID(text)) if str(UUID(text)) == text else _no_such()
    except ValueError:
        return _no_such()


def _no_such() -> str:
    raise NotFound


def _columns(values: Values, identity: Identity | None) -> dict[str, object]:
    return {
        "identity_id": identity.id if identity else None,
        "account_id": identity.account_id if identity else None,
        "to": values.to,
        "cc": values.cc,
        "bcc": values.bcc,
        "subject": values.subject,
        "text": values.text,
        "html": values.html,
    }


def _overwrite(
    db: Session, stored: Draft, values: Values, identity: Identity | None, version: int, now: datetime
) -> bool:
    """The one statement that saves: it wins only over the version that the page has seen."""
    seen = update(Draft).where(Draft.id == stored.id, Draft.version == version, ~Draft.handed_over)
    changed = seen.values(
        version=version + 1,
        updated_at=now,
        file_after=sa.func.coalesce(Draft.file_after, now + FILE_AFTER, type_=Draft.file_after.type),
        **_columns(values, identity),
    )
    return row_count(db.execute(changed)) == 1


def touch(db: Session, draft: Draft, now: datetime) -> None:
    """Something beside the text changed (attachments): it is to be filed again.  The caller commits."""
    db.execute(update(Draft).where(Draft.id == draft.id).values(updated_at=now, file_after=now + FILE_AFTER))


def call_filed(db: Session, draft: Draft) -> None:
    """It stands in the Drafts folder just as it is here."""
    db.execute(update(Draft).where(Draft.id == draft.id).values(file_after=None))
    db.commit()


def close(db: Session, draft: Draft, now: datetime) -> None:
    """The composer was left: what is not yet in the Drafts folder goes there now."""
    waiting = update(Draft).where(Draft.id == draft.id, Draft.file_after > now)
    db.execute(waiting.values(file_after=now))
    db.commit()


def discard(db: Session, draft: Draft) -> None:
    """Delete a draft; its copy in the Drafts folder follows.  Raises DraftConflict if it is on its way out."""
    gone = sa.delete(Draft).where(Draft.id == draft.id, ~Draft.handed_over)
    if not row_count(db.execute(gone)):
        db.rollback()
        raise DraftConflict
    db.commit()


def list_drafts(db: Session, user_id: int) -> Sequence[Draft]:
    """A person's drafts, newest first; those on their way out are the outbox's."""
    mine = select(Draft).where(Draft.user_id == user_id, ~Draft.handed_over)
    return db.scalars(mine.order_by(Draft.updated_at.desc()).limit(100)).all()


def attachments(db: Session, draft: Draft) -> Sequence[DraftAttachment]:
    """The files of a draft that arrived whole."""
    whole = select(DraftAttachment).where(DraftAttachment.draft_id == draft.id, DraftAttachment.complete)
    return db.scalars(whole.order_by(DraftAttachment.id)).all()
