"""Which messages a folder holds: read once a process, brought up to date by what changed, shared by all sessions."""

from __future__ import annotations

import threading
from collections import OrderedDict
from dataclasses import dataclass

from mailsite_ext.imap.view import packed, without
from mailsite_ext.storage.engine import StorageEngine
from mailsite_ext.storage.values import FolderChanges, StoredFolder, Uids

UIDS_KEPT = 2_000_000  # of all folders together: 16 MB


@dataclass(frozen=True, slots=True)
class FolderMap:
    """A folder and the UIDs in it, of one instant; `uids` are shared: nobody changes them."""

    folder: StoredFolder
    uids: Uids

    @classmethod
    def read(cls, storage: StorageEngine, folder: StoredFolder) -> FolderMap:
        """From a folder's row on: what came after it the changes since then tell."""
        uids = packed(uid for uid in storage.uids(folder.id) if uid < folder.uidnext)
        return cls(folder, uids).after(storage.changes(folder.id, folder.highestmodseq))

    def after(self, changes: FolderChanges) -> FolderMap:
        uids, _places = without(self.uids, changes.vanished)
        new = packed(uid for uid, _modseq, _flags in changes.changed if uid >= self.folder.uidnext)
        return FolderMap(changes.folder, uids + new if new else uids)


class FolderMaps:
    """The maps of folders that were looked at last; one for a process, used by many threads."""

    def __init__(self, storage: StorageEngine, uids_kept: int = UIDS_KEPT) -> None:
        self._storage = storage
        self._uids_kept = uids_kept
        self._uids = 0
        self._held: OrderedDict[int, FolderMap] = OrderedDict()
        self._lock = threading.Lock()

    def current(self, folder: StoredFolder) -> FolderMap:
        """The map of `folder` as it is, or of a later instant."""
        held = self._held.get(folder.id)
        if held is None or held.folder.uidvalidity != folder.uidvalidity:
            return self._hold(FolderMap.read(self._storage, folder))
        if held.folder.highestmodseq == folder.highestmodseq:
            return FolderMap(folder, held.uids)  # it may have another name by now
        return self._hold(held.after(self._storage.changes(folder.id, held.folder.highestmodseq)))

    def share(self, seen: FolderMap) -> Uids:
        """The one array for what a session has seen, so that all sessions that know the same hold the same."""
        held = self._held.get(seen.folder.id)
        if held is not None and held.folder.uidvalidity == seen.folder.uidvalidity:
            if held.folder.highestmodseq == seen.folder.highestmodseq:
                return held.uids
            if held.folder.highestmodseq > seen.folder.highestmodseq:
                return seen.uids
        return self._hold(seen).uids

    def _hold(self, found: FolderMap) -> FolderMap:
        with self._lock:
            before = self._held.pop(found.folder.id, None)
            self._held[found.folder.id] = found
            self._uids += len(found.uids) - (len(before.uids) if before else 0)
            while self._uids > self._uids_kept and len(self._held) > 1:
                _folder_id, oldest = self._held.popitem(last=False)
                self._uids -= len(oldest.uids)
        return found
