"""The source against servers that speak by script: Gmail, old servers, and servers that lie or break off."""

from __future__ import annotations

import select
import ssl
from collections.abc import Callable, Iterator
from contextlib import ExitStack
from textwrap import dedent

import pytest

from app.accounts.endpoint import Credentials, Endpoint, Tls
from app.errors import ConnectionLost, FolderMissing, MailError, NoSuchFolder, NoSuchMessage, ProtocolError, TimedOut
from app.imap import fetch
from app.imap.session import open_session
from app.imap.source import ImapSource
from app.sources import Delta, Expunge, FolderState, Move, Role, StoreLabels
from tests.servers.scripted_imap import ScriptedServer, scripted
from tests.webmail.imap.sessions import connect

HEADER = fetch.HEADER_SECTION.decode()
Play = Callable[..., tuple[ImapSource, ScriptedServer]]


@pytest.fixture
def play() -> Iterator[Play]:
    """A source whose server has the capabilities named and then goes by the script."""
    with ExitStack() as stack:

        def play(capabilities: str, script: str, timeout_s: float = 10) -> tuple[ImapSource, ScriptedServer]:
            told = f"S: * OK [CAPABILITY IMAP4rev1 {capabilities}] hello\nC: LOGIN …\nS: {{tag}} OK in\n"
            asked = f"C: CAPABILITY\nS: * CAPABILITY IMAP4rev1 {capabilities}\nS: {{tag}} OK done\n"
            server = stack.enter_context(scripted(told + asked + dedent(script)))
            session = open_session(
                Endpoint("localhost", server.port, Tls.NONE),
                Credentials("ann", "ann", imap_password="x"),
                connect=connect,
                ssl_context=ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT),
                timeout_s=timeout_s,
            )
            stack.callback(session.close)
            return ImapSource(session), server

        yield play


SELECTED = """
    S: * 3 EXISTS
    S: * OK [UIDVALIDITY 7] ok
    S: * OK [UIDNEXT 11] ok
    S: * OK [HIGHESTMODSEQ 90] ok
"""
SELECT = f'C: SELECT "INBOX"\n{SELECTED}S: {{tag}} OK selected\n'

# Gmail

GMAIL = "X-GM-EXT-1 CONDSTORE ESEARCH MOVE UIDPLUS IDLE LITERAL- SPECIAL-USE LIST-EXTENDED LIST-STATUS"
GMAIL_LIST = r"""
    C: LIST "" "*" RETURN (SUBSCRIBED SPECIAL-USE STATUS (MESSAGES UNSEEN UIDNEXT UIDVALIDITY HIGHESTMODSEQ))
    S: * LIST (\HasNoChildren \Subscribed) "/" "INBOX"
    S: * STATUS "INBOX" (MESSAGES 2 UNSEEN 1 UIDNEXT 9 UIDVALIDITY 1 HIGHESTMODSEQ 5)
    S: * LIST (\HasChildren \Noselect) "/" "[Gmail]"
    S: * LIST (\All \HasNoChildren \Subscribed) "/" "[Gmail]/All Mail"
    S: * LIST (\Drafts \HasNoChildren \Subscribed) "/" "[Gmail]/Drafts"
    S: * LIST (\Important \HasNoChildren) "/" "[Gmail]/Important"
    S: * LIST (\Sent \HasNoChildren \Subscribed) "/" "[Gmail]/Sent Mail"
    S: * LIST (\Junk \HasNoChildren \Subscribed) "/" "[Gmail]/Spam"
    S: * LIST (\Flagged \HasNoChildren \Subscribed) "/" "[Gmail]/Starred"
    S: * LIST (\Trash \HasNoChildren \Subscribed) "/" "[Gmail]/Trash"
    S: * LIST (\HasNoChildren \Subscribed) "/" "Reisen/&ANY-sterreich"
    S: {tag} OK Success
"""


