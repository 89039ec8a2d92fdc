"""Sessions side by side, without sockets: shared maps, faults in the middle, what QRESYNC may leave out."""

from __future__ import annotations

import pytest

from app.clock import SystemClock
from app.extension_api import ConnectionLost
from mailsite_ext.errors import StorageDamaged, StorageFull
from mailsite_ext.imap import changing, searching
from mailsite_ext.imap.account import Account
from mailsite_ext.imap.appending import append
from mailsite_ext.imap.carry_out import carry_out, guarded
from mailsite_ext.imap.folder_maps import FolderMaps
from mailsite_ext.imap.selecting import last_match, within
from mailsite_ext.imap.view import View, packed, without
from mailsite_ext.protocol.imap_commands import Append, NewMessage, QResync
from mailsite_ext.protocol.imap_reader import CommandReader
from mailsite_ext.protocol.sequence_sets import parse_set
from mailsite_ext.storage.text_indexing import index_all
from mailsite_ext.storage.values import Content


@pytest.fixture
def mail(sql_storage):
    sql_storage.create_mailbox("bob")
    return sql_storage


@pytest.fixture
def maps(mail):
    return FolderMaps(mail)


def store(mail, number: int = 1) -> None:
    inbox = mail.find_folder("bob", "INBOX")
    mail.append(inbox.id, [(Content(b"x: y\r\n\r\nz\r\n", 11), frozenset(), None)] * number).result()


def session(mail, maps) -> Account:
    account = Account(mail, maps, "bob", SystemClock(), 1_000)
    say(account, "a SELECT INBOX")
    return account


def begin(account: Account, text: str):
    reader = CommandReader()
    reader.feed(text.encode() + b"\r\n")
    return carry_out(account, reader.next_event())


def say(account: Account, text: str) -> list[str]:
    return b"".join(begin(account, text)).decode().splitlines()


def test_sessions_that_know_the_same_share_one_map(mail, maps):
    store(mail, 5)
    one, two = session(mail, maps), session(mail, maps)
    assert one.view.uids is two.view.uids
    say(one, "b UID STORE 2,4 +FLAGS.SILENT (\\Deleted)")
    say(one, "c EXPUNGE")
    assert list(one.view.uids) == [1, 3, 5]
    assert list(two.view.uids) == [1, 2, 3, 4, 5]
    assert say(two, "d NOOP")[:2] == ["* 4 EXPUNGE", "* 2 EXPUNGE"]
    store(mail)
    assert say(two, "e NOOP")[0] == "* 4 EXISTS"
    three = session(mail, maps)
    say(one, "f NOOP")
    assert one.view.uids is two.view.uids is three.view.uids


def test_maps_that_are_too_many_are_forgotten(mail):
    maps = FolderMaps(mail, uids_kept=3)
    store(mail, 3)
    inbox, trash = (mail.find_folder("bob", name) for name in ("INBOX", "Trash"))
    known = maps.current(inbox).uids
    assert maps.current(inbox).uids is known
    mail.copy(inbox.id, [1, 2], trash.id)
    maps.current(mail.get_folder(trash.id))
    assert maps.current(inbox).uids is not known
    assert maps.current(inbox).uids == known


def test_a_map_of_a_folder_that_changes_while_it_is_read(mail, maps):
    store(mail, 3)
    old = mail.find_folder("bob", "INBOX")
    mail.expunge(old.id, [2], only_deleted=False)
    store(mail)
    found = maps.current(old)  # its row was read before all that
    assert list(found.uids) == [1, 3, 4]
    assert found.folder.uidnext == 5


def test_what_cannot_be_read_is_told_at_the_end(mail, maps, monkeypatch):
    store(mail, 3)
    account, opened = session(mail, maps), mail.open_message

    def damaged(folder_id: int, uid: int):
        if uid == 2:
            raise StorageDamaged("bits rot")
        return opened(folder_id, uid)

    monkeypatch.setattr(mail, "open_message", damaged)
    answer = say(account, "b FETCH 1:3 BODY.PEEK[TEXT]")
    assert [line for line in answer if line.startswith("*")] == [
        "* 1 FETCH (BODY[TEXT] {3}",
        "* 3 FETCH (BODY[TEXT] {3}",
    ]
    assert answer[-1].startswith("b NO [SERVERBUG]")


