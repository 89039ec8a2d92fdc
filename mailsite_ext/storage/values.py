"""What crosses the StorageEngine seam: plain, frozen values.

UIDs, UIDVALIDITY: RFC 9051 §2.3.1.1.  MODSEQ: RFC 7162.  Ids of objects: RFC 8474.
"""

from __future__ import annotations

from array import array
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime
from enum import StrEnum
from pathlib import Path
from typing import TypeAlias

from app.extension_api import Role

Uids: TypeAlias = "array[int]"
"""UIDs ascending, packed: array("Q")."""

DELIMITER = "/"
INBOX = "INBOX"
SEEN, ANSWERED, FLAGGED, DELETED, DRAFT = "\\Seen", "\\Answered", "\\Flagged", "\\Deleted", "\\Draft"

FIRST_FOLDERS: tuple[tuple[str, Role], ...] = (
    (INBOX, Role.INBOX),
    ("Drafts", Role.DRAFTS),
    ("Sent", Role.SENT),
    ("Archive", Role.ARCHIVE),
    ("Junk", Role.JUNK),
    ("Trash", Role.TRASH),
)
"""What a mailbox has from the first day."""


@dataclass(frozen=True, slots=True)
class StoredFolder:
    """A folder and its counters as they are after the last committed step; STATUS is answered from it alone.

    `id` is never given twice in an installation; `object_id` (MAILBOXID, RFC 8474 §4) survives renames and restores.
    """

    id: int
    object_id: str
    mailbox: str
    name: str  # the whole path, Unicode, parts joined by DELIMITER
    role: Role | None
    subscribed: bool
    selectable: bool  # False: a name kept only because folders stand below it (\\NonExistent, \\Noselect)
    uidvalidity: int
    uidnext: int
    highestmodseq: int
    messages: int
    unseen: int
    deleted: int  # with \\Deleted (STATUS DELETED, RFC 9051)
    octets: int  # STATUS SIZE, RFC 8438
    mailbox_id: int
    keywords: tuple[str, ...] = ()  # every keyword a message of the folder ever had (the FLAGS response), sorted
    recent_from: int = 1  # the first UID that no session was told of which may change flags (RFC 3501 §2.3.2)


@dataclass(frozen=True, slots=True)
class Content:
    """The bytes of a message on their way in: in memory, or in a spool file on the storage's file system.

    The engine may rename or link the spool file away; whoever made it removes what is left.  `head` is a header block
    of this recipient alone (Return-Path, Delivered-To, Received, the verdict), ending in CRLF, kept apart from the
    shared bytes; what is read back is head + body.
    """

    body: bytes | Path
    size_octets: int  # of the body, without the head
    head: bytes = b""


class Column(StrEnum):
    """What `rows` can tell of a message, each as it goes over the wire; see StorageEngine.rows for the types."""

    UID = "uid"
    MODSEQ = "modseq"
    FLAGS = "flags"  # str: flags and keywords separated by spaces, in a fixed order
    INTERNAL_DATE = "internal_date"  # int: Unix seconds, UTC
    LOCAL_DATE = "local_date"  # str: the same and the minutes east of UTC it was given in, "1763805600 60"
    SAVED_AT = "saved_at"  # int: SAVEDATE, RFC 8514
    SIZE = "size_octets"  # int: RFC822.SIZE, head and body
    ENVELOPE = "envelope"  # bytes: rendered, RFC 9051 §7.5.2
    BODYSTRUCTURE = "bodystructure"  # bytes: rendered with extension data
    PARTS = "parts"  # bytes: the packed part table of mailsite_ext.protocol.message_structure
    EMAIL_ID = "email_id"  # str: EMAILID, RFC 8474 §5.1
    THREAD_ID = "thread_id"  # str: THREADID, RFC 8474 §5.2
    PREVIEW = "preview"  # str: RFC 8970


def zone_minutes(moment: datetime) -> int:
    """East of UTC; 0 where none is given."""
    offset = moment.utcoffset()
    return 0 if offset is None else int(offset.total_seconds()) // 60


