"""A mailbox comes into being when it is first used: by a delivery, a mail client or the webmail."""

from __future__ import annotations

from mailsite_ext.errors import NoSuchMailbox
from mailsite_ext.storage.engine import StorageEngine


def ensure_mailbox(storage: StorageEngine, mailbox: str) -> None:
    """Make `mailbox` with its first folders if it is not there; looking takes no lock."""
    try:
        storage.quota(mailbox)
    except NoSuchMailbox:
        storage.create_mailbox(mailbox)
