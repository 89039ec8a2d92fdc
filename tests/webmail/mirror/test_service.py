"""The engine's hand on the mirror: deltas, counters, leads, folders."""

from datetime import timedelta

import pytest
from sqlalchemy import func, select, text

from app.actions import carry_out
from app.actions import service as actions
from app.errors import NoSuchFolder
from app.mirror import service
from app.mirror.folders import KnownFolder, plan_tree
from app.mirror.models import ConversationLink, Folder, Message
from app.sources import Applied, Delta, FlagState, FolderState, FolderStatus, GmailIds, RemoteFolder, Role
from tests.conftest import START
from tests.factories import make_account, make_folder, make_message, remote_message


@pytest.fixture
def account(db, alice):
    return make_account(db, alice)


@pytest.fixture
def inbox(db, account):
    return make_folder(db, account)


@pytest.fixture
def archive(db, account):
    return make_folder(db, account, "Archive", Role.ARCHIVE)


def delta(messages=(), *, uidvalidity=1, uidnext=100, flags=None, vanished=(), unseen=None, total=None, reset=False):
    return Delta(
        FolderState(uidvalidity, uidnext, 7),
        messages=len(messages) if total is None else total,
        unseen=unseen,
        reset=reset,
        flags=flags or {},
        vanished=frozenset(vanished),
        new=messages,
    )


def rows(db, folder):
    return db.scalars(
        select(Message)
        .where(Message.folder_id == folder.id)
        .order_by(Message.uid)
        .execution_options(populate_existing=True)
    ).all()


def assert_consistent(db):
    """Counters count, and in every folder exactly the newest of each conversation leads."""
    db.expire_all()
    for folder in db.scalars(select(Folder)):
        here = rows(db, folder)
        assert (folder.total, folder.unread) == (len(here), sum(not row.seen for row in here)), folder.name
        newest = {}
        for row in here:
            place = (row.received_at, row.uid, row.id)
            newest[row.conversation_id] = max(newest.get(row.conversation_id, place), place)
        assert {row.id for row in here if row.leads} == {place[2] for place in newest.values()}


def test_a_delta_is_stored_and_storing_it_again_changes_nothing(db, inbox):
    first = delta([remote_message(uid, flags=["\\Seen"] * (uid % 2)) for uid in (3, 2, 1)])
    assert service.apply_delta(db, inbox.id, first, START) == {inbox.id}
    assert [(row.uid, row.seen) for row in rows(db, inbox)] == [(1, True), (2, False), (3, True)]
    assert (inbox.uidnext, inbox.highestmodseq, inbox.synced_at) == (100, 7, START)
    assert_consistent(db)
    assert service.apply_delta(db, inbox.id, first, START) == set()
    later = delta(flags={2: FlagState(frozenset({"\\Seen", "\\Flagged"}))}, vanished=[1, 77])
    assert service.apply_delta(db, inbox.id, later, START) == {inbox.id}
    assert service.apply_delta(db, inbox.id, later, START) == set()
    assert [(row.uid, row.seen, row.flagged) for row in rows(db, inbox)] == [(2, True, True), (3, True, False)]
    assert_consistent(db)


def test_another_uidvalidity_empties_the_folder_first(db, inbox):
    service.apply_delta(db, inbox.id, delta([remote_message(uid) for uid in range(1, 8)]), START)
    fresh = delta([remote_message(5, subject="another")], uidvalidity=2, reset=True)
    assert service.apply_delta(db, inbox.id, fresh, START)
    assert [(row.uid, row.subject) for row in rows(db, inbox)] == [(5, "another")]
    db.refresh(inbox)
    assert (inbox.uidvalidity, inbox.complete) == (2, False)


def test_a_folder_that_is_gone_is_no_such_folder(db, inbox):
    with pytest.raises(NoSuchFolder):
        service.apply_delta(db, 999, delta(), START)
    with pytest.raises(NoSuchFolder):
        service.known_uids(db, 999)


def test_counters_are_the_servers_until_the_first_sync_is_through(db, account, inbox):
    inbox.complete = False
    inbox.uidvalidity = None
    inbox.uidnext = 0
    db.commit()
    service.store_folders(
        db, account.id, [RemoteFolder("INBOX", "/", Role.INBOX, status=FolderStatus(1, 500, 400, 30))]
    )
    db.refresh(inbox)
    assert (inbox.total, inbox.unread) == (400, 30)
    service.apply_delta(db, inbox.id, delta([remote_message(499), remote_message(498)], uidnext=500, total=400), START)
    db.refresh(inbox)
    assert (inbox.total, inbox.unread) == (400, 30)
    assert service.add_messages(db, inbox.id, [remote_message(uid) for uid in (7, 6)]) == 2
    db.refresh(inbox)
    assert (inbox.total, inbox.unread) == (400, 30)
    service.apply_delta(db, inbox.id, delta([remote_message(500)], uidnext=501, total=401), START)
    db.refresh(inbox)
    assert (inbox.total, inbox.unread) == (401, 31)
    service.mark_complete(db, inbox.id)
    assert_consistent(db)


