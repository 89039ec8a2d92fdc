"""Cached bodies: sections of messages, sealed with their account's data key, in chunks, the least used trimmed.

Deleting an account deletes its data key, and with it every copy of its bodies, in old backups too.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping, Sequence
from datetime import datetime, timedelta
from typing import cast

from sqlalchemy import Select, Table, bindparam, delete, func, insert, select, update
from sqlalchemy.exc import IntegrityError
from sqlalchemy.orm import Session

from app.accounts.models import MailAccount
from app.errors import NoSuchMessage, NotFound
from app.mirror.counters import chunks as in_chunks
from app.mirror.models import BodyChunk, CachedSection, Message
from app.mirror.rows import lock_account
from app.vault import secretbox
from app.vault.secretbox import Vault

WHOLE_OCTETS = 512 * 1024  # up to here one row
CHUNK_OCTETS = 256 * 1024  # beyond, rows of this size
UNFINISHED = -1
USED_STEP = timedelta(hours=1)  # how stale `used_at` may be: not a write per look
TRIMMED_AT_ONCE = 200


SECTION, CHUNK, ACCOUNT = (cast(Table, row.__table__) for row in (CachedSection, BodyChunk, MailAccount))

# Built once: somebody waits for what they ask.
WHOLE = (
    select(SECTION.c.id, SECTION.c.section, ACCOUNT.c.uuid, ACCOUNT.c.sealed_data_key)
    .join(ACCOUNT, ACCOUNT.c.id == SECTION.c.account_id)
    .where(
        SECTION.c.message_id == bindparam("message_id"),
        SECTION.c.octets != UNFINISHED,
        SECTION.c.section.in_(bindparam("sections", expanding=True)),
    )
)
CHUNKS = (
    select(CHUNK.c.section_id, CHUNK.c.number, CHUNK.c.sealed)
    .where(CHUNK.c.section_id.in_(bindparam("section_ids", expanding=True)))
    .order_by(CHUNK.c.section_id, CHUNK.c.number)
)
STALE = select(SECTION.c.id).where(SECTION.c.message_id == bindparam("id"), SECTION.c.used_at < bindparam("before"))


def cached_sections(db: Session, vault: Vault, message: Message, sections: Sequence[str]) -> Mapping[str, bytes]:
    """Those of `sections` that are cached, whole, as they came (still transfer-encoded), in two queries."""
    stored = db.execute(WHOLE, {"message_id": message.id, "sections": list(sections)}).all()
    if not stored:
        return {}
    uuid = stored[0].uuid
    key = _data_key(vault, uuid, stored[0].sealed_data_key)
    names = {row.id: row.section for row in stored}
    found: dict[str, list[bytes]] = {section: [] for section in names.values()}
    for row in db.execute(CHUNKS, {"section_ids": list(names)}):
        section = names[row.section_id]
        found[section].append(secretbox.unseal(key, _name(uuid, message.id, section, row.number), row.sealed))
    return {section: b"".join(opened) for section, opened in found.items()}


def open_section(db: Session, vault: Vault, message: Message, section: str) -> Iterator[bytes]:
    """A cached section in pieces, so that nobody holds a large one whole.  Raises NotFound if it is not cached."""
    row = db.execute(_stored(message.id).where(CachedSection.section == section)).one_or_none()
    if row is None:
        raise NotFound
    return _opened(db, vault, message, row.id, section)


def missing_sections(db: Session, message: Message, sections: Sequence[str]) -> Sequence[str]:
    """Those of `sections` that are not cached, in their order."""
    stored = {row.section for row in db.execute(WHOLE, {"message_id": message.id, "sections": list(sections)})}
    return [section for section in sections if section not in stored]


def is_cached(db: Session, message: Message, section: str) -> bool:
    return not missing_sections(db, message, [section])


def _stored(message_id: int) -> Select[int, str]:
    columns = select(CachedSection.id, CachedSection.section)
    return columns.where(CachedSection.message_id == message_id, CachedSection.octets != UNFINISHED)


def _opened(db: Session, vault: Vault, message: Message, section_id: int, section: str) -> Iterator[bytes]:
    account = db.execute(
        select(MailAccount.uuid, MailAccount.sealed_data_key).where(MailAccount.id == message.account_id)
    ).one()
    key = _data_key(vault, account.uuid, account.sealed_data_key)
    number = 0
    one = select(BodyChunk.sealed).where(BodyChunk.section_id == section_id)
    while (sealed := db.scalar(one.where(BodyChunk.number == number))) is not None:
        yield secretbox.unseal(key, _name(account.uuid, message.id, section, number), sealed)
        number += 1


def _data_key(vault: Vault, uuid: str, sealed: bytes) -> bytes:
    return vault.open(f"mail_account.data_key:{uuid}", sealed)


def _name(uuid: str, message_id: int, section: str, number: int) -> str:
    """What a chunk is sealed for: in another place it does not open."""
    return f"body_chunk.sealed:{uuid}:{message_id}:{section}:{number}"


def put_sections(
    db: Session, vault: Vault, account: MailAccount, message_id: int, sections: Mapping[str, bytes], now: datetime
) -> None:
    """Cache sections that are at hand, in place of older copies; the caller commits.

    Raises NoSuchMessage if the message is gone.
    """
    key = _data_key(vault, account.uuid, account.sealed_data_key)
    try:
        lock_account(db, account.id)
        for section, octets in sections.items():
            section_id = _insert(db, account.id, message_id, section, now, len(octets))
            for number, block in enumerate(blocks([octets])):
                sealed = secretbox.seal(0, key, _name(account.uuid, message_id, section, number), block)
                db.execute(insert(CHUNK), {"section_id": section_id, "number": number, "sealed": sealed})
    except IntegrityError:
        db.rollback()
        raise NoSuchMessage from None


def store_section(
    db: Session,
    vault: Vault,
    account: MailAccount,
    message_id: int,
    section: str,
    chunks: Iterable[bytes],
    now: datetime,
) -> None:
    """Cache a section as its pieces come, in place of an older copy; a commit a chunk, none open while the next comes.

    The account is locked before its rows, as everywhere: two writers never wait for each other in a circle.
    Half a section is never found: it counts as absent until its last chunk is stored.  Raises NoSuchMessage if the
    message goes meanwhile.
    """
    try:
        _store(db, vault, account, message_id, section, chunks, now)
    except IntegrityError:
        db.rollback()
        raise NoSuchMessage from None


def _store(
    db: Session,
    vault: Vault,
    account: MailAccount,
    message_id: int,
    section: str,
    chunks: Iterable[bytes],
    now: datetime,
) -> None:
    account_id, uuid = account.id, account.uuid
    key = _data_key(vault, uuid, account.sealed_data_key)
    section_id, octets = _start(db, account_id, message_id, section, now), 0
    for number, block in enumerate(blocks(chunks)):
        sealed = secretbox.seal(0, key, _name(uuid, message_id, section, number), block)
        lock_account(db, account_id)
        db.execute(insert(BodyChunk).values(section_id=section_id, number=number, sealed=sealed))
        db.commit()
        octets += len(block)
    lock_account(db, account_id)
    db.execute(update(CachedSection).where(CachedSection.id == section_id).values(octets=octets))
    db.commit()


def _start(db: Session, account_id: int, message_id: int, section: str, now: datetime) -> int:
    lock_account(db, account_id)
    section_id = _insert(db, account_id, message_id, section, now, UNFINISHED)
    db.commit()
    return section_id


def _insert(db: Session, account_id: int, message_id: int, section: str, now: datetime, octets: int) -> int:
    """A section's row, in the place of an older one; its id."""
    db.execute(delete(SECTION).where(SECTION.c.message_id == message_id, SECTION.c.section == section))
    values = {"account_id": account_id, "message_id": message_id, "section": section, "octets": octets, "used_at": now}
    inserted = db.execute(insert(SECTION).returning(SECTION.c.id), values)
    section_id: int = inserted.scalar_one()
    return section_id