def test_gmail_syncs_each_message_once(play):
    source, _ = play(GMAIL, GMAIL_LIST)
    assert source.is_gmail
    labels = {folder.name: folder.label for folder in source.folders() if folder.selectable}
    assert labels == {
        "INBOX": "\\Inbox", "[Gmail]/Drafts": "\\Draft", "[Gmail]/Important": "\\Important",
        "[Gmail]/Sent Mail": "\\Sent", "[Gmail]/Starred": "\\Starred", "Reisen/Österreich": "Reisen/Österreich",
        "[Gmail]/All Mail": None, "[Gmail]/Spam": None, "[Gmail]/Trash": None,
    }  # fmt: skip


def test_gmail_without_all_mail_is_synced_folder_by_folder(play):
    hidden = "\n".join(line for line in GMAIL_LIST.splitlines() if "All Mail" not in line)
    source, _ = play(GMAIL, hidden)
    assert all(folder.label is None for folder in source.folders())


GMAIL_ITEMS = (
    f"(UID FLAGS MODSEQ INTERNALDATE RFC822.SIZE X-GM-MSGID X-GM-THRID X-GM-LABELS BODY.PEEK[{HEADER}] BODYSTRUCTURE)"
)


def test_gmail_delta_brings_labels_and_threads(play):
    source, _ = play(GMAIL, f"""
        C: SELECT "[Gmail]/All Mail" (CONDSTORE)
        C: UID FETCH 1:* (UID FLAGS X-GM-LABELS) (CHANGEDSINCE 80)
        C: UID FETCH 11:210 {GMAIL_ITEMS}
        C: UID SEARCH RETURN (COUNT) UNSEEN
        {SELECTED}
        S: {{tag-3}} OK [READ-WRITE] selected
        S: * 1 FETCH (X-GM-LABELS (Reisen/&ANY-sterreich "\\\\Important") UID 4 MODSEQ (85) FLAGS (\\Seen))
        S: {{tag-2}} OK Success
        S: * 3 FETCH (X-GM-THRID 12 X-GM-MSGID 34 X-GM-LABELS ("\\\\Inbox") UID 11 RFC822.SIZE 9 MODSEQ (90) FLAGS () INTERNALDATE "24-Nov-2026 08:00:00 +0000" BODY[{HEADER}] {{15}}
        S: Subject: hi
        S:
        S: BODYSTRUCTURE ("TEXT" "PLAIN" NIL NIL NIL "7BIT" 2 1 NIL NIL NIL))
        S: {{tag-1}} OK Success
        S: * ESEARCH (TAG "{{tag}}") UID COUNT 1
        S: {{tag}} OK Success
    """)  # fmt: skip  # noqa: E501
    delta = source.changes("[Gmail]/All Mail", FolderState(7, 11, 80), [2, 4])
    assert delta.flags[4].labels == ("Reisen/Österreich", "\\Important")
    assert delta.new[0].gmail.labels == ("\\Inbox",)
    assert (delta.new[0].gmail.thrid, delta.new[0].gmail.msgid) == (12, 34)
    assert delta.new[0].header == b"Subject: hi\r\n\r\n"
    assert delta.unseen == 1


def test_gmail_archives_by_removing_the_inbox_label(play):
    source, _ = play(
        GMAIL,
        f"""
        C: SELECT "[Gmail]/All Mail"
        {SELECTED}
        S: {{tag}} OK selected
        C: UID STORE 4 +X-GM-LABELS.SILENT ("Reisen/&ANY-sterreich" "a \\"b\\"")
        S: {{tag}} OK Success
        C: UID STORE 4 -X-GM-LABELS.SILENT (\\Inbox)
        S: {{tag}} OK Success
    """,
    )
    add, remove = frozenset({"Reisen/Österreich", 'a "b"'}), frozenset({"\\Inbox"})
    source.apply(StoreLabels("[Gmail]/All Mail", (4,), add=add, remove=remove, uidvalidity=7))


# Servers with less


