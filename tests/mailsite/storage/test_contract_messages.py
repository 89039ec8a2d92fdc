"""What every storage engine promises of messages: in, read, flags, copies, expunging, what changed."""

from __future__ import annotations

import pytest

from app.errors import NoSuchFolder, NoSuchMessage
from mailsite_ext.errors import TooManyKeywords
from mailsite_ext.protocol.part_table import unpack
from mailsite_ext.storage.catalogue_flags import KEYWORDS_OF_A_FOLDER
from mailsite_ext.storage.values import Column, Content, FlagMode, Placement
from tests.mailsite.storage.engines import NOON, add, content, deliver, flag, inbox_of, mail, read

ALL = tuple(Column)


def flags_of(storage, folder, uids=None):
    return dict(storage.rows(folder.id, (Column.UID, Column.FLAGS), uids))


def modseq_of(storage, folder):
    return storage.get_folder(folder.id).highestmodseq


@pytest.fixture
def inbox(storage):
    return inbox_of(storage)


@pytest.fixture
def sent(storage):
    return storage.find_folder("alice", "Sent")


# In
def test_a_delivery_is_there_for_everybody_with_a_head_of_their_own(storage, clock):
    stored = deliver(
        storage,
        mail("News"),
        Placement("alice", head=b"Delivered-To: alice@example.org\r\n", flags=frozenset({"$Trusted"})),
        Placement("bob", "Junk", head=b"Delivered-To: bob@example.org\r\n"),
    )
    alice, bob = inbox_of(storage), storage.find_folder("bob", "Junk")
    assert [(one.folder_id, one.uid, one.uidvalidity) for one in stored] == [
        (alice.id, 1, alice.uidvalidity),
        (bob.id, 1, bob.uidvalidity),
    ]
    assert read(storage, alice.id, 1) == b"Delivered-To: alice@example.org\r\n" + mail("News")
    assert read(storage, bob.id, 1) == b"Delivered-To: bob@example.org\r\n" + mail("News")
    assert (alice.messages, alice.unseen, alice.highestmodseq, alice.keywords) == (
        1,
        1,
        stored[0].modseq,
        ("$Trusted",),
    )


def test_a_delivery_makes_the_folder_it_needs(storage):
    [new] = deliver(storage, mail("made"), Placement("alice", "Lists/python"))
    assert storage.find_folder("alice", "Lists/python").messages == 1
    assert read(storage, new.folder_id, new.uid) == mail("made")
    storage.delete_folder(storage.find_folder("alice", "Junk").id)
    [new] = deliver(storage, mail("again"), Placement("alice", "Junk"))
    assert storage.find_folder("alice", "Junk").role == "junk"
    assert read(storage, new.folder_id, new.uid) == mail("again")


def test_a_delivery_makes_a_folder_of_a_mere_name(storage):
    folder, below = storage.create_folder("alice", "a"), storage.create_folder("alice", "a/b")
    add(storage, folder, "before")
    storage.delete_folder(folder.id)
    [new] = deliver(storage, mail("after"), Placement("alice", "a"))
    made = storage.find_folder("alice", "a")
    assert (made.selectable, made.messages, made.uidvalidity > folder.uidvalidity) == (True, 1, True)
    assert read(storage, new.folder_id, new.uid) == mail("after")
    assert storage.get_folder(below.id).messages == 0
    assert list(storage.verify()) == []


