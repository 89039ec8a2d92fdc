"""The mirror follows the server: first sync, deltas, and whatever other clients do."""

from __future__ import annotations

from itertools import takewhile

import pytest
from sqlalchemy.orm import Session

from app.accounts.models import AccountState
from app.actions import service as actions
from app.bus import Topic
from app.engine import leases, sync
from app.engine.desk import Desk
from app.runtime import Runtime
from app.sources import Role
from app.users.models import User
from tests.factories import make_account, make_folder, make_message
from tests.fake_messages import simple_message
from tests.fake_source import FakeServer
from tests.webmail.engine.conftest import Post, wait_for

KINDS = pytest.mark.parametrize("has_modseq", [True, False], ids=["condstore", "plain"])


def test_the_inboxs_newest_messages_come_first_of_all(post: Post) -> None:
    server = FakeServer()
    server.deliver_many(750)
    server.deliver_many(30, "Sent")
    post.start_engine()
    account = post.synced(server)
    asked = [call for call in server.calls if call[0] != "connect"]
    assert asked[0] == ("changes", "INBOX"), "one question makes the account usable"
    assert [folder for method, folder in asked if method == "headers"] == ["INBOX"] * 2
    found = post.account(account.id)
    assert found.state is AccountState.READY
    assert (found.sync_done, found.sync_total) == (780, 780)
    assert post.get_folder(account.id).total == 750


def test_counts_of_all_folders_are_known_before_older_mail(post: Post) -> None:
    server = FakeServer()
    server.deliver_many(500)
    server.deliver_many(7, "Archive")
    post.start_engine()
    post.synced(server)
    order = [method for method, _ in server.calls]
    assert order.index("folders") < order.index("headers")


@KINDS
def test_new_mail_appears_by_idle(post: Post, has_modseq: bool) -> None:
    server = FakeServer(has_modseq=has_modseq)
    post.start_engine()
    account = post.synced(server)
    uid = server.deliver(simple_message("Good news"))
    wait_for(lambda: uid in post.messages(account.id))
    assert post.messages(account.id)[uid].subject == "Good news"
    assert post.get_folder(account.id).unread == 1


def test_new_mail_appears_by_polls_where_the_server_cannot_idle(post: Post) -> None:
    server = FakeServer(can_idle=False)
    post.start_engine(inbox_poll_s=0.05)
    account = post.synced(server)
    uid = server.deliver(simple_message("Good news"))
    wait_for(lambda: uid in post.messages(account.id))


@KINDS
def test_what_other_clients_do_in_the_inbox(post: Post, has_modseq: bool) -> None:
    server = FakeServer(has_modseq=has_modseq)
    server.deliver_many(5)
    post.start_engine()
    account = post.synced(server)
    server.set_flags("INBOX", 2, ["\\Seen", "\\Flagged"])
    wait_for(lambda: post.messages(account.id)[2].flagged)
    server.expunge("INBOX", 4)
    wait_for(lambda: 4 not in post.messages(account.id))
    assert post.messages(account.id).keys() == {1, 2, 3, 5}
    folder = post.get_folder(account.id)
    assert (folder.total, folder.unread) == (4, 3)


@KINDS
def test_other_folders_are_swept(post: Post, has_modseq: bool) -> None:
    server = FakeServer(has_modseq=has_modseq)
    server.deliver_many(3, "Sent")
    post.start_engine(tree_s=0.05)
    account = post.synced(server)
    server.deliver(simple_message("Sent elsewhere"), "Sent", ["\\Seen"])
    server.expunge("Sent", 1)
    wait_for(lambda: post.messages(account.id, "Sent").keys() == {2, 3, 4})


def test_a_sweep_asks_only_where_something_changed(post: Post) -> None:
    server = FakeServer()
    for name in server.folders:
        server.deliver_many(2, name)
    post.start_engine(tree_s=0.05)
    post.synced(server)
    wait_for(lambda: sweeps_since_the_last_question(server) >= 3)  # the first previews come a moment after the headers


def sweeps_since_the_last_question(server: FakeServer) -> int:
    """Looks at the tree after which no folder was asked for anything."""
    idle = {"folders", "start_watching", "stop_watching", "has_news"}
    recent = list(takewhile(lambda method: method in idle, (method for method, _ in reversed(server.calls))))
    return recent.count("folders")


