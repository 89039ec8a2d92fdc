"""What the server says, as octets: strings, flags, dates, and whole untagged responses (RFC 9051 §7, §9).  Pure.

Whatever text comes in, no CR, LF or NUL goes out except inside a literal, where a NUL makes it a literal8.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Mapping, Sequence
from datetime import datetime

from mailsite_ext.protocol.folder_names import encode_name
from mailsite_ext.protocol.sequence_sets import compact

SAFE_ASTRING = re.compile(rb'[^\x00-\x20\x7f-\xff(){%*"\\]+')
SIMPLE = re.compile(rb"[\t !#-\[\]-~]{0,1024}")
NEEDS_LITERAL = re.compile(rb"[\x00\r\n\x80-\xff]")
NEEDS_ESCAPE = re.compile(rb'(["\\])')
ENDS_LINES = re.compile(r"[\x00-\x1f\x7f]+")
LONGEST_QUOTED = 1_024
MONTHS = ("Jan", "Feb", "Mar", "Apr", "May", "Jun", "Jul", "Aug", "Sep", "Oct", "Nov", "Dec")


def string(octets: bytes) -> bytes:
    """Quoted where that can hold it, else a literal; literal8 for NUL (RFC 9051 §4.3)."""
    if SIMPLE.fullmatch(octets):
        return b'"%b"' % octets
    if len(octets) <= LONGEST_QUOTED and NEEDS_LITERAL.search(octets) is None:
        return b'"' + NEEDS_ESCAPE.sub(rb"\\\1", octets) + b'"'
    return literal_head(len(octets), is_binary=b"\0" in octets) + octets


def nstring(octets: bytes | None) -> bytes:
    return b"NIL" if octets is None else string(octets)


def astring(octets: bytes) -> bytes:
    return octets if SAFE_ASTRING.fullmatch(octets) and octets.upper() != b"NIL" else string(octets)


def literal_head(size: int, *, is_binary: bool = False) -> bytes:
    """What stands before the octets of a literal."""
    return b"~{%d}\r\n" % size if is_binary else b"{%d}\r\n" % size


def quoted_utf8(text: str) -> bytes:
    """A quoted string that may hold UTF-8, for a client that asked for it (RFC 6855 §3); control characters go."""
    return b'"' + NEEDS_ESCAPE.sub(rb"\\\1", ENDS_LINES.sub(" ", text).encode("utf-8", "replace")) + b'"'


def folder_name(name: str, *, utf8: bool) -> bytes:
    """Always quoted: that is what all clients read."""
    if utf8:
        return quoted_utf8(name)
    return string(encode_name(name, utf8=False))


def flag_list(flags: Iterable[str]) -> bytes:
    return ("(" + " ".join(flags) + ")").encode("ascii", "replace")


def date_time(moment: datetime) -> bytes:
    """`"01-Feb-2026 09:00:00 +0100"` with the moment's own zone (RFC 9051 `date-time`)."""
    offset = moment.utcoffset()
    minutes = 0 if offset is None else int(offset.total_seconds()) // 60
    sign, minutes = ("-", -minutes) if minutes < 0 else ("+", minutes)
    day = f"{moment.day:02}-{MONTHS[moment.month - 1]}-{moment.year:04}"
    clock = f"{moment.hour:02}:{moment.minute:02}:{moment.second:02}"
    return f'"{day} {clock} {sign}{minutes // 60:02}{minutes % 60:02}"'.encode()


def words(text: str) -> bytes:
    """Text for people at the end of a response: one line, ASCII (RFC 9051 `resp-text`)."""
    return ENDS_LINES.sub(" ", text).encode("ascii", "replace") or b"-"


def untagged(*parts: bytes) -> bytes:
    """`* part part` and the line's end."""
    return b"* " + b" ".join(parts) + b"\r\n"


def status_line(tag: bytes, condition: str, text: str, code: str = "") -> bytes:
    """`tag OK [code] text`; an empty tag is untagged."""
    shown = f"[{code}] ".encode() if code else b""
    return (tag or b"*") + b" " + condition.encode() + b" " + shown + words(text) + b"\r\n"