def test_rows_tell_all_that_is_known(storage, inbox, clock):
    head = b"Delivered-To: alice@example.org\r\n"
    body = mail("Grüße".encode().decode(), "Dear Bob,\r\n\r\n  how are you?\r\n", "one@example.org")
    deliver(storage, body, Placement("alice", head=head, flags=frozenset({"\\Seen", "\\flagged", "work"})))
    row = dict(zip(ALL, next(storage.rows(inbox.id, ALL)), strict=True))
    assert (row[Column.UID], row[Column.FLAGS]) == (1, "\\Flagged \\Seen work")
    assert row[Column.MODSEQ] == modseq_of(storage, inbox)
    assert row[Column.SIZE] == len(head) + len(body)
    assert row[Column.INTERNAL_DATE] == int(NOON.timestamp())
    assert row[Column.SAVED_AT] == int(clock.now().timestamp())
    assert row[Column.ENVELOPE].startswith(b'("Tue, 24 Nov 2026 12:00:00 +0000" ')
    assert row[Column.ENVELOPE].endswith(b'NIL "<one@example.org>")')
    assert row[Column.BODYSTRUCTURE].startswith(b'("text" "plain"')
    assert row[Column.PREVIEW] == "Dear Bob, how are you?"
    assert row[Column.EMAIL_ID][0] == "M"
    assert row[Column.THREAD_ID][0] == "T"
    whole = unpack(row[Column.PARTS])[0]
    assert (head + body)[whole.body_at : whole.body_at + whole.body_octets] == b"Dear Bob,\r\n\r\n  how are you?\r\n"
    assert (head + body)[: whole.header_octets].endswith(b"\r\n\r\n")


def test_a_reply_is_of_the_thread_it_answers(storage, inbox):
    first = mail("Hi", message_id="first@example.org")
    reply = b"References: <first@example.org> <second@example.org>\r\nIn-Reply-To: <second@example.org>\r\n" + mail(
        "Re: Hi", message_id="third@example.org"
    )
    for one in (first, reply, mail("Other", message_id="other@example.org")):
        deliver(storage, one, "alice")
    threads = [thread for (thread,) in storage.rows(inbox.id, (Column.THREAD_ID,))]
    assert threads[0] == threads[1] != threads[2]


def test_a_spool_file_is_taken_as_it_is(storage, inbox, place, tmp_path):
    spool = tmp_path / "spool"
    data = mail("Spooled", "x" * 70_000)
    spool.write_bytes(data)
    storage.append(inbox.id, [(Content(spool, len(data)), frozenset(), NOON)]).result(30)
    spool.unlink(missing_ok=True)
    assert read(storage, inbox.id, 1) == data


@pytest.mark.parametrize("data", [b"", b"\r\n", b"x", b"\x00\xff" * 50, b"Subject: no end", b"\r\n.\r\n" * 3])
def test_any_octets_come_back(storage, inbox, data):
    storage.append(inbox.id, [(content(data), frozenset(), NOON)]).result(30)
    assert read(storage, inbox.id, 1) == data


def test_reading_from_anywhere(storage, inbox):
    data = b"Head: x\r\n" + mail("Long", "0123456789" * 500)
    deliver(storage, data[9:], Placement("alice", head=data[:9]))
    with storage.open_message(inbox.id, 1) as message:
        assert message.size_octets == len(data)
        for offset, octets in ((0, 5), (5, 10), (9, 1), (100, 4_000), (len(data) - 1, 100), (len(data), 5), (10**9, 1)):
            assert message.read(offset, octets) == data[offset : offset + octets]


def test_many_messages_in_one_step(storage, inbox):
    """MULTIAPPEND, RFC 3502: all or none."""
    data = [(content(mail(str(n))), frozenset({f"k{n}"}), NOON) for n in range(3)]
    stored = storage.append(inbox.id, data).result(30)
    assert [one.uid for one in stored] == [1, 2, 3]
    assert flags_of(storage, inbox) == {1: "k0", 2: "k1", 3: "k2"}
    storage.set_quota("alice", storage.quota("alice").used_octets + 2 * len(mail("0")))
    with pytest.raises(Exception, match="alice"):
        storage.append(inbox.id, data).result(30)
    assert storage.get_folder(inbox.id).uidnext == 4
    assert storage.append(inbox.id, []).result(30) == []


