"""The source against servers that lie or break off."""

from __future__ import annotations

import pytest

from app.errors import ConnectionLost, MailError, NoSuchMessage, ProtocolError, TimedOut
from app.sources import Delta, FolderState
from tests.webmail.imap.plays import SELECT, SELECTED, Play


def delta_after(play: Play, told: str, known: list[int], more: str = "") -> Delta:
    source, _ = play(
        "QRESYNC CONDSTORE ENABLE ESEARCH",
        f"""
        C: ENABLE QRESYNC
        S: * ENABLED QRESYNC
        S: {{tag}} OK
        C: SELECT "INBOX" (QRESYNC (7 80))
        C: UID FETCH 11:210 …
        C: UID SEARCH RETURN (COUNT) UNSEEN
        {told}
        S: {{tag-2}} OK
        S: {{tag-1}} OK
        S: {{tag}} OK
        {more}
    """,
    )
    return source.changes("INBOX", FolderState(7, 11, 80), known)


LISTING = """
        C: UID SEARCH RETURN (ALL) ALL
        S: * ESEARCH (TAG "{tag}") UID ALL %s
        S: {tag} OK
"""


def test_what_was_said_of_the_folder_before_is_not_taken_for_this_one(play):
    delta = delta_after(
        play,
        f"""
        S: * 900 EXISTS
        S: * VANISHED 1:3
        S: * OK [CLOSED] was another
        {SELECTED}
    """,
        [1, 2, 3],
    )
    assert (delta.messages, delta.vanished) == (3, frozenset())


def test_flags_and_new_messages_not_asked_for_are_not_believed(play):
    delta = delta_after(
        play,
        f"""
        {SELECTED}
        S: * 1 FETCH (UID 2 FLAGS (\\Seen))
        S: * 2 FETCH (UID 999 FLAGS (\\Seen))
        S: * 3 FETCH (UID 998 FLAGS () RFC822.SIZE 5)
        S: * 4 FETCH (FLAGS (\\Deleted))
    """,
        [1, 2, 3],
    )
    assert list(delta.flags) == [2]
    assert not delta.new


def test_vanished_nonsense_is_put_right_by_asking_for_all_uids(play):
    delta = delta_after(play, f"{SELECTED}\nS: * VANISHED (EARLIER) 1:4294967295", [1, 2, 3], LISTING % "1:3")
    assert delta.vanished == frozenset()


def test_a_server_that_forgot_to_tell_what_vanished(play):
    delta = delta_after(play, SELECTED, [1, 2, 3, 4], LISTING % "1:2,4")
    assert delta.vanished == {3}


@pytest.mark.parametrize("told", [
    "S: * OK [UIDVALIDITY 7] but no count",
    "S: * 3 EXISTS",  # no UIDVALIDITY
    "S: * 3 EXISTS\nS: * OK [UIDVALIDITY 99999999999999999999999] x",
    f"{SELECTED}\nS: * VANISHED (EARLIER) 1:99999999999",
    f"{SELECTED}\nS: * 1 FETCH (UID 2 FLAGS (\\Seen)",
    f"{SELECTED}\nS: * 1 FETCH (UID 2 BODY[] {{999999999}}",
    "S: <forever * 3 EXISTS>",
    f"{SELECTED}\nS: <raw * 1 FETCH (UID 2 FLAGS (>\nS: <forever x>",
])  # fmt: skip
def test_a_server_out_of_bounds_costs_the_session_and_nothing_else(play, told, monkeypatch):
    monkeypatch.setattr("app.imap.changes.DELTA_OCTETS", 100_000)
    with pytest.raises(ProtocolError):
        delta_after(play, told, [1, 2])


def test_a_listing_larger_than_the_folder_is_refused(play):
    with pytest.raises(ProtocolError):
        delta_after(play, SELECTED, [1], LISTING % "1:4294967295")


@pytest.mark.parametrize(("end", "error"), [("close", ConnectionLost), ("stall", TimedOut)])
def test_a_server_that_breaks_off_half_way(play, end, error):
    source, _ = play("", f"{SELECT}\nC: UID FETCH …\nS: * 1 FETCH (UID 4 BODY[1] {{100}}\nS: <{end}>", timeout_s=0.5)
    with pytest.raises(error):
        source.fetch("INBOX", 4, ["1"])
    with pytest.raises(MailError):
        source.noop()


def test_a_stream_that_sends_more_than_asked_is_refused(play):
    source, _ = play(
        "",
        f"""
        C: SELECT "INBOX"
        C: UID FETCH 4 (UID BODY.PEEK[2]<0.10>)
        C: UID FETCH 4 (UID BODY.PEEK[2]<10.10>)
        {SELECTED}
        S: {{tag-2}} OK
        S: * 1 FETCH (UID 4 BODY[2]<0> {{11}}
        S: 12345678901)
        S: {{tag-1}} OK
    """,
    )
    with pytest.raises(ProtocolError):
        list(source.stream("INBOX", 4, "2", 10))


def test_pieces_answered_early_are_not_lost(play):
    source, _ = play(
        "",
        f"""
        C: SELECT "INBOX"
        C: UID FETCH 4 (UID BODY.PEEK[2]<0.10>)
        C: UID FETCH 4 (UID BODY.PEEK[2]<10.10>)
        {SELECTED}
        S: {{tag-2}} OK
        S: * 1 FETCH (UID 4 BODY[2]<0> "1234567890")
        S: * 1 FETCH (UID 4 BODY[2]<10> "12")
        S: {{tag-1}} OK
        S: {{tag}} OK
        C: UID FETCH …
    """,
    )
    assert list(source.stream("INBOX", 4, "2", 10)) == [b"1234567890", b"12"]


def test_another_message_than_the_one_asked_for_is_none(play):
    source, _ = play(
        "",
        f"""
        C: SELECT "INBOX"
        C: UID FETCH 4 (UID BODY.PEEK[1])
        {SELECTED}
        S: {{tag-1}} OK
        S: * 1 FETCH (UID 5 BODY[1] "secret")
        S: {{tag}} OK
    """,
    )
    with pytest.raises(NoSuchMessage):
        source.fetch("INBOX", 4, ["1"])
