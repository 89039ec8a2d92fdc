"""Whole raw messages: the same tree of parts that BODYSTRUCTURE gives, and the octets of each section.

Pure.  The stdlib parses under `compat32`, which takes anything; what is decoded is decoded by `decode`.
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass
from email.message import Message
from email.parser import BytesParser
from email.policy import compat32

from app.messages import decode
from app.messages.parts import MAX_DEPTH, MAX_PARTS, Part, new_part

MAX_HEADER_OCTETS = 262_144
MAX_BOUNDARIES = 20_000
HEADER_END = re.compile(rb"\r?\n\r?\n")
BOUNDARY_PARAMETER = re.compile(rb"boundary\s*=", re.IGNORECASE)


@dataclass(frozen=True, slots=True)
class Parsed:
    """A message taken apart: `header` with its fields as they stand, `sections` still transfer-encoded.

    `damaged`: its structure could not be followed everywhere, so a part may show more than it should.
    """

    header: bytes
    root: Part
    sections: Mapping[str, bytes]
    damaged: bool = False


def parse(raw: bytes) -> Parsed:
    """`raw` taken apart; never raises.  What has no structure to follow is one text part, readable as it stands."""
    header, body = _split(raw)
    if len(header) > MAX_HEADER_OCTETS or len(BOUNDARY_PARAMETER.findall(raw)) > MAX_DEPTH * 10:
        return _as_one_text(header[:MAX_HEADER_OCTETS], body)
    try:
        message = BytesParser(policy=compat32).parsebytes(raw)
        reader = _Reader()
        root = reader.body_of(message, "", 0)
    except (RecursionError, ValueError, LookupError, TypeError, AttributeError):  # the stdlib's parser met its match
        return _as_one_text(header, body)
    if not reader.sections:  # nothing but wrapping
        return _as_one_text(header, body)
    return Parsed(header, root, reader.sections, reader.damaged or bool(message.defects))


def _split(raw: bytes) -> tuple[bytes, bytes]:
    end = HEADER_END.search(raw)
    return (raw[: end.end()], raw[end.end() :]) if end else (raw, b"")


def _as_one_text(header: bytes, body: bytes) -> Parsed:
    root = new_part("1", "text/plain", {}, octets=len(body))
    return Parsed(header, root, {"1": body}, damaged=True)


class _Reader:
    """Walks the stdlib's tree and numbers the parts as IMAP does (RFC 9051 §6.4.5.1)."""

    def __init__(self) -> None:
        self.sections: dict[str, bytes] = {}
        self.damaged = False
        self._parts = 0

    def body_of(self, message: Message, section: str, depth: int) -> Part:
        """The body of a message whose own section is `section`, empty at the top."""
        if isinstance(message.get_payload(), list) and message.get_content_maintype() == "multipart":
            return self._multipart(message, f"{section}.TEXT" if section else "TEXT", section, depth)
        return self._part(message, f"{section}.1" if section else "1", depth)

    def _part(self, message: Message, section: str, depth: int) -> Part:
        self._parts += 1
        payload = message.get_payload()
        if not isinstance(payload, list):
            return self._leaf(message, section, _octets(message))
        if message.get_content_maintype() == "multipart":
            return self._multipart(message, section, section, depth)
        return self._attached_message(message, section, depth)

    def _leaf(self, message: Message, section: str, octets: bytes) -> Part:
        self.sections[section] = octets
        if message.get_content_maintype() == "multipart":  # its boundary never came: shown as it stands
            self.damaged = True
            return new_part(section, "text/plain", {}, octets=len(octets))
        return _part_of(message, section, len(octets), ())

    def _multipart(self, message: Message, section: str, prefix: str, depth: int) -> Part:
        children = tuple(
            self._part(child, f"{prefix}.{number}" if prefix else str(number), depth + 1)
            for number, child in enumerate(_children(message), 1)
            if self._has_room(depth)
        )
        return _part_of(message, section, sum(child.octets for child in children), children)

    def _attached_message(self, message: Message, section: str, depth: int) -> Part:
        """message/rfc822, whose one child is the message; other message types hold groups of fields."""
        octets = b"\r\n".join(child.as_bytes() for child in _children(message))
        self.sections[section] = octets
        is_mail = message.get_content_subtype() in ("rfc822", "global") and self._has_room(depth)
        inside = tuple(self.body_of(child, section, depth + 1) for child in _children(message)[:1] if is_mail)
        return _part_of(message, section, len(octets), inside)

    def _has_room(self, depth: int) -> bool:
        if depth < MAX_DEPTH and self._parts < MAX_PARTS:
            return True
        self.damaged = True
        return False


def _children(message: Message) -> list[Message]:
    payload = message.get_payload()
    return [child for child in payload if isinstance(child, Message)] if isinstance(payload, list) else []


def _octets(message: Message) -> bytes:
    """The body as it came; `get_payload` would already decode what is not ASCII, by whatever charset it finds."""
    payload: object = vars(message)["_payload"]
    return payload.encode("utf-8", "surrogateescape") if isinstance(payload, str) else b""


def _part_of(message: Message, section: str, octets: int, children: tuple[Part, ...]) -> Part:
    _, params = decode.split_params(_field(message, "Content-Type"))
    disposition, disposition_params = decode.split_params(_field(message, "Content-Disposition"))
    return new_part(
        section,
        message.get_content_type(),
        params,
        content_id=_field(message, "Content-ID"),
        disposition=disposition,
        disposition_params=disposition_params,
        encoding=_field(message, "Content-Transfer-Encoding").strip(),
        octets=octets,
        children=children,
    )


def _field(message: Message, name: str) -> str:
    """A field's value, unfolded; octets that are no ASCII are read as decode.text does."""
    value = str(message.get(name, ""))[: decode.MAX_HEADER_OCTETS].replace("\r", "").replace("\n", "")
    return value if value.isascii() else decode.text(value.encode("utf-8", "surrogateescape"))
