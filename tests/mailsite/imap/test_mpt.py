"""Dialogs of another IMAP server against ours; docs/imap-differences.md names why answers differ."""

from __future__ import annotations

from pathlib import Path

import pytest

from app.bus.unix import UnixBus
from mailsite_ext.domains.directory import Hosted
from mailsite_ext.limits import Limits
from tests.conftest import CORPORA
from tests.mailsite.imap.mpt import Conversation
from tests.mailsite.listeners.imap_hosting import imap_hosting

FOLDER = CORPORA / "imap-mpt"
GIVEN = sorted(FOLDER.glob("*.txt"))
NOT_OFFERED = {  # METADATA (RFC 5464), ACL and other people's folders (RFC 4314, RFC 2342)
    "MetadataWithBinaryData", "RenameSharedMailbox", "SharedMailbox", "SharingAccessLRA", "SharingAccessLRS",
}  # fmt: skip
STEPS = {"SelectedStateSetup", "SelectedStateCleanup"}  # run around others
BEFORE_LOGIN = {
    "AuthenticatePlain", "BadTag", "IllegalTag", "JustTag", "LoginThreeStrikes", "NoCommand", "NoTag",
    "ValidAuthenticated", "ValidNonAuthenticated",
}  # fmt: skip
SELECTED = {
    "Check", "Expunge", "FetchMultipleMessages", "FetchPeek", "FetchRFC822", "FetchRFC822Header", "FetchText",
    "Store", "FetchSaveDate", "FetchNILSaveDate", "Search", "FetchEnvelope", "FetchPartial", "Move", "MoveNoMSG",
    "RenameSelected",
}  # fmt: skip
OURS = frozenset({"Archive", "Drafts", "Junk", "Sent", "Trash"})
HEADERS = "FETCH 1:* (FLAGS UID BODY.PEEK[HEADER.FIELDS (DATE FROM TO ORIGINATOR X-LIST)])"
DIFFERENCES: dict[str, set[str]] = {  # what was said; docs/imap-differences.md says why
    "AppendExamineInbox": {"a RENAME INBOX tobedeleted"},
    "AuthenticatePlain": {
        '0001 AUTHENTICATE "PLAIN" {24+}', "0002 SELECT imapuser", '0003 AUTHENTICATE "PLAIN" {24+}',
        "0004 SELECT imapuser", '0005 AUTHENTICATE "PLAIN" {28+}', '0006 AUTHENTICATE "PLAIN" {24+}',
        '0007 AUTHENTICATE "PLAIN" {36+}', "0008 SELECT delegate",
    },
    "BadTag": {"((("},
    "ConcurrentExistsResponse": {"3b STORE 1 +FLAGS.SILENT (\\Flagged)", "4b CREATE another"},
    "Create": {
        "15 CREATE ..", '20 CREATE "one&AC4-two"', '21 LIST "" one*', "22 CREATE #user", "a12 DELETE one",
        "a12 DELETE one.two",
    },
    "FetchMultipartAlternative": {"A6 FETCH 1 (BODY[])"},
    "FetchMultipartMixedComplex": {"A6 FETCH 1 (BODY[])"},
    "FetchNILSaveDate": {"f FETCH 1 (SAVEDATE)"},
    "FetchStructureComplex": {"A10 FETCH 1:* ()", "A131 FETCH 1:* (BODY BODYSTRUCTURE)"},
    "HeaderPartialFetch": {"A7 FETCH 1 (BODY[HEADER]<0.16>)"},
    "IllegalTag": {"+++++++++++++++++++++++++++++++++++++++++"},
    "JustTag": {"A88345 "},
    "ListPlus": {'a1 LIST "" "listtest" RETURN (MYRIGHTS)'},
    "LoginThreeStrikes": {"a005 LOGIN imapuser bogus"},
    "MoveNoMSG": {"a4 UID MOVE 1 selected"},
    "NoCommand": {"A88345 "},
    "NoTag": {""},
    "Rename": {"A101 " + HEADERS},
    "RenameSelected": {
        f"A10 {HEADERS}", f"A14 {HEADERS}", f"A17 {HEADERS}", f"A20 {HEADERS}", "A15 STORE 1:2  +FLAGS (\\FLAGGED)",
        "A16 STORE 1:3  +FLAGS (\\ANSWERED)",
    },
    "Replace": {"defg UID REPLACE 1 inbox {254+}", "ghij REPLACE 1 inbox {254+}", "f2 UID FETCH 1:* (BODY[TEXT])"},
    "SearchAtoms": {"A49 SEARCH BODY thy"},
    "ValidAuthenticated": {
        "a001 APPEND mailbox {13+}", "a001 CREATE mailbox", "a001 DELETE mailbox", "a001 EXAMINE mailbox",
        'a001 LIST "" ""', 'a001 LSUB "" ""', "a001 RENAME oldname newname", "a001 SELECT mailbox",
        "a001 STATUS mailbox (UIDNEXT)", "a001 SUBSCRIBE mailbox", "a001 UNSUBSCRIBE mailbox",
    },
}  # fmt: skip


@pytest.fixture
def host(sql_storage, tmp_path):
    with imap_hosting(
        sql_storage, UnixBus(tmp_path / "bus"), tmp_path / "spool", limits=Limits(bad_commands=100)
    ) as running:
        running.people.names["imapuser"] = Hosted(9, "imapuser", 9)
        running.people.passwords["imapuser"] = "password"
        yield running


@pytest.mark.corpora
@pytest.mark.skipif(not GIVEN, reason="corpora/imap-mpt: not here")
@pytest.mark.parametrize("path", [path for path in GIVEN if path.stem not in NOT_OFFERED | STEPS], ids=lambda p: p.stem)
def test_dialog_of_another_server(path: Path, host):
    if path.stem == "ListSpecialChar":
        host.storage.create_mailbox("imapuser")
        for name in ("projects & abc", "évaluations", "mailbox #17"):
            host.storage.create_folder("imapuser", name)
    conversation = Conversation(host.connect, signs_in=path.stem not in BEFORE_LOGIN, own_folders=OURS)
    try:
        if path.stem in SELECTED:
            conversation.run(FOLDER / "SelectedStateSetup.txt")
        conversation.run(path)
    finally:
        conversation.close()
    for each in conversation.differences:
        print(each[0][:100], "|WANTED|", each[1][:1500], "|OURS|", each[2][:1500])
    assert {said for said, _wanted, _ours in conversation.differences} == DIFFERENCES.get(path.stem, set())
