"""All that must survive a conversion, a backup or a restore, as plain values."""

from __future__ import annotations

from typing import Any

from mailsite_ext.storage.values import Column
from tests.mailsite.storage.engines import add, deliver, flag, inbox_of, mail, read

COLUMNS = list(Column)


def snapshot(storage: Any, *, with_modseq: bool = True) -> dict[str, Any]:
    """Mailboxes, folders, messages: rows, flags, dates, ids, bytes."""
    columns = [column for column in COLUMNS if with_modseq or column is not Column.MODSEQ]
    return {
        mailbox: (
            storage.subscriptions(mailbox),
            [
                (
                    *_folder(folder, with_modseq=with_modseq),
                    [(*row, read(storage, folder.id, row[0])) for row in storage.rows(folder.id, columns)],
                )
                for folder in storage.folders(mailbox)
            ],
        )
        for mailbox in storage.mailboxes()
    }


def _folder(folder: Any, *, with_modseq: bool) -> tuple[Any, ...]:
    same = (folder.id, folder.object_id, folder.name, folder.role, folder.subscribed, folder.selectable)
    counted = (folder.uidvalidity, folder.messages, folder.unseen, folder.deleted, folder.octets, folder.keywords)
    return same + counted + ((folder.uidnext, folder.highestmodseq) if with_modseq else ())


ATTACHED = (
    b"From: a@example.org\r\nMIME-Version: 1.0\r\nContent-Type: multipart/mixed; boundary=x\r\n\r\n--x\r\n\r\nText\r\n"
    b"--x\r\nContent-Type: application/octet-stream\r\n\r\n" + b"0123456789abcdef\r\n" * 3_000 + b"\r\n--x--\r\n"
)


def fill(storage: Any) -> None:
    """A bit of everything in the mailboxes of Alice and Bob."""
    inbox = inbox_of(storage)
    uids = add(storage, inbox, "one", "two", "three", "four", flags="\\Seen $Label")
    flag(storage, inbox, uids[:1], "\\Flagged", "work")
    storage.expunge(inbox.id, uids[1:2], only_deleted=False)
    deep = storage.create_folder("alice", "Projects/Küche ../2026-11-0000")
    storage.copy(inbox.id, uids[2:], deep.id)
    storage.create_folder("alice", "Only a name/below")
    storage.delete_folder(storage.find_folder("alice", "Only a name").id)
    deliver(storage, mail("for both"), "alice", "bob")
    deliver(storage, ATTACHED, "bob")
    deliver(storage, b"", "bob")
    storage.subscribe("alice", deep.name, subscribed=True)
    storage.subscribe("bob", "Drafts", subscribed=False)
    storage.delete_folder(storage.find_folder("bob", "Archive").id)
    storage.set_quota("alice", 10_000_000)
