"""Who is signed in on one IMAP connection, and what that connection has asked for so far."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field

from app.extension_api import Clock, ConnectionLost, NoSuchFolder
from mailsite_ext.imap.folder_maps import FolderMap, FolderMaps
from mailsite_ext.imap.view import View
from mailsite_ext.imap.watch import Watch
from mailsite_ext.protocol.imap_data import status_line
from mailsite_ext.protocol.imap_limits import BadCommand
from mailsite_ext.storage.engine import StorageEngine
from mailsite_ext.storage.values import StoredFolder


@dataclass(slots=True)
class Account:
    """One session's mailbox; `enabled` holds capabilities in capitals (RFC 5161), `hidden` those it may not use."""

    storage: StorageEngine
    maps: FolderMaps
    mailbox: str
    clock: Clock
    message_octets: int  # the largest that is taken
    hidden: frozenset[str] = frozenset()
    enabled: set[str] = field(default_factory=set)
    view: View | None = None
    watch: Watch | None = None  # what NOTIFY asked for
    is_wanted: Callable[[], bool] = lambda: True  # False: nobody waits for the answer any more

    def require_wanted(self) -> None:
        """Raises ConnectionLost; asked while something long is worked on."""
        if not self.is_wanted():
            raise ConnectionLost

    @property
    def is_utf8(self) -> bool:
        """May names be sent in UTF-8 (RFC 6855 §3, RFC 9051 §5.1)?"""
        return bool(self.enabled & {"UTF8=ACCEPT", "IMAP4REV2"})

    @property
    def has_condstore(self) -> bool:
        return bool(self.enabled & {"CONDSTORE", "QRESYNC"})

    @property
    def has_qresync(self) -> bool:
        return "QRESYNC" in self.enabled

    @property
    def is_rev2(self) -> bool:
        return "IMAP4REV2" in self.enabled

    def learn_modseqs(self) -> bytes:
        """CONDSTORE is on from now on; what has to be said the first time, with a folder selected (RFC 7162 §3.1)."""
        if self.has_condstore:
            return b""
        self.enabled.add("CONDSTORE")
        return status_line(b"", "OK", "-", f"HIGHESTMODSEQ {self.view.modseq}") if self.view else b""

    def selected(self) -> View:
        if self.view is None:
            raise BadCommand("No folder is selected")
        return self.view

    def writable(self) -> View:
        """Raises BadCommand (NO [READ-ONLY]) in a folder that was opened with EXAMINE."""
        view = self.selected()
        if view.is_read_only:
            raise BadCommand("The folder was opened to be read only", code="READ-ONLY", condition="NO")
        return view

    def share_map(self, folder: StoredFolder) -> None:
        """The client knows all that happened up to `folder`: sessions that know the same hold one array."""
        if self.view is not None and not self.view.gone:
            self.view.uids = self.maps.share(FolderMap(folder, self.view.uids))

    def get_folder(self, name: str, *, code: str = "NONEXISTENT") -> StoredFolder:
        """A folder of this mailbox that holds messages.  Raises NoSuchFolder, or NO [TRYCREATE] if `code` says."""
        folder = self.storage.find_folder(self.mailbox, name)
        if folder is None and code == "TRYCREATE":
            raise BadCommand("There is no such folder", code=code, condition="NO")
        if folder is None:
            raise NoSuchFolder(name)
        if not folder.selectable:
            raise BadCommand("This name holds only other folders", code="NONEXISTENT", condition="NO")
        return folder