def test_a_fault_inside_a_literal_ends_the_connection(mail, maps, monkeypatch):
    store(mail)
    account, opened = session(mail, maps), mail.open_message

    def rotting(folder_id: int, uid: int):
        message = opened(folder_id, uid)
        monkeypatch.setattr(type(message), "read", fail, raising=True)
        return message

    def fail(*_words):
        raise StorageDamaged

    monkeypatch.setattr(mail, "open_message", rotting)
    with pytest.raises(ConnectionLost):
        say(account, "b FETCH 1 BODY.PEEK[]")


def test_messages_that_go_while_fetch_streams(mail, maps):
    store(mail, 3)
    account = session(mail, maps)
    answer = begin(account, "b FETCH 1:3 BODY.PEEK[]")
    heard = next(answer)
    mail.expunge(account.view.folder_id, [2], only_deleted=False)
    heard += b"".join(answer)
    assert heard.count(b"FETCH (BODY[] {11}\r\nx: y\r\n\r\nz\r\n)\r\n") == 2
    assert heard.endswith(b"b OK [EXPUNGEISSUED] done\r\n")
    assert say(account, "c NOOP")[0] == "* 2 EXPUNGE"


def test_a_full_disk_is_told(mail, maps, monkeypatch):
    account = session(mail, maps)

    def full(*_words, **_more):
        raise StorageFull

    monkeypatch.setattr(mail, "append", full)
    command = Append(b"b", "INBOX", (NewMessage(),))
    answer = list(guarded(b"b", lambda: append(account, command, [Content(b"a\r\n", 3)])))
    assert answer[0].startswith(b"b NO [LIMIT]")


def test_silent_stores_keep_nothing_of_others_from_the_client(mail, maps):
    store(mail)
    one, two = session(mail, maps), session(mail, maps)
    assert say(one, "b STORE 1 +FLAGS.SILENT (\\Flagged)") == ["b OK stored"]
    assert say(two, "c STORE 1 +FLAGS.SILENT (\\Seen)")[0] == "* 1 FETCH (FLAGS (\\Flagged \\Seen))"


@pytest.mark.parametrize("command", ["STORE 1 +FLAGS (\\Seen)", "STORE 1 +FLAGS.SILENT (\\Seen)", "FETCH 1 BODY[]"])
def test_what_changes_nothing_hides_no_delivery_of_that_moment(mail, maps, command):
    store(mail)
    one = session(mail, maps)
    say(one, "b STORE 1 +FLAGS.SILENT (\\Seen)")
    store(mail)  # one step, as a STORE would have been
    assert "* 2 EXISTS" in say(one, f"c {command}")
    assert list(session(mail, maps).view.uids) == [1, 2]


def test_a_folder_that_is_removed_says_bye(mail, maps):
    say(session(mail, maps), "b CREATE Work/Deep")
    account = session(mail, maps)
    say(account, "b SELECT Work")
    say(session(mail, maps), "c DELETE Work")  # stays as a name above Deep
    from mailsite_ext.protocol.imap_limits import BadCommand

    with pytest.raises(BadCommand) as bye:
        say(account, "d NOOP")
    assert bye.value.line().startswith(b"* BYE [UNAVAILABLE]")


@pytest.mark.parametrize(
    ("gone", "kept", "places"),
    [([], [2, 4, 6], []), ([4], [2, 6], [1]), ([2, 6, 7], [4], [0, 2]), ([6, 4, 2, 2], [], [0, 1, 2])],
)
def test_without(gone, kept, places):
    found, at = without(packed([2, 4, 6]), gone)
    assert (list(found), at) == (kept, places)


def test_within():
    assert within([1, 3, 5, 9], [(2, 5), (9, 9)]) == [3, 5, 9]


@pytest.mark.parametrize(
    ("numbers", "uids", "known"),
    [(b"1,3", b"2,6", 6), (b"1,3", b"2,7", 2), (b"2,3", b"2,7", 0), (b"1:3", b"2,4,6", 6)],
)
def test_what_client_and_server_count_alike(numbers, uids, known):
    """RFC 7162 §3.2.5.2."""
    view = View(1, False, packed([2, 4, 6]), 7, 1)
    asked = QResync(1, 1, None, parse_set(numbers, 9), parse_set(uids, 9))
    assert last_match(view, asked) == known


