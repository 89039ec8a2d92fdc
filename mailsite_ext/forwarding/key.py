"""The key that rewritten senders are proven with, in the work directory's `security` folder."""

from __future__ import annotations

import os
import secrets
from contextlib import suppress
from pathlib import Path

from app.extension_api import Config
from mailsite_ext.errors import StorageDamaged
from mailsite_ext.storage.files import Disk, disk_faults

KEY_OCTETS = 32


class SrsKey:
    """Made at its first use, once for all processes; 0600, and it never leaves."""

    def __init__(self, config: Config) -> None:
        self._path = config.work_directory.absolute() / "security" / "srs.key"
        self._octets = b""

    def octets(self) -> bytes:
        """Raises StorageFull, StorageDamaged."""
        if not self._octets:
            self._octets = self._read() or self._make()
        return self._octets

    def _read(self) -> bytes:
        """Empty: there is none yet."""
        try:
            with disk_faults():
                found = self._path.read_bytes()
        except FileNotFoundError:
            return b""
        if len(found) != KEY_OCTETS:
            raise StorageDamaged(f"{self._path}: {len(found)} octets, a key has {KEY_OCTETS}")
        return found

    def _make(self) -> bytes:
        """Written whole under a name of its own, then given the right one: whoever comes second finds the first's."""
        files, own = Disk(), Path(f"{self._path}.{os.getpid()}.{secrets.token_hex(4)}")
        files.make_directory(self._path.parent)
        files.write(own, [secrets.token_bytes(KEY_OCTETS)])
        with suppress(FileExistsError):
            files.link(own, self._path)
        files.unlink(own)
        files.fsync_directory(self._path.parent)
        return self._read()