def test_uidvalidity_changes(post: Post) -> None:
    server = FakeServer()
    server.deliver_many(250)
    post.start_engine()
    account = post.synced(server)
    before = set(post.messages(account.id))
    server.start_over("INBOX")
    wait_for(lambda: len(post.messages(account.id)) == 250 and not before & post.messages(account.id).keys())
    wait_for(lambda: post.get_folder(account.id).uidvalidity == 2)


def test_folders_come_and_go_elsewhere(post: Post) -> None:
    server = FakeServer()
    server.deliver_many(3, "Archive")
    post.start_engine(tree_s=0.05)
    account = post.synced(server)
    other = server.connect()
    other.create_folder("Plans")
    server.deliver(simple_message("A plan"), "Plans")
    other.delete_folder("Archive")
    other.close()
    wait_for(lambda: post.is_synced(account.id))
    assert "Archive" not in post.folders(account.id)
    assert len(post.messages(account.id, "Plans")) == 1


def test_a_folder_renamed_elsewhere_under_a_delta(post: Post) -> None:
    """The delta's folder is gone: the next sweep finds it under its new name."""
    server = FakeServer()
    server.deliver_many(3, "Archive")
    post.start_engine(tree_s=0.05)
    account = post.synced(server)
    other = server.connect()
    other.rename_folder("Archive", "Attic")
    other.close()
    wait_for(lambda: post.is_synced(account.id))
    assert len(post.messages(account.id, "Attic")) == 3
    assert post.account(account.id).error == ""


def test_a_first_sync_goes_on_where_it_was(post: Post, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(sync, "STEP_MESSAGES", 200)
    server = FakeServer()
    server.deliver_many(1_500)
    gate = server.gate("headers", after=3)
    first = post.start_engine()
    account = post.add(server)
    wait_for(gate.reached.is_set)
    post.tell_to_stop(first)
    gate.open()
    post.stop_engine(first)
    had = len(post.messages(account.id))
    assert 200 < had < 1_500, "stopped in the middle"
    assert not post.get_folder(account.id).complete
    server.calls.clear()
    post.start_engine()
    wait_for(lambda: post.is_synced(account.id))
    chunks = sum(call == ("headers", "INBOX") for call in server.calls)
    assert chunks <= -(-(1_500 - had) // 200) + 1, "only what was missing is fetched"


def test_many_new_messages_at_once_are_all_fetched(post: Post) -> None:
    server = FakeServer()
    post.start_engine()
    account = post.synced(server)
    with server.lock:
        server.deliver_many(500)
    wait_for(lambda: len(post.messages(account.id)) == 500)
    wait_for(lambda: post.get_folder(account.id).complete)


def test_pages_are_rung(post: Post) -> None:
    server = FakeServer()
    post.start_engine()
    account = post.synced(server)
    folder = post.get_folder(account.id)
    with post.parts.bus.subscribe() as ear:
        server.deliver(simple_message("Ding"))
        heard: set[tuple[Topic, int]] = set()
        while not {(Topic.FOLDER, folder.id), (Topic.TREE, post.owner.id)} <= heard:
            bells = ear.wait(5)
            assert bells, heard
            heard |= {(bell.topic, bell.subject) for bell in bells}


def test_the_number_of_known_uids_is_told_without_reading_them(
    parts: Runtime, db: Session, alice: User, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Messages that left here but not yet there are known, those that wait here for their UID are not."""
    account = make_account(db, alice)
    inbox, archive = make_folder(db, account), make_folder(db, account, "Archive", Role.ARCHIVE)
    moved = [make_message(db, inbox).id for _ in range(6)][1:3]
    make_message(db, archive)
    actions.move(db, alice.id, moved, archive.id, parts.clock, parts.bus)
    engine_id = leases.register(db, parts.clock.now())
    leases.claim(db, engine_id, ["imap"], 1)
    desk = Desk(parts, leases.held(db, engine_id, ["imap"])[account.id])
    read = {folder.id: list(sync.KnownUids(desk, folder.id)) for folder in (inbox, archive)}
    assert [len(uids) for uids in read.values()] == [6, 1]
    monkeypatch.setattr("app.mirror.service.known_uids", None)
    assert [len(sync.KnownUids(desk, folder_id)) for folder_id in read] == [6, 1]
