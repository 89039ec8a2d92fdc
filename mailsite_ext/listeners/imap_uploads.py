"""Messages that APPEND and REPLACE send, until the command is whole."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

from app.extension_api import MailError
from mailsite_ext.delivery.spool import Spool
from mailsite_ext.errors import NulInMessage
from mailsite_ext.storage.values import Content


class Uploads:
    """The messages of one command.  A fault of the disk is kept until the command is whole: the client talks on."""

    def __init__(self, folder: Path) -> None:
        self._folder = folder
        self._spools: list[Spool] = []
        self._contents: list[Content] = []
        self._fault: MailError | None = None
        self._may_hold_nul = False

    def begin_message(self, *, is_binary: bool) -> None:
        """`is_binary`: a literal8, in which NUL may stand (RFC 3516 §4.4)."""
        self._spools.append(Spool(self._folder))
        self._may_hold_nul = is_binary

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
        fault, self._fault = self._fault, None
        if fault is not None:
            self.discard()
            raise fault
        return tuple(self._contents)

    def discard(self) -> None:
        """Remove what the storage did not take."""
        for spool in self._spools:
            spool.discard()
        self._spools, self._contents, self._fault = [], [], None