def test_older_messages_known_already_stay_as_they_are(db, inbox):
    make_message(db, inbox, uid=5, flags=["\\Seen"])
    assert service.add_messages(db, inbox.id, [remote_message(5), remote_message(4)]) == 1
    assert [(row.uid, row.seen) for row in rows(db, inbox)] == [(4, False), (5, True)]
    assert_consistent(db)


def test_conversations_join_across_folders_and_batches_newest_first(db, inbox, archive):
    newest = remote_message(30, message_id="c@x", references="<a@x> <b@x>")
    service.apply_delta(db, inbox.id, delta([newest, remote_message(29)]), START)
    service.apply_delta(db, archive.id, delta([remote_message(2, message_id="a@x")]), START)
    service.add_messages(db, inbox.id, [remote_message(3, message_id="b@x", references="<a@x>")])
    conversations = {row.message_id: row.conversation_id for row in (*rows(db, inbox), *rows(db, archive))}
    assert len({conversations[name] for name in ("a@x", "b@x", "c@x")}) == 1
    assert len(set(conversations.values())) == 2
    assert_consistent(db)


def test_a_message_that_joins_two_conversations_merges_them(db, inbox, archive):
    service.apply_delta(db, inbox.id, delta([remote_message(2, message_id="a@x")]), START)
    service.apply_delta(db, archive.id, delta([remote_message(4, message_id="b@x")]), START)
    service.apply_delta(db, inbox.id, delta([remote_message(9, message_id="c@x", references="<a@x> <b@x>")]), START)
    assert len({row.conversation_id for row in (*rows(db, inbox), *rows(db, archive))}) == 1
    assert len(set(db.scalars(select(ConversationLink.conversation_id)))) == 1
    assert_consistent(db)


def test_gmails_threads_and_labels(db, inbox):
    gmail = GmailIds(msgid=11, thrid=2**64 - 1, labels=("\\Inbox", "Garden plans"))
    messages = [remote_message(1, gmail=gmail), remote_message(2, gmail=GmailIds(12, 2**64 - 1))]
    service.apply_delta(db, inbox.id, delta(messages), START)
    one, two = rows(db, inbox)
    assert one.conversation_id == two.conversation_id == 2**63 - 1
    assert (one.labels, one.gmail_msgid) == ("Garden plans\n\\Inbox", 11)
    changed = delta(flags={1: FlagState(frozenset(), labels=("\\Inbox",))})
    assert service.apply_delta(db, inbox.id, changed, START)
    assert rows(db, inbox)[0].labels == "\\Inbox"


def test_previews_and_attachments(db, inbox):
    pdf = b'("APPLICATION" "PDF" NIL NIL NIL "BASE64" 9 NIL ("ATTACHMENT" ("FILENAME" "x.pdf")) NIL NIL)'
    service.apply_delta(db, inbox.id, delta([remote_message(1, bodystructure=pdf), remote_message(2)]), START)
    service.store_previews(db, inbox.id, {1: "Dear all", 99: "nobody"})
    assert [(row.has_attachments, row.preview) for row in rows(db, inbox)] == [(True, "Dear all"), (False, None)]


def test_old_flags_do_not_flicker_back(db, alice, inbox, clock, parts):
    message = make_message(db, inbox, uid=4)
    asked_at = clock.now()
    clock.advance(1)
    action = actions.flag(db, alice.id, [message.id], ["\\Seen"], [], clock, parts.bus)
    stale = delta(flags={4: FlagState(frozenset())})
    assert service.apply_delta(db, inbox.id, stale, asked_at) == set()
    carry_out.begin(db, action)
    carry_out.finish(db, action, Applied(), clock.now(), parts.bus)
    assert service.apply_delta(db, inbox.id, stale, asked_at) == set()  # asked before the server knew
    assert rows(db, inbox)[0].seen
    clock.advance(1)
    assert service.apply_delta(db, inbox.id, stale, clock.now()) == {inbox.id}  # somebody marked it unread since
    assert_consistent(db)


def test_a_moved_message_neither_reappears_nor_doubles(db, alice, inbox, archive, clock, parts):
    message = make_message(db, inbox, uid=4, message_id="4@remote.example")
    asked_at = clock.now()
    action = actions.move(db, alice.id, [message.id], archive.id, clock, parts.bus)
    assert service.known_uids(db, inbox.id) == [4]
    service.apply_delta(db, inbox.id, delta([remote_message(4)]), asked_at)
    assert service.add_messages(db, inbox.id, [remote_message(4)]) == 0
    assert rows(db, inbox) == []
    # The archive tells of it before the move is answered: the row waiting there is the one.
    service.apply_delta(db, archive.id, delta([remote_message(71, message_id="4@remote.example")]), asked_at)
    assert [(row.id, row.uid) for row in rows(db, archive)] == [(message.id, 71)]
    carry_out.begin(db, action)
    carry_out.finish(db, action, Applied({4: 71}, 1), clock.now(), parts.bus)
    assert [(row.id, row.uid) for row in rows(db, archive)] == [(message.id, 71)]
    assert_consistent(db)


