"""Every folder of a hosted mailbox is live (E12): what a listener, an import or another process changes is followed.

Nothing is polled in these tests: what the mirror knows, it heard.
"""

from __future__ import annotations

import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from datetime import UTC, datetime
from itertools import pairwise

import pytest
from sqlalchemy import select

from app import runtime
from app.accounts.models import MailAccount
from app.engine import account as engine_account
from app.engine import sources, sync
from app.mail_services.modes import Mode
from app.resolver import ZoneResolver
from app.runtime import Runtime
from app.sources import MailSource
from app.users.models import User
from mailsite_ext.domains import service as domains
from mailsite_ext.settings.service import store_settings
from mailsite_ext.settings.values import Settings
from mailsite_ext.storage.engine import StorageEngine
from mailsite_ext.storage.first_use import ensure_mailbox
from mailsite_ext.storage.open import close_storage, open_storage
from mailsite_ext.storage.values import Content, Delivery, FlagMode, Placement
from tests.webmail.contract.accounts import message
from tests.webmail.engine.conftest import Post, wait_for

SETTINGS = Settings(domains=("example.org",))


@dataclass
class Hosted(Post):
    """Alice's mailbox, its engine, and `elsewhere`: the storage as another process has it."""

    account_id: int = 0
    elsewhere: StorageEngine = field(init=False)

    def open_source(self, parts: Runtime, account_id: int) -> MailSource:
        return sources.open_source(parts, account_id)

    def deliver(self, subject: str, folder: str = "INBOX", to: str = "alice") -> None:
        octets = message(subject)
        self.elsewhere.deliver(
            Delivery(Content(octets, len(octets)), [Placement(to, folder)], datetime.now(UTC))
        ).result(30)

    def folder_id(self, name: str) -> int:
        found = self.elsewhere.find_folder("alice", name)
        assert found is not None
        return found.id

    def subjects(self, folder: str) -> list[str]:
        return sorted(row.subject for row in self.messages(self.account_id, folder).values())

    def names(self) -> set[str]:
        return set(self.folders(self.account_id))


@pytest.fixture
def config(sqlite_config):
    """The storage's own suite rings on both databases."""
    return sqlite_config


@pytest.fixture
def hosted(app, config, db, alice: User, set_mode) -> Iterator[Hosted]:
    """`app` brings the extension.  The first sync is through."""
    set_mode(Mode.MAILSITE)
    store_settings(db, SETTINGS)
    db.commit()
    own, others = (runtime.build(config, resolver=ZoneResolver({})) for _ in range(2))
    made = Hosted(own, alice)
    domains.ensure_mailbox(own, db, alice)
    made.account_id = db.scalars(select(MailAccount.id)).one()
    made.elsewhere = open_storage(others, SETTINGS)
    ensure_mailbox(made.elsewhere, "alice")
    made.start_engine()
    wait_for(lambda: made.names() >= {"INBOX", "Sent", "Trash"}, "the tree")
    wait_for(lambda: all(folder.complete for folder in made.folders(made.account_id).values()), "the first sync")
    yield made
    made.stop()
    for parts in (own, others):
        close_storage(parts)
        parts.dispose()


def took_s(happens: Callable[[], object], condition: Callable[[], object]) -> float:
    began = time.monotonic()
    happens()
    wait_for(condition)
    return time.monotonic() - began


@pytest.mark.parametrize("folder", ["INBOX", "Sent", "Junk", "Archive"])
def test_mail_and_flags_of_any_folder_are_followed(hosted: Hosted, folder: str) -> None:
    came_s = took_s(lambda: hosted.deliver("One", folder), lambda: hosted.subjects(folder) == ["One"])
    seen = ([1], FlagMode.ADD, frozenset({"\\Seen"}))
    seen_s = took_s(
        lambda: hosted.elsewhere.store_flags(hosted.folder_id(folder), *seen),
        lambda: hosted.messages(hosted.account_id, folder)[1].seen,
    )
    gone_s = took_s(
        lambda: hosted.elsewhere.expunge(hosted.folder_id(folder), [1], only_deleted=False),
        lambda: hosted.subjects(folder) == [],
    )
    print(f"{folder}: new mail after {came_s:.2f} s, a flag after {seen_s:.2f} s, gone after {gone_s:.2f} s")


def test_a_folder_made_filled_renamed_and_deleted_elsewhere(hosted: Hosted) -> None:
    hosted.elsewhere.create_folder("alice", "Travel/Aarhus")
    wait_for(lambda: {"Travel", "Travel/Aarhus"} <= hosted.names(), "the new folders")
    hosted.deliver("Tickets", "Travel/Aarhus")
    wait_for(lambda: hosted.subjects("Travel/Aarhus") == ["Tickets"], "mail in a folder that was just made")
    hosted.elsewhere.rename_folder(hosted.folder_id("Travel"), "Journeys")
    wait_for(lambda: {"Journeys", "Journeys/Aarhus"} <= hosted.names() and "Travel" not in hosted.names(), "new names")
    wait_for(lambda: hosted.subjects("Journeys/Aarhus") == ["Tickets"], "mail below the new name")
    hosted.elsewhere.delete_folder(hosted.folder_id("Journeys/Aarhus"))
    wait_for(lambda: "Journeys/Aarhus" not in hosted.names(), "the folder's end")


def test_a_folder_that_a_delivery_makes_is_there_with_its_mail(hosted: Hosted) -> None:
    hosted.deliver("Minutes", "Lists/Neighbours")
    wait_for(lambda: "Lists/Neighbours" in hosted.names(), "the folder")
    wait_for(lambda: hosted.subjects("Lists/Neighbours") == ["Minutes"], "its mail")


def test_a_burst_looks_at_the_tree_a_few_times_and_misses_nothing(hosted: Hosted, monkeypatch) -> None:
    looks: list[float] = []
    look = sync.sync_tree

    def noted(*given):
        looks.append(time.monotonic())
        return look(*given)

    monkeypatch.setattr(sync, "sync_tree", noted)
    subjects = [f"No. {number:02}" for number in range(40)]
    for subject in subjects:
        hosted.deliver(subject, "Archive")
    wait_for(lambda: hosted.subjects("Archive") == subjects, "all of them")
    gaps = [later - earlier for earlier, later in pairwise(looks)]
    assert min(gaps, default=1.0) >= engine_account.TREE_GAP_S - 0.05
