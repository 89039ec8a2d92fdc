"""What LIST, LSUB, STATUS and NAMESPACE answer (RFC 9051 §7.3, RFC 2342, 5258, 5819) as folders.  Pure."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass, replace

from app.errors import ProtocolError
from app.imap import names
from app.imap.names import Namespaces
from app.imap.tokens import Value, parse
from app.sources import FolderStatus, RemoteFolder, Role

MAX_FOLDERS = 20_000
UNSELECTABLE = frozenset({b"\\NOSELECT", b"\\NONEXISTENT"})
GMAIL_LABELS = {  # X-GM-LABELS of Gmail's own folders
    Role.INBOX: "\\Inbox",
    Role.SENT: "\\Sent",
    Role.DRAFTS: "\\Draft",
    Role.FLAGGED: "\\Starred",
    Role.IMPORTANT: "\\Important",
}
GMAIL_STORES = frozenset({Role.ALL, Role.JUNK, Role.TRASH})


@dataclass(frozen=True, slots=True)
class Listed:
    """A line of LIST: the server's name, decoded but with its namespace."""

    name: str
    delimiter: str | None
    attributes: frozenset[bytes]  # in capitals


def namespaces_in(untagged: Iterable[bytes], *, utf8: bool = False) -> Namespaces:
    """The first personal namespace, and the prefixes of other people's and shared ones."""
    for line in untagged:
        if line.upper().startswith(b"* NAMESPACE "):
            values = parse(line, 12)
            personal, *others = [_prefixes(value, utf8=utf8) for value in values[:3]] or [[]]
            return Namespaces(personal[0] if personal else "", tuple(p for more in others for p in more if p))
    return Namespaces()


def _prefixes(value: Value, *, utf8: bool) -> list[str]:
    listed = value if isinstance(value, tuple) else ()
    raw = [entry[0] for entry in listed if isinstance(entry, tuple) and entry]
    return [names.decode(prefix, utf8=utf8) or "" for prefix in raw if isinstance(prefix, bytes)]


def listed_in(untagged: Sequence[bytes], kind: bytes = b"LIST", *, utf8: bool = False) -> list[Listed]:
    """The folders of LIST or LSUB lines.  One whose name would not survive the way back is left out."""
    found: dict[str, Listed] = {}
    for line in untagged:
        if line[: len(kind) + 3].upper() == b"* " + kind + b" ":
            entry = _listed(parse(line, len(kind) + 3), utf8=utf8)
            if entry is not None:
                found.setdefault(entry.name, entry)
    if len(found) > MAX_FOLDERS:
        raise ProtocolError("the server lists too many folders")
    return list(found.values())


def _listed(values: Sequence[Value], *, utf8: bool) -> Listed | None:
    if len(values) < 3 or not isinstance(values[0], tuple):
        raise ProtocolError("unreadable list of folders")
    attributes, delimiter, raw = values[:3]
    name = names.decode(raw, utf8=utf8) if isinstance(raw, bytes) else None
    if not name or len(name) > names.MAX_NAME_CHARS or any(ord(char) < 32 for char in name):
        return None
    separator = delimiter.decode("latin-1")[:1] if isinstance(delimiter, bytes) else None
    words = frozenset(word.upper() for word in attributes or () if isinstance(word, bytes))
    return Listed("INBOX" if name.upper() == "INBOX" else name, separator or None, words)


def statuses_in(untagged: Iterable[bytes], *, utf8: bool = False) -> dict[str, FolderStatus]:
    """STATUS lines by the server's name of the folder; lines that lack something needed are passed over."""
    found: dict[str, FolderStatus] = {}
    for line in untagged:
        if line[:9].upper() == b"* STATUS ":
            raw, items, *_ = (*parse(line, 9), None, None)
            name = names.decode(raw, utf8=utf8) if isinstance(raw, bytes) else None
            status = _status(items)
            if name and status:
                found["INBOX" if name.upper() == "INBOX" else name] = status
    return found


def _status(items: Value) -> FolderStatus | None:
    if not isinstance(items, tuple):
        return None
    numbers = {
        name.upper(): int(value)
        for name, value in zip(items[::2], items[1::2], strict=False)
        if isinstance(name, bytes) and isinstance(value, bytes) and value.isdigit() and len(value) < 19
    }
    needed = [numbers.get(name) for name in (b"UIDVALIDITY", b"UIDNEXT", b"MESSAGES", b"UNSEEN")]
    uidvalidity, uidnext, messages, unseen = needed
    if uidvalidity is None or uidnext is None or messages is None:
        return None
    return FolderStatus(uidvalidity, uidnext, messages, unseen or 0, numbers.get(b"HIGHESTMODSEQ") or None)


def tree(
    listed: Sequence[Listed], statuses: dict[str, FolderStatus], subscribed: frozenset[str], namespaces: Namespaces
) -> list[RemoteFolder]:
    """The folders as people see them, with their roles; those outside every namespace cannot be opened."""
    shown = [(entry, namespaces.shown(entry.name)) for entry in listed]
    roles = names.roles((name or entry.name, entry.delimiter, entry.attributes) for entry, name in shown)
    return [
        RemoteFolder(
            name=name or entry.name,
            delimiter=entry.delimiter,
            role=roles.get(name or entry.name),
            selectable=name is not None and not entry.attributes & UNSELECTABLE,
            subscribed=entry.name in subscribed or b"\\SUBSCRIBED" in entry.attributes or entry.name == "INBOX",
            status=statuses.get(entry.name),
        )
        for entry, name in shown
    ]


def with_gmail_labels(folders: Sequence[RemoteFolder]) -> list[RemoteFolder]:
    """Gmail's folders, each with the label it shows; unchanged where All Mail is hidden from IMAP."""
    if not any(folder.role is Role.ALL and folder.selectable for folder in folders):
        return list(folders)
    return [replace(folder, label=_gmail_label(folder)) for folder in folders]


def _gmail_label(folder: RemoteFolder) -> str | None:
    if folder.role in GMAIL_STORES or not folder.selectable:
        return None
    return folder.name if folder.role is None else GMAIL_LABELS.get(folder.role, folder.name)