def list_response(
    name: str,
    attributes: Iterable[str],
    *,
    utf8: bool,
    delimiter: str = "/",
    child_info: Iterable[str] = (),
    old_name: str | None = None,
    verb: bytes = b"LIST",
) -> bytes:
    """`* LIST (\\HasNoChildren) "/" "name"`; with CHILDINFO (RFC 5258 §6) and OLDNAME (RFC 9051 §6.3.9)."""
    extended = []
    if child_info:
        extended.append(b'"CHILDINFO" (' + b" ".join(string(word.encode()) for word in child_info) + b")")
    if old_name is not None:
        extended.append(b'"OLDNAME" (' + folder_name(old_name, utf8=utf8) + b")")
    parts = [verb, flag_list(attributes), quoted_utf8(delimiter), folder_name(name, utf8=utf8)]
    return untagged(*parts, *([b"(" + b" ".join(extended) + b")"] if extended else []))


def status_response(name: str, items: Mapping[str, int | str | None], *, utf8: bool) -> bytes:
    """`* STATUS "name" (MESSAGES 3 …)`; text (MAILBOXID) goes out in brackets, None as NIL."""
    shown = " ".join(f"{item} {_status_value(value)}" for item, value in items.items())
    return untagged(b"STATUS", folder_name(name, utf8=utf8), b"(" + shown.encode("ascii", "replace") + b")")


def _status_value(value: int | str | None) -> str:
    if value is None:
        return "NIL"
    return f"({value})" if isinstance(value, str) else str(value)


def search_response(numbers: Sequence[int], modseq: int | None = None) -> bytes:
    """The old `* SEARCH 2 3 (MODSEQ 9)` (RFC 3501 §7.2.5, RFC 7162 §3.1.5)."""
    return _number_lines(b"SEARCH", numbers, modseq)


def sort_response(numbers: Sequence[int], modseq: int | None = None) -> bytes:
    return _number_lines(b"SORT", numbers, modseq)


def _number_lines(verb: bytes, numbers: Sequence[int], modseq: int | None) -> bytes:
    tail = b" (MODSEQ %d)" % modseq if modseq is not None and numbers else b""
    shown = " ".join(map(str, numbers)).encode()
    return b"* " + verb + (b" " + shown if shown else b"") + tail + b"\r\n"


def esearch_response(tag: bytes, data: Mapping[str, int | bytes], *, is_uid: bool) -> bytes:
    """`* ESEARCH (TAG "a1") UID COUNT 3 ALL 1:3` (RFC 9051 §7.3.4); values are numbers or finished octets."""
    shown = [
        f"{name} {value}".encode() if isinstance(value, int) else name.encode() + b" " + value
        for name, value in data.items()
    ]
    return untagged(b"ESEARCH", b"(TAG " + string(tag) + b")", *([b"UID"] if is_uid else []), *shown)


def uid_batches_response(tag: bytes, batches: Iterable[tuple[int, int]]) -> bytes:
    """`* UIDBATCHES (TAG "a1") 99:50,49:1` (RFC 10022 §3.1.2), the highest UIDs first."""
    shown = ",".join([f"{high}:{low}" for high, low in batches]).encode()
    return untagged(b"UIDBATCHES", b"(TAG " + string(tag) + b")", *([shown] if shown else []))


def vanished_response(uids: Iterable[int], *, is_earlier: bool) -> bytes:
    """RFC 7162 §3.2.10; nothing for no UIDs."""
    shown = compact(uids)
    if not shown:
        return b""
    return untagged(b"VANISHED", *([b"(EARLIER)"] if is_earlier else []), shown)


def fetch_response(number: int, parts: Iterable[bytes]) -> bytes:
    """`* 12 FETCH (UID 7 FLAGS ())` of finished parts."""
    return b"* %d FETCH (" % number + b" ".join(parts) + b")\r\n"


def fetch_rows(forms: Sequence[bytes], numbers: Sequence[int], columns: Sequence[Iterable[int | bytes]]) -> bytes:
    """Many FETCH responses of the same items at once; rows of number 0 are left out.

    `forms` say how each column is shown: `FLAGS (%b)`, `UID %d`.  One template does a row, and no line of Python:
    10,000 rows of UID, FLAGS and ENVELOPE take some 5 ms.
    """
    template = b"* %d FETCH (" + b" ".join(forms) + b")\r\n"
    rows = zip(numbers, *columns, strict=False)
    known = rows if isinstance(numbers, range) else (row for row in rows if row[0])
    return b"".join(map(template.__mod__, known))
