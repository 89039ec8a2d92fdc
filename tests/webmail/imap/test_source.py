"""The source against servers that speak by script: Gmail, and old servers."""

from __future__ import annotations

import pytest

from app.errors import FolderMissing, NoSuchFolder
from app.sources import Expunge, FolderState, Move, Role, StoreLabels
from tests.webmail.imap.plays import HEADER, SELECT, SELECTED

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
