"""Text of a header field as words of ASCII that a line may be broken between (RFC 2047); pure.

Joined with one space each and read again they are the text: between two encoded words a reader drops the space
(§6.2), so it stands inside of them.
"""

from __future__ import annotations

from base64 import b64encode
from collections.abc import Callable, Iterator

LONGEST_WORD = 64  # fits on a line of 76 behind `Reply-To: ` and before a comma; §2 allows 75
PAYLOAD = LONGEST_WORD - len("=?utf-8?q?" + "?=")
LITERAL = frozenset(b"ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789!*+-/")  # safe in phrases, §5(3)


def as_text(text: str) -> list[str]:
    """The words of an unstructured field such as Subject (§5(1)), plain ones before and behind left as they are.

    `text` is one line without runs of space.
    """
    words = text.split(" ")
    odd = [n for n, word in enumerate(words) if not is_plain(word)]
    if not odd:
        return words if text else []
    start, end = odd[0], odd[-1] + 1
    return [*words[:start], *encoded(" ".join(words[start:end])), *words[end:]]


def as_phrase(name: str, quoted: str) -> list[str]:
    """The words of a display name (§5(3)): of its `quoted` form if they can stand as they are."""
    words = quoted.split(" ")
    return words if all(map(is_plain, words)) else encoded(name)


def is_plain(word: str) -> bool:
    """May it stand in a field as it is?"""
    return word.isascii() and "=?" not in word and len(word) <= LONGEST_WORD


def encoded(text: str) -> list[str]:
    """`text` in encoded words of UTF-8, by the encoding that takes fewer octets."""
    octets = text.encode()
    letter, encode = ("q", _q) if len(_q(octets)) <= len(_b(octets)) else ("b", _b)
    return [f"=?utf-8?{letter}?{piece}?=" for piece in _pieces(text, encode)]


def _q(octets: bytes) -> str:
    """§4.2."""
    return "".join(chr(octet) if octet in LITERAL else "_" if octet == 0x20 else f"={octet:02X}" for octet in octets)


def _b(octets: bytes) -> str:
    """§4.1."""
    return b64encode(octets).decode()


def _pieces(text: str, encode: Callable[[bytes], str]) -> Iterator[str]:
    """`text` encoded, in pieces of at most PAYLOAD, no character cut in two (§5)."""
    piece = b""
    for char in text:
        if len(encode(piece + char.encode())) > PAYLOAD:
            yield encode(piece)
            piece = b""
        piece += char.encode()
    yield encode(piece)
