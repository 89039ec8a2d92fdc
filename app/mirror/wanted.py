"""Sections a page needs now: read where they lie on this machine, or from the cache, or asked of the engine."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import cast

from sqlalchemy import Table, bindparam, delete, insert, select
from sqlalchemy.orm import Session

from app import errors
from app.bus import Bell, Topic
from app.errors import EngineSilent, MailError, NoSuchMessage
from app.mirror import bodies, nearby
from app.mirror.models import BodyRequest, Message, RequestState
from app.runtime import Runtime
from app.web.bells import Ear, listener_on

LOOK_EVERY_S = 0.05
MAX_SECTIONS = 200

REQUEST = cast(Table, BodyRequest.__table__)
THIS_ONE = REQUEST.c.id == bindparam("request_id")
ASK = insert(REQUEST).returning(REQUEST.c.id)
ANSWER = select(REQUEST.c.state, REQUEST.c.error, REQUEST.c.error_detail).where(THIS_ONE)
FORGET = delete(REQUEST).where(THIS_ONE)


def get_sections(
    parts: Runtime, db: Session, message: Message, sections: Sequence[str], timeout_s: float = 20
) -> Mapping[str, bytes]:
    """The sections as they stand (still transfer-encoded); those the message does not have are left out.

    Waits for what is not cached with no database connection held.  Raises EngineSilent after `timeout_s`, NoSuchMessage
    when the message is gone, or what the engine ran into.
    """
    if (near := nearby.find_nearby(parts, db, message)) is not None:
        return near.sections(sections)
    found = bodies.cached_sections(db, parts.vault, message, sections)
    missing = [section for section in sections if section not in found]
    if missing:
        _have_fetched(parts, db, message, missing, timeout_s)
        found = {**found, **bodies.cached_sections(db, parts.vault, message, missing)}
    bodies.touch(db, message.id, parts.clock.now())
    return found


def fetch_sections(
    parts: Runtime, db: Session, message: Message, sections: Sequence[str], timeout_s: float = 20
) -> None:
    """Have the sections in the cache, where `bodies.open_section` streams them from.  Raises as `get_sections`."""
    if missing := bodies.missing_sections(db, message, sections):
        _have_fetched(parts, db, message, missing, timeout_s)


def _have_fetched(parts: Runtime, db: Session, message: Message, missing: Sequence[str], timeout_s: float) -> None:
    """An answered request is left to the engine's sweep: taking it away here would be one more commit to wait for."""
    with listener_on(parts.bus).subscribe([Topic.BODY_READY]) as ear:
        request_id = _ask(parts, db, message, missing[:MAX_SECTIONS])
        try:
            _wait(db, ear, request_id, timeout_s)
        except BaseException:
            db.execute(FORGET, {"request_id": request_id})
            db.commit()
            raise


def _ask(parts: Runtime, db: Session, message: Message, sections: Sequence[str]) -> int:
    wanted = {
        "account_id": message.account_id,
        "message_id": message.id,
        "sections": "\n".join(sections),
        "requested_at": parts.clock.now(),
    }
    request_id: int = db.execute(ASK, wanted).scalar_one()
    db.commit()
    parts.bus.ring(Bell(Topic.BODY_WANTED, message.account_id))
    return request_id


def _wait(db: Session, ear: Ear, request_id: int, timeout_s: float) -> None:
    """Until the engine has answered; looked at every LOOK_EVERY_S in case its bell is lost."""
    for _ in range(max(1, round(timeout_s / LOOK_EVERY_S))):
        if _is_answered(db, request_id):
            return
        ear.wait(LOOK_EVERY_S)
    raise EngineSilent


def _is_answered(db: Session, request_id: int) -> bool:
    """Raises the engine's error, or NoSuchMessage if the request went with its message."""
    found = db.execute(ANSWER, {"request_id": request_id}).one_or_none()
    db.commit()  # nothing was written; the connection goes back to the pool
    if found is None:
        raise NoSuchMessage
    if found.state is RequestState.FAILED:
        raise _error_named(found.error)(found.error_detail)
    return found.state is RequestState.READY


def _error_named(name: str) -> type[MailError]:
    kind = getattr(errors, name, None)
    is_plain = isinstance(kind, type) and issubclass(kind, MailError) and kind.__init__ is MailError.__init__
    return kind if is_plain and kind is not None else MailError
