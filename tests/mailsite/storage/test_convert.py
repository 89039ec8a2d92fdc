"""From one engine to the other and back: nothing changes but where it lies."""

from __future__ import annotations

import itertools

import pytest

from mailsite_ext.storage import convert as converting
from mailsite_ext.storage.convert import convert
from mailsite_ext.storage.file_mail_storage import FileMailStorage
from tests.mailsite.storage.engines import add, inbox_of
from tests.mailsite.storage.snapshots import fill, snapshot


@pytest.fixture
def files(tmp_path, clock):
    def open_files(name):
        storage = FileMailStorage(tmp_path / name, clock, machine="here")
        opened.append(storage)
        return storage

    opened: list = []
    yield open_files
    for storage in opened:
        storage.close()


@pytest.fixture
def empty(place):
    """The storage of each kind, its mailboxes removed."""
    storage = place.opened[0]
    storage.remove_mailbox("alice")
    storage.remove_mailbox("bob")
    return storage


def changes_of(storage):
    return [
        (folder.id, since, change.changed, list(change.vanished), change.complete)
        for folder in storage.folders("alice")
        for since in (1, 3)
        for change in [storage.changes(folder.id, since)]
    ]


def test_files_to_each_and_back_byte_and_uid_exact(empty, files, tmp_path):
    first, last = files("first"), files("last")
    first.create_mailbox("alice")
    first.create_mailbox("bob")
    fill(first)
    expected = snapshot(first), changes_of(first), first.quota("alice")
    (tmp_path / "scratch").mkdir()
    for source, target in ((first, empty), (empty, last)):
        list(convert(source, target, tmp_path / "scratch"))
        assert (snapshot(target), changes_of(target), target.quota("alice")) == expected
        assert list(target.verify()) == []
    last.rebuild()  # the journals say it all, too
    assert snapshot(last, with_modseq=False) == snapshot(first, with_modseq=False)
    assert all(folder.recent_from == folder.uidnext for folder in last.folders("alice"))  # or else all mail were new
    assert list((tmp_path / "scratch").iterdir()) == []


def test_no_id_is_given_again(empty, files, tmp_path):
    first = files("first")
    first.create_mailbox("alice")
    removed = first.create_folder("alice", "removed")
    first.delete_folder(removed.id)
    list(convert(first, empty, tmp_path))
    assert empty.create_folder("alice", "new").id > removed.id


@pytest.mark.parametrize("stop_after", [0, 1, 2])
def test_what_was_interrupted_goes_on(empty, files, tmp_path, monkeypatch, stop_after):
    monkeypatch.setattr(converting, "PIECE", 2)
    first = files("first")
    first.create_mailbox("alice")
    first.create_mailbox("bob")
    fill(first)
    keep = type(converting._FilesKeeper(first)).keep, converting._SqlKeeper.keep
    kept = itertools.count()

    def stopping(whole):
        def keep_some(self, body):
            if next(kept) >= stop_after:
                raise KeyboardInterrupt
            return whole(self, body)

        return keep_some

    monkeypatch.setattr(converting._FilesKeeper, "keep", stopping(keep[0]))
    monkeypatch.setattr(converting._SqlKeeper, "keep", stopping(keep[1]))
    with pytest.raises(KeyboardInterrupt):
        list(convert(first, empty, tmp_path))
    monkeypatch.undo()
    add(first, inbox_of(first), "meanwhile")
    first.expunge(inbox_of(first).id, [1], only_deleted=False)
    list(convert(first, empty, tmp_path))
    assert snapshot(empty) == snapshot(first)
    assert {found.kind for found in empty.verify(fix=True)} <= {"blob of no message"}  # kept, then interrupted
    assert list(empty.verify()) == []
