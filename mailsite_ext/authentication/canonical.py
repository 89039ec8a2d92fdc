"""The two canonical forms of headers and bodies (RFC 6376 §3.4).  Pure."""

from __future__ import annotations

import hashlib
import re
from enum import StrEnum

from mailsite_ext.authentication.raw_message import RawField

_FOLD = re.compile(rb"\r\n(?=[ \t])")
_SPACES = re.compile(rb"[ \t]+")
_LINE_ENDS_BACKWARDS = re.compile(rb"(?:\n\r)*")
_AT_ONCE = 4096


class Form(StrEnum):
    SIMPLE = "simple"
    RELAXED = "relaxed"


def canonical_field(field: RawField, form: Form) -> bytes:
    """With its CRLF (§3.4.1, §3.4.2)."""
    if form is Form.SIMPLE:
        return field.octets
    value = _SPACES.sub(b" ", _FOLD.sub(b"", field.value.removesuffix(b"\r\n"))).strip(b" ")
    return field.name.encode() + b":" + value + b"\r\n"


class BodyHash:
    """SHA-256 of a body in canonical form, fed in blocks; holds back no more than a few octets (§3.4.3, §3.4.4)."""

    def __init__(self, form: Form) -> None:
        self._is_relaxed = form is Form.RELAXED
        self._digest = hashlib.sha256()
        self._kept = b""  # of a line end or a run of spaces that may go on
        self._empty_lines = 0  # CRLFs that count only if something follows
        self._is_empty = True

    def feed(self, block: bytes) -> None:
        data = self._kept + block
        if self._is_relaxed:
            data = _relaxed(data)
        kept = next((end for end in (b" \r", b"\r", b" ") if data.endswith(end)), b"")
        if kept.startswith(b" ") and not self._is_relaxed:
            kept = kept[1:]
        self._kept = kept
        self._add(data[: len(data) - len(kept)])

    def _add(self, data: bytes) -> None:
        lines_end = data.rstrip(b"\r\n")
        matched = _LINE_ENDS_BACKWARDS.match(data[len(lines_end) :][::-1])
        trailing = matched.end() if matched else 0
        if text := data[: len(data) - trailing]:
            self._add_empty_lines()
            self._digest.update(text)
            self._is_empty = False
        self._empty_lines += trailing // 2

    def _add_empty_lines(self) -> None:
        while self._empty_lines:
            some = min(self._empty_lines, _AT_ONCE)
            self._digest.update(b"\r\n" * some)
            self._empty_lines -= some

    def digest(self) -> bytes:
        """Of all that was fed; once."""
        kept, self._kept = self._kept, b""
        self._add(kept.rstrip(b" ") if self._is_relaxed else kept)
        if not self._is_empty or not self._is_relaxed:
            self._digest.update(b"\r\n")
        return self._digest.digest()


def _relaxed(data: bytes) -> bytes:
    """Runs of spaces are one, none are left before a CRLF."""
    if b"\t" in data:
        data = data.replace(b"\t", b" ")
    while b"  " in data:
        data = data.replace(b"  ", b" ")
    return data.replace(b" \r\n", b"\r\n")
