"""What is imported, where to, and how much at once: pure decisions."""

from __future__ import annotations

import re
from collections.abc import Collection, Sequence
from dataclasses import dataclass

from app.extension_api import RemoteFolder, RemoteMessage, Role
from mailsite_ext.storage.values import ANSWERED, DELETED, DELIMITER, DRAFT, FIRST_FOLDERS, FLAGGED, INBOX, SEEN

APART = "Imported"
LONGEST_PART_OCTETS = 200
LONGEST_NAME_OCTETS = 700
DEEPEST = 16
BATCH_MESSAGES = 100
BATCH_OCTETS = 4 * 1024 * 1024
MOST_KEYWORDS = 50
KEYWORD = re.compile(r"[^\x00-\x20\x7f-\U0010ffff(){%*\"\\\]]{1,100}")  # an atom, RFC 9051 §9
SYSTEM_FLAGS = {flag.lower(): flag for flag in (ANSWERED, DELETED, DRAFT, FLAGGED, SEEN)}
NEVER = frozenset({Role.FLAGGED, Role.IMPORTANT})  # they only show messages of other folders
SELDOM = frozenset({Role.JUNK, Role.TRASH})
OURS = {role: name for name, role in FIRST_FOLDERS} | {Role.ALL: "Archive"}
GMAIL_PLACES = (("\\Draft", "Drafts"), ("\\Drafts", "Drafts"), ("\\Inbox", INBOX), ("\\Sent", "Sent"))


@dataclass(frozen=True, slots=True)
class Offered:
    """A folder a person may choose."""

    name: str
    role: Role | None
    delimiter: str | None
    messages: int
    is_chosen: bool  # unless the person says otherwise


def offered(folders: Sequence[tuple[RemoteFolder, int]], *, is_gmail: bool) -> list[Offered]:
    """The folders, with how many messages each has, that can be imported, INBOX first.

    Gmail keeps every message once, in All Mail, Spam or Trash; folders that only show a label hold none.  Elsewhere a
    folder of all mail shows the others' messages once more, and is not chosen.
    """
    kept = [pair for pair in folders if pair[0].selectable and pair[0].label is None and pair[0].role not in NEVER]
    kept.sort(key=lambda pair: (pair[0].role is not Role.INBOX, pair[0].role is None, pair[0].name.casefold()))
    unchosen = SELDOM if is_gmail else SELDOM | {Role.ALL}
    return [
        Offered(folder.name, folder.role, folder.delimiter, messages, folder.role not in unchosen)
        for folder, messages in kept
    ]


def target_name(name: str, delimiter: str | None, role: Role | None, below: str = "") -> str:
    """The name here of a folder there: of one with a role ours with that role, else the same; or `below` a folder.

    Always one that a folder here may have.
    """
    parts = _parts(name, delimiter)
    if below:
        return DELIMITER.join([APART, _part(below), *([OURS[role]] if role is Role.ALL else parts)])
    if role in OURS:
        return OURS[role]
    return INBOX if name.upper() == INBOX else DELIMITER.join(parts)


def _parts(name: str, delimiter: str | None) -> list[str]:
    found = name.split(delimiter) if delimiter else [name]
    parts = [_part(part) for part in found if part][-DEEPEST:]
    while len(DELIMITER.join(parts).encode()) > LONGEST_NAME_OCTETS:
        del parts[0]
    return parts or ["-"]


def _part(text: str) -> str:
    """One part of a name: printable, without our delimiter, not too long."""
    shown = "".join(char if char.isprintable() and char != DELIMITER else "-" for char in text)
    return shown.encode("utf-8", "replace")[:LONGEST_PART_OCTETS].decode("utf-8", "ignore").strip() or "-"


def target_of(message: RemoteMessage, target: str, role: Role | None, *, is_apart: bool) -> str:
    """The folder here of one message.

    On Gmail All Mail holds everything once: what is in the inbox goes to ours, what was sent to Sent, what has just
    one label of its owner's to the folder of that name, all else to `target`.  Each message comes once; of several
    labels none is more right than the others.
    """
    if message.gmail is None or role is not Role.ALL:
        return target
    labels = message.gmail.labels
    place = next((place for label, place in GMAIL_PLACES if label in labels), None) or _own_label(labels)
    if place is None:
        return target
    return f"{target.rpartition(DELIMITER)[0]}{DELIMITER}{place}" if is_apart else place


def _own_label(labels: Collection[str]) -> str | None:
    own = [label for label in labels if label and not label.startswith("\\")]
    return target_name(own[0], DELIMITER, None) if len(own) == 1 else None


def kept_flags(flags: Collection[str]) -> frozenset[str]:
    """Flags and keywords as they are stored here: not \\Recent (RFC 9051 §2.3.2), nothing that is no atom."""
    system = {SYSTEM_FLAGS[flag.lower()] for flag in flags if flag.lower() in SYSTEM_FLAGS}
    keywords = sorted(flag for flag in flags if KEYWORD.fullmatch(flag))[:MOST_KEYWORDS]
    return frozenset({*system, *keywords})


def first_batch(messages: Sequence[RemoteMessage], *, most: int = BATCH_MESSAGES) -> Sequence[RemoteMessage]:
    """How many of `messages`, at least one, are fetched and stored together."""
    octets, number = 0, 0
    for message in messages[:most]:
        octets += message.size_octets
        if number and octets > BATCH_OCTETS:
            break
        number += 1
    return messages[:number]


def with_room(messages: Sequence[RemoteMessage], room_octets: int | None) -> Sequence[RemoteMessage]:
    """As many of `messages`, from the first one on, as fit into `room_octets` (None: all)."""
    left = room_octets
    for number, message in enumerate(messages):
        if left is not None and message.size_octets > left:
            return messages[:number]
        left = None if left is None else left - message.size_octets
    return messages
