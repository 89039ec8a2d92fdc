"""The disk fails, or the process is killed, at every single write: each step has happened whole or not at all."""

from __future__ import annotations

import shutil
from collections.abc import Callable

import pytest
import sqlalchemy as sa

from mailsite_ext.errors import StorageFull
from mailsite_ext.storage.catalogue_sql import Link
from mailsite_ext.storage.values import Column, Delivery, FlagMode, Placement
from tests.mailsite.storage.engines import NOON, Place, add, content, deliver, inbox_of, mail, read
from tests.mailsite.storage.faulty_files import FaultyFiles, Killed, full, killed

ATTACHMENT = b"MIME-Version: 1.0\r\nContent-Type: multipart/mixed; boundary=b\r\n" + mail(
    "With an attachment", f"--b\r\n\r\nsee there\r\n--b\r\nContent-Type: a/b\r\n\r\n{'0123456789' * 2_000}\r\n--b--\r\n"
)


def two_at_once(storage):
    inbox = inbox_of(storage)
    both = [(content(mail("three")), frozenset({"\\Seen"}), NOON), (content(ATTACHMENT), frozenset(), NOON)]
    storage.append(inbox.id, both, replaces=1).result(30)


def folder_id(storage, name):
    return storage.find_folder("alice", name).id


STEPS: list[Callable] = [
    lambda storage: deliver(storage, mail("one"), "alice", Placement("bob", "Junk", b"Delivered-To: bob\r\n")),
    lambda storage: deliver(storage, ATTACHMENT, "alice", "bob"),
    two_at_once,
    lambda storage: storage.store_flags(inbox_of(storage).id, [2, 3], FlagMode.ADD, frozenset({"work"})),
    lambda storage: storage.create_folder("alice", "a/b"),
    lambda storage: storage.copy(inbox_of(storage).id, [2, 3], folder_id(storage, "a/b")),
    lambda storage: storage.move(inbox_of(storage).id, [2], folder_id(storage, "a")),
    lambda storage: storage.rename_folder(folder_id(storage, "a"), "c"),
    lambda storage: storage.expunge(inbox_of(storage).id, only_deleted=False),
    lambda storage: storage.collect_garbage(),
    lambda storage: storage.delete_folder(folder_id(storage, "c/b")),
    lambda storage: storage.remove_mailbox("bob"),
    lambda storage: storage.collect_garbage(),
]


def state(storage):
    """Everything a client could see."""
    return {
        (mailbox, folder.name): {
            uid: (flags, read(storage, folder.id, uid))
            for uid, flags in storage.rows(folder.id, (Column.UID, Column.FLAGS))
        }
        for mailbox in storage.mailboxes()
        for folder in storage.folders(mailbox)
    }


@pytest.fixture
def places(embedded_place, sqlite_template):
    """Makes storages, each to be ruined in its own way.  New ones: a copied mail tree is a restored one (O1)."""
    made: list[Place] = []

    def make() -> Place:
        folder = embedded_place.folder / f"place{len(made)}"
        shutil.copytree(sqlite_template, folder / "var")
        place = Place(embedded_place.kind, folder, f"sqlite:///{folder}/var/satchel.db", embedded_place.clock)
        storage = place.open()
        for mailbox in ("alice", "bob"):
            storage.create_mailbox(mailbox)
        place.close()
        made.append(place)
        return place

    yield make
    for place in made:
        place.close()


def walk(place, files):
    """Go through STEPS as far as one can; which step it ended in, and what it ended with.

    Commits count as writes too: the fault strikes before one.  A process may also be killed just after one.
    """
    storage = place.open(files=files, grace_s=0)
    files.steps = 0
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(Link, "commit", _commit_of(files, Link.commit))
        for number, step in enumerate(STEPS):
            try:
                step(storage)
            except (StorageFull, Killed) as error:
                return storage, number, error
    return storage, len(STEPS), None


def _commit_of(files, commit):
    def faulty(link):
        files._step("commit")
        commit(link)
        if files.fault is killed:
            files._step("committed")

    return faulty


def states_of_a_good_run(place):
    storage = place.open(grace_s=0)
    states = [state(storage)]
    for step in STEPS:
        step(storage)
        states.append(state(storage))
    return states


def all_is_well(storage, expected):
    """Only what nobody was promised may be left over, and verify puts that right."""
    assert state(storage) in expected
    assert all(finding.mended for finding in storage.verify(fix=True))
    assert list(storage.verify()) == []
    assert state(storage) in expected


def counted_steps(places, fault):
    files = FaultyFiles(fault=fault)
    walk(places(), files)
    assert files.steps > 25
    return files.steps


@pytest.mark.timeout(600)
@pytest.mark.parametrize("half", [False, True])
def test_killed_at_every_write(places, half):
    states = states_of_a_good_run(places())
    for at in range(1, counted_steps(places, killed) + 1):
        place = places()
        _storage, number, error = walk(place, FaultyFiles(at=at, fault=killed, half=half))
        assert isinstance(error, Killed), at
        again = place.open(grace_s=0)
        all_is_well(again, states[number : number + 2])
        assert add(again, inbox_of(again), "life goes on")
        place.close()
        shutil.rmtree(place.folder)


@pytest.mark.timeout(600)
def test_disk_full_at_every_write(places):
    states = states_of_a_good_run(places())
    for at in range(1, counted_steps(places, full) + 1):
        place = places()
        storage, number, error = walk(place, FaultyFiles(at=at, fault=full))
        assert state(storage) == states[number], (at, error)
        for step in STEPS[number:]:  # there is room again, and nothing was left half done
            step(storage)
        assert state(storage) == states[-1], at
        all_is_well(storage, [states[-1]])
        place.close()
        shutil.rmtree(place.folder)


@pytest.mark.parametrize("embedded_place", ["sqlite"], indirect=True)
def test_the_database_has_no_room(embedded_place):
    storage = embedded_place.open()
    before = state(storage)
    rooms = []

    def limit(connection, _record):
        connection.execute("PRAGMA journal_size_limit = 0")
        pages = connection.execute("PRAGMA page_count").fetchone()[0]
        rooms.append(pages)
        connection.execute(f"PRAGMA max_page_count = {pages}")

    storage.engine.dispose()
    sa.event.listen(storage.engine, "connect", limit)
    error = None
    for number in range(500):
        asked = storage.deliver(Delivery(content(mail(f"{number}"), b"X: " + b"x" * 2_000), [Placement("alice")], NOON))
        error = asked.exception(30)
        if error:
            break
        before = state(storage)
    assert isinstance(error, StorageFull)
    assert rooms
    sa.event.remove(storage.engine, "connect", limit)
    storage.engine.dispose()
    assert state(storage) == before
    deliver(storage, mail("there is room"), "alice")
