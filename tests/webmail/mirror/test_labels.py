"""Gmail's views: whatever happens to messages of All Mail, its labels show it; counters and leads are right."""

from __future__ import annotations

from dataclasses import replace

import pytest
from sqlalchemy import select

from app.mail_services.modes import Mode
from app.mirror import queries, service
from app.mirror.labels import labels_of
from app.mirror.models import Folder, LabelEntry, Message
from app.sources import Delta, FlagState, FolderState, FolderStatus, GmailIds, RemoteFolder, Role
from tests.conftest import START
from tests.factories import make_account, remote_message

ALL_MAIL = "[Gmail]/All Mail"
STATUS = FolderStatus(1, 1, 0, 0)
TREE = [
    RemoteFolder("INBOX", "/", Role.INBOX, status=STATUS, label="\\Inbox"),
    RemoteFolder(ALL_MAIL, "/", Role.ALL, status=STATUS),
    RemoteFolder("[Gmail]/Starred", "/", Role.FLAGGED, status=STATUS, label="\\Starred"),
    RemoteFolder("[Gmail]/Trash", "/", Role.TRASH, status=STATUS),
    RemoteFolder("Travel", "/", status=STATUS, label="Travel"),
]


@pytest.fixture
def account(db, alice):
    account = make_account(db, alice)
    service.store_folders(db, account.id, TREE)
    return account


@pytest.fixture
def folders(db, account):
    return {row.name: row for row in db.scalars(select(Folder).where(Folder.account_id == account.id))}


@pytest.fixture
def all_mail(folders):
    return folders[ALL_MAIL]


def message(uid, *labels, thread=None, **fields):
    return remote_message(uid, gmail=GmailIds(uid, thread or 1_000 + uid, labels), **fields)


def delta(*messages, uidvalidity=1, **fields):
    return Delta(FolderState(uidvalidity, 100, 7), messages=len(messages), unseen=None, new=messages, **fields)


def listed(db, folder):
    return [row.uid for row in queries.list_messages(db, folder.id)]


def assert_views_are_right(db):
    """Exactly the messages of All Mail that have the label are shown, as their rows are; counters count them."""
    db.expire_all()
    for view in db.scalars(select(Folder).where(Folder.label.is_not(None))):
        of_store = select(Message).join(Folder, Folder.id == Message.folder_id).where(Folder.role == Role.ALL)
        rows = {row.id: row for row in db.scalars(of_store.where(Folder.account_id == view.account_id))}
        rows = {id: row for id, row in rows.items() if view.label in labels_of(row.labels, flagged=row.flagged)}
        entries = {entry.message_id: entry for entry in db.scalars(select(LabelEntry).filter_by(folder_id=view.id))}
        assert entries.keys() == rows.keys(), view.name
        for id, entry in entries.items():
            for name in ("uid", "received_at", "seen", "flagged", "has_attachments", "conversation_id"):
                assert getattr(entry, name) == getattr(rows[id], name), (view.name, name)
        if view.complete:
            assert (view.total, view.unread) == (len(rows), sum(not row.seen for row in rows.values())), view.name
        newest: dict[int, tuple] = {}
        for row in rows.values():
            place = (row.received_at, row.uid, row.id)
            newest[row.conversation_id] = max(newest.get(row.conversation_id, place), place)
        assert {id for id, entry in entries.items() if entry.leads} == {place[2] for place in newest.values()}


def test_a_message_shows_under_each_of_its_labels_once(db, folders, all_mail):
    messages = [message(3, "\\Inbox", "Travel"), message(2, "Travel", flags=["\\Flagged"]), message(1)]
    changed = service.apply_delta(db, all_mail.id, delta(*messages), START)
    views = ("INBOX", "Travel", "[Gmail]/Starred")
    assert changed == {all_mail.id, *(folders[name].id for name in views)}
    assert [listed(db, folders[name]) for name in (*views, ALL_MAIL)] == [[3], [3, 2], [2], [3, 2, 1]]
    assert service.apply_delta(db, all_mail.id, delta(*messages), START) == set()
    assert_views_are_right(db)


def test_views_follow_labels_flags_and_ends(db, folders, all_mail):
    service.apply_delta(db, all_mail.id, delta(*(message(uid, "\\Inbox", thread=7) for uid in (3, 2, 1))), START)
    service.mark_complete(db, all_mail.id)
    assert_views_are_right(db)
    states = {
        1: FlagState(frozenset({"\\Seen", "\\Flagged"}), labels=("\\Inbox", "Travel")),
        3: FlagState(frozenset(), labels=()),
    }
    changed = service.apply_delta(db, all_mail.id, delta(flags=states, vanished=frozenset({2})), START)
    assert changed >= {folders["INBOX"].id, folders["Travel"].id}
    assert [listed(db, folders[name]) for name in ("INBOX", "Travel", "[Gmail]/Starred")] == [[1], [1], [1]]
    assert_views_are_right(db)
    assert (folders["INBOX"].total, folders["INBOX"].unread) == (1, 0)


