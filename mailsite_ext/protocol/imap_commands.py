"""Every IMAP command as a value: RFC 9051 §6, RFC 3501 §6 and the extensions named at each.  Pure.

Names of folders are text in their one spelling; flags, status items and capabilities are text, system flags in the
RFC's capitals, the rest as `imap_grammar` says.  `is_uid`: the command came with UID before it.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import datetime
from enum import Enum
from typing import TypeAlias

from mailsite_ext.protocol.search_keys import Key
from mailsite_ext.protocol.sequence_sets import SequenceSet


@dataclass(frozen=True, slots=True)
class Command:
    tag: bytes


@dataclass(frozen=True, slots=True)
class Capability(Command): ...


@dataclass(frozen=True, slots=True)
class Noop(Command): ...


@dataclass(frozen=True, slots=True)
class Logout(Command): ...


@dataclass(frozen=True, slots=True)
class StartTls(Command): ...


@dataclass(frozen=True, slots=True)
class Authenticate(Command):
    mechanism: str  # capitals
    initial_response: bytes | None  # decoded; None: ask with `+` (RFC 4959)


@dataclass(frozen=True, slots=True)
class Login(Command):
    user: bytes
    password: bytes


@dataclass(frozen=True, slots=True)
class Enable(Command):
    capabilities: tuple[str, ...]  # capitals, RFC 5161


@dataclass(frozen=True, slots=True)
class Id(Command):
    params: Mapping[str, str]  # names in lower case; RFC 2971


@dataclass(frozen=True, slots=True)
class Compress(Command):
    mechanism: str  # "DEFLATE", RFC 4978


@dataclass(frozen=True, slots=True)
class Idle(Command): ...


@dataclass(frozen=True, slots=True)
class Namespace(Command): ...


@dataclass(frozen=True, slots=True)
class QResync:
    """RFC 7162 §3.2.5; `numbers` and `uids` are the same messages, as the client knew them."""

    uid_validity: int
    modseq: int
    known_uids: SequenceSet | None = None
    numbers: SequenceSet | None = None
    uids: SequenceSet | None = None


@dataclass(frozen=True, slots=True)
class Select(Command):
    folder: str
    is_read_only: bool = False  # EXAMINE
    condstore: bool = False
    qresync: QResync | None = None


@dataclass(frozen=True, slots=True)
class Create(Command):
    folder: str  # without the delimiter some clients put at its end
    special_uses: tuple[str, ...] = ()  # "\\Sent", RFC 6154 §3


@dataclass(frozen=True, slots=True)
class Delete(Command):
    folder: str


@dataclass(frozen=True, slots=True)
class Rename(Command):
    folder: str
    new_name: str


@dataclass(frozen=True, slots=True)
class Subscribe(Command):
    folder: str


@dataclass(frozen=True, slots=True)
class Unsubscribe(Command):
    folder: str


@dataclass(frozen=True, slots=True)
class List(Command):
    """RFC 5258, RFC 5819, RFC 6154.  `reference` and `patterns` are text, wildcards in them."""

    reference: str
    patterns: tuple[str, ...]
    is_extended: bool = False
    select: frozenset[str] = frozenset()  # SUBSCRIBED REMOTE RECURSIVEMATCH SPECIAL-USE
    returns: frozenset[str] = frozenset()  # SUBSCRIBED CHILDREN SPECIAL-USE
    status: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True)
class Lsub(Command):
    reference: str
    patterns: tuple[str, ...]


@dataclass(frozen=True, slots=True)
class Status(Command):
    folder: str
    items: tuple[str, ...]  # MESSAGES UIDNEXT … as asked, each once


@dataclass(frozen=True, slots=True)
class NewMessage:
    """One message of APPEND or REPLACE; its octets went to the reader’s caller in chunks."""

    flags: tuple[str, ...] = ()
    received_at: datetime | None = None


@dataclass(frozen=True, slots=True)
class Append(Command):
    folder: str
    messages: tuple[NewMessage, ...]


@dataclass(frozen=True, slots=True)
class Replace(Command):
    """RFC 8508; `number` is a sequence number or a UID, STAR for `*`."""

    number: int
    is_uid: bool
    folder: str
    messages: tuple[NewMessage, ...]  # one


@dataclass(frozen=True, slots=True)
class Check(Command): ...


@dataclass(frozen=True, slots=True)
class Close(Command): ...


@dataclass(frozen=True, slots=True)
class Unselect(Command): ...


@dataclass(frozen=True, slots=True)
class Expunge(Command):
    uids: SequenceSet | None = None  # UID EXPUNGE, RFC 4315


@dataclass(frozen=True, slots=True)
class SearchReturn:
    """RETURN (…) of RFC 4731, RFC 5182 (SAVE), RFC 5267 (UPDATE) and RFC 9394 (PARTIAL; negative: from the end)."""

    min: bool = False
    max: bool = False
    all: bool = False
    count: bool = False
    save: bool = False
    update: bool = False
    partial: tuple[int, int] | None = None


@dataclass(frozen=True, slots=True)
class Search(Command):
    key: Key
    returns: SearchReturn | None  # None: none was asked for
    is_uid: bool


@dataclass(frozen=True, slots=True)
class CancelUpdate(Command):
    """RFC 5267 §4.3.5."""

    tags: tuple[bytes, ...]  # of the searches that asked for updates


@dataclass(frozen=True, slots=True)
class UidBatches(Command):
    """RFC 10022 §3.1."""

    size: int  # messages of a batch
    first: int = 1  # batch, the one of the newest messages being 1
    last: int | None = None  # None: all there are


class SortKey(Enum):
    """RFC 5256 §3, RFC 5957."""

    ARRIVAL = "ARRIVAL"
    CC = "CC"
    DATE = "DATE"
    FROM = "FROM"
    SIZE = "SIZE"
    SUBJECT = "SUBJECT"
    TO = "TO"
    DISPLAY_FROM = "DISPLAYFROM"
    DISPLAY_TO = "DISPLAYTO"


@dataclass(frozen=True, slots=True)
class Criterion:
    key: SortKey
    is_reverse: bool = False


@dataclass(frozen=True, slots=True)
class Sort(Command):
    criteria: tuple[Criterion, ...]
    key: Key
    returns: SearchReturn | None
    is_uid: bool


@dataclass(frozen=True, slots=True)
class Thread(Command):
    algorithm: str  # "REFERENCES" or "ORDEREDSUBJECT"; others are refused
    key: Key
    is_uid: bool


class Attribute(Enum):
    """FETCH items without arguments; the value is the word on the wire."""

    UID = "UID"
    FLAGS = "FLAGS"
    INTERNALDATE = "INTERNALDATE"
    RFC822_SIZE = "RFC822.SIZE"
    ENVELOPE = "ENVELOPE"
    BODY = "BODY"
    BODYSTRUCTURE = "BODYSTRUCTURE"
    MODSEQ = "MODSEQ"
    EMAILID = "EMAILID"
    THREADID = "THREADID"
    SAVEDATE = "SAVEDATE"


@dataclass(frozen=True, slots=True)
class Preview:
    """RFC 8970; lazy: only if it is at hand."""

    is_lazy: bool = False


class Of(Enum):
    """What of a part is wanted; `""` the part, or the message, itself."""

    WHOLE = ""
    HEADER = "HEADER"
    FIELDS = "HEADER.FIELDS"
    FIELDS_NOT = "HEADER.FIELDS.NOT"
    TEXT = "TEXT"
    MIME = "MIME"


@dataclass(frozen=True, slots=True)
class Section:
    part: tuple[int, ...] = ()
    of: Of = Of.WHOLE
    fields: tuple[bytes, ...] = ()  # as asked


class Reading(Enum):
    """How a section is wanted: as it is (BODY[…], RFC822…), decoded (BINARY[…]), or only how long decoded."""

    RAW = "BODY"
    DECODED = "BINARY"
    SIZE = "BINARY.SIZE"


@dataclass(frozen=True, slots=True)
class SectionItem:
    """BODY[…]<o.n>, BINARY[…]<o.n>, BINARY.SIZE[…], RFC822, RFC822.HEADER, RFC822.TEXT.

    `label` is what the response calls it: `BODY[TEXT]<0>`.  `partial` is first octet and length.
    """

    section: Section
    label: bytes
    reading: Reading = Reading.RAW
    is_peek: bool = False
    partial: tuple[int, int] | None = None


FetchItem: TypeAlias = Attribute | Preview | SectionItem


@dataclass(frozen=True, slots=True)
class Fetch(Command):
    numbers: SequenceSet
    items: tuple[FetchItem, ...]  # UID is not added for UID FETCH: the session does
    is_uid: bool
    changed_since: int | None = None
    vanished: bool = False
    partial: tuple[int, int] | None = None  # RFC 9394


class Change(Enum):
    """What STORE does with the flags."""

    REPLACE = "FLAGS"
    ADD = "+FLAGS"
    REMOVE = "-FLAGS"


@dataclass(frozen=True, slots=True)
class Store(Command):
    numbers: SequenceSet
    change: Change
    flags: tuple[str, ...]
    is_silent: bool
    is_uid: bool
    unchanged_since: int | None = None


@dataclass(frozen=True, slots=True)
class Copy(Command):
    numbers: SequenceSet
    folder: str
    is_uid: bool


@dataclass(frozen=True, slots=True)
class Move(Command):
    numbers: SequenceSet
    folder: str
    is_uid: bool


@dataclass(frozen=True, slots=True)
class GetQuota(Command):
    root: str


@dataclass(frozen=True, slots=True)
class GetQuotaRoot(Command):
    folder: str


@dataclass(frozen=True, slots=True)
class SetQuota(Command):
    root: str
    limits: Mapping[str, int]  # "STORAGE" in units of 1,024 octets; RFC 9208 §5.1


@dataclass(frozen=True, slots=True)
class EventGroup:
    """RFC 5465 §5.  `events` is empty for NONE; `fetch` belongs to MessageNew."""

    filter: str  # SELECTED SELECTED-DELAYED INBOXES PERSONAL SUBSCRIBED SUBTREE MAILBOXES
    folders: tuple[str, ...] = ()
    events: frozenset[str] = frozenset()  # capitals
    fetch: tuple[FetchItem, ...] = ()


@dataclass(frozen=True, slots=True)
class Notify(Command):
    groups: tuple[EventGroup, ...] = field(default=())  # none: NOTIFY NONE
    wants_status: bool = False
