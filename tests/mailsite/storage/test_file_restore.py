"""FileMailStorage put back from a copy: made by ordinary tools, while mail came in, or cut anywhere."""

from __future__ import annotations

import os
import shutil
import subprocess
import sys
import threading

import pytest

from app.clock import SystemClock
from mailsite_ext.errors import StorageDamaged, StorageElsewhere
from mailsite_ext.storage.file_mail_storage import FileMailStorage
from mailsite_ext.storage.files import Disk
from mailsite_ext.storage.journal import JUMP
from mailsite_ext.storage.journal_log import JournalLog
from mailsite_ext.storage.values import Column, FlagMode
from tests.mailsite.storage.engines import add, deliver, flag, inbox_of, mail, read
from tests.mailsite.storage.snapshots import fill, snapshot


@pytest.fixture
def opened():
    """Storages that are closed in the end."""
    storages: list[FileMailStorage] = []
    yield storages
    for storage in storages:
        storage.close()


@pytest.fixture
def open_at(opened, clock):
    def open_files(folder, **options):
        storage = FileMailStorage(folder, options.pop("clock", clock), machine="here", **options)
        opened.append(storage)
        return storage

    return open_files


@pytest.fixture
def storage(open_at, tmp_path):
    made = open_at(tmp_path / "site")
    made.create_mailbox("alice")
    made.create_mailbox("bob")
    return made


def restored(tmp_path, open_at, source):
    """A new place with nothing but this copy of the tree."""
    place = tmp_path / f"restored-{len(list(tmp_path.iterdir()))}"
    shutil.copytree(source, place / "mail")
    return open_at(place)


def test_a_copy_of_the_tree_is_a_backup(storage, tmp_path, open_at):
    fill(storage)
    again = restored(tmp_path, open_at, storage.tree.root)
    assert snapshot(again, with_modseq=False) == snapshot(storage, with_modseq=False)
    for before in storage.folders("alice"):
        after = again.get_folder(before.id)
        assert (after.uidnext, after.highestmodseq) == (before.uidnext + JUMP, before.highestmodseq + JUMP)
    assert list(again.verify()) == []
    assert again.quota("alice") == storage.quota("alice")


@pytest.mark.parametrize(
    ("kept", "subscribed"),
    [
        (b"subscribed", {"INBOX", "Archive", "Junk", "Sent", "Trash"}),  # the line of the mailbox itself was damaged
        (b" mailbox ", {"INBOX", "Archive", "Drafts", "Junk", "Projects", "Trash"}),  # rather all folders than none
        (b"nothing", {"INBOX", "Archive", "Drafts", "Junk", "Projects", "Trash"}),
    ],
)
def test_subscriptions_of_a_journal_that_does_not_say_all(storage, tmp_path, open_at, kept, subscribed):
    storage.create_folder("alice", "Projects")
    storage.subscribe("alice", "Drafts", subscribed=False)
    storage.delete_folder(storage.find_folder("alice", "Sent").id)
    storage.close()
    shutil.copytree(storage.tree.root, tmp_path / "copy")
    journal = tmp_path / "copy" / "alice" / "journal.txt"
    journal.write_bytes(b"".join(line for line in journal.read_bytes().splitlines(keepends=True) if kept in line))
    again = restored(tmp_path, open_at, tmp_path / "copy")
    assert set(again.subscriptions("alice")) == subscribed
    again.close()
    assert set(restored(tmp_path, open_at, again.tree.root).subscriptions("alice")) == subscribed


def test_after_a_restore_no_client_keeps_what_it_knew_of_the_time_between(storage, tmp_path, open_at):
    inbox = inbox_of(storage)
    add(storage, inbox, "one", "two")
    shutil.copytree(storage.tree.root, tmp_path / "copy")
    flag(storage, inbox, [1], "\\Seen")
    storage.expunge(inbox.id, [2], only_deleted=False)
    (later,) = add(storage, inbox, "three")
    known = inbox_of(storage).highestmodseq
    again = restored(tmp_path, open_at, tmp_path / "copy")
    changes = again.changes(inbox.id, known)
    assert [uid for uid, _modseq, _flags in changes.changed] == [1, 2]
    assert later in changes.vanished
    assert add(again, inbox_of(again), "new")[0] > later
    assert again.create_folder("alice", "new").id > storage.create_folder("alice", "too").id