def test_an_answer_of_another_subject_is_found_by_its_references(mail, maps):
    """The ids stand in brackets in ENVELOPE (RFC 9051 §7.5.2), and without them in a thread (RFC 5256 §3)."""
    inbox = mail.find_folder("bob", "INBOX")
    letters = (
        b"Subject: one\r\nMessage-ID: <1@x>\r\n\r\n",
        b"Subject: other\r\nMessage-ID: <2@x>\r\nReferences: <1@x>\r\n\r\n",
        b"Subject: third\r\nMessage-ID: <3@x>\r\nIn-Reply-To: <2@x>\r\n\r\n",
    )
    mail.append(inbox.id, [(Content(each, len(each)), frozenset(), None) for each in letters]).result()
    account = session(mail, maps)
    assert say(account, "b THREAD REFERENCES UTF-8 ALL")[0] == "* THREAD (1 2 3)"
    list(index_all(mail, mail.text))
    assert say(account, "c THREAD REFERENCES UTF-8 ALL")[0] == "* THREAD (1 2 3)"


@pytest.mark.parametrize("command", ["COPY", "MOVE", "UID COPY", "UID MOVE"])
def test_a_command_copies_so_many_messages_and_no_more(mail, maps, monkeypatch, command):
    monkeypatch.setattr(changing, "MOST_AT_ONCE", 2)
    store(mail, 3)
    account = session(mail, maps)
    assert say(account, f"b {command} 1:3 Sent")[-1].startswith("b NO [LIMIT] ")
    assert mail.find_folder("bob", "Sent").messages == 0
    assert say(account, f"c {command} 1:2 Sent")[-1].startswith("c OK ")
    assert mail.find_folder("bob", "Sent").messages == 2


@pytest.mark.parametrize(
    "command", ["SEARCH TEXT z", "SORT (SUBJECT) UTF-8 BODY z", "THREAD REFERENCES UTF-8 NOT TEXT q"]
)
def test_a_search_that_no_index_answers_comes_to_an_end(mail, maps, clock, monkeypatch, command):
    store(mail, 3)
    account = session(mail, maps)
    account.clock = clock
    say(account, "b SEARCH RETURN (SAVE) ALL")
    opened = mail.open_message

    def slowly(*message):
        clock.advance(searching.LONGEST_LOOK_S / 2 + 1)
        return opened(*message)

    monkeypatch.setattr(mail, "open_message", slowly)
    assert [line[:11] for line in say(account, f"c {command}")] == ["c NO [LIMIT"]
    assert say(account, "d NOOP")[-1].startswith("d OK ")
    list(index_all(mail, mail.text))
    assert say(account, f"e {command}")[-1].startswith("e OK ")


def flags_of(account: Account, uid: int) -> str:
    return next(line for line in say(account, f"f UID FETCH {uid} FLAGS") if line.startswith("*"))


def test_a_message_is_recent_to_one_session_of_all_processes(mail):
    """Each process has its own maps (RFC 3501 §2.3.2)."""
    one, two, reader = (session(mail, FolderMaps(mail)) for _ in range(3))
    say(reader, "b EXAMINE INBOX")
    store(mail, 2)
    assert "* 2 RECENT" in say(reader, "c NOOP")  # it only reads, and leaves them so
    assert "* 2 RECENT" in say(one, "d NOOP")
    assert "* 0 RECENT" in say(two, "e NOOP")
    assert ["\\Recent" in flags_of(account, 2) for account in (one, two, reader)] == [True, False, True]
    store(mail)
    assert "* 1 RECENT" in say(two, "f NOOP")
    assert "* 2 RECENT" in say(one, "g NOOP")
    assert "* 0 RECENT" in say(session(mail, FolderMaps(mail)), "h SELECT INBOX")


def test_what_came_before_a_listener_began_is_recent(mail):
    store(mail)
    account = Account(mail, FolderMaps(mail), "bob", SystemClock(), 1_000)
    assert say(account, "a STATUS INBOX (RECENT)")[0] == '* STATUS "INBOX" (RECENT 1)'
    assert "* 1 RECENT" in say(account, "b SELECT INBOX")
    assert say(account, "c STATUS INBOX (RECENT)")[0] == '* STATUS "INBOX" (RECENT 0)'


def test_a_folder_can_be_read_where_nothing_can_be_written(mail, maps, monkeypatch):
    store(mail)

    def full(*_words):
        raise StorageFull

    monkeypatch.setattr(mail, "claim_recent", full)
    account = session(mail, maps)
    assert flags_of(account, 1) == "* 1 FETCH (UID 1 FLAGS ())"
