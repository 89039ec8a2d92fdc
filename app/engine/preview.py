"""The first words of a message, for the list: pure."""

from __future__ import annotations

from collections.abc import Iterator

from app.messages import decode
from app.messages.parts import Part
from app.messages.text_view import html_to_text

MAX_CHARS = 200
QUOTED = (">", "|")


def preview_of(part: Part, octets: bytes) -> str:
    """The first words of a text part of which `octets` are the beginning, as transferred; quoted lines left out."""
    text = decode.text(decode.transfer(octets, part.encoding), part.params.get("charset", ""))
    if part.subtype == "html":
        text = html_to_text(text)
    return decode.printable(" ".join(_own_words(text)))[:MAX_CHARS]


def _own_words(text: str) -> Iterator[str]:
    for line in text.splitlines():
        if not line.lstrip().startswith(QUOTED):
            yield from line.split()