def test_a_tree_put_back_under_a_living_index_is_noticed(storage, tmp_path, open_at):
    inbox = inbox_of(storage)
    add(storage, inbox, "one")
    shutil.copytree(storage.tree.root, tmp_path / "copy")
    add(storage, inbox, "two")
    storage.close()
    shutil.rmtree(storage.tree.root)
    shutil.copytree(tmp_path / "copy", storage.tree.root)
    again = open_at(tmp_path / "site")
    assert list(again.uids(inbox.id)) == [1]
    assert inbox_of(again).uidnext == 3 + JUMP
    assert list(again.verify()) == []


def test_one_folder_put_back_leaves_the_others_alone(storage, tmp_path, open_at):
    inbox, sent = inbox_of(storage), storage.find_folder("alice", "Sent")
    add(storage, inbox, "one")
    add(storage, sent, "sent")
    before = storage.get_folder(sent.id)
    shutil.copytree(storage.tree.directory("alice", "INBOX"), tmp_path / "copy")
    storage.expunge(inbox.id, only_deleted=False)
    storage.close()
    shutil.rmtree(storage.tree.directory("alice", "INBOX"))
    shutil.copytree(tmp_path / "copy", storage.tree.directory("alice", "INBOX"))
    again = open_at(tmp_path / "site")
    assert list(again.uids(inbox.id)) == [1]
    assert again.get_folder(sent.id) == before


def test_a_tree_put_back_while_it_runs_heals_with_the_next_step(storage, tmp_path):
    inbox = inbox_of(storage)
    add(storage, inbox, "one")
    journal = storage.tree.journal("alice", "INBOX")
    shutil.copy(journal, tmp_path / "copy")
    add(storage, inbox, "two")
    journal.rename(tmp_path / "aside")  # or its inode may be given to the copy
    shutil.copy(tmp_path / "copy", journal)
    with pytest.raises(StorageDamaged):
        storage.store_flags(inbox.id, [1], FlagMode.ADD, frozenset({"\\Seen"}))
    flag(storage, inbox, [1], "\\Seen")
    assert [read(storage, inbox.id, uid) for uid in (1, 2)] == [mail("one"), mail("two")]  # its file was still there
    assert inbox_of(storage).unseen == 1
    assert list(storage.verify()) == []


def test_folders_renamed_copied_and_removed_by_hand(storage, tmp_path, open_at):
    deep = storage.create_folder("alice", "Projects/Kitchen")
    add(storage, deep, "sink")
    storage.close()
    root = storage.tree.root / "alice"
    (root / "Projects").rename(root / "Works")
    shutil.copytree(root / "Works" / "Kitchen", root / "Copy")
    shutil.rmtree(root / "Trash")
    again = open_at(tmp_path / "site")
    kitchen = again.get_folder(deep.id)
    assert (kitchen.name, kitchen.messages, kitchen.uidnext) == ("Works/Kitchen", 1, 2)
    copied = again.find_folder("alice", "Copy")
    assert copied.messages == 1
    assert copied.id != deep.id
    assert copied.object_id != deep.object_id
    assert again.find_folder("alice", "Trash") is None
    assert list(again.verify()) == []


def test_a_journal_cut_at_every_byte_of_its_last_lines(storage, tmp_path, open_at):
    inbox = inbox_of(storage)
    add(storage, inbox, "one", "two")
    whole = len(storage.tree.journal("alice", "INBOX").read_bytes())
    flag(storage, inbox, [1], "\\Seen")
    (third,) = add(storage, inbox, "three")
    journal = storage.tree.journal("alice", "INBOX").read_bytes()
    shutil.copytree(storage.tree.root / "alice", tmp_path / "copy" / "alice")
    for size in [*range(whole, len(journal), 7), *range(len(journal) - 8, len(journal) + 1)]:
        (tmp_path / "copy" / "alice" / "INBOX" / "journal.txt").write_bytes(journal[:size])
        again = restored(tmp_path, open_at, tmp_path / "copy")
        assert [read(again, inbox.id, uid) for uid in again.uids(inbox.id)] == [
            mail("one"),
            mail("two"),
            mail("three"),
        ], size
        flags = [flags for (flags,) in again.rows(inbox.id, [Column.FLAGS])]
        assert flags[0] in ("", "\\Seen")
        assert inbox_of(again).uidnext > third
        assert list(again.verify()) == []
        again.close()