def test_replacing_a_message(storage, inbox):
    """RFC 8508: the new one comes and the old one goes in one step."""
    add(storage, inbox, "draft one", "other")
    before = modseq_of(storage, inbox)
    new = storage.append(inbox.id, [(content(mail("draft two")), frozenset(), NOON)], replaces=1).result(30)
    assert list(storage.uids(inbox.id)) == [2, new[0].uid]
    changes = storage.changes(inbox.id, before)
    assert (list(changes.vanished), [uid for uid, _modseq, _flags in changes.changed]) == ([1], [new[0].uid])
    with pytest.raises(NoSuchMessage):
        storage.append(inbox.id, [(content(mail("three")), frozenset(), NOON)], replaces=1).result(30)
    assert storage.get_folder(inbox.id).messages == 2


def test_a_folder_that_is_not_there_takes_nothing(storage):
    for ask in (
        lambda: storage.append(10**9, [(content(mail()), frozenset(), NOON)]).result(30),
        lambda: storage.store_flags(10**9, [1], FlagMode.ADD, frozenset({"x"})),
        lambda: storage.expunge(10**9),
        lambda: storage.changes(10**9, 0),
        lambda: storage.get_folder(10**9),
        lambda: storage.move(inbox_of(storage).id, [1], 10**9),
    ):
        with pytest.raises(NoSuchFolder):
            ask()


# Flags
@pytest.mark.parametrize(
    ("before", "mode", "change", "after"),
    [
        ("", FlagMode.ADD, {"\\Seen"}, "\\Seen"),
        ("\\Seen", FlagMode.ADD, {"\\seen", "B", "a"}, "\\Seen a B"),
        ("\\Seen Work", FlagMode.ADD, {"WORK"}, "\\Seen Work"),  # a keyword keeps the spelling it has
        ("\\Seen Work", FlagMode.REMOVE, {"\\SEEN", "work", "other"}, ""),
        ("\\Seen Work", FlagMode.REPLACE, {"\\Deleted", "work"}, "\\Deleted Work"),
        ("\\Seen", FlagMode.REPLACE, set(), ""),
        ("", FlagMode.ADD, {"\\Recent"}, ""),  # nobody stores it
        ("", FlagMode.ADD, {"\\Draft", "\\Seen", "\\Deleted", "\\Flagged", "\\Answered"},
         "\\Answered \\Flagged \\Deleted \\Seen \\Draft"),
    ],
)  # fmt: skip
def test_flags(storage, inbox, before, mode, change, after):
    add(storage, inbox, "one", flags=before)
    result = storage.store_flags(inbox.id, [1, 77], mode, frozenset(change))
    assert (flags_of(storage, inbox), dict(result.flags)) == ({1: after}, {1: after})
    folder = storage.get_folder(inbox.id)
    assert (folder.unseen, folder.deleted) == (int("\\Seen" not in after), int("\\Deleted" in after))
    changed = before != after
    assert list(result.changed) == ([1] if changed else [])
    assert folder.highestmodseq == result.modseq
    assert storage.find_first_unseen(inbox.id) == (None if "\\Seen" in after else 1)


def test_only_messages_whose_flags_change_get_a_modseq(storage, inbox):
    add(storage, inbox, "one", "two", "three")
    flag(storage, inbox, [2], "\\Seen")
    before = dict(storage.rows(inbox.id, (Column.UID, Column.MODSEQ)))
    result = flag(storage, inbox, [1, 2, 3], "\\Seen")
    after = dict(storage.rows(inbox.id, (Column.UID, Column.MODSEQ)))
    assert (list(result.changed), after[2]) == ([1, 3], before[2])
    assert after[1] == after[3] == result.modseq > max(before.values())


def test_unchanged_since_leaves_alone_what_others_changed(storage, inbox):
    """RFC 7162 §3.1.3"""
    add(storage, inbox, "one", "two", "three")
    known = modseq_of(storage, inbox)
    flag(storage, inbox, [2], "$Phishing")
    result = storage.store_flags(inbox.id, [1, 2, 3], FlagMode.ADD, frozenset({"\\Seen"}), unchanged_since=known)
    assert (list(result.changed), list(result.modified), dict(result.flags)) == (
        [1, 3],
        [2],
        {1: "\\Seen", 3: "\\Seen"},
    )
    assert flags_of(storage, inbox) == {1: "\\Seen", 2: "$Phishing", 3: "\\Seen"}


