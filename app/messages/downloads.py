"""How parts of messages travel to the browser: names, types and headers that make nothing of them run.  Pure."""

from __future__ import annotations

import mimetypes
from urllib.parse import quote

from app.messages.decode import safe_filename
from app.messages.parts import Part

INLINE_TYPES = frozenset({"image/png", "image/jpeg", "image/gif", "image/webp", "image/avif", "image/bmp"})
"""What may be shown in place; everything else is saved, whatever it says it is."""
OPAQUE = "application/octet-stream"


def headers_for(part: Part, *, download: bool) -> dict[str, str]:
    """The headers of a part's response; the security headers of every response come on top."""
    inline = part.media_type in INLINE_TYPES and not download
    return {
        "Content-Type": part.media_type if inline else OPAQUE,
        "Content-Disposition": disposition("inline" if inline else "attachment", name_of(part)),
        "Content-Security-Policy": "sandbox; default-src 'none'; img-src 'self'; style-src 'unsafe-inline'",
        "X-Content-Type-Options": "nosniff",
        "Cache-Control": "private, max-age=3600",  # a part of a message never changes
    }


def disposition(kind: str, filename: str) -> str:
    """Content-Disposition with a name every browser understands (RFC 6266 §4.3, RFC 8187)."""
    plain = "".join(char if char.isascii() and char not in '"\\%;' else "_" for char in filename)
    return f"{kind}; filename=\"{plain}\"; filename*=UTF-8''{quote(filename, safe='')}"


def name_of(part: Part) -> str:
    """The part's own name, else one made of its section and type: attachment-2.pdf."""
    if part.filename:
        return part.filename
    ending = ".eml" if part.is_message else mimetypes.guess_extension(part.media_type) or ""
    return f"attachment-{part.section}{ending}"


def message_name(subject: str) -> str:
    """What a whole message is saved as."""
    return (safe_filename(subject[:100]) or "message") + ".eml"


def kind_of(part: Part) -> str:
    """A word for the kind of file, such as PDF or JPEG, from its name or else its type."""
    stem, dot, ending = name_of(part).rpartition(".")
    known = dot and stem and ending.isalnum() and len(ending) <= 5
    return ending.upper() if known else part.subtype.upper()[:20]


def octets_of(part: Part) -> int:
    """About how large the part is once decoded: base64 writes 57 octets as 78."""
    return part.octets * 57 // 78 if part.encoding == "base64" else part.octets