def test_what_is_lost_is_lost_alone(storage, tmp_path, open_at):
    inbox = inbox_of(storage)
    add(storage, inbox, "one", "two", "three")
    directory = storage.tree.directory("alice", "INBOX")
    shutil.copytree(storage.tree.root, tmp_path / "copy")
    kept = tmp_path / "copy" / "alice" / "INBOX"
    next(kept.rglob("000002.eml")).unlink()
    (next(kept.rglob("000001.eml")).parent / "notes.txt").write_text("mine")
    again = restored(tmp_path, open_at, tmp_path / "copy")
    assert list(again.uids(inbox.id)) == [1, 3]
    assert [path.read_text() for path in again.tree.quarantine.iterdir()] == ["mine"]
    assert directory.exists()
    assert list(again.verify()) == []


def test_a_damaged_line_costs_flags_and_no_message(storage, tmp_path, open_at):
    inbox = inbox_of(storage)
    add(storage, inbox, "one", "two", flags="\\Seen")
    storage.expunge(inbox.id, add(storage, inbox, "gone"), only_deleted=False)
    journal = bytearray(storage.tree.journal("alice", "INBOX").read_bytes())
    journal[journal.index(b"000001.eml")] ^= 1
    shutil.copytree(storage.tree.root, tmp_path / "copy")
    (tmp_path / "copy" / "alice" / "INBOX" / "journal.txt").write_bytes(journal)
    again = restored(tmp_path, open_at, tmp_path / "copy")
    assert list(again.rows(inbox.id, [Column.UID, Column.FLAGS])) == [(1, ""), (2, "\\Seen")]
    assert read(again, inbox.id, 1) == mail("one")


def test_a_lost_journal_costs_flags_and_no_message(storage, tmp_path, open_at):
    inbox = inbox_of(storage)
    add(storage, inbox, "one", "two", flags="\\Seen")
    (storage.tree.root / "alice" / "INBOX" / "journal.txt").unlink()
    (storage.tree.root / "alice" / "journal.txt").unlink()
    again = restored(tmp_path, open_at, storage.tree.root)
    assert [read(again, inbox_of(again).id, uid) for uid in (1, 2)] == [mail("one"), mail("two")]


def test_a_copy_made_in_the_middle_of_deliveries(storage, tmp_path, open_at):
    """`cp -r` while four threads deliver: all that was confirmed before it began is in it, whole, once."""
    stop, confirmed = threading.Event(), []

    def send(name):
        number = 0
        while not stop.is_set():
            number += 1
            subject = f"{name} {number}"
            deliver(storage, mail(subject, "x" * 3_000 + "\r\n"), "alice", "bob")
            confirmed.append(subject)
            inbox = inbox_of(storage)
            storage.store_flags(inbox.id, [number], FlagMode.ADD, frozenset({f"by-{name}"}))

    threads = [threading.Thread(target=send, args=[name]) for name in "abcd"]
    for thread in threads:
        thread.start()
    try:
        for copy in range(3):
            while len(confirmed) < 40 * (copy + 1):
                assert all(thread.is_alive() for thread in threads)
            before = list(confirmed)
            target = tmp_path / f"copy-{copy}" / "mail"
            target.parent.mkdir()
            subprocess.run(["cp", "-r", storage.tree.root, target], check=True)
            after = list(confirmed)
            _check_copy(open_at(target.parent), before, after)
    finally:
        stop.set()
        for thread in threads:
            thread.join()


def _check_copy(again, before, after):
    for mailbox in ("alice", "bob"):
        inbox = inbox_of(again, mailbox)
        texts = [read(again, inbox.id, uid) for uid in again.uids(inbox.id)]
        subjects = [text.split(b"Subject: ")[1].split(b"\r\n")[0].decode() for text in texts]
        assert set(before) <= set(subjects)
        assert len(subjects) == len(set(subjects))
        assert len(subjects) <= len(after) + 4
        assert all(text.endswith(b"x\r\n") for text in texts)
        assert list(again.uids(inbox.id)) == sorted(again.uids(inbox.id))
    assert list(again.verify()) == []


