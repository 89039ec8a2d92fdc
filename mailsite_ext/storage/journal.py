"""A folder's journal: lines of text, each with its checksum, only ever added to.  Pure.

    7d3c9a01 folder 12 Fq8… 1763805600 inbox - selectable 18 41
    0b51e2f4 message 17 40 2026-11-22T10:00:00Z 2026-11-22T10:00:01Z 3121 2026-11-0000/000017.eml M5f… T5f… \\Seen work
    c2a4417b flags 41 3:5,17 \\Flagged \\Seen
    55d0e6aa gone 42 9

A mailbox's own, above those of its folders:

    1f6a0c3d mailbox - 1763805600
    9c2e77b0 subscribed INBOX Drafts Old%20letters
    03b8d15e unsubscribed Drafts

The checksum is CRC-32 of the rest of the line.  What a later line says goes before what an earlier one said.  A last
line that was cut off was never confirmed to anybody; a damaged one elsewhere costs what it said and no more.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass, field, replace
from datetime import UTC, datetime, timedelta, timezone
from typing import TypeAlias
from urllib.parse import quote, unquote
from zlib import crc32

from app.extension_api import Role
from mailsite_ext.protocol.sequence_sets import compact
from mailsite_ext.storage.values import zone_minutes

JUMP = 2**20
"""What UIDNEXT and MODSEQ skip when nobody can know which were given meanwhile: after a rebuild or a restore."""
MOST_NAMED = 10_000_000  # UIDs one line can name


@dataclass(frozen=True, slots=True)
class MailboxLine:
    """`last_uidvalidity`: the largest that a folder of the mailbox ever had."""

    limit_octets: int | None
    last_uidvalidity: int


@dataclass(frozen=True, slots=True)
class SubscriptionLine:
    """Names of a mailbox that are subscribed to from here on, or no longer."""

    subscribed: bool
    names: tuple[str, ...]


@dataclass(frozen=True, slots=True)
class FolderLine:
    """The folder as it is from here on; its name is that of its directory."""

    id: int
    object_id: str
    uidvalidity: int
    role: Role | None
    selectable: bool
    uidnext: int
    highestmodseq: int


@dataclass(frozen=True, slots=True)
class MessageLine:
    uid: int
    modseq: int
    internal_date: int  # Unix seconds
    saved_at: int
    size_octets: int
    file: str
    email_id: str
    thread_id: str
    flags: str
    internal_zone: int = 0  # minutes east of UTC


@dataclass(frozen=True, slots=True)
class FlagsLine:
    """All flags that `uids` have now."""

    modseq: int
    uids: tuple[int, ...]
    flags: str


@dataclass(frozen=True, slots=True)
class GoneLine:
    modseq: int
    uids: tuple[int, ...]


Line: TypeAlias = MailboxLine | SubscriptionLine | FolderLine | MessageLine | FlagsLine | GoneLine


@dataclass(slots=True)
class FolderHistory:
    """What a journal comes to, a folder's or a mailbox's.  `damaged` counts lines that could not be read.

    `subscriptions` None: nothing was said of them, as before they had lines of their own.
    """

    mailbox: MailboxLine | None = None
    subscriptions: set[str] | None = None
    folder: FolderLine | None = None
    messages: dict[int, MessageLine] = field(default_factory=dict)
    gone: dict[int, int] = field(default_factory=dict)  # uid → modseq
    uidnext: int = 1
    highestmodseq: int = 1
    damaged: int = 0

    def add(self, line: Line) -> None:
        match line:
            case MailboxLine():
                self.mailbox = line
            case SubscriptionLine():
                self._subscribe(line)
            case FolderLine():
                self._become(line)
            case MessageLine():
                self.messages[line.uid] = line
                self._saw(line.uid, line.modseq)
            case FlagsLine():
                self._flag(line)
            case GoneLine():
                self._forget(line)

    def lines(self) -> Iterator[Line]:
        """The shortest journal that comes to the same."""
        if self.mailbox is not None:
            yield self.mailbox
        if self.subscriptions is not None:
            yield SubscriptionLine(subscribed=True, names=tuple(sorted(self.subscriptions)))
        if self.folder is not None:
            yield replace(self.folder, uidnext=self.uidnext, highestmodseq=self.highestmodseq)
        yield from tombstones(self.gone.items())
        yield from (self.messages[uid] for uid in sorted(self.messages))

    def _subscribe(self, line: SubscriptionLine) -> None:
        before = self.subscriptions or set()
        self.subscriptions = before | set(line.names) if line.subscribed else before - set(line.names)

    def _become(self, line: FolderLine) -> None:
        """What becomes a mere name has no messages any more."""
        self.folder = line
        self._saw(line.uidnext - 1, line.highestmodseq)
        if not line.selectable:
            self.messages.clear()
            self.gone.clear()

    def _flag(self, line: FlagsLine) -> None:
        self._saw(0, line.modseq)
        for uid in line.uids:
            if (message := self.messages.get(uid)) is not None:
                self.messages[uid] = replace(message, modseq=line.modseq, flags=line.flags)

    def _forget(self, line: GoneLine) -> None:
        self._saw(max(line.uids, default=0), line.modseq)
        for uid in line.uids:
            self.messages.pop(uid, None)
            self.gone[uid] = line.modseq

    def _saw(self, uid: int, modseq: int) -> None:
        self.uidnext = max(self.uidnext, uid + 1)
        self.highestmodseq = max(self.highestmodseq, modseq)


def history_of(journal: bytes) -> FolderHistory:
    """Read a whole journal; what cannot be read is counted and left out."""
    history = FolderHistory()
    for text in journal.split(b"\n")[:-1]:
        try:
            history.add(parse_line(text))
        except ValueError:
            history.damaged += 1
    return history


def whole_lines(journal: bytes) -> int:
    """Octets up to the end of the last line that is whole and as it was written."""
    end = journal.rfind(b"\n") + 1
    while end and not _reads(journal[journal.rfind(b"\n", 0, end - 1) + 1 : end - 1]):
        end = journal.rfind(b"\n", 0, end - 1) + 1
    return end


def tombstones(gone: Iterable[tuple[int, int]]) -> Iterator[GoneLine]:
    """(UID, MODSEQ) pairs as lines, one a MODSEQ."""
    by_modseq: dict[int, list[int]] = {}
    for uid, modseq in gone:
        by_modseq.setdefault(modseq, []).append(uid)
    for modseq in sorted(by_modseq):
        yield GoneLine(modseq, tuple(sorted(by_modseq[modseq])))


def render_lines(lines: Iterable[Line]) -> bytes:
    return b"".join(render_line(line) for line in lines)


def render_line(line: Line) -> bytes:
    said = _SAY[type(line)](line).encode()
    return b"%08x %b\n" % (crc32(said), said)


def parse_line(text: bytes) -> Line:
    """The line without its end.  Raises ValueError if it is not as it was written."""
    checksum, _, said = text.partition(b" ")
    if checksum != b"%08x" % crc32(said):
        raise ValueError("checksum")
    kind, *words = said.decode().split(" ")
    if kind not in _READ:
        raise ValueError(kind)
    return _READ[kind](words)


def _reads(text: bytes) -> bool:
    try:
        parse_line(text)
    except ValueError:
        return False
    return True


def _say_mailbox(line: MailboxLine) -> str:
    return f"mailbox {'-' if line.limit_octets is None else line.limit_octets} {line.last_uidvalidity}"


def _read_mailbox(words: list[str]) -> MailboxLine:
    limit, last_uidvalidity = words
    return MailboxLine(None if limit == "-" else int(limit), int(last_uidvalidity))


def _say_subscription(line: SubscriptionLine) -> str:
    return " ".join(["subscribed" if line.subscribed else "unsubscribed", *map(quote, line.names)])


def _read_subscribed(words: list[str]) -> SubscriptionLine:
    return SubscriptionLine(subscribed=True, names=tuple(map(unquote, words)))


def _read_unsubscribed(words: list[str]) -> SubscriptionLine:
    return SubscriptionLine(subscribed=False, names=tuple(map(unquote, words)))


def _say_folder(line: FolderLine) -> str:
    selectable = "selectable" if line.selectable else "-"
    return (
        f"folder {line.id} {line.object_id} {line.uidvalidity} {line.role or '-'} - {selectable}"
        f" {line.uidnext} {line.highestmodseq}"
    )


def _read_folder(words: list[str]) -> FolderLine:
    """The fifth word was "subscribed" before the mailbox's journal said that."""
    folder_id, object_id, uidvalidity, role, _subscribed, selectable, uidnext, highestmodseq = words
    return FolderLine(
        id=int(folder_id),
        object_id=object_id,
        uidvalidity=int(uidvalidity),
        role=None if role == "-" else Role(role),
        selectable=selectable != "-",
        uidnext=int(uidnext),
        highestmodseq=int(highestmodseq),
    )