def test_keywords_of_a_folder_are_remembered(storage, inbox, sent):
    add(storage, inbox, "one", flags="zebra Apple")
    flag(storage, inbox, [1], "middle")
    storage.store_flags(inbox.id, [1], FlagMode.REPLACE, frozenset())
    assert storage.get_folder(inbox.id).keywords == ("Apple", "middle", "zebra")
    flag(storage, inbox, [1], "middle")
    storage.copy(inbox.id, [1], sent.id)
    assert storage.get_folder(sent.id).keywords == ("middle",)


def test_many_flags_at_once(storage, inbox):
    add(storage, inbox, *map(str, range(300)))
    flag(storage, inbox, list(range(1, 301, 3)), "third")
    flag(storage, inbox, [5, 6, 7, 200, 299], "\\Seen")
    flag(storage, inbox, list(range(1, 301)), "all")
    expected = {
        uid: " ".join(
            [*(["\\Seen"] if uid in (5, 6, 7, 200, 299) else []), "all", *(["third"] if uid % 3 == 1 else [])]
        )
        for uid in range(1, 301)
    }
    assert flags_of(storage, inbox) == expected
    assert flags_of(storage, inbox, [299, 1, 150, 4_000]) == {uid: expected[uid] for uid in (1, 150, 299)}
    assert storage.get_folder(inbox.id).unseen == 295


# Copies
def test_copies_keep_flags_and_dates(storage, inbox, sent, clock):
    add(storage, inbox, "one", "two", "three", flags="\\Seen work")
    add(storage, sent, "there")
    clock.advance(60)
    copied = storage.copy(inbox.id, [3, 1, 99], sent.id)
    assert (list(copied.source), list(copied.target), copied.uidvalidity) == ([1, 3], [2, 3], sent.uidvalidity)
    assert flags_of(storage, sent) == {1: "", 2: "\\Seen work", 3: "\\Seen work"}
    assert [read(storage, sent.id, uid) for uid in (2, 3)] == [mail("one"), mail("three")]
    columns = (Column.INTERNAL_DATE, Column.SIZE, Column.ENVELOPE, Column.EMAIL_ID, Column.THREAD_ID, Column.PARTS)
    assert list(storage.rows(sent.id, columns, [2])) == list(storage.rows(inbox.id, columns, [1]))
    assert [saved for (saved,) in storage.rows(sent.id, (Column.SAVED_AT,), [3])] == [int(clock.now().timestamp())]
    assert (storage.get_folder(inbox.id).messages, storage.quota("alice").messages) == (3, 6)


def test_copying_a_message_beside_itself(storage, inbox):
    add(storage, inbox, "one")
    assert list(storage.copy(inbox.id, [1], inbox.id).target) == [2]
    assert list(storage.move(inbox.id, [1], inbox.id).target) == [3]
    assert list(storage.uids(inbox.id)) == [2, 3]
    assert [read(storage, inbox.id, uid) for uid in (2, 3)] == [mail("one")] * 2


def test_copying_nothing(storage, inbox, sent):
    before = modseq_of(storage, sent)
    assert not storage.copy(inbox.id, [7], sent.id).source
    assert not storage.move(inbox.id, [], sent.id).target
    assert modseq_of(storage, sent) == before


def test_moving_is_one_step(storage, inbox, sent):
    add(storage, inbox, "one", "two", "three", flags="\\Flagged")
    before = modseq_of(storage, inbox)
    moved = storage.move(inbox.id, [1, 3], sent.id)
    assert (list(moved.source), list(moved.target), moved.modseq) == ([1, 3], [1, 2], modseq_of(storage, inbox))
    assert list(storage.uids(inbox.id)) == [2]
    assert list(storage.changes(inbox.id, before).vanished) == [1, 3]
    assert [read(storage, sent.id, uid) for uid in (1, 2)] == [mail("one"), mail("three")]
    with pytest.raises(NoSuchMessage):
        storage.open_message(inbox.id, 1)
    assert storage.quota("alice").messages == 3


