"""Messages that APPEND and REPLACE send, until the command is whole."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

from app.extension_api import MailError
from mailsite_ext.delivery.spool import Spool
from mailsite_ext.errors import MessageTooLarge, NulInMessage
from mailsite_ext.storage.values import Content

FULL_MESSAGES = 10
"""What one command may bring, in messages of the greatest size: many small ones are usual, a full disk is not."""


class Uploads:
    """The messages of one command.  A fault of the disk is kept until the command is whole: the client talks on."""

    def __init__(self, folder: Path, message_octets: int) -> None:
        self._folder = folder
        self._message_octets = message_octets
        self._begin()

    def _begin(self) -> None:
        self._spools: list[Spool] = []
        self._contents: list[Content] = []
        self._fault: MailError | None = None
        self._may_hold_nul = False
        self._octets = 0
        self._copied_octets = 0

    def begin_message(self) -> None:
        self._spools.append(Spool(self._folder))

    def begin_literal(self, octets: int, *, is_binary: bool) -> None:
        """All of the message, or a piece.  `is_binary`: a literal8, in which NUL may stand (RFC 3516 §4.4).

        Raises MessageTooLarge.
        """
        self._octets += octets
        most = FULL_MESSAGES * self._message_octets
        if self._spools[-1].octets + octets > self._message_octets or self._octets > most:
            raise MessageTooLarge
        self._may_hold_nul = is_binary

    def begin_copy(self, octets: int) -> None:
        """A piece that is here already.  So few words make so many octets of it that all copies of one command
        together have the bound of one message.  Raises MessageTooLarge (RFC 4469 §4.2).
        """
        self._copied_octets += octets
        if self._copied_octets > self._message_octets:
            raise MessageTooLarge
        self.begin_literal(octets, is_binary=True)

    def write(self, data: bytes) -> None:
        if b"\0" in data and not self._may_hold_nul:
            self._fault = self._fault or NulInMessage()
        if self._fault is None:
            try:
                self._spools[-1].write(data)
            except MailError as fault:
                self._fault = fault

    def end_message(self) -> None:
        if self._fault is None:
            self._contents.append(self._spools[-1].finish())

    def take(self) -> Sequence[Content]:
        """The messages; `discard` once they are stored.  Raises StorageFull, NulInMessage."""
        if self._fault is not None:
            fault = self._fault
            self.discard()
            raise fault
        return tuple(self._contents)

    def discard(self) -> None:
        """Remove what the storage did not take."""
        for spool in self._spools:
            spool.discard()
        self._begin()
