"""Bodies: those somebody waits for, and those somebody will want next.  Nothing here sets \\Seen."""

from __future__ import annotations

import logging
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import cast

from sqlalchemy import Select, Table, bindparam, select, update
from sqlalchemy.orm import Session

from app.accounts.models import MailAccount
from app.bus import Topic
from app.engine.desk import Desk
from app.engine.preview import preview_of
from app.errors import ActionRefused, MailError, NotFound, ProtocolError
from app.imap.bodystructure import parse_bodystructure
from app.messages.parts import Part, find_part, shown_text_sections
from app.mirror import bodies
from app.mirror import service as mirror
from app.mirror.models import BodyRequest, Folder, LabelEntry, Message, RequestState
from app.sources import MailSource

log = logging.getLogger("satchel.engine")

LARGE_OCTETS = 524_288
CHUNK_OCTETS = 262_144
PREFETCHED = 20
PREVIEWED = 200
PREVIEWED_ELSEWHERE = 50  # a page of the list
PREVIEW_OCTETS = 4_096  # the head of an HTML part may hold a style sheet


REQUEST = cast(Table, BodyRequest.__table__)
NEXT_REQUESTED = (
    select(REQUEST.c.id, REQUEST.c.sections, Message, Folder.name, Folder.uidvalidity)
    .join(Message, Message.id == REQUEST.c.message_id)
    .join(Folder, Folder.id == Message.folder_id)
    .where(
        REQUEST.c.account_id == bindparam("account_id"),
        REQUEST.c.state == RequestState.WANTED,
        REQUEST.c.id > bindparam("after_id"),
    )
    .order_by(REQUEST.c.id)
    .limit(1)
)
"""Built once: somebody waits for what it asks."""


@dataclass(frozen=True, slots=True)
class Asked:
    """A message's sections that are wanted and not cached; `octets` is how much they are together."""

    message: Message
    folder: str
    uidvalidity: int
    sections: tuple[str, ...]
    octets: int

    @property
    def is_large(self) -> bool:
        return self.octets > LARGE_OCTETS


def serve_requests(desk: Desk, source: MailSource, *, large: bool) -> bool:
    """Fetch what people wait for, small things or `large` ones; True if others of the other size wait."""
    others = False
    request_id = 0
    while (found := _next_request(desk, request_id)) is not None:
        request_id, asked = found
        if asked is None:
            continue
        if asked.is_large != large:
            others = True
            continue
        _serve(desk, source, request_id, asked)
    return others


def _next_request(desk: Desk, after_id: int) -> tuple[int, Asked | None] | None:
    """The next request and what it is about: None where the message's UID is not known.

    That is so while a move is on its way, and while the folder's mirror is emptied because its UIDs are void.
    """
    with desk.session() as db:
        found = db.execute(NEXT_REQUESTED, {"account_id": desk.account_id, "after_id": after_id}).one_or_none()
        if found is None:
            return None
        if found.Message.uid < 0 or found.uidvalidity is None:
            return found.id, None
        sections = found.sections.split("\n")
        return found.id, _ask_for(db, found.Message, found.name, found.uidvalidity, sections)


def _ask_for(db: Session, message: Message, folder: str, uidvalidity: int, sections: Sequence[str]) -> Asked:
    missing = tuple(bodies.missing_sections(db, message, sections))
    return Asked(message, folder, uidvalidity, missing, sum(_octets(message, section) for section in missing))


def _octets(message: Message, section: str) -> int:
    """How large a section is, by the message's structure; the whole message where that does not tell."""
    structure = _find_structure(message)
    part = find_part(structure, section) if structure else None
    return part.octets if part and not part.is_multipart else message.size_octets


def _find_structure(message: Message) -> Part | None:
    """The message's parts; None where the server's BODYSTRUCTURE cannot be read."""
    try:
        return parse_bodystructure(message.bodystructure)
    except ProtocolError:
        return None


def _serve(desk: Desk, source: MailSource, request_id: int, asked: Asked) -> None:
    try:
        _answer(desk, request_id, asked, _fetch(desk, source, asked))
    except (NotFound, ActionRefused) as error:
        _answer(desk, request_id, asked, {}, error)


def _answer(
    desk: Desk, request_id: int, asked: Asked, fetched: Mapping[str, bytes], error: MailError | None = None
) -> None:
    """Put what came into the cache and say how it went, in one commit: somebody waits for it."""
    answer: dict[str, object] = {"state": RequestState.READY}
    if error:
        answer = {"state": RequestState.FAILED, "error": type(error).__name__, "error_detail": error.detail}
    with desk.session() as db:
        _put(desk, db, asked, fetched)
        db.execute(update(REQUEST).where(REQUEST.c.id == request_id).values(answer))
        db.commit()
    desk.ring(Topic.BODY_READY, request_id)


