"""Octets of the sending side of SMTP: replies as they come in, the message as it goes out.  Pure."""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator

from app.extension_api import ProtocolError
from mailsite_ext.replies import Reply

LONGEST_LINE_OCTETS = 4_096  # RFC 5321 §4.5.3.1.5 has 512; real ones are longer
MOST_LINES = 200

_REPLY = re.compile(rb"([2-5][0-9]{2})(?:([ -])(.*))?", re.DOTALL)
_BARE = re.compile(rb"\r(?!\n)|(?<!\r)\n")


class ReplyReader:
    """Puts replies together (RFC 5321 §4.2.1)."""

    def __init__(self) -> None:
        self._rest = b""
        self._lines: list[str] = []

    def feed(self, octets: bytes) -> Iterator[Reply]:
        """The replies that are whole by now.  Raises ProtocolError for what is none, or too long."""
        *lines, self._rest = (self._rest + octets).split(b"\n")
        for line in lines:
            yield from self._take(line.removesuffix(b"\r"))
        if len(self._rest) > LONGEST_LINE_OCTETS:
            raise ProtocolError("a reply has no end")

    @property
    def is_between(self) -> bool:
        """Nothing of another reply has come."""
        return not self._rest and not self._lines

    def forget(self) -> None:
        """What came in the clear counts no more once TLS began (RFC 3207 §6)."""
        self._rest, self._lines = b"", []

    def _take(self, line: bytes) -> Iterator[Reply]:
        found = _REPLY.fullmatch(line)
        if found is None or len(line) > LONGEST_LINE_OCTETS or len(self._lines) >= MOST_LINES:
            raise ProtocolError("the server does not speak SMTP")
        self._lines.append(_readable(found[3] or b""))
        if found[2] != b"-":
            words, self._lines = "\n".join(self._lines), []
            yield Reply(int(found[1]), words)


def _readable(octets: bytes) -> str:
    text = octets.decode("utf-8", "replace")
    return "".join(char if char.isprintable() else "\N{REPLACEMENT CHARACTER}" for char in text)


def stuffed(blocks: Iterable[bytes]) -> Iterator[bytes]:
    """A message as DATA carries it, to the dot that ends it (RFC 5321 §4.5.2), however it is cut into blocks.

    A CR or LF alone becomes CRLF: nobody shall see another end of it than we do (RFC 5321 §2.3.8).
    """
    begins_line, waiting = True, b""
    for block in blocks:
        whole = waiting + block
        waiting = b"\r" if whole.endswith(b"\r") else b""
        lines = _BARE.sub(b"\r\n", whole[: len(whole) - len(waiting)])
        if lines:
            yield (b"." if begins_line and lines.startswith(b".") else b"") + lines.replace(b"\n.", b"\n..")
            begins_line = lines.endswith(b"\n")
    yield (b"" if begins_line and not waiting else b"\r\n") + b".\r\n"
