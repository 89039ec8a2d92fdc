"""Both directions of a compressed connection (COMPRESS=DEFLATE, RFC 4978): raw deflate blocks.  Pure.

What comes in is unpacked PLAIN_OCTETS at a time, so that little of it can never become much at once.  A connection
keeps some 60 KiB for it: a client may look back 32 KiB (RFC 1951 §2), we look back 4 KiB.
"""

from __future__ import annotations

import zlib

PLAIN_OCTETS = 64 * 1024
THEIR_WINDOW, OUR_WINDOW = -15, -12  # negative: no header, no checksum
OUR_MEMORY = 5
LEVEL = 3


class BadDeflate(Exception):
    """What came is no deflate stream, or one that ended: nothing can be read after it."""


class Deflate:
    """`received`: what came behind the command that turned it on, and is compressed already."""

    def __init__(self, received: bytes = b"") -> None:
        self._packer = zlib.compressobj(LEVEL, zlib.DEFLATED, OUR_WINDOW, OUR_MEMORY)
        self._unpacker = zlib.decompressobj(THEIR_WINDOW)
        self._packed = received
        self.has_more = bool(received)

    def pack(self, data: bytes) -> bytes:
        """All of `data` can be read by a peer that has these octets."""
        return self._packer.compress(data) + self._packer.flush(zlib.Z_SYNC_FLUSH)

    def feed(self, packed: bytes) -> None:
        self._packed += packed
        self.has_more = True

    def unpack(self) -> bytes:
        """The next PLAIN_OCTETS at most; perhaps none, and `has_more` says whether to ask again.  Raises BadDeflate."""
        try:
            plain = self._unpacker.decompress(self._packed, PLAIN_OCTETS)
        except zlib.error as error:
            raise BadDeflate(str(error)) from None
        if self._unpacker.eof:
            raise BadDeflate("the stream ended")
        self._packed = self._unpacker.unconsumed_tail
        self.has_more = bool(self._packed) or len(plain) == PLAIN_OCTETS
        return plain