def _say_message(line: MessageLine) -> str:
    received = _say_local(line.internal_date, line.internal_zone)
    return (
        f"message {line.uid} {line.modseq} {received} {_say_time(line.saved_at)}"
        f" {line.size_octets} {line.file} {line.email_id or '-'} {line.thread_id or '-'} {line.flags}"
    )


def _read_message(words: list[str]) -> MessageLine:
    uid, modseq, internal_date, saved_at, size_octets, file, email_id, thread_id, *flags = words
    return MessageLine(
        int(uid),
        int(modseq),
        _read_time(internal_date),
        _read_time(saved_at),
        int(size_octets),
        file,
        email_id,
        thread_id,
        " ".join(flags),
        zone_minutes(datetime.fromisoformat(internal_date)),
    )


def _say_local(seconds: int, zone: int) -> str:
    """As `_say_time` where the zone is UTC."""
    if not zone:
        return _say_time(seconds)
    return datetime.fromtimestamp(seconds, timezone(timedelta(minutes=zone))).isoformat()


def _say_time(seconds: int) -> str:
    return datetime.fromtimestamp(seconds, UTC).strftime("%Y-%m-%dT%H:%M:%SZ")


def _read_time(text: str) -> int:
    return int(datetime.fromisoformat(text).timestamp())


