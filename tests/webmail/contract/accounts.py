"""An account as the contract of MailSource knows it, and what its tests are made of."""

from __future__ import annotations

import select
import ssl
import time
from dataclasses import dataclass, field
from email.message import EmailMessage
from typing import Any

from app.sources import (
    Delta,
    FolderState,
    MailSource,
    RemoteFolder,
)
from tests.webmail.imap.sessions import source_of


@dataclass
class Mirror:
    """The simplest thing a delta can be applied to."""

    state: FolderState | None = None
    flags: dict[int, frozenset[str]] = field(default_factory=dict)
    unfetched: set[int] = field(default_factory=set)

    @property
    def known(self) -> list[int]:
        return sorted(self.flags)

    def apply(self, delta: Delta) -> Delta:
        if delta.reset:
            self.flags.clear()
        for uid in delta.vanished:
            self.flags.pop(uid, None)
        self.flags.update({uid: state.flags for uid, state in delta.flags.items()})
        self.flags.update({message.uid: message.flags for message in delta.new})
        self.unfetched = set(delta.unfetched)
        self.state = delta.state
        return delta


@dataclass
class Account:
    """A user of a server, the source under test, and another client of the same mailbox."""

    server: Any
    user: Any
    source: Any  # a MailSource
    other: Any
    mirrors: dict[str, Mirror] = field(default_factory=dict)
    delta_limit: str = "app.imap.changes.NEW_AT_ONCE"
    chunk_limit: str = "app.imap.source.CHUNK_MESSAGES"

    def sync(self, folder: str = "INBOX") -> Delta:
        mirror = self.mirrors.setdefault(folder, Mirror())
        return mirror.apply(self.source.changes(folder, mirror.state, mirror.known))

    def mirror(self, folder: str = "INBOX") -> Mirror:
        return self.mirrors[folder]

    def deliver(self, number: int = 1, start: int = 1) -> None:
        for each in range(start, start + number):
            self.server.deliver(self.user, message(f"Message {each}", f"m{each}@example.net"))

    def folder(self, name: str) -> RemoteFolder | None:
        return next((folder for folder in self.source.folders() if folder.name == name), None)

    def open(self) -> MailSource:
        """The source anew, as the engine opens another session."""
        self.source.close()
        fresh: MailSource = source_of(self.server, self.user, self.context)
        self.source = fresh
        return fresh

    context: ssl.SSLContext = field(default_factory=ssl.create_default_context)


def message(subject: str, message_id: str = "", body: str = "Hello\r\n") -> bytes:
    made = EmailMessage()
    made["From"], made["To"], made["Subject"] = "Ann <ann@example.net>", "bob@example.org", subject
    if message_id:
        made["Message-ID"] = f"<{message_id}>"
    made.set_content(body)
    return made.as_bytes().replace(b"\r\n", b"\n").replace(b"\n", b"\r\n")


def letter_with_file(octets: bytes) -> bytes:
    made = EmailMessage()
    made["From"], made["Subject"] = "ann@example.net", "With a file"
    made.set_content("See the file.")
    made.add_attachment(octets, maintype="application", subtype="octet-stream", filename="data.bin")
    return made.as_bytes().replace(b"\n", b"\r\n")


def wait_for_news(source: MailSource, descriptor: int, deadline_s: float = 20) -> bool:
    """As the engine does: look once, then whenever the socket can be read."""
    give_up_at = time.monotonic() + deadline_s
    while not source.has_news():
        readable, _, _ = select.select([descriptor], [], [], max(give_up_at - time.monotonic(), 0))
        if not readable:
            return False
    return True


def use_until_lost(source: MailSource) -> None:
    """The server needs a moment to hang up."""
    give_up_at = time.monotonic() + 20
    while time.monotonic() < give_up_at:
        source.noop()
