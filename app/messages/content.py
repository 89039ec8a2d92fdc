"""What is fetched of a message: its structure, the sections to show, one part, its header, its source."""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping
from dataclasses import dataclass

from flask_babel import gettext as _
from sqlalchemy.orm import Session

from app.errors import NotFound, ProtocolError
from app.imap.bodystructure import parse_bodystructure
from app.messages import decode
from app.messages.parse import parse
from app.messages.parts import Part, find_part
from app.messages.render import wanted_sections
from app.mirror import bodies, nearby, wanted
from app.mirror.models import Message
from app.runtime import Runtime

MAX_WHOLE_OCTETS = 10_000_000
"""A message whose structure the server cannot tell is fetched and parsed whole, up to this size."""
MAX_FIELDS = 2_000
MAX_FIELD_OCTETS = 20_000
FIELD_START = re.compile(rb"\r?\n(?![ \t])")


@dataclass(frozen=True, slots=True)
class Content:
    """A message's structure and the sections that were asked for, still transfer-encoded."""

    root: Part
    sections: Mapping[str, bytes]
    damaged: bool = False


def load_content(parts: Runtime, db: Session, message: Message, *, as_text: bool = False) -> Content:
    """The structure of a message and the sections to show it.  Raises what fetching raises."""
    root = find_structure(message)
    if root is None:
        return _load_whole(parts, db, message)
    sections = wanted_sections(root, as_text=as_text)
    return Content(root, wanted.get_sections(parts, db, message, sections) if sections else {})


def find_structure(message: Message) -> Part | None:
    """The message's parts as its server told them, or None if that cannot be read."""
    try:
        return parse_bodystructure(message.bodystructure)
    except ProtocolError:
        return None


def _load_whole(parts: Runtime, db: Session, message: Message) -> Content:
    if message.size_octets > MAX_WHOLE_OCTETS:
        raise ProtocolError(_("its structure cannot be read, and it is too large to be shown whole"))
    parsed = parse(wanted.get_sections(parts, db, message, [""]).get("", b""))
    return Content(parsed.root, parsed.sections, damaged=parsed.damaged)


def open_part(parts: Runtime, db: Session, message: Message, section: str) -> tuple[Part, Iterator[bytes]]:
    """A part of the message, and its octets, decoded, in pieces.  Raises NotFound, or what fetching raises."""
    root = find_structure(message)
    content = Content(root, {}) if root is not None else _load_whole(parts, db, message)
    part = find_part(content.root, section)
    if part is None or part.is_multipart:
        raise NotFound
    if section in content.sections:
        return part, decode.transfer_stream([content.sections[section]], part.encoding)
    return part, decode.transfer_stream(_open_section(parts, db, message, section), part.encoding)


def open_source(parts: Runtime, db: Session, message: Message) -> Iterator[bytes]:
    """The whole message as it came, in pieces.  Raises what fetching raises."""
    return _open_section(parts, db, message, "")


def load_header(parts: Runtime, db: Session, message: Message) -> list[tuple[str, str]]:
    """All fields of the header in their order, decoded; bounded.  Raises what fetching raises."""
    raw = wanted.get_sections(parts, db, message, ["HEADER"]).get("HEADER", b"")
    fields = [field.partition(b":") for field in FIELD_START.split(raw[: decode.MAX_HEADER_OCTETS * 4])[:MAX_FIELDS]]
    return [(decode.header(name), decode.header(value[:MAX_FIELD_OCTETS])) for name, colon, value in fields if colon]


def _open_section(parts: Runtime, db: Session, message: Message, section: str) -> Iterator[bytes]:
    """A section in pieces.  It is at hand before the first one is asked for, so faults come as pages."""
    if (near := nearby.find_nearby(parts, db, message)) is not None:
        return near.pieces(section)
    wanted.fetch_sections(parts, db, message, [section])
    if not bodies.is_cached(db, message, section):
        raise NotFound
    return _pieces(parts, message, section)


def _pieces(parts: Runtime, message: Message, section: str) -> Iterator[bytes]:
    """Read while the browser takes them, when the request's own session is closed; no connection is held between."""
    with parts.public.session() as db:
        for piece in bodies.open_section(db, parts.vault, message, section):
            db.commit()
            yield piece
