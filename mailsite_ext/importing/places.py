"""Where imported mail is put: the folders of the mailbox of the account's owner."""

from __future__ import annotations

from app.extension_api import Desk
from mailsite_ext.domains.directory import find_by_user
from mailsite_ext.errors import BadFolderName, FolderExists, NoSuchMailbox
from mailsite_ext.importing.plan import OURS
from mailsite_ext.settings.service import load_settings
from mailsite_ext.storage.engine import StorageEngine
from mailsite_ext.storage.first_use import ensure_mailbox
from mailsite_ext.storage.open import open_storage
from mailsite_ext.storage.values import StoredFolder


class Places:
    """The mailbox mail is imported into, and its folders."""

    def __init__(self, desk: Desk) -> None:
        """Raises NoSuchMailbox for a closed one, and what opening the storage raises."""
        with desk.parts.public.session() as db:
            settings = load_settings(db)
            hosted = find_by_user(db, desk.lease.owner_id)
        if hosted is None:
            raise NoSuchMailbox
        self.mailbox = hosted.name
        self.storage: StorageEngine = open_storage(desk.parts, settings)
        ensure_mailbox(self.storage, self.mailbox)
        self._folders = list(self.storage.folders(self.mailbox))

    def find(self, name: str) -> StoredFolder | None:
        return next((folder for folder in self._folders if folder.name == name and folder.selectable), None)

    def folder(self, name: str, is_apart: bool) -> StoredFolder:
        """The folder `name`, made if it is not there; where the name is that of a role, the folder that has it."""
        role = None if is_apart else next((role for role, usual in OURS.items() if usual == name), None)
        found = next((one for one in self._folders if role is not None and one.role is role), None) or self.find(name)
        if found is None:
            found = self._make(name)
            self._folders.append(found)
        return found

    def _make(self, name: str) -> StoredFolder:
        try:
            return self.storage.create_folder(self.mailbox, name)
        except FolderExists:
            found = self.storage.find_folder(self.mailbox, name)
            if found is None:
                raise BadFolderName(name) from None
            return found