def _say_flags(line: FlagsLine) -> str:
    return f"flags {line.modseq} {compact(line.uids).decode()} {line.flags}"


def _read_flags(words: list[str]) -> FlagsLine:
    modseq, uids, *flags = words
    return FlagsLine(int(modseq), read_uids(uids), " ".join(flags))


def _say_gone(line: GoneLine) -> str:
    return f"gone {line.modseq} {compact(line.uids).decode()}"


def _read_gone(words: list[str]) -> GoneLine:
    modseq, uids = words
    return GoneLine(int(modseq), read_uids(uids))


def read_uids(text: str) -> tuple[int, ...]:
    """UIDs written as an IMAP set.  Raises ValueError."""
    spans = [(int(low), int(high or low)) for low, _, high in (member.partition(":") for member in text.split(","))]
    if sum(high - low + 1 for low, high in spans) > MOST_NAMED:
        raise ValueError("more UIDs than a folder has")
    return tuple(uid for low, high in spans for uid in range(low, high + 1))


_SAY: dict[type, Callable[..., str]] = {
    MailboxLine: _say_mailbox,
    SubscriptionLine: _say_subscription,
    FolderLine: _say_folder,
    MessageLine: _say_message,
    FlagsLine: _say_flags,
    GoneLine: _say_gone,
}
_READ: dict[str, Callable[[list[str]], Line]] = {
    "mailbox": _read_mailbox,
    "subscribed": _read_subscribed,
    "unsubscribed": _read_unsubscribed,
    "folder": _read_folder,
    "message": _read_message,
    "flags": _read_flags,
    "gone": _read_gone,
}
