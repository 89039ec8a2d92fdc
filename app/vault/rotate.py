"""Key rotation (C3): a new key, every seal made anew under it, the old keys retired, and purged when asked.

All of it runs beside the web and the engine.  They read the ring before each seal, so once the new key stands, a seal
under an older one can only come from somebody who was between sealing and storing: passes repeat until one finds
nothing, and no key goes while anything still needs it.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from datetime import datetime

from sqlalchemy import delete, select, update
from sqlalchemy.orm import Session

from app.db import Database, row_count
from app.errors import VaultError
from app.vault.columns import SEALED_COLUMNS, SealedColumn
from app.vault.models import MasterKey
from app.vault.secretbox import HEAD, VERSION, Vault, key_id_of, new_key

BATCH = 50  # rows a transaction: on SQLite nobody else writes meanwhile


@dataclass(frozen=True, slots=True)
class KeyStatus:
    """A master key: since when, whether it is retired, how many ciphertexts need it."""

    id: int
    created_at: datetime
    retired_at: datetime | None
    seals: int


def rotate(public: Database, private: Database, vault: Vault, now: datetime) -> int:
    """Go over to a new key, or finish a rotation that was broken off; the number of seals made anew.

    Raises VaultError naming a seal that does not open; batches finished before stay done.
    """
    with private.session() as db:
        current = db.scalars(select(MasterKey).where(MasterKey.retired_at.is_(None))).all()
        if len(current) == 1:  # more: a rotation was broken off
            db.add(MasterKey(key=new_key(), created_at=now))
            db.commit()
    done = reseal_all(public, vault)
    with private.session() as db:
        older = (MasterKey.id < vault.sealing_key_id) & MasterKey.retired_at.is_(None)
        db.execute(update(MasterKey).where(older).values(retired_at=now))
        db.commit()
    return done


def reseal_all(public: Database, vault: Vault) -> int:
    """Pass over every sealed column until a pass finds nothing under an older key; how many seals were made anew."""
    vault.reload()
    done = 0
    while found := sum(_reseal_column(public, vault, column) for column in SEALED_COLUMNS):
        done += found
    return done


def _reseal_column(public: Database, vault: Vault, column: SealedColumn) -> int:
    """One pass over a column, a transaction a batch; how many values were found under an older key."""
    found, after = 0, ""
    while True:
        with public.session() as db:
            batch = _older_seals(db, column, after, vault.sealing_key_id)
            for owner, sealed in batch:
                _reseal(db, vault, column, owner, sealed)
            db.commit()
        if not batch:
            return found
        found, after = found + len(batch), batch[-1][0]


def _older_seals(db: Session, column: SealedColumn, after: str, key_id: int) -> list[tuple[str, bytes]]:
    """The next values not sealed under `key_id`, in the order of their owners; the head of a seal tells its key."""
    owner, sealed = column.owner_column, column.sealed
    under_key = sealed.between(HEAD.pack(VERSION, key_id), HEAD.pack(VERSION, key_id) + b"\xff" * 32)
    query = select(owner, sealed).where(owner > after, sealed.is_not(None), sealed != b"", ~under_key)
    return [(row[0], row[1]) for row in db.execute(query.order_by(owner).limit(BATCH))]


def _reseal(db: Session, vault: Vault, column: SealedColumn, owner: str, sealed: bytes) -> None:
    """Seal one value anew, unless somebody changed it meanwhile: the next pass looks at theirs."""
    name = column.seal_name(owner)
    try:
        fresh = vault.seal(name, vault.open(name, sealed))
    except VaultError as error:
        raise VaultError(f"{name}: {error.detail}") from None
    unchanged = (column.owner_column == owner) & (column.sealed == sealed)
    db.execute(update(column.model).where(unchanged).values({column.column: fresh}))


def count_seals(public: Database) -> Mapping[int, int]:
    """How many ciphertexts need each key."""
    with public.session() as db:
        return Counter(key_id_of(sealed) for column in SEALED_COLUMNS for sealed in _heads(db, column))


def _heads(db: Session, column: SealedColumn) -> Iterator[bytes]:
    query = select(column.sealed).where(column.sealed.is_not(None), column.sealed != b"")
    yield from db.scalars(query.execution_options(yield_per=BATCH))


def purge(public: Database, private: Database, vault: Vault) -> int:
    """Delete the retired keys; how many went.  Raises VaultError while any ciphertext still needs one of them.

    An older backup of the public database does not open any more afterwards.
    """
    reseal_all(public, vault)
    with private.session() as db:
        retired = set(db.scalars(select(MasterKey.id).where(MasterKey.retired_at.is_not(None))))
        needed = {key: count for key, count in count_seals(public).items() if key in retired}
        if needed:
            raise VaultError(f"{sum(needed.values())} ciphertexts still need a retired key: run `flask vault rotate`")
        gone = row_count(db.execute(delete(MasterKey).where(MasterKey.id.in_(retired))))
        db.commit()
    return gone


def status(public: Database, private: Database) -> list[KeyStatus]:
    """Every key of the ring, the oldest first."""
    seals = count_seals(public)
    with private.session() as db:
        keys = db.scalars(select(MasterKey).order_by(MasterKey.id)).all()
    return [KeyStatus(key.id, key.created_at, key.retired_at, seals.get(key.id, 0)) for key in keys]
