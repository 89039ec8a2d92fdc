"""Out of a mailbox and into another, as Maildir and mbox: bytes, flags, keywords, dates, order."""

from __future__ import annotations

import contextlib
import mailbox as readers
import os

import pytest

from mailsite_ext.storage.transfer import export_mailbox, import_mailbox
from mailsite_ext.storage.values import Column
from tests.mailsite.storage.engines import NOON, add, content, inbox_of, mail, read

FROM = b"From: a@example.org\r\n\r\nFrom here\r\n>From there\r\n\r\nFrom a@b Tue Nov 24 12:00:00 2026\r\n"
NAMES = ["Archive/2026.old", "Küche/日本", "..", "a.b%2Ec", "x" * 240 + "/" + "日" * 80, "&-&"]


def everything(storage, mailbox):
    return {
        folder.name: [
            (flags, date, read(storage, folder.id, uid))
            for uid, flags, date in storage.rows(folder.id, [Column.UID, Column.FLAGS, Column.INTERNAL_DATE])
        ]
        for folder in storage.folders(mailbox)
        if folder.messages
    }


@pytest.fixture
def filled(embedded_place):
    storage = embedded_place.opened[0]
    add(storage, inbox_of(storage), "one", "two", flags="\\Seen \\Flagged $Label work")
    add(storage, inbox_of(storage), "three", flags="\\Answered \\Deleted \\Draft")
    storage.append(inbox_of(storage).id, [(content(FROM), frozenset(), NOON)]).result(30)
    for name in NAMES:
        add(storage, storage.create_folder("alice", name), name.encode("ascii", "replace").decode()[:40])
    return storage


@pytest.mark.parametrize("as_mbox", [False, True], ids=["maildir", "mbox"])
def test_out_and_in_again(filled, tmp_path, as_mbox):
    done = {
        moved.folder: moved.messages for moved in export_mailbox(filled, "alice", tmp_path / "out", as_mbox=as_mbox)
    }
    assert done["INBOX"] == 4
    assert all(path.is_relative_to(tmp_path / "out") for path in (tmp_path / "out").rglob("*"))
    list(import_mailbox(filled, "bob", tmp_path / "out", as_mbox=as_mbox))
    assert everything(filled, "bob") == everything(filled, "alice")


def test_others_read_the_maildir(filled, tmp_path):
    list(export_mailbox(filled, "alice", tmp_path / "out", as_mbox=False))
    maildir = readers.Maildir(tmp_path / "out", create=False)
    assert sorted(message["Subject"] for message in maildir if message["Subject"]) == ["one", "three", "two"]
    assert {message.get_flags() for message in maildir} >= {"DRT"}
    assert "Archive.2026%2Eold" in maildir.list_folders()


def test_others_read_the_mbox(filled, tmp_path):
    list(export_mailbox(filled, "alice", tmp_path / "out", as_mbox=True))
    with contextlib.closing(readers.mbox(tmp_path / "out" / "INBOX.mbox", create=False)) as box:
        messages = list(box)
    assert [message["Subject"] for message in messages] == ["one", "two", "three", None]
    assert messages[0].get_flags() == "ROF"


def test_a_maildir_somebody_else_wrote(filled, tmp_path):
    theirs = readers.Maildir(tmp_path / "theirs", create=True)
    folder = theirs.add_folder("Sent.Old")
    message = readers.MaildirMessage(mail("theirs").replace(b"\r\n", b"\n"))
    message.set_flags("RS")
    message.set_subdir("cur")
    path = tmp_path / "theirs" / ".Sent.Old" / "cur"
    folder.add(message)
    os.utime(next(path.iterdir()), (1_700_000_000, 1_700_000_000))
    list(import_mailbox(filled, "bob", tmp_path / "theirs", as_mbox=False))
    assert everything(filled, "bob")["Sent/Old"] == [
        ("\\Answered \\Seen", 1_700_000_000, mail("theirs").replace(b"\r\n", b"\n"))
    ]


def test_an_mbox_that_is_none_brings_nothing(filled, tmp_path):
    (tmp_path / "in").mkdir()
    (tmp_path / "in" / "INBOX.mbox").write_bytes(os.urandom(10_000))
    assert [moved.messages for moved in import_mailbox(filled, "bob", tmp_path / "in", as_mbox=True)] == [0]
