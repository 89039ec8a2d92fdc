"""The bytes of a message on their way in: DATA with its dots (RFC 5321 §4.5.2) and BDAT chunks (RFC 3030).  Pure.

Only CRLF.CRLF ends DATA, and no CR or LF may stand alone (RFC 5321 §2.3.8): whoever reads another line ending than
the next server can be made to see one message where that one sees two.  A message with a fault is read to its true end
and then refused.  What comes in goes out again block by block, and nothing ever holds the whole.
"""

from __future__ import annotations

import re

from app.extension_api import MailError
from mailsite_ext.errors import BareLineEnding, MessageTooLarge, NulInMessage, TextLineTooLong

_END = b"\r\n.\r\n"
_DOT_OR_LONE_CR = re.compile(rb"\r(?!\n(?:[^.]|\Z))")
_LONE_CR = re.compile(rb"\r(?!\n)")
_WORST_FIRST: tuple[type[MailError], ...] = (MessageTooLarge, BareLineEnding, NulInMessage, TextLineTooLong)


class MessageCheck:
    """What may not be in a message, however it is cut into blocks."""

    def __init__(self, *, max_octets: int, max_line_octets: int, is_text: bool = True) -> None:
        self._max_octets = max_octets
        self._max_line_octets = max_line_octets
        self._is_text = is_text  # False: BODY=BINARYMIME, where every octet is allowed (RFC 3030 §3)
        self._column = 0
        self._ends_in_cr = False
        self._faults: set[type[MailError]] = set()
        self.octets = 0

    @property
    def fault(self) -> MailError | None:
        """The worst of what was found so far; the order in which blocks came does not matter."""
        return next((kind() for kind in _WORST_FIRST if kind in self._faults), None)

    def take(self, block: bytes) -> bytes:
        """Look at the next block; it comes back while the message is good, else nothing."""
        self.octets += len(block)
        if self.octets > self._max_octets:
            self._faults.add(MessageTooLarge)
        if self._is_text and block:
            self._look_at_lines(block)
        return b"" if self._faults else block

    def finish(self) -> None:
        """The message is over."""
        if self._ends_in_cr:
            self._faults.add(BareLineEnding)

    def _look_at_lines(self, block: bytes) -> None:
        if 0 in block:
            self._faults.add(NulInMessage)
        self._measure_lines(block)
        if self._ends_in_cr:
            block = b"\r" + block
        self._ends_in_cr = block.endswith(b"\r")
        if self._ends_in_cr:
            block = block[:-1]
        if block.count(b"\n") != block.count(b"\r") or _LONE_CR.search(block):
            self._faults.add(BareLineEnding)

    def _measure_lines(self, block: bytes) -> None:
        """Leap from line end to line end as far as a line may reach: a few looks a block, not one a line."""
        start = -self._column
        while start + self._max_line_octets < len(block):
            line_end = block.rfind(b"\n", max(start, 0), max(start + self._max_line_octets, 0))
            if line_end < 0:
                self._faults.add(TextLineTooLong)
                break
            start = line_end + 1
        last = block.rfind(b"\n", max(start, 0))
        self._column = len(block) - last - 1 if last >= 0 else len(block) - start


class DotReader:
    """DATA: takes what the peer sends, gives the message without its stuffed dots.

    `rest` is None until the end has come; then it holds the bytes after it.
    """

    def __init__(self, check: MessageCheck) -> None:
        self.check = check
        self.rest: bytes | None = None
        self._held = (
            b"\r\n"  # the line end of the DATA command itself: the first line may begin with a dot, or be the end
        )
        self._skip = len(self._held)

    def read(self, data: bytes) -> bytes:
        """The next bytes of the message; perhaps none."""
        block = self._held + data
        if not _DOT_OR_LONE_CR.search(block):
            return self._give(block, _octets_to_hold(block), has_dots=False)
        end = block.find(_END)
        if end < 0:
            return self._give(block, _octets_to_hold(block), has_dots=True)
        self.rest = block[end + len(_END) :]
        given = self._give(block[: end + 2], 0, has_dots=True)
        self.check.finish()
        return given

    def _give(self, block: bytes, held: int, *, has_dots: bool) -> bytes:
        """`block` but for its last `held` octets, with which the end, or a dot to drop, may begin."""
        self._held = block[len(block) - held :]
        block = block[: len(block) - held]
        if has_dots:
            block = block.replace(b"\r\n.", b"\r\n")
        if self._skip and block:
            block, self._skip = block[self._skip :], 0
        return self.check.take(block)


def _octets_to_hold(block: bytes) -> int:
    """How many octets at the end of `block` could be the beginning of the end."""
    return next((n for n in range(len(_END) - 1, 0, -1) if block.endswith(_END[:n])), 0)


class ChunkReader:
    """One BDAT chunk of `octets`; what follows them is the next command and stays where it is."""

    def __init__(self, octets: int, check: MessageCheck) -> None:
        self.check = check
        self.octets_left = octets

    def read(self, data: bytes) -> tuple[bytes, bytes]:
        """(the next bytes of the message, what is left of `data` behind the chunk)."""
        taken, rest = data[: self.octets_left], data[self.octets_left :]
        self.octets_left -= len(taken)
        return self.check.take(taken), rest
