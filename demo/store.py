"""The sample server's mailboxes, in memory: folders of messages with UIDs and flags (RFC 9051 §2.3.1)."""

from __future__ import annotations

import threading
from collections.abc import Callable, Iterable
from dataclasses import dataclass, field
from datetime import datetime

SPECIAL_USE = {
    "Drafts": "\\Drafts",
    "Sent": "\\Sent",
    "Archive": "\\Archive",
    "Junk": "\\Junk",
    "Trash": "\\Trash",
}


@dataclass
class Stored:
    """One message as the server keeps it."""

    uid: int
    octets: bytes
    flags: set[str]
    received_at: datetime


@dataclass
class Mailbox:
    """A folder; `changed` is called after each change, from the thread that made it."""

    name: str
    uidvalidity: int
    messages: list[Stored] = field(default_factory=list)
    uidnext: int = 1
    changed: list[Callable[[], None]] = field(default_factory=list)

    def add(self, octets: bytes, flags: Iterable[str], received_at: datetime) -> int:
        """Store a message; its UID."""
        uid, self.uidnext = self.uidnext, self.uidnext + 1
        self.messages.append(Stored(uid, octets, set(flags), received_at))
        self.ring()
        return uid

    def remove(self, uids: Iterable[int]) -> None:
        gone = set(uids)
        self.messages[:] = [message for message in self.messages if message.uid not in gone]
        self.ring()

    def ring(self) -> None:
        for tell in list(self.changed):
            tell()

    @property
    def unseen(self) -> int:
        return sum("\\Seen" not in message.flags for message in self.messages)


class Store:
    """All folders of the one user; `lock` guards them."""

    def __init__(self, uidvalidity: int) -> None:
        self._uidvalidity = uidvalidity
        self.lock = threading.RLock()
        self.mailboxes: dict[str, Mailbox] = {}
        for name in ("INBOX", *SPECIAL_USE):
            self.create(name)

    def create(self, name: str) -> Mailbox:
        """A new folder, or the one of that name."""
        return self.mailboxes.setdefault(name, Mailbox(name, self._uidvalidity))

    def deliver(self, octets: bytes, received_at: datetime) -> None:
        """New mail for the inbox."""
        with self.lock:
            self.mailboxes["INBOX"].add(octets, (), received_at)
