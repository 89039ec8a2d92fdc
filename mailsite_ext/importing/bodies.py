"""Whole messages of a source: small ones together in one turn, each large one through a spool file."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from contextlib import suppress
from pathlib import Path
from types import TracebackType

from app.extension_api import MailSource, NoSuchMessage, RemoteMessage
from mailsite_ext.delivery.spool import Spool
from mailsite_ext.storage.values import Content

SMALL_OCTETS = 128 * 1024
CHUNK_OCTETS = 256 * 1024
WHOLE = ""
"""The section that is the whole message."""


class Bodies:
    """Fetches messages of one folder; a context manager that removes its spool files in the end."""

    def __init__(self, source: MailSource, folder: str, uidvalidity: int | None, spool_folder: Path) -> None:
        self._source = source
        self._folder = folder
        self._uidvalidity = uidvalidity
        self._spool_folder = spool_folder
        self._spools: list[Spool] = []

    def __enter__(self) -> Bodies:
        return self

    def __exit__(
        self, _kind: type[BaseException] | None, _error: BaseException | None, _trace: TracebackType | None
    ) -> None:
        for spool in self._spools:
            spool.discard()

    def fetch(self, messages: Sequence[RemoteMessage]) -> Mapping[int, Content]:
        """Contents by UID; messages that are gone are left out.

        Raises what MailSource.previews raises, StorageFull, StorageDamaged.
        """
        small = [message.uid for message in messages if message.size_octets <= SMALL_OCTETS]
        contents = self._small(small)
        for message in messages:
            if message.size_octets > SMALL_OCTETS:
                with suppress(NoSuchMessage):
                    contents[message.uid] = self._large(message.uid)
        return contents

    def _small(self, uids: Sequence[int]) -> dict[int, Content]:
        """One octet more is asked for than a small message has: a server's size may be wrong."""
        wanted = dict.fromkeys(uids, WHOLE)
        if not wanted:
            return {}
        found = self._source.previews(self._folder, wanted, SMALL_OCTETS + 1, self._uidvalidity)
        return {
            uid: Content(body, len(body)) if len(body) <= SMALL_OCTETS else self._large(uid)
            for uid, body in found.items()
        }

    def _large(self, uid: int) -> Content:
        spool = Spool(self._spool_folder)
        self._spools.append(spool)
        for piece in self._source.stream(self._folder, uid, WHOLE, CHUNK_OCTETS, self._uidvalidity):
            spool.write(piece)
        return spool.finish()
