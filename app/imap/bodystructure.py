"""BODYSTRUCTURE (RFC 9051 §7.5.2): from the server's own octets to a tree of parts.  Pure; the peer is not trusted."""

from __future__ import annotations

import re

from app.errors import ProtocolError
from app.imap.tokens import Value, parse
from app.messages.parts import MAX_DEPTH, MAX_PARTS, Part, new_part

MAX_OCTETS = 262_144
"""Longest structure that is read; a longer one counts as unreadable."""

# What makes a message show the attachment mark, seen without parsing: a disposition, or a leaf that is neither text for
# reading, nor an image the text refers to by its Content-ID, nor a signature.  Inside a quoted string a quotation mark
# is escaped, so `("` cannot be anything but the beginning of a list.
ATTACHMENT = re.compile(
    rb"""\(" (?: attachment"
        | (?: audio | video | model | font | chemical )"
        | application"\ "(?! (?: pgp-signature | x-pkcs7-signature | pkcs7-signature )" )
        | message"\ "(?: rfc822 | global )"
        | text"\ "(?! (?: plain | html | enriched | rfc822-headers )" )
        | image"\ "[^"]*"\ (?: NIL | \((?: [^()"] | "(?: [^"\\] | \\. )*" )*\) )\ NIL\b
    )""",
    re.IGNORECASE | re.VERBOSE | re.DOTALL,
)


def has_attachments(raw: bytes) -> bool:
    """Whether a reader would say that something is attached; by pattern, as it is asked for every message synced."""
    return ATTACHMENT.search(raw) is not None


def parse_bodystructure(raw: bytes) -> Part:
    """The parts of a message from its BODYSTRUCTURE, "(...)" as the server sent it.

    Sections follow RFC 9051 §6.4.5.1.  Parts deeper than parts.MAX_DEPTH or beyond parts.MAX_PARTS are left out.
    Raises ProtocolError for what cannot be read.
    """
    if len(raw) > MAX_OCTETS:
        raise ProtocolError("the structure of the message is too long")
    values = parse(raw)
    if len(values) != 1 or not isinstance(values[0], tuple):
        raise ProtocolError("the structure of the message is not a list")
    return _Reader().body(values[0], "", 0)


class _Reader:
    """Walks the lists and counts the parts."""

    def __init__(self) -> None:
        self._parts = 0

    def body(self, value: tuple[Value, ...], section: str, depth: int) -> Part:
        """The body of a message; `section` is that of the message itself, empty at the top."""
        if _is_multipart(value):
            return self._multipart(value, f"{section}.TEXT" if section else "TEXT", section, depth)
        return self._single(value, f"{section}.1" if section else "1", depth)

    def _part(self, value: tuple[Value, ...], section: str, depth: int) -> Part:
        if _is_multipart(value):
            return self._multipart(value, section, section, depth)
        return self._single(value, section, depth)

    def _multipart(self, value: tuple[Value, ...], section: str, prefix: str, depth: int) -> Part:
        parts = _leading_lists(value)
        after = value[len(parts) :]
        disposition, named = _disposition(_at(after, 2))
        return new_part(
            section,
            f"multipart/{_text(_at(after, 0)) or 'mixed'}",
            _params(_at(after, 1)),
            disposition=disposition,
            disposition_params=named,
            children=self._children(parts, prefix, depth),
        )

    def _children(self, parts: list[tuple[Value, ...]], prefix: str, depth: int) -> tuple[Part, ...]:
        children: list[Part] = []
        for number, part in enumerate(parts, start=1):
            self._parts += 1
            if depth >= MAX_DEPTH or self._parts > MAX_PARTS:
                break
            children.append(self._part(part, f"{prefix}.{number}" if prefix else str(number), depth + 1))
        return tuple(children)

    def _single(self, value: tuple[Value, ...], section: str, depth: int) -> Part:
        kind, subtype = _text(_at(value, 0)).lower(), _text(_at(value, 1)).lower()
        inside = _at(value, 8) if kind == "message" and subtype in ("rfc822", "global") else None
        children = self._message_inside(inside, section, depth)
        disposition, named = _disposition(_at(value, _extension_index(kind, inside) + 1))
        return new_part(
            section,
            f"{kind}/{subtype}",
            _params(_at(value, 2)),
            content_id=_text(_at(value, 3)),
            disposition=disposition,
            disposition_params=named,
            encoding=_text(_at(value, 5)),
            octets=_number(_at(value, 6)),
            children=children,
        )

    def _message_inside(self, value: Value, section: str, depth: int) -> tuple[Part, ...]:
        if not isinstance(value, tuple) or not value or depth >= MAX_DEPTH or self._parts >= MAX_PARTS:
            return ()
        self._parts += 1
        return (self.body(value, section, depth + 1),)


def _extension_index(kind: str, inside: Value) -> int:
    """Where the extension data begin, with the MD5: after envelope, body and lines, after lines, or at once."""
    if isinstance(inside, tuple):
        return 10
    return 8 if kind == "text" else 7


def _is_multipart(value: tuple[Value, ...]) -> bool:
    return bool(value) and isinstance(value[0], tuple)


def _leading_lists(value: tuple[Value, ...]) -> list[tuple[Value, ...]]:
    lists: list[tuple[Value, ...]] = []
    for item in value:
        if not isinstance(item, tuple):
            break
        lists.append(item)
    return lists


def _at(value: tuple[Value, ...], index: int) -> Value:
    return value[index] if index < len(value) else None


def _text(value: Value) -> str:
    return value.decode("utf-8", "replace") if isinstance(value, bytes) else ""


def _number(value: Value) -> int:
    return int(value) if isinstance(value, bytes) and value.isdigit() and len(value) < 19 else 0


def _params(value: Value) -> dict[str, str]:
    """`("name" "value" …)`; the first of a name counts."""
    found: dict[str, str] = {}
    if isinstance(value, tuple):
        for name, content in zip(value[::2], value[1::2], strict=False):
            found.setdefault(_text(name), _text(content))
    return found


def _disposition(value: Value) -> tuple[str, dict[str, str]]:
    if not isinstance(value, tuple) or not value:
        return "", {}
    return _text(value[0]), _params(_at(value, 1))