def _fetch(desk: Desk, source: MailSource, asked: Asked) -> Mapping[str, bytes]:
    """Small sections, in one turn; large ones go into the cache in pieces as they come."""
    folder, uid, uidvalidity = asked.folder, asked.message.uid, asked.uidvalidity
    if not asked.is_large:
        return source.fetch(folder, uid, asked.sections, uidvalidity) if asked.sections else {}
    for section in asked.sections:
        _store(desk, asked.message, section, source.stream(folder, uid, section, CHUNK_OCTETS, uidvalidity))
    return {}


def _put(desk: Desk, db: Session, asked: Asked, fetched: Mapping[str, bytes]) -> None:
    """Into the cache, with what the caller commits."""
    if fetched:
        account = db.get_one(MailAccount, desk.account_id)
        bodies.put_sections(db, desk.parts.vault, account, asked.message.id, fetched, desk.parts.clock.now())


def _store(desk: Desk, message: Message, section: str, chunks: Iterable[bytes]) -> None:
    with desk.session() as db:
        account = db.get_one(MailAccount, desk.account_id)
        bodies.store_section(db, desk.parts.vault, account, message.id, section, chunks, desk.parts.clock.now())


# Before anybody asks


def prefetch(desk: Desk, source: MailSource, folder_id: int, view_id: int | None = None) -> None:
    """For the folder new mail comes into: first words of its newest messages, then texts of the newest unread ones.

    No texts of a source whose bodies are not cached.
    `view_id` is the inbox among Gmail's views of that folder: what is opened first, and unread ones are read there.
    """
    fetch_previews(desk, source, folder_id, PREVIEWED)
    if view_id is not None:
        fetch_previews(desk, source, folder_id, PREVIEWED_ELSEWHERE, view_id)
        desk.ring(Topic.FOLDER, view_id)
    for asked in _newest_unread(desk, folder_id, view_id) if source.caches_bodies else ():
        try:
            fetched = _fetch(desk, source, asked)
            with desk.session() as db:
                _put(desk, db, asked, fetched)
                db.commit()
        except (NotFound, ActionRefused):  # gone meanwhile, or the server will not: nobody asked yet
            log.debug("account %d: message %d was not prefetched", desk.account_id, asked.message.id)


def _newest_unread(desk: Desk, folder_id: int, view_id: int | None) -> Sequence[Asked]:
    with desk.session() as db:
        folder = db.get(Folder, folder_id)
        if folder is None or folder.uidvalidity is None:
            return []
        unread = db.scalars(_newest(folder_id, view_id).where(Message.seen.is_(False)).limit(PREFETCHED)).all()
        asked = [_ask_for(db, each, folder.name, folder.uidvalidity, _shown_sections(each)) for each in unread]
    return [each for each in asked if each.sections and not each.is_large]


def _shown_sections(message: Message) -> Sequence[str]:
    structure = _find_structure(message)
    return [part.section for part in shown_text_sections(structure)] if structure else []


def fetch_previews(
    desk: Desk, source: MailSource, folder_id: int, newest_ones: int = PREVIEWED_ELSEWHERE, view_id: int | None = None
) -> None:
    """First words of a folder's newest messages (those in a view of it), where they are not known yet."""
    with desk.session() as db:
        folder = db.get(Folder, folder_id)
        newest = db.scalars(_newest(folder_id, view_id).limit(newest_ones)).all()
    if folder is None or folder.uidvalidity is None:
        return
    texts = {message.uid: _preview_part(message) for message in newest if message.preview is None}
    wanted = {uid: part.section for uid, part in texts.items() if part}
    found = source.previews(folder.name, wanted, PREVIEW_OCTETS, folder.uidvalidity) if wanted else {}
    words = {uid: preview_of(part, found.get(uid, b"")) if part else "" for uid, part in texts.items()}
    if words:
        with desk.session() as db:
            mirror.store_previews(db, folder_id, words)
        desk.ring(Topic.FOLDER, folder_id)


def _preview_part(message: Message) -> Part | None:
    structure = _find_structure(message)
    return next(iter(shown_text_sections(structure, prefer="plain")), None) if structure else None


def _newest(folder_id: int, view_id: int | None) -> Select[Message]:
    here = select(Message).where(Message.folder_id == folder_id, Message.uid > 0)
    if view_id is not None:
        shown = here.join(LabelEntry, LabelEntry.message_id == Message.id).where(LabelEntry.folder_id == view_id)
        return shown.order_by(LabelEntry.received_at.desc(), LabelEntry.uid.desc())
    return here.order_by(Message.received_at.desc(), Message.uid.desc())
