"""FileMailStorage killed, or out of space, at every write: each step has happened whole, or not at all."""

from __future__ import annotations

import copy
import os
from collections.abc import Callable
from dataclasses import dataclass

import pytest

from mailsite_ext.errors import StorageDamaged, StorageFull
from mailsite_ext.storage.file_mail_storage import FileMailStorage
from mailsite_ext.storage.values import DELETED, FLAGGED, Column, FlagMode, Placement
from tests.mailsite.storage.engines import add, deliver, inbox_of, mail
from tests.mailsite.storage.faulty_files import FaultyFiles, Killed, failing, full, killed

State = dict  # mailbox → folder → [(octets, flags), …], and "" → the names it is subscribed to


@pytest.fixture(autouse=True)
def nothing_is_synced(monkeypatch):
    """A killed process leaves the system's cache behind: what fsync adds cannot be seen here, only waited for."""
    monkeypatch.setattr(os, "fsync", lambda _descriptor: None)


def state_of(storage) -> State:
    return {
        mailbox: {
            folder.name: [(size, flags) for size, flags in storage.rows(folder.id, [Column.SIZE, Column.FLAGS])]
            for folder in storage.folders(mailbox)
        }
        | {"": set(storage.subscriptions(mailbox))}
        for mailbox in storage.mailboxes()
    }


HELLO = mail("Hello")
SIZE = len(HELLO)
NAMES = ("INBOX", "Archive", "Drafts", "Junk", "Sent", "Trash")
FIRST = {name: [] for name in NAMES} | {"": set(NAMES)}


def folder(storage, name, mailbox="alice"):
    return storage.find_folder(mailbox, name)


@dataclass(frozen=True)
class Deed:
    """Something to do, and what it does to the state."""

    name: str
    do: Callable
    model: Callable


def _deliver(state):
    state["alice"]["INBOX"].append((SIZE + 2, FLAGGED))
    state["bob"]["INBOX"].append((SIZE, ""))
    state["bob"].setdefault("Junk", []).append((SIZE, ""))


def _copy(state):
    state["alice"]["Sent"] += state["alice"]["INBOX"][:2]


def _move(state):
    state["alice"]["Sent"] += state["alice"]["INBOX"][:1]
    del state["alice"]["INBOX"][:1]


def _flag(state):
    state["alice"]["INBOX"] = [(size, f"{FLAGGED} {DELETED}") for size, _flags in state["alice"]["INBOX"]]


def _renamed(state):
    moved = {name.replace("Top", "New/Top", 1): mails for name, mails in state["alice"].items() if "Top" in name}
    rest = {name: mails for name, mails in state["alice"].items() if "Top" not in name}
    state["alice"] = rest | moved | {"New": []}


def all_uids(storage, where):
    return list(storage.uids(where.id))


DEEDS = [
    Deed(
        "deliver",
        lambda s: deliver(
            s,
            HELLO,
            Placement("alice", head=b"\r\n", flags=frozenset({FLAGGED})),
            Placement("bob"),
            Placement("bob", "Junk"),
        ),
        _deliver,
    ),
    Deed(
        "append",
        lambda s: add(s, inbox_of(s), "Hello", "Hello"),
        lambda t: t["alice"]["INBOX"].extend([(SIZE, "")] * 2),
    ),
    Deed("copy", lambda s: s.copy(inbox_of(s).id, all_uids(s, inbox_of(s))[:2], folder(s, "Sent").id), _copy),
    Deed("move", lambda s: s.move(inbox_of(s).id, all_uids(s, inbox_of(s))[:1], folder(s, "Sent").id), _move),
    Deed(
        "flags",
        lambda s: s.store_flags(
            inbox_of(s).id, all_uids(s, inbox_of(s)), FlagMode.REPLACE, frozenset({FLAGGED, DELETED})
        ),
        _flag,
    ),
    Deed("expunge", lambda s: s.expunge(inbox_of(s).id, only_deleted=False), lambda t: t["alice"]["INBOX"].clear()),
    Deed("rename", lambda s: s.rename_folder(folder(s, "Top").id, "New/Top"), _renamed),
    Deed("delete", lambda s: s.delete_folder(folder(s, "Top/Below").id), lambda t: t["alice"].pop("Top/Below")),
    Deed("become a name", lambda s: s.delete_folder(folder(s, "Top").id), lambda t: t["alice"].update({"Top": []})),
    Deed("remove", lambda s: s.remove_mailbox("bob"), lambda t: t.pop("bob")),
    Deed("make", lambda s: s.create_mailbox("carol"), lambda t: t.update(carol=copy.deepcopy(FIRST))),
    Deed("folder", lambda s: s.create_folder("alice", "Other"), lambda t: t["alice"].update(Other=[])),
    Deed("subscribe", lambda s: s.subscribe("alice", "Top", subscribed=True), lambda t: t["alice"][""].add("Top")),
    Deed(
        "unsubscribe",
        lambda s: s.subscribe("alice", "Top/Below", subscribed=False),
        lambda t: t["alice"][""].discard("Top/Below"),
    ),
    Deed("quota", lambda s: s.set_quota("alice", 10**9), lambda t: None),
    Deed("garbage", lambda s: s.collect_garbage(), lambda t: None),
]


