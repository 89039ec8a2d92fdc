"""What is computed of a message once, on its way in, and stored: FETCH only copies.  Pure.

EMAILID and THREADID: RFC 8474 §5; PREVIEW: RFC 8970.
"""

from __future__ import annotations

import base64
import binascii
import html
import mmap
import quopri
import re
from collections.abc import Sequence
from dataclasses import dataclass, replace
from functools import lru_cache
from hashlib import sha256

from mailsite_ext.protocol.message_structure import read_structure
from mailsite_ext.protocol.mime_fields import read_fields
from mailsite_ext.protocol.mime_scan import Octets
from mailsite_ext.protocol.part_table import Part, pack

PREVIEW_CHARACTERS = 200  # RFC 8970 §3.1: 256 at most
PREVIEW_OCTETS = 8 * 1024  # of the part it is made from
LONGEST_MESSAGE_ID = 1_000
HASHED_OCTETS = 1024 * 1024  # at a time
MESSAGE_ID = re.compile(rb"<([^<>\s]{1,%d})>" % LONGEST_MESSAGE_ID)
NO_TEXT = re.compile(r"(?is)<(style|script|head|title)\b.*?</\1\s*>|<!--.*?-->|<[^>]*>?")
UNSEEN = re.compile(r"[\u200b-\u200f\u2060\ufeff\u00ad\x00-\x1f\x7f-\x9f]")
LOOKED_AT = 8 * PREVIEW_CHARACTERS


@dataclass(frozen=True, slots=True)
class Facts:
    """`envelope`, `bodystructure` as they go over the wire; `parts`: see part_table; `digest`: SHA-256 of the body."""

    digest: bytes
    envelope: bytes
    bodystructure: bytes
    part_table: tuple[Part, ...]
    parts: bytes
    preview: str
    email_id: str
    thread_id: str
    message_id: str

    def with_head(self, head: bytes) -> Facts:
        """The facts of head + body, where these are those of the body."""
        if not head:
            return self
        table = tuple([_after(part, len(head)) for part in self.part_table])
        email_id = _email_id(sha256(head + self.digest).digest())
        return replace(self, part_table=table, parts=pack(table), email_id=email_id)


def _after(part: Part, octets: int) -> Part:
    """The part, `octets` of header further back; the message's own header grows by them."""
    if part.section == "":
        return part._replace(header_octets=part.header_octets + octets, body_at=part.body_at + octets)
    return part._replace(header_at=part.header_at + octets, body_at=part.body_at + octets)


def read_facts(data: Octets) -> Facts:
    """Never raises, whatever the octets; an mmap is not read into memory."""
    structure = read_structure(data)
    table = structure.parts
    digest = digest_of(data)
    fields = read_fields(bytes(data[: table[0].header_octets]))
    own = MESSAGE_ID.search(fields.get(b"message-id", b""))
    message_id = own[1].decode("utf-8", "replace") if own else ""
    references = fields.get(b"references", b"") + b" " + fields.get(b"in-reply-to", b"")
    return Facts(
        digest,
        structure.envelope,
        structure.body_structure,
        table,
        pack(table),
        preview(data, table),
        _email_id(digest),
        thread_id(references, message_id, digest),
        message_id,
    )


def digest_of(data: Octets) -> bytes:
    """SHA-256; memory stays flat."""
    if isinstance(data, bytes):
        return sha256(data).digest()
    total = sha256()
    with memoryview(data) as view:
        for at in range(0, len(view), HASHED_OCTETS):
            total.update(view[at : at + HASHED_OCTETS])
    return total.digest()


def _email_id(digest: bytes) -> str:
    return "M" + _short(digest)


def _short(digest: bytes) -> str:
    """As RFC 8474 §4 allows: letters, digits, - and _."""
    return base64.urlsafe_b64encode(digest[:21]).decode()


def thread_id(references: bytes, own: str, digest: bytes) -> str:
    """Of the message that began the thread: the first of References, else In-Reply-To, else this one.

    It follows from the message alone, so it never changes and needs no table (RFC 8474 §5.2 leaves the method open).
    """
    first = MESSAGE_ID.search(references)
    root = first[1] if first else own.encode()
    return "T" + _short(sha256(root).digest() if root else digest)


@lru_cache(maxsize=1024)
def message_key(message_id: str) -> int:
    """A number a small index can hold; nothing but finding follows from it."""
    return int.from_bytes(sha256(message_id.encode("utf-8", "surrogateescape")).digest()[:8], signed=True)


# Preview
def preview(data: Octets, table: Sequence[Part]) -> str:
    """The beginning of what a reader would see, on one line; empty where there is no text."""
    texts = [part for part in table if part.type in ("text/plain", "text/html") and not part.is_attachment]
    for part in sorted(texts, key=lambda part: part.type != "text/plain"):
        shown = _line(_text(data, part), is_html=part.type == "text/html")
        if shown:
            return shown
    return ""


def _text(data: Octets, part: Part) -> str:
    octets = bytes(data[part.body_at : part.body_at + min(part.body_octets, PREVIEW_OCTETS)])
    octets = _decoded(octets, part.encoding)
    charset = "utf-8" if part.charset.lower() in ("", "us-ascii", "ascii") else part.charset  # many say less than true
    try:
        return octets.decode(charset, "ignore")
    except (LookupError, ValueError, UnicodeError):
        return octets.decode("latin-1")


def _decoded(octets: bytes, encoding: str) -> bytes:
    if encoding == "quoted-printable":
        return quopri.decodestring(octets)
    if encoding != "base64":
        return octets
    digits = re.sub(rb"[^A-Za-z0-9+/]", b"", octets)
    digits = digits[:-1] if len(digits) % 4 == 1 else digits  # cut off in the middle
    try:
        return binascii.a2b_base64(digits + b"=" * (-len(digits) % 4))
    except binascii.Error:
        return b""


def _line(text: str, *, is_html: bool) -> str:
    if is_html:
        text = html.unescape(NO_TEXT.sub(" ", text))
    text = " ".join(text[:LOOKED_AT].split())  # the cheap way first: expressions cost most of what a delivery does
    text = text.encode("utf-8", "replace").decode()  # half a surrogate pair has no place on a wire
    return UNSEEN.sub("", text)[:PREVIEW_CHARACTERS].strip()


def mapped(descriptor: int, size_octets: int) -> Octets:
    """A file's octets without reading them into memory."""
    return mmap.mmap(descriptor, size_octets, access=mmap.ACCESS_READ) if size_octets else b""
