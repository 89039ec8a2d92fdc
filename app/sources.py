"""Where mail comes from: the MailSource seam, and the values that cross it.

Everything here is plain data.  IMAP (`app/imap`) and MailSite's storage are adapters; the engine is the only caller.
UIDs, UIDVALIDITY and MODSEQ are those of RFC 9051 §2.3.1.1 and RFC 7162.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import date, datetime
from enum import StrEnum
from typing import NamedTuple, Protocol


class Role(StrEnum):
    """Special uses of a folder (RFC 6154), and INBOX."""

    INBOX = "inbox"
    DRAFTS = "drafts"
    SENT = "sent"
    ARCHIVE = "archive"
    JUNK = "junk"
    TRASH = "trash"
    ALL = "all"
    FLAGGED = "flagged"
    IMPORTANT = "important"


@dataclass(frozen=True, slots=True)
class FolderStatus:
    """STATUS of a folder; `highestmodseq` is None where the server keeps none."""

    uidvalidity: int
    uidnext: int
    messages: int
    unseen: int
    highestmodseq: int | None = None


@dataclass(frozen=True, slots=True)
class RemoteFolder:
    """A folder as the source lists it; `name` is its whole path, decoded to Unicode.

    `label` is set on Gmail (X-GM-EXT-1) for every folder that only shows a label of messages stored in the folder with
    Role.ALL: such a folder is not synced.  Its messages are the rows of All Mail whose labels contain `label`
    ("\\Inbox", "\\Sent", "Travel/2026"); actions on them name All Mail and its UIDs.  Stored, and synced, are All Mail,
    Junk and Trash, whose `label` is None; between them each message is exactly once.
    """

    name: str
    delimiter: str | None
    role: Role | None = None
    selectable: bool = True
    subscribed: bool = True
    status: FolderStatus | None = None
    label: str | None = None


@dataclass(frozen=True, slots=True)
class FolderState:
    """How far the mirror of a folder is; handed back to the source to learn what changed since."""

    uidvalidity: int
    uidnext: int
    highestmodseq: int | None = None


@dataclass(frozen=True, slots=True)
class GmailIds:
    """X-GM-MSGID, X-GM-THRID and X-GM-LABELS of a message."""

    msgid: int
    thrid: int
    labels: tuple[str, ...] = ()


class RemoteMessage(NamedTuple):
    """A message without its body; a tuple, as a first sync makes tens of thousands.

    `header` holds the raw header fields the mirror needs (HEADER_FIELDS); `bodystructure` the server's BODYSTRUCTURE
    as it came, unparsed.
    """

    uid: int
    flags: frozenset[str]
    received_at: datetime
    size_octets: int
    header: bytes
    bodystructure: bytes
    modseq: int | None = None
    gmail: GmailIds | None = None


HEADER_FIELDS = (
    "Date", "From", "Sender", "Reply-To", "To", "Cc", "Subject", "Message-ID", "In-Reply-To", "References",
    "List-Id", "List-Unsubscribe", "List-Unsubscribe-Post", "Auto-Submitted", "Content-Type",
)  # fmt: skip


@dataclass(frozen=True, slots=True)
class FlagState:
    """The flags of a message already known, as they are now."""

    flags: frozenset[str]
    modseq: int | None = None
    labels: tuple[str, ...] | None = None


@dataclass(frozen=True, slots=True)
class Delta:
    """All that happened in a folder since a FolderState; complete and idempotent: applying it twice changes nothing.

    `reset`: UIDVALIDITY is another one: what was known is void, and this delta counts from nothing.
    `new` holds at most the newest NEW_AT_ONCE unknown messages, newest first; `unfetched` the UIDs of the others.
    """

    state: FolderState
    messages: int
    unseen: int | None
    reset: bool = False
    flags: Mapping[int, FlagState] = field(default_factory=dict)
    vanished: frozenset[int] = frozenset()
    new: Sequence[RemoteMessage] = ()
    unfetched: Sequence[int] = ()


NEW_AT_ONCE = 200


@dataclass(frozen=True, slots=True)
class StoreFlags:
    """Add and remove flags or keywords.

    As in all actions: where `uidvalidity` is given and the folder has another by now, the UIDs mean other messages;
    nothing is done then, and ActionRefused raised.
    """

    folder: str
    uids: tuple[int, ...]
    add: frozenset[str] = frozenset()
    remove: frozenset[str] = frozenset()
    uidvalidity: int | None = field(default=None, compare=False)


@dataclass(frozen=True, slots=True)
class Move:
    """Move to another folder (RFC 6851; where a server lacks it: copy, mark, expunge those UIDs)."""

    folder: str
    uids: tuple[int, ...]
    target: str
    uidvalidity: int | None = field(default=None, compare=False)


@dataclass(frozen=True, slots=True)
class Copy:
    folder: str
    uids: tuple[int, ...]
    target: str
    uidvalidity: int | None = field(default=None, compare=False)


@dataclass(frozen=True, slots=True)
class Expunge:
    """Remove for good, these UIDs only (RFC 4315 UID EXPUNGE)."""

    folder: str
    uids: tuple[int, ...]
    uidvalidity: int | None = field(default=None, compare=False)


@dataclass(frozen=True, slots=True)
class StoreLabels:
    """Add and remove Gmail labels (X-GM-LABELS).  Archiving is removing "\\Inbox" in All Mail."""

    folder: str
    uids: tuple[int, ...]
    add: frozenset[str] = frozenset()
    remove: frozenset[str] = frozenset()
    uidvalidity: int | None = field(default=None, compare=False)


SourceAction = StoreFlags | Move | Copy | Expunge | StoreLabels


@dataclass(frozen=True, slots=True)
class Applied:
    """What an action did; `copied` maps old UIDs to those in the target where the server told (COPYUID, RFC 4315)."""

    copied: Mapping[int, int] = field(default_factory=dict)
    target_uidvalidity: int | None = None


class SearchField(StrEnum):
    """What a term of a search looks at, and the kind of its value."""

    ANY = "any"  # text: header and body
    FROM = "from"  # text
    TO = "to"  # text: To and Cc
    SUBJECT = "subject"  # text
    BODY = "body"  # text
    SINCE = "since"  # date: received on this day or later
    BEFORE = "before"  # date: received before this day
    LARGER = "larger"  # octets
    SMALLER = "smaller"  # octets
    UNREAD = "unread"
    STARRED = "starred"
    ANSWERED = "answered"
    ATTACHMENT = "attachment"


@dataclass(frozen=True, slots=True)
class SearchTerm:
    """One condition; texts are one line without control characters, and match any part of a word in any case."""

    field: SearchField
    value: str | date | int = ""
    negated: bool = False


class MailSource(Protocol):
    """One account's mail, seen through one session; not thread-safe: each lease has its own.

    Deltas are complete and idempotent; a UIDVALIDITY change means start over.  Every method may raise
    ConnectionLost, TimedOut or ProtocolError (the session is then dead: close it and open another), NoSuchFolder, and
    ActionRefused with the server's own words.

    Where `uidvalidity` is given and the folder has another by now, the UIDs mean other messages: `headers`, `fetch`,
    `stream` and `previews` then raise NoSuchMessage before they hand anything on.
    """

    @property
    def caches_bodies(self) -> bool:
        """False: bodies are as near as the mirror, so none is fetched before it is asked for; first words are."""
        ...

    @property
    def is_gmail(self) -> bool:
        """True: one row per X-GM-MSGID, labels instead of copies (X-GM-EXT-1)."""
        ...

    @property
    def can_idle(self) -> bool: ...

    def folders(self) -> Sequence[RemoteFolder]:
        """The whole tree with roles, subscriptions and STATUS, in as few turns as the server allows."""
        ...

    def changes(self, folder: str, since: FolderState | None, known: Sequence[int]) -> Delta:
        """What changed in `folder` since `since` (None: everything); `known` are the mirrored UIDs, ascending."""
        ...

    def headers(
        self, folder: str, uids: Sequence[int], uidvalidity: int | None = None
    ) -> Iterator[Sequence[RemoteMessage]]:
        """The messages `uids` in chunks, the next asked for before this one is read; vanished ones are left out."""
        ...

    def fetch(
        self, folder: str, uid: int, sections: Sequence[str], uidvalidity: int | None = None
    ) -> Mapping[str, bytes]:
        """Sections of a message as they stand (still transfer-encoded), in one turn; never sets \\Seen.

        A section is an IMAP section specification: "1.2", "HEADER", "" for the whole message.  A message that is
        gone raises NoSuchMessage.
        """
        ...

    def stream(
        self, folder: str, uid: int, section: str, chunk_octets: int, uidvalidity: int | None = None
    ) -> Iterator[bytes]:
        """One section in pieces of `chunk_octets`, so that nothing ever holds a large attachment whole."""
        ...

    def previews(
        self, folder: str, wanted: Mapping[int, str], octets: int, uidvalidity: int | None = None
    ) -> Mapping[int, bytes]:
        """The first `octets` of one text section per UID, in as few turns as possible."""
        ...

    def apply(self, action: SourceAction) -> Applied: ...

    def append(
        self, folder: str, message: bytes, flags: Iterable[str], received_at: datetime | None = None
    ) -> int | None:
        """Store a message; its UID where the server tells it (APPENDUID)."""
        ...

    def find_by_message_id(self, folder: str, message_id: str) -> Sequence[int]:
        """UIDs of the messages with exactly this Message-ID."""
        ...

    def search(self, folder: str, terms: Sequence[SearchTerm]) -> Sequence[int]:
        """UIDs, ascending, of the messages all `terms` hold for, as far as the source can tell.

        A source that knows nothing of attachments leaves that term to whoever asks.
        """
        ...

    def labelled(self, folder: str, label: str) -> Sequence[int]:
        """UIDs, ascending, of the messages with this label (Gmail; X-GM-LABELS)."""
        ...

    def create_folder(self, name: str) -> None: ...

    def rename_folder(self, name: str, new_name: str) -> None: ...

    def delete_folder(self, name: str) -> None: ...

    def subscribe(self, name: str, *, subscribed: bool) -> None: ...

    def start_watching(self, folder: str) -> int:
        """Begin IDLE on `folder` and return the file descriptor to select on; nothing else until `stop_watching`.

        Call `has_news` once before the first select: the first news may have come with the server's consent.  What
        happened before is not told: ask `changes`, on another session, after watching has begun.
        """
        ...

    def has_news(self) -> bool:
        """Read what arrived while watching; True if the folder changed.  Never blocks."""
        ...

    def has_other_news(self) -> bool:
        """Whether other folders or the tree may have changed since the last time, where a session hears of them.

        Asked while watching, after `has_news`.  False is no promise: look at `folders` now and then.
        """
        ...

    def stop_watching(self) -> None: ...

    def noop(self) -> None:
        """Keep the session alive; raises ConnectionLost if it is not."""
        ...

    def close(self) -> None:
        """Drop the session; never raises, never waits for the server."""
        ...
