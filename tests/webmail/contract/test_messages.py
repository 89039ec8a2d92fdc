"""Headers, bodies and actions: every MailSource gives and does them so."""

from __future__ import annotations

from datetime import UTC, datetime

import pytest

from app.errors import (
    BadInput,
    FolderMissing,
    NoSuchMessage,
)
from app.sources import (
    Copy,
    Expunge,
    Move,
    StoreFlags,
)
from tests.webmail.contract.accounts import letter_with_file, message

pytestmark = pytest.mark.servers


def test_headers_come_in_chunks_and_vanished_ones_are_left_out(account, monkeypatch):
    monkeypatch.setattr(account.chunk_limit, 2)
    account.deliver(5)
    account.other.apply(Expunge("INBOX", (2,)))
    chunks = [[one.uid for one in chunk] for chunk in account.source.headers("INBOX", [5, 4, 3, 2, 1])]
    assert chunks == [[5, 4], [3], [1]]


def test_headers_given_up_half_way_do_not_disturb_what_comes_next(account, monkeypatch):
    monkeypatch.setattr(account.chunk_limit, 1)
    account.deliver(4)
    chunks = account.source.headers("INBOX", [4, 3, 2, 1])
    assert [one.uid for one in next(chunks)] == [4]
    assert account.source.fetch("INBOX", 1, ["1"])["1"].startswith(b"Hello")
    assert [one.uid for one in next(chunks)] == [3]
    assert account.folder("INBOX").status.messages == 4


def test_sections_come_as_they_stand_and_nothing_is_marked_seen(account):
    account.server.deliver(account.user, letter_with_file(b"\0\1\2" * 30))
    sections = account.source.fetch("INBOX", 1, ["1", "2", "HEADER", "2.MIME", ""])
    assert sections["1"].strip() == b"See the file."
    assert sections["2"].replace(b"\r\n", b"").startswith(b"AAEC")
    assert b"Subject: With a file" in sections["HEADER"]
    assert b"octet-stream" in sections["2.MIME"]
    assert sections["1"] in sections[""]
    assert account.sync().new[0].flags == frozenset()


def test_a_message_that_is_gone_is_no_such_message(account):
    account.deliver(1)
    account.other.apply(Expunge("INBOX", (1,)))
    with pytest.raises(NoSuchMessage):
        account.source.fetch("INBOX", 1, ["1"])
    with pytest.raises(NoSuchMessage):
        list(account.source.stream("INBOX", 1, "1", 100))


@pytest.mark.parametrize("octets", [1, 999, 1000, 1001, 5000])
def test_a_stream_gives_the_whole_section_in_pieces(account, octets):
    account.server.deliver(account.user, message("Long", body="x" * (octets - 2) + "\r\n" if octets > 2 else ""))
    whole = account.source.fetch("INBOX", 1, ["1"])["1"]
    pieces = list(account.source.stream("INBOX", 1, "1", 1000))
    assert b"".join(pieces) == whole
    assert all(len(piece) == 1000 for piece in pieces[:-1])


def test_previews_take_the_beginning_of_each_text(account):
    account.server.deliver(account.user, message("Plain", body="First line\r\n" * 100))
    account.server.deliver(account.user, letter_with_file(b"abc"))
    found = account.source.previews("INBOX", {1: "1", 2: "1", 99: "1"}, 10)
    assert found == {1: b"First line", 2: b"See the fi"}


@pytest.mark.parametrize("section", ["1]", "1 FLAGS", "HEADER.FIELDS (X)", "1\r\nA1 LOGOUT", "-1"])
def test_sections_that_are_none_are_refused(account, section):
    with pytest.raises(BadInput):
        account.source.fetch("INBOX", 1, [section])


# Actions


def test_flags_and_keywords_are_set_and_taken_off(account):
    account.deliver(2)
    account.source.apply(StoreFlags("INBOX", (1, 2), add=frozenset({"\\Flagged", "$Label1"})))
    account.source.apply(
        StoreFlags("INBOX", (2,), add=frozenset({"\\Seen"}), remove=frozenset({"\\Flagged", "$Label1"}))
    )
    account.sync()
    assert account.mirror().flags == {1: frozenset({"\\Flagged", "$Label1"}), 2: frozenset({"\\Seen"})}


@pytest.mark.parametrize("flag", ["\\Recent", "a b", "x)", 'q"', "\r\nA1 LOGOUT", "", "é"])
def test_what_cannot_be_a_flag_is_refused(account, flag):
    account.deliver(1)
    with pytest.raises(BadInput):
        account.source.apply(StoreFlags("INBOX", (1,), add=frozenset({flag})))


def test_a_move_leaves_nothing_behind_and_tells_the_new_uid(account):
    account.deliver(3)
    applied = account.source.apply(Move("INBOX", (1, 3), "Archive"))
    assert applied.copied == {1: 1, 3: 2}
    account.sync()
    account.sync("Archive")
    assert account.mirror().known == [2]
    assert account.mirror("Archive").known == [1, 2]


def test_a_copy_leaves_the_original(account):
    account.deliver(1)
    account.source.apply(Copy("INBOX", (1,), "Archive"))
    assert (account.sync().messages, account.sync("Archive").messages) == (1, 1)


def test_a_move_to_a_folder_that_is_missing_moves_nothing(account):
    account.deliver(1)
    with pytest.raises(FolderMissing):
        account.source.apply(Move("INBOX", (1,), "Nowhere"))
    assert account.sync().messages == 1


def test_expunge_takes_only_the_messages_named(account):
    account.deliver(3)
    account.other.apply(StoreFlags("INBOX", (1,), add=frozenset({"\\Deleted"})))
    account.source.apply(Expunge("INBOX", (2,)))
    account.sync()
    assert account.mirror().flags == {1: frozenset({"\\Deleted"}), 3: frozenset()}


def test_an_action_on_messages_that_are_gone_does_nothing(account):
    account.deliver(1)
    account.other.apply(Expunge("INBOX", (1,)))
    account.source.apply(StoreFlags("INBOX", (1,), add=frozenset({"\\Seen"})))
    account.source.apply(Expunge("INBOX", (1,)))
    assert account.source.apply(Move("INBOX", (), "Archive")).copied == {}


def test_append_keeps_octets_flags_and_date(account):
    raw = message("Grüße aus dem Ordner", body="x\r\n" * 5000)
    moment = datetime(2026, 2, 3, 4, 5, 6, tzinfo=UTC)
    uid = account.source.append("Sent", raw, {"\\Seen", "$Forwarded"}, moment)
    assert uid == 1
    delta = account.sync("Sent")
    assert (delta.new[0].received_at, delta.new[0].flags) == (moment, {"\\Seen", "$Forwarded"})
    assert account.source.fetch("Sent", 1, [""])[""] == raw


def test_append_to_a_missing_folder_says_so_and_the_session_lives_on(account):
    with pytest.raises(FolderMissing):
        account.source.append("Nowhere", message("Lost") * 10, ())
    account.source.noop()


def test_find_by_message_id_is_exact(account):
    for one in ("abc@example.net", "xabc@example.net", "abc@example.net.org"):
        account.server.deliver(account.user, message("Same", one))
    assert account.source.find_by_message_id("INBOX", "abc@example.net") == [1]
    assert account.source.find_by_message_id("INBOX", "<xabc@example.net>") == [2]
    assert not account.source.find_by_message_id("INBOX", 'no"such\\thing@example.net')
    assert not account.source.find_by_message_id("INBOX", "ümlaut@example.net")
    assert not account.source.find_by_message_id("INBOX", "a@b\r\nX1 LOGOUT")