class Heading(StrEnum):
    """What `headings` can tell of a message, computed once; the strings are in the form they are compared in."""

    SENT_DAY = "sent_day"  # int or None: date.toordinal() of the Date field's day
    SENT = "sent_s"  # int: Unix seconds, INTERNALDATE without a Date (RFC 5256 §2.2)
    RECEIVED = "received_s"  # int: Unix seconds
    SIZE = "octets"  # int
    SUBJECT = "base_subject"  # str: RFC 5256 §2.1
    FROM = "first_from"  # str: the first address's local part
    TO = "first_to"
    CC = "first_cc"
    SHOWN_FROM = "shown_from"  # str: the first address as people see it (RFC 5957)
    SHOWN_TO = "shown_to"
    LINKS = "links"  # bytes: what THREAD asks besides, see mailsite_ext.protocol.imap_thread.Links


@dataclass(frozen=True, slots=True)
class TextHits:
    """`uids` hold a text, for certain.  Of those in `unsure`, and of all above `known_to`, only a look at the message
    tells; all others do not hold it.
    """

    uids: Uids
    known_to: int
    unsure: frozenset[int] = frozenset()


@dataclass(frozen=True, slots=True)
class Placement:
    """Where one recipient's copy of a delivery goes."""

    mailbox: str
    folder: str = INBOX  # made if it is not there
    head: bytes = b""  # this recipient's header block
    flags: frozenset[str] = frozenset()


@dataclass(frozen=True, slots=True)
class Delivery:
    """One message for one or more local mailboxes: stored for all of them in one durable step, or for none."""

    content: Content
    placements: Sequence[Placement]
    received_at: datetime


@dataclass(frozen=True, slots=True)
class Stored:
    """Where a message came to lie."""

    folder_id: int
    uidvalidity: int
    uid: int
    modseq: int


@dataclass(frozen=True, slots=True)
class Copied:
    """COPYUID (RFC 4315 §3): `source` and `target` UIDs pairwise, ascending."""

    uidvalidity: int
    source: Uids
    target: Uids
    modseq: int = 0  # of the source folder after a move


class FlagMode(StrEnum):
    """STORE +FLAGS, -FLAGS, FLAGS."""

    ADD = "add"
    REMOVE = "remove"
    REPLACE = "replace"


@dataclass(frozen=True, slots=True)
class FlagResult:
    """What STORE did: the new MODSEQ, the UIDs that changed, and those left alone by UNCHANGEDSINCE (MODIFIED)."""

    modseq: int
    changed: Uids
    modified: Uids
    flags: Mapping[int, str] = field(default_factory=dict)  # of every message asked about that is not `modified`

    @property
    def step(self) -> int:
        """The MODSEQ of what this changed; 0: nothing changed, and `modseq` may be somebody else's step."""
        return self.modseq if self.changed else 0


@dataclass(frozen=True, slots=True)
class Expunged:
    uids: Uids
    modseq: int


@dataclass(frozen=True, slots=True)
class FolderChanges:
    """All that happened in a folder since a MODSEQ, for IDLE, NOOP, QRESYNC and the mirror.

    `complete` False: tombstones that old are gone; `vanished` then names every UID below uidnext that is not there
    (RFC 7162 §3.2.5.2), as far as it was asked about.
    """

    folder: StoredFolder
    changed: Sequence[tuple[int, int, str]]  # uid, modseq, flags; ascending; new messages among them
    vanished: Uids
    complete: bool = True


@dataclass(frozen=True, slots=True)
class Quota:
    """Octets of a mailbox, and how many it may have; `limit_octets` None: as many as the disk takes (RFC 9208)."""

    used_octets: int
    messages: int
    limit_octets: int | None = None


@dataclass(frozen=True, slots=True)
class Refiled:
    """A message somebody put into Junk, or took out of it; where it lay then.  `email_id` empty: it is gone."""

    id: int  # of the note, ascending as things happened
    folder_id: int
    uid: int
    is_junk: bool
    email_id: str


@dataclass(frozen=True, slots=True)
class Finding:
    """Something `verify` saw: what, where, and whether `fix` mended it."""

    kind: str
    where: str
    mended: bool = False