def test_what_was_copied_outlives_what_it_was_copied_from(storage, inbox, sent):
    add(storage, inbox, "one")
    storage.copy(inbox.id, [1], sent.id)
    storage.expunge(inbox.id, only_deleted=False)
    storage.collect_garbage()
    assert read(storage, sent.id, 1) == mail("one")


# Out
def test_expunging(storage, inbox):
    add(storage, inbox, *"abcdef")
    flag(storage, inbox, [2, 4, 6], "\\Deleted")
    assert list(storage.expunge(inbox.id, [1, 2, 3]).uids) == [2]
    gone = storage.expunge(inbox.id)
    assert (list(gone.uids), gone.modseq) == ([4, 6], modseq_of(storage, inbox))
    assert list(storage.expunge(inbox.id).uids) == []
    assert modseq_of(storage, inbox) == gone.modseq  # nothing happened, nothing rises
    assert list(storage.expunge(inbox.id, [1, 50], only_deleted=False).uids) == [1]
    folder = storage.get_folder(inbox.id)
    assert (folder.messages, folder.deleted, folder.unseen, folder.uidnext) == (2, 0, 2, 7)
    assert folder.octets == storage.quota("alice").used_octets == 2 * len(mail("a"))


def test_uids_are_never_used_again(storage, inbox, place):
    add(storage, inbox, "one", "two")
    storage.expunge(inbox.id, only_deleted=False)
    assert add(storage, inbox, "three") == [3]
    storage.expunge(inbox.id, only_deleted=False)
    again = place.open()
    assert add(again, inbox, "four")[0] >= 4


def test_a_message_that_is_open_can_be_read_after_it_is_gone(storage, inbox):
    add(storage, inbox, "one")
    with storage.open_message(inbox.id, 1) as message:
        storage.expunge(inbox.id, only_deleted=False)
        storage.collect_garbage()
        assert message.read(0, 10_000) == mail("one")


@pytest.mark.parametrize("uid", [0, 2, -1, 2**32, 2**40])
def test_messages_nobody_has(storage, inbox, uid):
    add(storage, inbox, "one")
    with pytest.raises(NoSuchMessage):
        storage.open_message(inbox.id, uid)
    assert list(storage.rows(inbox.id, ALL, [uid])) == []
    assert not storage.store_flags(inbox.id, [uid], FlagMode.ADD, frozenset({"x"})).changed
    assert not storage.expunge(inbox.id, [uid], only_deleted=False).uids


# Finding
def test_the_first_unseen(storage, inbox):
    assert storage.find_first_unseen(inbox.id) is None
    add(storage, inbox, "one", "two", flags="\\Seen")
    add(storage, inbox, "three", "four")
    assert storage.find_first_unseen(inbox.id) == 3
    flag(storage, inbox, [3, 4], "\\Seen")
    assert storage.find_first_unseen(inbox.id) is None


def test_by_message_id(storage, inbox, sent):
    for folder in (inbox, inbox, sent):
        data = mail("x", message_id="a@example.org")
        storage.append(folder.id, [(content(data), frozenset(), NOON)]).result(30)
    add(storage, inbox, "no id")
    assert list(storage.find_by_message_id(inbox.id, "a@example.org")) == [1, 2]
    assert list(storage.find_by_message_id(sent.id, "a@example.org")) == [1]
    assert list(storage.find_by_message_id(inbox.id, "A@example.org")) == []