def test_an_old_server_is_asked_by_list_lsub_and_status(play):
    source, _ = play(
        "NAMESPACE",
        r"""
        C: NAMESPACE
        S: * NAMESPACE (("INBOX." ".")) NIL NIL
        S: {tag} OK
        C: LIST "" "*"
        C: LSUB "" "*"
        S: * LIST () "." INBOX
        S: * LIST (\Noselect) "." INBOX.Old
        S: * LIST () "." INBOX.Gesendet
        S: {tag-1} OK
        S: * LSUB () "." INBOX.Gesendet
        S: {tag} OK
        C: STATUS "INBOX" (MESSAGES UNSEEN UIDNEXT UIDVALIDITY)
        C: STATUS "INBOX.Gesendet" (MESSAGES UNSEEN UIDNEXT UIDVALIDITY)
        S: * STATUS INBOX (MESSAGES 1 UNSEEN 1 UIDNEXT 2 UIDVALIDITY 3)
        S: {tag-1} OK
        S: {tag} NO not today
        C: SELECT "INBOX.Gesendet"
        C: UID SEARCH ALL
        S: {tag-1} NO [NONEXISTENT] no
        S: {tag} BAD nothing selected
    """,
    )
    inbox, old, sent = source.folders()
    assert (inbox.name, inbox.role, inbox.status.messages, inbox.subscribed) == ("INBOX", Role.INBOX, 1, True)
    assert (old.name, old.selectable, old.subscribed) == ("Old", False, False)
    assert (sent.name, sent.role, sent.status, sent.subscribed) == ("Gesendet", Role.SENT, None, True)
    assert not source.can_idle
    with pytest.raises(NoSuchFolder):
        source.changes("Gesendet", None, ())


def test_without_uidplus_the_marks_of_others_are_taken_off_and_put_back(play):
    source, _ = play(
        "",
        f"""
        {SELECT}
        C: UID SEARCH DELETED
        S: * SEARCH 1 4 5
        S: {{tag}} OK
        C: UID STORE 1,5 -FLAGS.SILENT (\\Deleted)
        S: {{tag}} OK
        C: UID STORE 4 +FLAGS.SILENT (\\Deleted)
        S: {{tag}} OK
        C: EXPUNGE
        S: * 2 EXPUNGE
        S: {{tag}} OK
        C: UID STORE 1,5 +FLAGS.SILENT (\\Deleted)
        S: {{tag}} OK
    """,
    )
    source.apply(Expunge("INBOX", (4,)))


def test_a_move_that_cannot_copy_removes_nothing(play):
    source, server = play("", f'{SELECT}\nC: UID COPY 4 "Full"\nS: {{tag}} NO [TRYCREATE] no such folder')
    with pytest.raises(FolderMissing):
        source.apply(Move("INBOX", (4,), "Full"))
    assert not any("EXPUNGE" in said for said in server.heard)


def test_utf8_names_and_literals_where_the_server_accepts_them(play):
    source, server = play(
        "ENABLE UTF8=ACCEPT LITERAL+ UIDPLUS",
        """
        C: ENABLE UTF8=ACCEPT
        S: * ENABLED UTF8=ACCEPT
        S: {tag} OK
        C: APPEND …
        S: {tag} OK [APPENDUID 5 77] done
    """,
    )
    assert source.append("Entwürfe", "Subject: ü\r\n\r\nx".encode(), ["\\Draft"]) == 77
    assert server.heard[-1] == 'APPEND "Entwürfe" (\\Draft) UTF8 (~{16+}Subject: ü\r\n\r\nx)'


