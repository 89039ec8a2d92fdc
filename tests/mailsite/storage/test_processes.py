"""Several processes work on one storage at once, and each is told the truth."""

from __future__ import annotations

import multiprocessing
import threading

import pytest

from app.clock import SystemClock
from mailsite_ext.storage.values import Column, Delivery, FlagMode, Placement
from tests.mailsite.storage.engines import NOON, Place, content, deliver, inbox_of, mail, read

PROCESSES = 2
ROUNDS = 25


def work(place: Place, name: str, told) -> None:
    """Deliver, flag, copy, move, expunge; tell what should be where afterwards: (folder, UID) → subject."""
    storage = place.open()
    inbox, sent, trash = (storage.find_folder("alice", one) for one in ("INBOX", "Sent", "Trash"))
    there: dict[tuple[int, int], str] = {}
    for number in range(ROUNDS):
        subject = f"{name}-{number}"
        for one in deliver(storage, mail(subject), "alice", "bob", Placement("alice", "Lists/both")):
            there[one.folder_id, one.uid] = subject
        mine = [uid for (folder_id, uid), _subject in there.items() if folder_id == inbox.id]
        storage.store_flags(inbox.id, range(1, 20), FlagMode.ADD, frozenset({f"by-{name}-{number}"}))
        if number % 3 == 0:
            copied = storage.copy(inbox.id, mine[-2:], sent.id)
            for old, new in zip(copied.source, copied.target, strict=True):
                there[sent.id, new] = there[inbox.id, old]
        if number % 4 == 0:
            moved = storage.move(inbox.id, mine[:1], trash.id)
            for old, new in zip(moved.source, moved.target, strict=True):
                there[trash.id, new] = there.pop((inbox.id, old))
        if number % 5 == 0:
            for uid in storage.expunge(inbox.id, mine[-1:], only_deleted=False).uids:
                del there[inbox.id, uid]
        if number % 10 == 0:
            storage.create_folder("alice", f"Own/{name}/{number}")
    told.put((name, there))
    place.close()


def test_two_processes_at_once(place):
    storage = place.opened[0]
    context = multiprocessing.get_context("spawn")
    told = context.Queue()
    elsewhere = Place(place.kind, place.folder, place.url, SystemClock())
    workers = [context.Process(target=work, args=(elsewhere, f"p{n}", told)) for n in range(PROCESSES)]
    for worker in workers:
        worker.start()
    found = dict(told.get(timeout=100) for _ in workers)
    for worker in workers:
        worker.join(30)
        assert worker.exitcode == 0
    promised = {where: subject for there in found.values() for where, subject in there.items()}
    assert len(promised) == sum(map(len, found.values())), "one UID was given twice"
    stored = {
        (folder.id, uid): read(storage, folder.id, uid)
        for mailbox in ("alice", "bob")
        for folder in storage.folders(mailbox)
        for uid in storage.uids(folder.id)
    }
    assert stored == {where: mail(subject) for where, subject in promised.items()}
    assert list(storage.verify()) == []
    modseqs = [modseq for (modseq,) in storage.rows(inbox_of(storage).id, (Column.MODSEQ,))]
    assert max(modseqs) <= inbox_of(storage).highestmodseq
    names = {folder.name for folder in storage.folders("alice")}
    assert {f"Own/p{n}/{number}" for n in range(PROCESSES) for number in range(0, ROUNDS, 10)} <= names


def deliver_for_ever(place: Place, told) -> None:
    """Tell of each message once it is promised."""
    storage = place.open()
    number = 0
    while True:
        number += 1
        asked = [storage.deliver(delivery_of(f"{number}-{n}")) for n in range(4)]
        for n, done in enumerate(asked):
            told.send((done.result(30)[0].uid, f"{number}-{n}"))


def delivery_of(subject: str) -> Delivery:
    return Delivery(content(mail(subject)), [Placement("alice"), Placement("bob")], NOON)


@pytest.mark.parametrize("promised_first", [1, 9, 30])
def test_killed_without_warning(place, promised_first):
    """kill -9 in the middle of deliveries: what was promised is there, once; what was not is there whole or not."""
    context = multiprocessing.get_context("spawn")
    here, there = context.Pipe(duplex=False)
    elsewhere = Place(place.kind, place.folder, place.url, SystemClock())
    process = context.Process(target=deliver_for_ever, args=(elsewhere, there))
    process.start()
    there.close()
    promised = {}
    while len(promised) < promised_first:
        assert here.poll(60)
        uid, subject = here.recv()
        promised[uid] = subject
    process.kill()
    process.join(30)
    while here.poll():
        try:
            uid, subject = here.recv()
        except EOFError:
            break
        promised[uid] = subject
    place.close()
    storage = place.open(grace_s=0)
    inboxes = {mailbox: inbox_of(storage, mailbox).id for mailbox in ("alice", "bob")}
    found = {mailbox: [read(storage, inbox, uid) for uid in storage.uids(inbox)] for mailbox, inbox in inboxes.items()}
    assert found["alice"] == found["bob"]
    assert len(set(found["alice"])) == len(found["alice"])
    for uid, subject in promised.items():
        assert read(storage, inbox_of(storage).id, uid) == mail(subject)
    assert all(finding.mended for finding in storage.verify(fix=True))
    assert list(storage.verify()) == []
    assert storage.deliver(delivery_of("life goes on")).result(30)[0].uid > max(promised)


def test_threads_of_one_process(place):
    storage = place.opened[0]
    inbox, sent = inbox_of(storage), storage.find_folder("alice", "Sent")
    errors: list[BaseException] = []

    def work(name: str) -> None:
        try:
            for n in range(15):
                [stored] = deliver(storage, mail(f"{name}-{n}"), "alice")
                storage.store_flags(inbox.id, range(1, 50), FlagMode.ADD, frozenset({f"{name}-{n}"}))
                storage.copy(inbox.id, [stored.uid], sent.id)
                list(storage.rows(inbox.id, (Column.UID, Column.FLAGS)))
                storage.changes(inbox.id, stored.modseq - 1)
        except BaseException as error:
            errors.append(error)

    threads = [threading.Thread(target=work, args=(f"t{n}",)) for n in range(4)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join(100)
    assert not errors
    assert (storage.get_folder(inbox.id).messages, storage.get_folder(sent.id).messages) == (60, 60)
    assert list(storage.verify()) == []