# What changed
def test_changes_since(storage, inbox, sent):
    add(storage, inbox, *"abcde")
    since = modseq_of(storage, inbox)
    flag(storage, inbox, [2, 3], "\\Seen")
    add(storage, inbox, "f")
    storage.expunge(inbox.id, [3, 5], only_deleted=False)
    changes = storage.changes(inbox.id, since)
    assert changes.complete
    assert changes.folder == storage.get_folder(inbox.id)
    assert [(uid, flags) for uid, _modseq, flags in changes.changed] == [(2, "\\Seen"), (6, "")]
    assert list(changes.vanished) == [3, 5]
    assert all(since < modseq <= changes.folder.highestmodseq for _uid, modseq, _flags in changes.changed)
    some = storage.changes(inbox.id, since, [1, 2, 5])
    assert ([uid for uid, _modseq, _flags in some.changed], list(some.vanished)) == ([2], [5])
    now = storage.changes(inbox.id, changes.folder.highestmodseq)
    assert (list(now.changed), list(now.vanished)) == ([], [])


def test_changes_since_a_time_nobody_remembers(place):
    """RFC 7162 §3.2.5.2: then every UID that is not there has vanished."""
    storage = place.open(remembered_steps=3)
    inbox = inbox_of(storage)
    add(storage, inbox, *"abcdef")
    since = modseq_of(storage, inbox)
    storage.expunge(inbox.id, [2], only_deleted=False)
    for n in range(12):
        flag(storage, inbox, [4], f"k{n}")
    storage.expunge(inbox.id, [6], only_deleted=False)
    changes = storage.changes(inbox.id, since)
    assert not changes.complete
    assert list(changes.vanished) == [2, 6]
    assert [uid for uid, _modseq, _flags in changes.changed] == [4]
    assert list(storage.changes(inbox.id, since, [1, 2, 3]).vanished) == [2]
    last = modseq_of(storage, inbox)
    recent = storage.changes(inbox.id, last - 2)
    assert (recent.complete, list(recent.vanished)) == (True, [6])


def test_a_large_folder_streams_in_order(storage, inbox):
    add(storage, inbox, *map(str, range(50)))
    while left := 4_100 - storage.get_folder(inbox.id).messages:
        storage.copy(inbox.id, list(storage.uids(inbox.id))[:left], inbox.id)
    storage.expunge(inbox.id, range(1, 4_100, 7), only_deleted=False)
    uids = [uid for uid in range(1, 4_101) if uid % 7 != 1]
    assert list(storage.uids(inbox.id)) == uids
    assert [uid for (uid,) in storage.rows(inbox.id, (Column.UID,))] == uids
    assert [uid for uid, _size in storage.rows(inbox.id, (Column.UID, Column.SIZE), uids[::-1])] == uids
    wanted = uids[:50] + uids[-50:]
    assert [uid for _flags, uid in storage.rows(inbox.id, (Column.FLAGS, Column.UID), wanted)] == wanted


# Care
def test_nothing_is_wrong_with_a_storage_in_use(storage, inbox, sent):
    add(storage, inbox, "one", "two", "three", flags="\\Seen")
    flag(storage, inbox, [2], "\\Deleted")
    storage.expunge(inbox.id)
    storage.copy(inbox.id, [1], sent.id)
    storage.move(inbox.id, [3], sent.id)
    deliver(storage, mail("four"), "alice", "bob")
    storage.delete_folder(storage.find_folder("alice", "Trash").id)
    assert list(storage.verify()) == []
    storage.collect_garbage()
    assert list(storage.verify()) == []


def test_a_folder_has_so_many_keywords_and_no_more(storage, inbox):
    """Every SELECT names them all: without a bound one client could make it as long as it likes."""
    add(storage, inbox, "one")
    most = frozenset(f"k{number}" for number in range(KEYWORDS_OF_A_FOLDER))
    storage.store_flags(inbox.id, [1], FlagMode.ADD, most)
    with pytest.raises(TooManyKeywords):
        storage.store_flags(inbox.id, [1], FlagMode.ADD, frozenset({"further"}))
    storage.store_flags(inbox.id, [1], FlagMode.REPLACE, frozenset({"K7", "\\Seen"}))
    assert set(storage.get_folder(inbox.id).keywords) == most
    assert list(storage.rows(inbox.id, (Column.FLAGS,))) == [("\\Seen k7",)]
    assert list(storage.verify()) == []
