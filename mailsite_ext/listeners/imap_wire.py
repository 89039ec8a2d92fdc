"""An IMAP connection's octets, compressed once that was asked for (RFC 4978), and what a log keeps of them (O14)."""

from __future__ import annotations

import asyncio
from uuid import uuid4

from app.extension_api import ConnectionLost
from mailsite_ext.listeners.exchange_log import ExchangeLog
from mailsite_ext.listeners.serve import Connection
from mailsite_ext.protocol.append_grammar import MessageBegins
from mailsite_ext.protocol.deflate import BadDeflate, Deflate
from mailsite_ext.protocol.imap_commands import Command
from mailsite_ext.protocol.imap_reader import Event, Line
from mailsite_ext.protocol.imap_transcript import SECRET, heard, said


class ImapWire:
    """What one conversation is read from and written to."""

    def __init__(self, connection: Connection, log: ExchangeLog | None) -> None:
        self._connection = connection
        self._log = log
        self._id = uuid4().hex[:12] if log is not None else ""  # in the log
        self._deflate: Deflate | None = None

    @property
    def is_compressed(self) -> bool:
        return self._deflate is not None

    def compress(self, received: bytes) -> None:
        """From now on both ways; `received` came behind the command and is compressed."""
        self._deflate = Deflate(received)

    def write(self, data: bytes, *, noted: bool = True) -> None:
        """One answer, or so much of it as is made at once: the client can read all of it."""
        if not data:
            return
        self._connection.write(self._deflate.pack(data) if self._deflate else data)
        if noted:
            self.note("S", said(data, 0))

    def note(self, who: str, words: str) -> None:
        if self._log is not None:
            self._log.note(self._id, self._connection.peer, who, words)

    def note_heard(self, event: Event, line: bytes, *, is_signed_in: bool) -> None:
        """A command's `line`, or an answer, without what may be secret; messages are not kept."""
        if self._log is None:
            return
        if isinstance(event, Command | MessageBegins):
            self.note("C", heard(line, is_signed_in=is_signed_in))
        elif isinstance(event, Line):
            self.note("C", "DONE" if is_signed_in else SECRET)

    async def drain(self) -> None:
        await self._connection.drain()

    async def read(self) -> bytes:
        """Some octets the client said.  Raises ConnectionLost when it is done."""
        await self.drain()
        while True:
            if self._deflate is not None and self._deflate.has_more:
                if plain := self._unpacked(self._deflate):
                    await asyncio.sleep(0)  # a little may become much: others have their turn in between
                    return plain
                continue
            data = await self._connection.read()
            if not data:
                raise ConnectionLost
            if self._deflate is None:
                return data
            self._deflate.feed(data)

    def _unpacked(self, deflate: Deflate) -> bytes:
        try:
            return deflate.unpack()
        except BadDeflate as error:
            raise ConnectionLost(f"COMPRESS: {error}") from None

    async def until_roused(self, seconds: float) -> bool:
        """Wait for something to read, for news, or so long; is there something to read?"""
        if self._deflate is not None and self._deflate.has_more:
            return True
        return await self._connection.until_roused(seconds)
