"""Files of drafts, in rows of 256 KiB: uploaded, copied from messages, read back, removed."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from datetime import datetime

import sqlalchemy as sa
from sqlalchemy import select
from sqlalchemy.orm import Session

from app.compose import service
from app.compose.build import Attached, safe_content_id, safe_filename, safe_type
from app.compose.models import AttachmentChunk, Draft, DraftAttachment
from app.errors import BadInput, DraftConflict, NotFound

CHUNK_OCTETS = 262_144
CHUNKS_PER_COMMIT = 8  # a writer that holds SQLite for longer than this keeps others waiting
MAX_ATTACHMENTS = 200


def attach(
    db: Session,
    draft: Draft,
    filename: str,
    content_type: str,
    chunks: Iterable[bytes],
    *,
    room_octets: int,
    now: datetime,
    content_id: str = "",
    origin: str = "",
) -> DraftAttachment:
    """Store a file with `draft`.  `chunks` are of any size; nothing ever holds the file whole.

    Raises BadInput if it does not fit into `room_octets`, DraftConflict if the draft is on its way out.
    """
    if draft.handed_over:
        raise DraftConflict
    if len(service.attachments(db, draft)) >= MAX_ATTACHMENTS:
        raise BadInput("files", f"A message holds at most {MAX_ATTACHMENTS} files.")
    row = DraftAttachment(
        draft_id=draft.id,
        filename=safe_filename(filename),
        content_type=safe_type(content_type),
        octets=0,
        content_id=safe_content_id(content_id) if content_id else "",
        origin=origin,
    )
    db.add(row)
    db.commit()
    try:
        _store(db, row, chunks, room_octets)
    except BaseException:
        db.rollback()
        db.execute(sa.delete(DraftAttachment).where(DraftAttachment.id == row.id))
        db.commit()
        raise
    row.complete = True
    service.touch(db, draft, now)
    db.commit()
    return row


def _store(db: Session, row: DraftAttachment, chunks: Iterable[bytes], room_octets: int) -> None:
    for number, chunk in enumerate(evenly(chunks)):
        row.octets += len(chunk)
        if row.octets > room_octets:
            raise BadInput("files", row.filename)
        db.add(AttachmentChunk(attachment_id=row.id, number=number, data=chunk))
        if number % CHUNKS_PER_COMMIT == CHUNKS_PER_COMMIT - 1:
            db.commit()


def evenly(chunks: Iterable[bytes]) -> Iterator[bytes]:
    """The same octets in pieces of CHUNK_OCTETS."""
    held = bytearray()
    for chunk in chunks:
        held += chunk
        while len(held) >= CHUNK_OCTETS:
            yield bytes(held[:CHUNK_OCTETS])
            del held[:CHUNK_OCTETS]
    if held:
        yield bytes(held)


def room_octets(db: Session, draft: Draft, max_message_mib: int) -> int:
    """How much more may be attached: base64 makes three octets four, and lines of 76 take a line end each."""
    used = select(sa.func.coalesce(sa.func.sum(DraftAttachment.octets), 0)).where(DraftAttachment.draft_id == draft.id)
    most = max_message_mib * 1_048_576 * 3 // 4 * 76 // 78
    return max(0, most - int(db.scalar(used) or 0))


def get_attachment(db: Session, user_id: int, draft_uuid: str, uuid: str) -> DraftAttachment:
    """Raises NotFound, also for somebody else's."""
    mine = select(DraftAttachment).join(Draft).where(Draft.user_id == user_id, Draft.uuid == draft_uuid)
    found = db.scalar(mine.where(DraftAttachment.uuid == uuid, DraftAttachment.complete))
    if found is None:
        raise NotFound
    return found


def remove(db: Session, draft: Draft, uuid: str, now: datetime) -> None:
    """Take a file off a draft.  One that is gone already is no fault."""
    if draft.handed_over:
        raise DraftConflict
    mine = sa.delete(DraftAttachment).where(DraftAttachment.uuid == uuid, DraftAttachment.draft_id == draft.id)
    db.execute(mine)
    service.touch(db, draft, now)
    db.commit()


def chunks_of(db: Session, attachment: DraftAttachment) -> Iterator[bytes]:
    """The octets, one row after the other."""
    number = 0
    while (chunk := db.get(AttachmentChunk, (attachment.id, number))) is not None:
        yield chunk.data
        db.expunge(chunk)
        number += 1


def read_all(db: Session, draft: Draft) -> list[Attached]:
    """Every file of a draft, whole: what a message is built from."""
    return [
        Attached(row.filename, row.content_type, b"".join(chunks_of(db, row)), row.content_id)
        for row in service.attachments(db, draft)
    ]
