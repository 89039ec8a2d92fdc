"""The fields of a header and the parameters in them, as octets (RFC 5322 §2.2, RFC 2045 §5.1, RFC 2231).

Pure; lenient, linear in time, raises nothing.
"""

from __future__ import annotations

import re

HEADER_OCTETS = 262_144
"""Of a header; fields further down are not looked at."""
MAX_PARAMS = 100
MAX_TAGS = 100

FIELD = re.compile(rb"\n([\x21-\x39\x3b-\x7e]{1,200})[ \t]*:([^\n]*(?:\n[ \t][^\n]*)*)")
FOLD = re.compile(rb"\r?\n")
COMMENT = re.compile(rb'("(?:[^"\\]|\\.)*+(?:"|\\?\Z))|\((?:[^()\\]|\\.)*+(?:\)|\\?\Z)', re.DOTALL)
MEDIA_TYPE = re.compile(rb'\s*([^\s/;"()=,<>@]+)\s*/\s*([^\s/;"()=,<>@]+)')
WORD = re.compile(rb'\s*"?([^\s;"()]+)')
PARAM = re.compile(rb';\s*([^\s=;"]{1,200})\s*=\s*(?:"((?:[^"\\]|\\.)*+)"|"?([^;]*))', re.DOTALL)
ESCAPE = re.compile(rb"\\(.)", re.DOTALL)
SECTIONED = re.compile(rb"([^*]+)\*(0|[1-9][0-9]{0,3})(\*?)")
TAGS = re.compile(rb"[A-Za-z0-9-]+")

JOINED = frozenset((b"from", b"sender", b"reply-to", b"to", b"cc", b"bcc"))
"""Once only, says RFC 5322 §3.6; where there are more, nobody's address stays hidden."""

Params = list[tuple[bytes, bytes]]


def read_fields(header: bytes) -> dict[bytes, bytes]:
    """The first field of each name (lower case) → its value, still folded; those with addresses are joined."""
    fields: dict[bytes, bytes] = {}
    for name, value in FIELD.findall(b"\n" + header[:HEADER_OCTETS]):
        lowered = name.lower()
        if lowered not in fields:
            fields[lowered] = value
        elif lowered in JOINED:
            fields[lowered] += b"," + value
    return fields


def unfolded(value: bytes) -> bytes:
    """In one line: the line ends go, the white space after them stays (RFC 5322 §2.2.3)."""
    return FOLD.sub(b"", value).strip() if b"\n" in value else value.strip()


def without_comments(value: bytes) -> bytes:
    return COMMENT.sub(lambda found: found[1] or b"", value) if b"(" in value else value


def media_type(value: bytes) -> tuple[bytes, bytes] | None:
    """Type and subtype in lower case; None for what has none."""
    match = MEDIA_TYPE.match(value)
    return (match[1].lower(), match[2].lower()) if match else None


def first_word(value: bytes) -> bytes:
    """The value of Content-Transfer-Encoding or Content-Disposition, in lower case; empty without one."""
    match = WORD.match(value)
    return match[1].lower() if match else b""


def params(value: bytes) -> Params:
    """Parameters as they stand, each name (lower case) once; the pieces of RFC 2231 §3 joined."""
    found: dict[bytes, bytes] = {}
    has_pieces = False
    for name, quoted, plain in PARAM.findall(value):
        if len(found) >= MAX_PARAMS:
            break
        has_pieces = has_pieces or b"*" in name
        content = (ESCAPE.sub(rb"\1", quoted) if b"\\" in quoted else quoted) or plain.strip()
        found.setdefault(name.lower(), content)
    return _joined(found) if has_pieces else list(found.items())


def _joined(found: dict[bytes, bytes]) -> Params:
    """`name*0*`, `name*1` become one `name*`, or `name` where nothing is encoded."""
    pieces: dict[bytes, dict[int, tuple[bytes, bool]]] = {}
    whole: Params = []
    for name, content in found.items():
        match = SECTIONED.fullmatch(name)
        if match is None:
            whole.append((name, content))
        else:
            pieces.setdefault(match[1], {})[int(match[2])] = (content, bool(match[3]))
    for name, numbered in pieces.items():
        ordered = [numbered[number] for number in sorted(numbered)]
        star = b"*" if any(is_encoded for _, is_encoded in ordered) else b""
        whole.append((name + star, b"".join(content for content, _ in ordered)))
    return whole


def language_tags(value: bytes) -> list[bytes]:
    """RFC 3282"""
    return TAGS.findall(value)[:MAX_TAGS]
