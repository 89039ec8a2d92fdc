"""What crosses between the catalogue and an engine: messages to enter, and what a step did.  Plain values."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import TypeAlias

from app.extension_api import Role
from mailsite_ext.storage.facts import Facts
from mailsite_ext.storage.values import StoredFolder, Uids

UID_BITS = 32
LAST_UID = (1 << UID_BITS) - 1


def row_id(folder_id: int, uid: int) -> int:
    return folder_id << UID_BITS | uid


@dataclass(frozen=True, slots=True)
class NewMessage:
    """A message whose bytes are durable already, about to be entered; `flags` as `flags_text` spells them."""

    facts: Facts
    size_octets: int  # head and body
    internal_date: int  # Unix seconds
    location: str
    flags: str = ""
    head: bytes = b""  # where the engine keeps it apart from the bytes
    internal_zone: int = 0  # minutes east of UTC


@dataclass(frozen=True, slots=True)
class Arrival:
    """A message as it came into a folder, by delivery, copy or move."""

    uid: int
    flags: str
    internal_date: int
    saved_at: int
    size_octets: int
    location: str


@dataclass(slots=True)
class LockedMailbox:
    """A mailbox's row, held by the step that changes it."""

    id: int
    name: str
    last_uidvalidity: int
    octets: int
    messages: int
    limit_octets: int | None


@dataclass(slots=True)
class LockedFolder:
    """A folder's row, held by the step that changes it; written back when the step ends."""

    id: int
    object_id: str
    mailbox_id: int
    mailbox: str
    name: str
    role: Role | None
    subscribed: bool
    selectable: bool
    uidvalidity: int
    uidnext: int
    highestmodseq: int
    known_since: int
    messages: int
    unseen: int
    deleted: int
    octets: int
    keywords: str
    recent_from: int

    def value(self) -> StoredFolder:
        return StoredFolder(
            self.id,
            self.object_id,
            self.mailbox,
            self.name,
            self.role,
            self.subscribed,
            self.selectable,
            self.uidvalidity,
            self.uidnext,
            self.highestmodseq,
            self.messages,
            self.unseen,
            self.deleted,
            self.octets,
            self.mailbox_id,
            tuple(self.keywords.split()),
            self.recent_from,
        )


@dataclass(frozen=True, slots=True)
class Arrived:
    folder: LockedFolder
    modseq: int
    messages: Sequence[Arrival]


@dataclass(frozen=True, slots=True)
class Flagged:
    folder: LockedFolder
    modseq: int
    flags: Mapping[str, Uids]  # the new flags → the messages that have them now


@dataclass(frozen=True, slots=True)
class Gone:
    """Expunged; `locations` pairwise.  `is_move`: the bytes live on, at the same location, in another folder."""

    folder: LockedFolder
    modseq: int
    uids: Uids
    locations: Sequence[str]
    is_move: bool = False


@dataclass(frozen=True, slots=True)
class FolderMade:
    folder: LockedFolder


@dataclass(frozen=True, slots=True)
class FolderRenamed:
    folder: LockedFolder
    old_name: str


@dataclass(frozen=True, slots=True)
class FolderMarked:
    """No longer selectable."""

    folder: LockedFolder


@dataclass(frozen=True, slots=True)
class FolderRemoved:
    """With every message in it; their locations are among the unused ones."""

    folder: LockedFolder


@dataclass(frozen=True, slots=True)
class MailboxMade:
    """`subscribed`: the names it begins with."""

    mailbox: LockedMailbox
    subscribed: Sequence[str]


@dataclass(frozen=True, slots=True)
class MailboxRemoved:
    mailbox: LockedMailbox


@dataclass(frozen=True, slots=True)
class QuotaSet:
    mailbox: LockedMailbox


@dataclass(frozen=True, slots=True)
class SubscriptionsChanged:
    mailbox: LockedMailbox
    names: Sequence[str]
    subscribed: bool


Event: TypeAlias = (
    Arrived
    | Flagged
    | Gone
    | FolderMade
    | FolderRenamed
    | FolderMarked
    | FolderRemoved
    | MailboxMade
    | MailboxRemoved
    | QuotaSet
    | SubscriptionsChanged
)


@dataclass(frozen=True, slots=True)
class Unused:
    """A location that lost a row pointing at it."""

    id: int
    location: str
    unused_since: int