def test_two_processes_on_one_storage(storage, tmp_path):
    """Another process delivers, copies and dies; this one goes on."""
    script = (
        "import os, sys, threading\n"
        "from pathlib import Path\n"
        "from app.clock import SystemClock\n"
        "from mailsite_ext.storage.file_mail_storage import FileMailStorage\n"
        "from tests.mailsite.storage.engines import add, deliver, inbox_of, mail\n"
        "storage = FileMailStorage(Path(sys.argv[1]), SystemClock(), machine='here')\n"
        "for number in range(20):\n"
        "    deliver(storage, mail(f'other {number}'), 'alice')\n"
        "    print(number, flush=True)\n"
        "os._exit(9)\n"
    )
    root = os.path.dirname(os.path.abspath(__file__)).partition("/tests/")[0]
    other = subprocess.Popen(
        [sys.executable, "-c", script, tmp_path / "site"], cwd=root, env={**os.environ, "PYTHONPATH": root}
    )
    mine = [deliver(storage, mail(f"mine {number}"), "alice")[0].uid for number in range(20)]
    assert other.wait(60) == 9
    inbox = inbox_of(storage)
    assert inbox.messages == 40
    assert len(set(mine)) == 20
    assert list(storage.verify()) == []


def test_the_storage_of_one_machine_is_not_opened_by_another(storage, tmp_path):
    with pytest.raises(StorageElsewhere):
        FileMailStorage(tmp_path / "site", SystemClock(), machine="there")


@pytest.mark.parametrize("other", ["here", "there"])
def test_of_two_that_open_a_new_storage_at_once_the_first_is_its_owner(tmp_path, open_at, other):
    class Overtaken(Disk):
        """Somebody else is quicker, each time a file is to be given its name."""

        def link(self, source, target):
            if not target.exists():
                target.write_text(f"{other}\n")
            super().link(source, target)

    if other == "here":
        open_at(tmp_path / "site", files=Overtaken())
    else:
        with pytest.raises(StorageElsewhere):
            open_at(tmp_path / "site", files=Overtaken())
    assert [path.name for path in (tmp_path / "site").glob("owner*")] == ["owner.txt"]


def test_a_broken_index_is_made_anew(storage, tmp_path, open_at):
    fill(storage)
    expected = snapshot(storage, with_modseq=False)
    storage.close()
    for path in storage.tree.index.glob("catalogue-*"):
        path.write_bytes(b"this is no database" * 1000)
    again = open_at(tmp_path / "site")
    assert snapshot(again, with_modseq=False) == expected


def test_a_long_journal_is_made_short(storage, monkeypatch, tmp_path, open_at):
    monkeypatch.setattr("mailsite_ext.storage.file_tree.SHORT_JOURNAL_OCTETS", 1_000)
    inbox = inbox_of(storage)
    add(storage, inbox, "one")
    for number in range(60):
        mode = FlagMode.ADD if number % 2 else FlagMode.REMOVE
        storage.store_flags(inbox.id, [1], mode, frozenset({"\\Seen", f"keyword{number % 2}"}))
    assert storage.tree.journal("alice", "INBOX").stat().st_size < 2_000
    assert list(storage.verify()) == []
    before = snapshot(storage)
    storage.close()
    assert snapshot(open_at(tmp_path / "site")) == before


def test_a_log_that_has_grown_is_begun_anew(storage, monkeypatch, tmp_path, open_at):
    checkpoint = JournalLog.checkpoint
    monkeypatch.setattr(JournalLog, "checkpoint", lambda log, *, at_octets=500: checkpoint(log, at_octets=at_octets))
    for number in range(10):
        deliver(storage, mail(f"{number}"), "alice", "bob")
        assert storage.tree.log.size_octets() < 2_000
    before = snapshot(storage)
    storage.close()
    again = open_at(tmp_path / "site")
    assert snapshot(again) == before
    assert list(again.verify()) == []


@pytest.mark.parametrize(
    "name", ["..", "/etc", "a/../b", "x" * 240, "é", "e\u0301", "Work", "work", "trailing.", "NUL", "%2e%2e", "日" * 80]
)
def test_hostile_names_stay_in_the_tree(storage, tmp_path, open_at, name):
    name = name.strip("/")
    folder = storage.create_folder("alice", name)
    add(storage, folder, "in there")
    storage.rename_folder(folder.id, f"Moved/{name}")
    everything = {path for path in tmp_path.rglob("*") if path.suffix == ".eml"}
    assert all(path.is_relative_to(storage.tree.root / "alice") for path in everything)
    again = restored(tmp_path, open_at, storage.tree.root)
    assert again.find_folder("alice", f"Moved/{name}").messages == 1
