"""The storage keeps the contract of MailSource, whichever engine it has; "another client" is a second source on it."""

from __future__ import annotations

import os
import select
from collections.abc import Iterator
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path

import pytest

from app.bus.unix import UnixBus
from app.clock import SystemClock
from app.errors import FolderFull
from mailsite_ext.storage.bells import FolderBells
from mailsite_ext.storage.engine import StorageEngine
from mailsite_ext.storage.values import Content, Delivery, Placement
from mailsite_ext.webmail.source import StorageSource
from tests.mailsite.storage.conftest import KINDS, make_place
from tests.mailsite.storage.engines import Place
from tests.webmail.contract.accounts import Account, message, wait_for_news
from tests.webmail.contract.everything import OF_IMAP, contract_tests

MAILBOX = "alice"


@dataclass
class Storage:
    """The storage, as the contract knows a server."""

    place: Place
    bus: UnixBus
    bells: FolderBells
    engine: StorageEngine

    def source(self) -> StorageSource:
        return StorageSource(self.engine, MAILBOX, lambda: self.bells, SystemClock())

    def deliver(self, mailbox: str, octets: bytes, folder: str = "INBOX") -> None:
        octets = octets.replace(b"\r\n", b"\n").replace(b"\n", b"\r\n")
        placed = Delivery(Content(octets, len(octets)), [Placement(mailbox, folder)], datetime.now(UTC))
        self.engine.deliver(placed).result(30)


@dataclass
class StorageAccount(Account):
    delta_limit: str = "mailsite_ext.webmail.source.NEW_AT_ONCE"
    chunk_limit: str = "mailsite_ext.webmail.source.CHUNK_MESSAGES"

    def open(self) -> StorageSource:
        self.source.close()
        fresh: StorageSource = self.server.source()
        self.source = fresh
        return fresh


@pytest.fixture(params=KINDS)
def account(request: pytest.FixtureRequest, tmp_path: Path) -> Iterator[StorageAccount]:
    bus = UnixBus(tmp_path / "bus")
    bells = FolderBells(bus)
    for place in make_place(request, request.param, tmp_path, SystemClock()):
        storage = Storage(place, bus, bells, place.open(bus=bus))
        made = StorageAccount(storage, MAILBOX, storage.source(), storage.source())
        yield made
        made.source.close()
        made.other.close()
    bells.close()


globals().update(contract_tests(without=OF_IMAP))


def test_a_folder_made_anew_is_another_one(account):
    account.other.create_folder("Work")
    account.other.append("Work", message("One"), ())
    account.other.append("Work", message("Two"), ())
    before = account.sync("Work").state.uidvalidity
    account.other.delete_folder("Work")
    account.other.create_folder("Work")
    account.other.append("Work", message("Three"), ())
    delta = account.sync("Work")
    assert delta.reset
    assert delta.state.uidvalidity > before
    assert account.mirror("Work").known == [1]


def test_what_came_between_a_look_and_watching_is_told(account):
    account.sync()
    account.deliver(1)
    descriptor = account.source.start_watching("INBOX")
    assert wait_for_news(account.source, descriptor, deadline_s=2)


def test_another_folders_news_are_none(account):
    account.sync()
    descriptor = account.source.start_watching("INBOX")
    account.other.append("Sent", message("Elsewhere"), ())
    account.deliver(1)
    assert wait_for_news(account.source, descriptor)
    assert not account.source.has_news()


def heard_elsewhere(account, descriptor) -> bool:
    """Whether the next ring is about other folders, and not about the watched one."""
    assert select.select([descriptor], [], [], 5)[0]
    assert not account.source.has_news()
    return bool(account.source.has_other_news())


def test_every_other_folder_of_the_mailbox_and_its_tree_are_heard(account):
    account.sync()
    descriptor = account.source.start_watching("INBOX")
    assert heard_elsewhere(account, descriptor)  # nobody listened until now
    assert not account.source.has_other_news()
    account.other.append("Sent", message("Elsewhere"), ())
    assert heard_elsewhere(account, descriptor)
    account.other.create_folder("Travel")
    assert heard_elsewhere(account, descriptor)
    account.source.stop_watching()
    account.other.append("Sent", message("While nobody waited"), ())
    descriptor = account.source.start_watching("INBOX")
    account.other.append("Travel", message("In a folder that came"), ())
    assert heard_elsewhere(account, descriptor)


def test_what_others_are_sent_is_not_heard(account):
    account.sync()
    descriptor = account.source.start_watching("INBOX")
    assert heard_elsewhere(account, descriptor)
    account.server.deliver("bob", message("For Bob"))
    account.server.deliver("bob", message("For Bob"), folder="Private")
    account.deliver(1)  # bells come in order, this one last
    assert wait_for_news(account.source, descriptor)
    assert not account.source.has_other_news()


def test_watching_again_and_again_leaves_no_descriptor_open(account):
    before = eventfds()
    for _ in range(5):
        account.source.start_watching("INBOX")
    assert eventfds() == before + 1
    account.source.stop_watching()
    assert eventfds() == before
    assert not account.source.has_news()


def eventfds() -> int:
    """How many this process has open."""
    return sum("eventfd" in os.readlink(one) for one in Path("/proc/self/fd").iterdir() if one.is_symlink())


def test_a_full_mailbox_says_folder_full_and_takes_nothing(account):
    account.server.engine.set_quota(MAILBOX, 100)
    with pytest.raises(FolderFull):
        account.source.append("Sent", message("Long", body="x" * 200), ())
    assert account.sync("Sent").messages == 0
