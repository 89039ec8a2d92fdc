"""Folder names on the wire: modified UTF-7 (RFC 3501 §5.1.3) or UTF-8 (RFC 6855, RFC 9051 §5.1), and INBOX.  Pure."""

from __future__ import annotations

import binascii
import re
import unicodedata

SHIFTED = re.compile(rb"&([A-Za-z0-9+,]*)-")
NOT_PRINTABLE = re.compile(r"[^\x20-\x7e]+|&")
PRINTABLE = re.compile(rb"[\x20-\x7e]*")
BLANKS = frozenset("\u034f\u115f\u1160\u17b4\u17b5\u180b\u180c\u180d\u2800\u3164\uffa0")
"""Letters and marks by name that nobody sees."""
SHOWN_FORMATS = frozenset("\u0600\u0601\u0602\u0603\u0604\u0605\u06dd\u070f\u0890\u0891\u08e2\u200c\u200d")
"""Of Unicode's format characters those that are seen, and the joiners."""
STRAY = re.compile("(?:^|[\x00-\x22\x24-\x29\x2b-\x2f\x3a-\x7f])[\u200c\u200d\ufe00-\ufe0f]")
"""A joiner or a variation selector where it changes nothing; after a digit, # and * one begins a keycap."""


def decode_utf7(name: bytes) -> str:
    """Raises ValueError for what is not modified UTF-7, or is not the one right way to write its text."""
    if PRINTABLE.fullmatch(name) is None:
        raise ValueError("A folder name has an octet that modified UTF-7 does not use")
    text, end = [], 0
    for shift in SHIFTED.finditer(name):
        text.append(name[end : shift.start()].decode("ascii"))
        text.append(_unshifted(shift[1]))
        end = shift.end()
    text.append(name[end:].decode("ascii"))
    decoded = "".join(text)
    if encode_utf7(decoded) != name:  # one name, one folder: no second spelling passes
        raise ValueError("A folder name is not in modified UTF-7")
    return decoded


def _unshifted(digits: bytes) -> str:
    if not digits:
        return "&"
    try:
        octets = binascii.a2b_base64(digits.replace(b",", b"/") + b"=" * (-len(digits) % 4))
        return octets.decode("utf-16-be")
    except (binascii.Error, UnicodeDecodeError) as error:
        raise ValueError("A folder name is not in modified UTF-7") from error


def encode_utf7(name: str) -> bytes:
    return NOT_PRINTABLE.sub(_shifted, name).encode("ascii")


def _shifted(run: re.Match[str]) -> str:
    if run[0] == "&":
        return "&-"
    digits = binascii.b2a_base64(run[0].encode("utf-16-be", "surrogatepass"), newline=False)
    return "&" + digits.rstrip(b"=").replace(b"/", b",").decode("ascii") + "-"


def decode_name(octets: bytes, *, utf8: bool) -> str:
    """A folder's name as text, INBOX in its one spelling.  Raises ValueError."""
    name = octets.decode("utf-8") if utf8 else decode_utf7(octets)
    if any(ord(char) < 32 or 127 <= ord(char) < 160 or char in "\u2028\u2029" for char in name):
        raise ValueError("A folder name has a control character")  # RFC 9051 §5.1, RFC 5198 §2
    return canonical(name)


def is_readable(name: str) -> bool:
    """Does a name show all it holds, in its order?  Each part has something to see in it, nothing turns what stands
    beside it or hides (RFC 9051 §5.1, RFC 5198 §2); the joiners of Persian, Hindi and emoji stay.
    """
    return all(part.strip() for part in name.split("/")) and not any(map(_is_hidden, name)) and not STRAY.search(name)


def _is_hidden(char: str) -> bool:
    return char in BLANKS or (unicodedata.category(char) == "Cf" and char not in SHOWN_FORMATS)


def encode_name(name: str, *, utf8: bool) -> bytes:
    """The octets of a name, not yet quoted."""
    return name.encode("utf-8", "replace") if utf8 else encode_utf7(name)


def canonical(name: str, delimiter: str = "/") -> str:
    """INBOX, and it as the first step of a path, in capitals: it is one folder in any case (RFC 9051 §5.1)."""
    first, found, rest = name.partition(delimiter)
    return f"INBOX{found}{rest}" if first.upper() == "INBOX" and first != "INBOX" else name