def test_a_folder_without_modseq_is_not_asked_for_it(play):
    """RFC 7162 §3.1.2.2: such a folder answers BAD to MODSEQ and CHANGEDSINCE."""
    source, server = play(
        "CONDSTORE",
        """
        C: SELECT "INBOX" (CONDSTORE)
        C: UID FETCH 4 (UID FLAGS)
        C: UID FETCH 11:210 …
        S: * 1 EXISTS
        S: * OK [UIDVALIDITY 7] ok
        S: * OK [UIDNEXT 11] ok
        S: * OK [NOMODSEQ] none here
        S: * 1 FETCH (UID 4 FLAGS (\\Seen))
        S: {tag-2} OK
        S: {tag-1} OK
        S: {tag} OK
        C: UID FETCH 4 …
        S: {tag} OK
    """,
    )
    delta = source.changes("INBOX", FolderState(7, 11, None), [4])
    assert delta.state.highestmodseq is None
    assert list(source.headers("INBOX", [4])) == [[]]
    assert not any("MODSEQ" in said for said in server.heard)


def test_what_is_settled_after_the_login_costs_no_turn_before_the_inbox(play):
    """ENABLE, NAMESPACE and the first look at the INBOX go out together: this server answers only when it has all."""
    source, _ = play(
        "QRESYNC CONDSTORE ENABLE ESEARCH NAMESPACE",
        """
        C: ENABLE QRESYNC
        C: NAMESPACE
        C: SELECT "INBOX" (CONDSTORE)
        C: UID SEARCH RETURN (ALL) ALL
        C: UID SEARCH RETURN (COUNT) UNSEEN
        S: * ENABLED QRESYNC
        S: {tag-4} OK
        S: * NAMESPACE (("INBOX." ".")) NIL NIL
        S: * 0 EXISTS
        S: * OK [UIDVALIDITY 7] ok
        S: * OK [UIDNEXT 11] ok
        S: {tag-3} OK
        S: {tag-2} OK [READ-WRITE] selected
        S: {tag-1} OK
        S: * ESEARCH (TAG "{tag}") UID COUNT 0
        S: {tag} OK
        C: SELECT "INBOX.Later"
        S: * 0 EXISTS
        S: {tag} OK
        C: IDLE
        S: + idling
    """,
    )
    delta = source.changes("INBOX", None, [])
    assert (delta.state, delta.messages, delta.unseen) == (FolderState(7, 11), 0, 0)
    source.start_watching("Later")


# Servers that lie


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


# IDLE

IDLE = f"{SELECT}\nC: IDLE\nS: + idling\n"


def watch(source: ImapSource) -> bool:
    """Wait until something comes, and whether it is news."""
    descriptor = source.start_watching("INBOX")
    while not (news := source.has_news()):
        if not select.select([descriptor], [], [], 10)[0]:
            return False
    return news


@pytest.mark.parametrize("told", [
    "S: * 4 EXISTS", "S: * 2 EXPUNGE", "S: * 1 FETCH (FLAGS (\\Seen))", "S: * VANISHED 4",
    "S: * OK Still here\nS: * 4 EXISTS", "S: {tag} OK idle ended", "S: <raw * 4 EX>\nS: <raw ISTS\\x0d\\x0a>",
])  # fmt: skip
def test_news_while_watching(play, told):
    source, _ = play("IDLE", IDLE + told)
    assert watch(source)


def test_watching_ends_with_done(play):
    source, _ = play("IDLE", IDLE + "S: * 4 EXISTS\nL: DONE\nS: {tag} OK ended\nC: NOOP\nS: {tag} OK done")
    assert watch(source)
    source.stop_watching()
    source.stop_watching()
    source.noop()


@pytest.mark.parametrize(("told", "error"), [
    ("S: * BYE autologout", ConnectionLost), ("S: <close>", ConnectionLost), ("S: what", ProtocolError),
    ("S: <forever * OK Still here>", ProtocolError),
])  # fmt: skip
def test_faults_while_watching(play, told, error):
    source, _ = play("IDLE", IDLE + told)
    with pytest.raises(error):
        watch(source)


def test_idle_refused(play):
    source, _ = play("IDLE", f"{SELECT}\nC: IDLE\nS: {{tag}} BAD what")
    with pytest.raises(ProtocolError):
        source.start_watching("INBOX")