def test_a_conversation_is_one_row_led_by_its_newest_in_the_view(db, folders, all_mail):
    messages = [message(3, thread=7), message(2, "\\Inbox", thread=7), message(1, "\\Inbox", thread=7)]
    service.apply_delta(db, all_mail.id, delta(*messages), START)
    (row,) = queries.list_conversations(db, folders["INBOX"].id)
    assert (row.uid, row.conversation.messages) == (2, 3)
    unread = {2: FlagState(frozenset({"\\Seen"}), labels=("\\Inbox",))}
    service.apply_delta(db, all_mail.id, delta(flags=unread), START)
    (row,) = queries.list_conversations(db, folders["INBOX"].id, filter=queries.ListFilter.UNREAD)
    assert row.uid == 1
    assert_views_are_right(db)


def test_counters_are_the_servers_until_all_mail_is_complete(db, account, folders, all_mail):
    told = [replace(folder, status=FolderStatus(1, 100, 40, 9)) for folder in TREE]
    service.apply_delta(db, all_mail.id, delta(message(99, "\\Inbox")), START)
    service.store_folders(db, account.id, told)
    service.add_messages(db, all_mail.id, [message(5, "\\Inbox")])
    db.refresh(folders["INBOX"])
    assert (folders["INBOX"].total, folders["INBOX"].unread) == (40, 9)
    service.apply_delta(db, all_mail.id, replace(delta(message(100, "\\Inbox")), messages=41), START)
    db.refresh(folders["INBOX"])
    assert (folders["INBOX"].total, folders["INBOX"].unread) == (41, 10)
    service.mark_complete(db, all_mail.id)
    assert_views_are_right(db)
    service.store_folders(db, account.id, told)
    assert_views_are_right(db)


def test_another_uidvalidity_of_all_mail_empties_its_views(db, folders, all_mail):
    service.apply_delta(db, all_mail.id, delta(message(9, "\\Inbox"), message(8, "Travel")), START)
    service.mark_complete(db, all_mail.id)
    service.apply_delta(db, all_mail.id, delta(message(2, "\\Inbox"), uidvalidity=2, reset=True), START)
    assert (listed(db, folders["INBOX"]), listed(db, folders["Travel"])) == ([2], [])
    service.mark_complete(db, all_mail.id)
    assert_views_are_right(db)


def test_labels_come_and_go(db, account, all_mail):
    service.apply_delta(db, all_mail.id, delta(message(9, "Plans", "\\Inbox"), message(8, "Travel", "Planseer")), START)
    service.mark_complete(db, all_mail.id)
    plans = RemoteFolder("Plans", "/", status=STATUS, label="Plans")
    service.store_folders(db, account.id, [*TREE[:-1], plans])
    views = {row.name: row for row in db.scalars(select(Folder).where(Folder.label.is_not(None)))}
    assert "Travel" not in views
    assert listed(db, views["Plans"]) == [9]
    assert views["Plans"].complete
    assert_views_are_right(db)
    assert len(db.scalars(select(Message.id)).all()) == 2


def test_hiding_all_mail_from_imap_makes_folders_of_views(db, account, folders, all_mail):
    """And showing it again makes views of folders: nothing of what they were before stays."""
    service.apply_delta(db, all_mail.id, delta(message(9, "\\Inbox")), START)
    service.mark_complete(db, all_mail.id)
    hidden = [replace(folder, label=None) for folder in TREE if folder.role is not Role.ALL]
    service.store_folders(db, account.id, hidden)
    inbox = folders["INBOX"]
    db.refresh(inbox)
    assert (inbox.label, inbox.complete, db.scalars(select(LabelEntry.message_id)).all()) == (None, False, [])
    service.apply_delta(db, inbox.id, delta(message(4, "\\Inbox")), START)
    assert listed(db, inbox) == [4]
    service.store_folders(db, account.id, TREE)
    assert db.scalars(select(Message.id)).all() == []
    assert_views_are_right(db)


def test_the_tree_shows_views_as_folders(db, alice, account, folders, all_mail, set_mode):
    set_mode(Mode.EXTERNAL)
    service.apply_delta(db, all_mail.id, delta(message(9, "\\Inbox")), START)
    service.mark_complete(db, all_mail.id)
    (tree,) = queries.folder_tree(db, alice.id)
    assert [(row.label, row.total, row.unread) for row in tree.folders] == [
        ("INBOX", 1, 1), ("All Mail", 1, 1), ("Trash", 0, 0), ("Starred", 0, 0), ("Travel", 0, 0),
    ]  # fmt: skip
    assert tree.unread == 1
    assert queries.find_folder_by_role(db, account.id, Role.INBOX).id == folders["INBOX"].id
    assert queries.find_first_inbox(db, alice.id).id == folders["INBOX"].id