def test_a_reset_voids_what_waited_on_the_folder(db, alice, inbox, archive, clock, parts):
    moved = make_message(db, inbox, uid=4)
    make_message(db, inbox, uid=5)
    actions.move(db, alice.id, [moved.id], archive.id, clock, parts.bus)
    service.apply_delta(db, inbox.id, delta([remote_message(1)], uidvalidity=9, reset=True), clock.now())
    assert rows(db, archive) == []
    assert [row.uid for row in rows(db, inbox)] == [1]
    assert carry_out.due_actions(db, inbox.account_id, clock.now() + timedelta(days=1)) == []


def test_very_many_vanished_messages_are_removed_in_parts(db, inbox):
    service.apply_delta(db, inbox.id, delta([remote_message(uid) for uid in range(1, 1_201)]), START)
    service.apply_delta(db, inbox.id, delta(vanished=range(1, 4_000_000), total=0), START)
    assert db.scalar(select(func.count()).select_from(Message)) == 0
    assert_consistent(db)


def folder(id, name, uidvalidity, uidnext=10):
    return KnownFolder(id, name, uidvalidity, uidnext)


def listed(name, uidvalidity, uidnext=10):
    return RemoteFolder(name, "/", status=FolderStatus(uidvalidity, uidnext, 0, 0))


@pytest.mark.parametrize(
    ("known", "remote", "added", "renamed", "gone"),
    [
        ([folder(1, "A", 7)], [listed("A", 7)], [], {}, []),
        ([folder(1, "A", 7)], [listed("B", 7)], [], {1: "B"}, []),
        ([folder(1, "A", 7)], [listed("B", 8)], ["B"], {}, [1]),
        ([folder(1, "A", 7)], [listed("B", 7, 9)], ["B"], {}, [1]),  # a UID was taken back: another folder
        ([folder(1, "A", 7), folder(2, "B", 7)], [listed("C", 7), listed("B", 7)], ["C"], {}, [1]),  # 7 is everyone's
        ([folder(1, "A", 7)], [listed("B", 7), listed("C", 7)], ["B", "C"], {}, [1]),
        ([folder(1, "A", None)], [RemoteFolder("B", "/")], ["B"], {}, [1]),
        ([], [listed("A", 1)], ["A"], {}, []),
    ],
)
def test_what_a_list_of_folders_changes(known, remote, added, renamed, gone):
    plan = plan_tree(known, remote)
    assert (list(plan.added), dict(plan.renamed), list(plan.gone)) == (added, renamed, gone)


def test_folders_follow_the_servers_list(db, account, inbox):
    work = make_folder(db, account, "Work", uidvalidity=42)
    kept = make_message(db, work)
    old = make_folder(db, account, "Old", uidvalidity=43)
    make_message(db, old)
    tree = [
        RemoteFolder("INBOX", "/", Role.INBOX, status=FolderStatus(1, 1, 0, 0)),
        RemoteFolder("Projects", "/", status=FolderStatus(42, 9, 1, 1)),
        RemoteFolder("Trash", "/", Role.TRASH, status=FolderStatus(50, 4, 3, 2)),
    ]
    service.store_folders(db, account.id, tree)
    names = {row.name: row for row in db.scalars(select(Folder).order_by(Folder.name))}
    assert list(names) == ["INBOX", "Projects", "Trash"]
    assert names["Projects"].id == work.id
    assert (names["Trash"].total, names["Trash"].unread, names["Trash"].role) == (3, 2, Role.TRASH)
    assert db.scalars(select(Message.id)).all() == [kept.id]


def test_an_unchanged_list_writes_nothing(parts, db, account, inbox):
    tree = [RemoteFolder("INBOX", "/", Role.INBOX, status=FolderStatus(1, 1, 0, 0))]
    service.store_folders(db, account.id, tree)
    with parts.public.session() as other:
        other.execute(text("UPDATE folder SET total = total"))  # holds the write lock
        service.store_folders(db, account.id, tree)
        other.rollback()


def test_a_folder_satchel_is_about_to_create_is_kept(db, alice, account, inbox, clock, parts):
    message = make_message(db, inbox)
    action = actions.delete(db, alice.id, [message.id], clock, parts.bus)
    service.store_folders(db, account.id, [RemoteFolder("INBOX", "/", Role.INBOX)])
    assert db.get(Folder, action.target_id).name == "Trash"
    assert db.get(Message, message.id).folder_id == action.target_id


@pytest.mark.parametrize(("names", "wanted"), [(["Sent", "Work"], "Archive"), (["INBOX.Sent"], "INBOX.Archive")])
def test_folders_of_our_own_stand_where_the_server_wants_them(db, account, inbox, names, wanted):
    for name in names:
        make_folder(db, account, name, delimiter=wanted[5] if "." in wanted else "/")
    assert service.get_role_folder(db, account.id, Role.ARCHIVE).name == wanted