class Site:
    """A storage and its mailboxes; made once a deed, then struck at one step after the other."""

    def __init__(self, folder, clock):
        self.folder = folder
        self.clock = clock
        with_disk = self.open()
        with_disk.create_mailbox("alice")
        with_disk.create_mailbox("bob")
        with_disk.create_folder("alice", "Top/Below")
        with_disk.subscribe("alice", "Top/Below", subscribed=True)
        add(with_disk, inbox_of(with_disk), "Hello", "Hello", "Hello")
        add(with_disk, folder_of(with_disk, "Top"), "Hello")
        add(with_disk, folder_of(with_disk, "Top/Below"), "Hello")
        expunged = add(with_disk, inbox_of(with_disk), "Hello")
        with_disk.expunge(inbox_of(with_disk).id, expunged, only_deleted=False)
        with_disk.close()

    def open(self, files=None):
        return FileMailStorage(self.folder, self.clock, machine="here", files=files, grace_s=0)


folder_of = folder


def after(state, deed):
    changed = copy.deepcopy(state)
    deed.model(changed)
    return changed


def strike(tmp_path, clock, deed, at, fault, half):
    """Do the deed with a fault at step `at`; the states before and after, and whether it was struck at all."""
    site = Site(tmp_path / f"{at}", clock)
    files = FaultyFiles(at=0, fault=fault, half=half)
    struck = site.open(files)
    before = state_of(struck)
    files.steps, files.at, files.names = 0, at, []
    error = None
    try:
        deed.do(struck)
    except (Killed, StorageFull, StorageDamaged) as raised:
        error = raised
    was_struck = files.steps >= at
    files.at = 0
    struck.close()
    return site, before, error, was_struck


def check(site, before, deed, error):
    again = site.open()
    found = state_of(again)
    expected = after(before, deed)
    if error is None:
        assert found == expected
    elif isinstance(error, Killed):
        assert found in (before, expected)
    else:
        assert found == before
    list(again.verify(fix=True))
    assert list(again.verify()) == []
    assert state_of(again) == found
    uid = add(again, inbox_of(again), "later")[0]
    assert uid == max(again.uids(inbox_of(again).id))
    if found == before:
        deed.do(again)
        assert list(again.verify()) == []
    again.close()


@pytest.mark.parametrize("half", [False, True], ids=["before", "half-way"])
@pytest.mark.parametrize("deed", DEEDS, ids=lambda deed: deed.name)
def test_killed_at_every_step(tmp_path, clock, deed, half):
    for at in range(1, 100):
        site, before, error, was_struck = strike(tmp_path, clock, deed, at, killed, half)
        check(site, before, deed, error)
        if not was_struck:
            assert error is None
            return
    pytest.fail("it never ended")


OUT_OF_SPACE = [pytest.param(deed, full, id=deed.name) for deed in DEEDS if deed.name != "garbage"]
FAILING = [pytest.param(deed, failing, id=f"{deed.name}, failing") for deed in DEEDS[:4]]


@pytest.mark.parametrize(("deed", "fault"), [*OUT_OF_SPACE, *FAILING])
def test_out_of_space_at_every_step(tmp_path, clock, deed, fault):
    for at in range(1, 100):
        site, before, error, was_struck = strike(tmp_path, clock, deed, at, fault, half=False)
        check(site, before, deed, error)
        if not was_struck:
            return
    pytest.fail("it never ended")
