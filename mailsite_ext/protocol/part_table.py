"""Where the parts of a message lie, small enough to store beside it (RFC 9051 §6.4.5.1).  Pure."""

from __future__ import annotations

from typing import NamedTuple

from mailsite_ext.protocol.mime_scan import Entity, numbered


class Part(NamedTuple):
    """`section` is the number in dots, "" for the message itself; offsets and lengths in octets of the whole message.

    The header's length has the empty line after it.  `type` is "text/plain" in lower case; `charset` as written.
    `is_message` parts hold a message: its header begins where their body does.
    """

    section: str
    header_at: int
    header_octets: int
    body_at: int
    body_octets: int
    type: str
    encoding: str
    charset: str = ""
    is_attachment: bool = False
    message_header_octets: int = 0  # of the message inside, for message/rfc822

    @property
    def is_multipart(self) -> bool:
        return self.type.startswith("multipart/")

    @property
    def is_message(self) -> bool:
        return self.type in ("message/rfc822", "message/global")


def table_of(message: Entity) -> tuple[Part, ...]:
    return tuple([_part(section, entity) for section, entity in numbered(message)])


def _part(section: str, entity: Entity) -> Part:
    charset = next((value for name, value in entity.params if name == b"charset"), b"")
    inner = entity.children[0] if entity.is_message and entity.children else None
    disposition = entity.fields.get(b"content-disposition", b"")
    return Part(
        section,
        entity.header_at,
        entity.body_at - entity.header_at,
        entity.body_at,
        entity.body_end - entity.body_at,
        _word(entity.type + b"/" + entity.subtype),
        _word(entity.encoding),
        _word(charset),
        disposition.strip().lower().startswith(b"attachment"),
        min(inner.body_at, entity.body_end) - inner.header_at if inner else 0,  # its empty line may be the boundary's
    )


def _word(octets: bytes) -> str:
    """As text without white space, which separates in the stored form."""
    return "".join(octets[:100].decode("latin-1").split())


def pack(parts: tuple[Part, ...]) -> bytes:
    """The table as octets to store: a line a part."""
    return "\n".join(map(_packed, parts)).encode("utf-8")


def _packed(part: Part) -> str:
    numbers = (part.header_at, part.header_octets, part.body_at, part.body_octets, part.message_header_octets)
    words = (part.section or "-", *numbers, part.type, part.encoding or "-", part.charset or "-")
    return " ".join(map(str, words)) + (" a" if part.is_attachment else "")


def unpack(packed: bytes) -> tuple[Part, ...]:
    """What `pack` made of it.  Raises ValueError for anything else."""
    return tuple([_unpacked(line.split(" ")) for line in packed.decode("utf-8").split("\n")])


def _unpacked(words: list[str]) -> Part:
    section, *numbers, kind, encoding, charset = words[:9]
    header_at, header_octets, body_at, body_octets, inner_octets = map(int, numbers)
    return Part(
        "" if section == "-" else section,
        header_at,
        header_octets,
        body_at,
        body_octets,
        kind,
        encoding,
        "" if charset == "-" else charset,
        len(words) > 9,
        inner_octets,
    )