def blocks(pieces: Iterable[bytes]) -> Iterator[bytes]:
    """`pieces` cut anew: one block up to WHOLE_OCTETS, else CHUNK_OCTETS each."""
    waiting, is_large = bytearray(), False
    for piece in pieces:
        waiting += piece
        is_large = is_large or len(waiting) > WHOLE_OCTETS
        while is_large and len(waiting) >= CHUNK_OCTETS:
            yield bytes(waiting[:CHUNK_OCTETS])
            del waiting[:CHUNK_OCTETS]
    if waiting:
        yield bytes(waiting)


def touch(db: Session, message_id: int, now: datetime) -> None:
    """Note that a message's sections were used; commits, at most once in USED_STEP."""
    if stale := db.scalars(STALE, {"id": message_id, "before": now - USED_STEP}).all():
        db.execute(update(SECTION).where(SECTION.c.id.in_(stale)).values(used_at=now))
        db.commit()


def trim(db: Session, owner_id: int, most_octets: int) -> None:
    """Forget what a person has not used for longest, until their accounts' sections take at most `most_octets`."""
    accounts = db.scalars(select(MailAccount.id).where(MailAccount.owner_id == owner_id)).all()
    theirs = CachedSection.account_id.in_(accounts)
    excess = (db.scalar(select(func.sum(CachedSection.octets)).where(theirs)) or 0) - most_octets
    oldest_first = select(CachedSection.id, CachedSection.octets).where(theirs).order_by(CachedSection.used_at)
    while excess > 0:
        doomed = []
        for row in db.execute(oldest_first.limit(TRIMMED_AT_ONCE)):
            if excess > 0:
                doomed.append(row.id)
                excess -= row.octets
        if not doomed:
            return
        forget(db, doomed)


def forget(db: Session, section_ids: Sequence[int]) -> None:
    for chunk in in_chunks(section_ids):
        db.execute(delete(CachedSection).where(CachedSection.id.in_(chunk)))
        db.commit()
