"""A person's mailbox where it is kept, seen by everybody but the webmail: on another server, or in the storage here."""

from __future__ import annotations

import email
import email.policy
from collections.abc import Collection, Iterator, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Protocol

from playwright.sync_api import Page

from mailsite_ext.storage.first_use import ensure_mailbox
from mailsite_ext.storage.open import Storage
from mailsite_ext.storage.values import Column, Delivery, FlagMode, Placement
from tests.browser import walk
from tests.browser.walk import Mailbox, Person, Site
from tests.browser.webmail.hosted import content

SENDER = "sender@example.net"
"""Who wrote the letters: what is answered comes to this address."""
NOBODY = "nobody@example.net"
BOB = "bob@example.net"


class Box(Protocol):
    person: Person
    refusal: str
    """What the webmail says of mail to NOBODY."""

    def join(self, page: Page, site: Site) -> None:
        """Make it the mailbox of whoever is signed in, and open its inbox."""
        ...

    def deliver(self, letter: bytes, folder: str = "INBOX") -> None: ...

    def flags_of(self, subject: str, folder: str = "INBOX") -> Sequence[str]:
        """The flags of each message with this in its subject, sorted and joined; \\Recent apart."""
        ...

    def text_in(self, folder: str, subject: str) -> str:
        """The whole text of these messages."""
        ...

    def add_flags(self, subject: str, flags: Collection[str]) -> None:
        """As another mail client does, in the inbox."""
        ...

    def sent_to(self, address: str) -> Sequence[bytes]:
        """What came to an address elsewhere from this person."""
        ...


@dataclass
class ExternalBox:
    """On Dovecot; its mail goes out by an SMTP server that refuses NOBODY."""

    person: Person
    mailbox: Mailbox
    refusal: str = "No such person here"

    def __post_init__(self) -> None:
        user, sink = self.mailbox.user, self.mailbox.sink
        sink.accounts[user.name] = user.password
        sink.refused[NOBODY] = f"550 5.1.1 {self.refusal}"

    def join(self, page: Page, site: Site) -> None:
        walk.add_account(page, site, self.mailbox)

    def deliver(self, letter: bytes, folder: str = "INBOX") -> None:
        self.mailbox.dovecot.deliver(self.mailbox.user, letter, folder)

    def flags_of(self, subject: str, folder: str = "INBOX") -> Sequence[str]:
        found = walk.flags_of(self.mailbox, subject, folder)
        return [flags.replace("\\Recent", "").strip() for flags in found]

    def text_in(self, folder: str, subject: str) -> str:
        return walk.text_in(self.mailbox, folder, subject)

    def add_flags(self, subject: str, flags: Collection[str]) -> None:
        words = ("-u", self.mailbox.user.name, " ".join(flags), "mailbox", "INBOX", "header", "subject", subject)
        self.mailbox.dovecot.doveadm("flags", "add", *words)

    def sent_to(self, address: str) -> Sequence[bytes]:
        sent = [message for message in self.mailbox.sink.messages if address in message.recipients]
        assert all(message.login == self.mailbox.user.name for message in sent)
        return [message.content for message in sent]


@dataclass
class HostedBox:
    """In the storage of the site, which this process has open beside those that run; its SENDER is hosted too."""

    person: Person
    storage: Storage
    refusal: str = "no such mailbox here"

    @property
    def name(self) -> str:
        return self.person.email.partition("@")[0]

    def join(self, page: Page, site: Site) -> None:
        page.goto(site.url + "/mail")

    def deliver(self, letter: bytes, folder: str = "INBOX") -> None:
        ensure_mailbox(self.storage, self.name)
        placed = Delivery(content(letter), [Placement(self.name, folder)], datetime.now(UTC))
        self.storage.deliver(placed).result(30)

    def flags_of(self, subject: str, folder: str = "INBOX") -> Sequence[str]:
        return [" ".join(sorted(flags.split())) for _uid, flags, _raw in self._find(self.name, folder, subject)]

    def text_in(self, folder: str, subject: str) -> str:
        return "".join(raw.decode() for _uid, _flags, raw in self._find(self.name, folder, subject))

    def add_flags(self, subject: str, flags: Collection[str]) -> None:
        folder = self.storage.find_folder(self.name, "INBOX")
        assert folder is not None
        uids = [uid for uid, _flags, _raw in self._find(self.name, "INBOX", subject)]
        self.storage.store_flags(folder.id, uids, FlagMode.ADD, frozenset(flags))

    def sent_to(self, address: str) -> Sequence[bytes]:
        mine = f"<{self.person.email}>".encode()
        ensure_mailbox(self.storage, address.partition("@")[0])
        found = self._find(address.partition("@")[0], "INBOX", "")
        return [raw for _uid, _flags, raw in found if mine in raw]

    def _find(self, mailbox: str, name: str, subject: str) -> Iterator[tuple[int, str, bytes]]:
        """UID, flags and octets."""
        folder = self.storage.find_folder(mailbox, name)
        if folder is None:
            return
        for uid, flags in list(self.storage.rows(folder.id, (Column.UID, Column.FLAGS))):
            with self.storage.open_message(folder.id, uid) as message:
                raw = message.read(0, message.size_octets)
            if subject in str(email.message_from_bytes(raw, policy=email.policy.default)["Subject"]):
                yield uid, flags, raw
