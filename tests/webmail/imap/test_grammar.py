"""The pure parts: FETCH responses, sets of UIDs, names, roles, namespaces, and what refusals mean."""

from __future__ import annotations

import time
from contextlib import suppress
from datetime import UTC, datetime

import pytest
from hypothesis import given
from hypothesis import strategies as st

from app.errors import (
    ActionRefused,
    BadInput,
    ConnectionLost,
    FolderFull,
    FolderMissing,
    LoginRefused,
    ProtocolError,
    ServerUnreachable,
    TooManyConnections,
)
from app.imap import fetch, folders, names, refusals, uids
from app.imap.names import Namespaces
from app.sources import FlagState, FolderStatus, Role

# FETCH


def test_items_are_read_in_any_order_and_spelling():
    line = (
        b'* 7 FETCH (BODYSTRUCTURE ("text" "plain" ("x" ")(") NIL NIL "7bit" 3 1)'
        b' internaldate " 5-Nov-2026 01:02:03 -0130"'
        b" Flags (\\seen $Forwarded \\RECENT) MODSEQ (9007199254740993) RFC822.SIZE 42 UID 4294967295"
        b' BODY[HEADER.FIELDS ("DATE" "FROM")] {14}\r\nSubject: )"(\r\n)'
    )
    items = fetch.items_of(line)
    assert fetch.uid_of(items) == 4294967295
    assert items[b"BODY[HEADER.FIELDS (DATE FROM)]"] == b'Subject: )"(\r\n'
    assert items[b"BODYSTRUCTURE"].endswith(b"3 1)")
    assert fetch.flag_state(items) == FlagState(frozenset({"\\Seen", "$Forwarded"}), 9007199254740993)
    assert fetch.date_of(items[b"INTERNALDATE"]) == datetime(2026, 11, 5, 2, 32, 3, tzinfo=UTC)


def test_gmail_items():
    line = (
        b"* 1 FETCH (X-GM-THRID 1266894439832287888 X-GM-MSGID 1278455344230334865 "
        b'X-GM-LABELS (\\Inbox "\\\\Sent" Travel/2026 "Muy Importante" &AMQ-rger {3}\r\na"b) UID 3 RFC822.SIZE 1)'
    )
    message = fetch.remote_message(fetch.items_of(line))
    assert message.gmail is not None
    assert message.gmail.msgid == 1278455344230334865
    assert message.gmail.labels == ("Muy Importante", "Travel/2026", "\\Inbox", "\\Sent", 'a"b', "Ärger")


@pytest.mark.parametrize("line", [
    b"* 1 FETCH (UID 1 FLAGS (\\Seen)", b"* 1 FETCH (UID x)", b"* 1 FETCH (UID 1", b"* 1 FETCH (BODY[] {5}\r\nabc",
    b'* 1 FETCH (BODY[] "abc)', b"* 1 FETCH (UID 1 BODYSTRUCTURE (((((", b"* 1 FETCH (UID 1 X (" + b"(" * 10_000,
    b"* 1 FETCH (UID 99999999999)", b"* 1 FETCH (UID 1) trailing (", b"* 1 FETCH ( )", b"* 1 FETCH (UID 1 \xff\xff)",
    b"* 1 FETCH (UID " + b"9" * 5_000 + b")",
])  # fmt: skip
def test_a_malformed_fetch_is_a_protocol_error_or_holds_less(line):
    try:
        items = fetch.items_of(line)
        fetch.uid_of(items)
        complete = b"BODY[]" in items and len(items[b"BODY[]"]) == 5
    except ProtocolError:
        return
    assert not complete


@given(st.binary(max_size=200).map(lambda tail: b"* 1 FETCH (UID 1 " + tail))
def test_any_fetch_is_read_or_a_protocol_error(line):
    with suppress(ProtocolError):
        items = fetch.items_of(line)
        fetch.flag_state(items)
        fetch.date_of(items.get(b"INTERNALDATE", b""))


HEADER = b'Subject: )"(\r\n\r\n'
USUAL = (
    b'* 7 FETCH (UID 9 FLAGS (\\Seen \\Recent $Junk) MODSEQ (12) INTERNALDATE " 5-Nov-2026 01:02:03 -0130"'
    b" RFC822.SIZE 42 %b {%d}\r\n%b" % (fetch.HEADER_ITEM, len(HEADER), HEADER)
)


def nested(depth):
    return b"(" * depth + b'"text" "plain" ("x" ")(\\"{3}") NIL NIL "7bit" 3 1' + b")" * depth


@pytest.mark.parametrize(("line", "is_usual"), [
    (USUAL + b" BODYSTRUCTURE " + nested(1) + b")", True),
    (USUAL + b" BODYSTRUCTURE " + nested(8) + b")", True),
    (USUAL + b" BODYSTRUCTURE " + nested(80) + b")", False),
    (USUAL + b' BODYSTRUCTURE ("text" {5}\r\npl(in NIL NIL NIL "7bit" 3 1))', False),
    (USUAL + b" BODYSTRUCTURE " + nested(2) + b" X-NEW 1)", False),
    (USUAL + b")", False),
    (USUAL.replace(b" MODSEQ (12)", b"") + b" BODYSTRUCTURE " + nested(2) + b")", True),
    (USUAL.replace(b"UID 9", b"UID 4294967295") + b" BODYSTRUCTURE " + nested(2) + b")", False),
    (USUAL.replace(b"(DATE", b'("DATE"').replace(b"FROM", b"From") + b" BODYSTRUCTURE " + nested(2) + b")", True),
])  # fmt: skip
def test_the_usual_answer_is_read_like_any_other(line, is_usual):
    message = fetch.remote_message(fetch.items_of(line))
    assert fetch.usual_message(line) == (message if is_usual else None)
    assert message.header == HEADER


@pytest.mark.parametrize("line", [
    USUAL + b" BODYSTRUCTURE " + b"(" * 100_000,
    USUAL + b" BODYSTRUCTURE " + b'("' * 50_000,
    USUAL + b" BODYSTRUCTURE " + b'(""' * 50_000,
    USUAL + b" BODYSTRUCTURE (" + b'"\\"' * 50_000,
    USUAL + b" BODYSTRUCTURE " + b"((((((((a" * 10_000,
    USUAL.replace(b"{%d}" % len(HEADER), b"{99999}") + b" BODYSTRUCTURE ())",
    USUAL.replace(fetch.HEADER_ITEM, b"BODY[TEXT]") + b" BODYSTRUCTURE ())",
])  # fmt: skip
def test_a_hostile_answer_is_not_usual_and_that_is_seen_quickly(line):
    began = time.process_time()
    assert fetch.usual_message(line) is None
    assert time.process_time() - began < 0.5


@pytest.mark.parametrize("text", [
    b"", b"31-Feb-2026 00:00:00 +0000", b"01-Foo-2026 00:00:00 +0000", b"31-Dec-9999 23:59:59 -2359",
    b"01-Jan-0001 00:00:00 +2300", b"01-Jan-2026 25:00:00 +0000", b"x" * 500,
])  # fmt: skip
def test_what_is_no_date_is_the_epoch(text):
    assert fetch.date_of(text) == fetch.UNKNOWN_DATE


# Sets of UIDs


@pytest.mark.parametrize(("numbers", "expected"), [
    ([], []), ([5], [b"5"]), ([3, 1, 2, 7, 7], [b"1:3,7"]), ([4294967295], [b"4294967295"]),
])  # fmt: skip
def test_sets_are_short(numbers, expected):
    assert list(uids.sets_of(numbers)) == expected


def test_a_long_set_is_cut_into_lines_a_server_takes():
    sets = list(uids.sets_of(range(1, 40_000, 2)))
    assert all(len(one) <= uids.MAX_SET_OCTETS for one in sets)
    assert [n for one in sets for n in uids.expand(uids.parse_ranges(one), 40_000)] == list(range(1, 40_000, 2))


@pytest.mark.parametrize("bad", [[0], [-1], [2**32]])
def test_what_is_no_uid_is_never_sent(bad):
    with pytest.raises(ProtocolError):
        list(uids.sets_of(bad))


@pytest.mark.parametrize("text", [b"1,,2", b"a", b"1:2:3", b"1:*", b",", b"12345678901"])
def test_sets_that_are_none(text):
    with pytest.raises(ProtocolError):
        uids.parse_ranges(text)


def test_a_tiny_set_cannot_fill_memory():
    with pytest.raises(ProtocolError):
        uids.expand(uids.parse_ranges(b"1:4294967295"), 1000)
    assert uids.within(uids.parse_ranges(b"4294967295:2"), [1, 2, 3]) == {2, 3}


@given(st.sets(st.integers(1, 5000), max_size=80), st.sets(st.integers(1, 5000), max_size=80))
def test_within_is_intersection(some, known):
    ranges = list(uids.ranges_of(some))
    assert uids.within(ranges, sorted(known)) == some & known
    assert uids.expand(ranges, 5000) == sorted(some)


# Names


@pytest.mark.parametrize(("raw", "name"), [
    (b"INBOX", "INBOX"), (b"Entw&APw-rfe", "Entwürfe"), (b"a &- b", "a & b"), (b"&ZeVnLIqe-", "日本語"),
    ("Grüße".encode(), "Grüße"), (b"&Jjo-!", "☺!"),
    (b"bad & name", None), (b"&AGE-", None), (b"\xff\xfe", None), (b"&!!!-", None),
])  # fmt: skip
def test_names_from_the_wire(raw, name):
    assert names.decode(raw) == name


@pytest.mark.parametrize(("raw", "name"), [
    (b"a & b", "a & b"), (b"a &- b", "a &- b"), (b"Entw&APw-rfe", "Entw&APw-rfe"), ("Grüße".encode(), "Grüße"),
    (b"\xff\xfe", None),
])  # fmt: skip
def test_names_once_they_are_utf8(raw, name):
    """RFC 6855 §3: `&` stands for itself then."""
    assert names.decode(raw, utf8=True) == name
    listed = folders.listed_in([b'* LIST () "/" "' + raw + b'"'], utf8=True)
    assert [each.name for each in listed] == ([] if name is None else [name])


@given(st.text(st.characters(exclude_categories=["Cs", "Cc"]), min_size=1, max_size=40))
def test_names_go_there_and_back(name):
    quoted = names.encode(name, utf8=False)
    assert quoted.isascii()
    assert names.decode(quoted[1:-1].replace(b'\\"', b'"').replace(b"\\\\", b"\\")) == name
    assert names.encode(name, utf8=True).decode() == '"' + name.replace("\\", "\\\\").replace('"', '\\"') + '"'


@pytest.mark.parametrize("name", ["", "a\r", "\n", "\0", "\x85", "x" * 1001])
def test_names_no_folder_can_have(name):
    with pytest.raises(BadInput):
        names.check(name)


@pytest.mark.parametrize("octets", [b"a\rb", b"a\nb", b"a\0b"])
def test_line_ends_never_get_into_a_quoted_string(octets):
    with pytest.raises(BadInput):
        names.quoted(octets)


COURIER = Namespaces("INBOX.", ("shared.",))


@pytest.mark.parametrize(("real", "shown"), [
    ("INBOX", "INBOX"), ("inbox", "INBOX"), ("INBOX.Sent", "Sent"), ("INBOX.Work.2026", "Work.2026"),
    ("shared.team", "shared.team"), ("INBOX.INBOX", "INBOX.INBOX"), ("INBOX.INBOX.x", "INBOX.INBOX.x"),
    ("INBOX.shared.x", "INBOX.shared.x"), ("Stray", None),
])  # fmt: skip
def test_a_common_prefix_is_not_shown(real, shown):
    assert COURIER.shown(real) == shown
    if shown is not None:
        assert COURIER.real(shown) == ("INBOX" if real == "inbox" else real)


def test_without_prefix_names_stay():
    assert Namespaces().shown("Work/2026") == Namespaces().real("Work/2026") == "Work/2026"


@pytest.mark.parametrize(("line", "expected"), [
    (b'* NAMESPACE (("INBOX." ".")) NIL (("shared." ".") ("#pub/" "/"))', Namespaces("INBOX.", ("shared.", "#pub/"))),
    (b'* NAMESPACE (("" "/")) NIL NIL', Namespaces()),
    (b"* NAMESPACE NIL NIL NIL", Namespaces()),
    (b"* NAMESPACE", Namespaces()),
])  # fmt: skip
def test_namespaces(line, expected):
    assert folders.namespaces_in([line]) == expected


@pytest.mark.parametrize(("listed", "expected"), [
    ([("INBOX", ()), ("Verzonden", (b"\\SENT",)), ("Sent", ())], {"INBOX": Role.INBOX, "Verzonden": Role.SENT}),
    ([("Gesendete Objekte", ()), ("Entwürfe", ()), ("Papierkorb", ())],
     {"Gesendete Objekte": Role.SENT, "Entwürfe": Role.DRAFTS, "Papierkorb": Role.TRASH}),
    ([("INBOX/Corbeille", ()), ("Clients/Archives", ())], {"INBOX/Corbeille": Role.TRASH}),
    ([("Отправленные", ()), ("СПАМ", ())], {"Отправленные": Role.SENT, "СПАМ": Role.JUNK}),
    ([("Sent Items", ()), ("Sent", ())], {"Sent": Role.SENT}),  # one folder a role, the likelier name
    ([("A", (b"\\SENT",)), ("B", (b"\\SENT",))], {"A": Role.SENT}),
    ([("[Google Mail]/Alle Nachrichten", (b"\\ALL",))], {"[Google Mail]/Alle Nachrichten": Role.ALL}),
    ([("Spam", (b"\\NOSELECT",))], {}),
])  # fmt: skip
def test_roles_by_attribute_then_by_name(listed, expected):
    assert names.roles((name, "/", frozenset(attributes)) for name, attributes in listed) == expected


def test_listing_keeps_only_folders_that_can_be_addressed():
    lines = [
        b'* LIST (\\HasNoChildren) "/" "a\\"b\\\\c"', b"* LIST () NIL inbox", b'* LIST (\\Noselect) "/" {4}\r\nx{1}',
        b'* LIST () "/" "bad & name"', b'* LIST () "/" "two\nlines"',
    ]  # fmt: skip
    tree = folders.tree(folders.listed_in(lines), {"INBOX": FolderStatus(1, 2, 3, 4)}, frozenset(), Namespaces())
    assert [(folder.name, folder.delimiter, folder.selectable) for folder in tree] == [
        ('a"b\\c', "/", True), ("INBOX", None, True), ("x{1}", "/", False),
    ]  # fmt: skip
    assert tree[1].status == FolderStatus(1, 2, 3, 4)


@pytest.mark.parametrize("line", [b"* LIST x", b"* LIST (", b'* LIST () "/"', b"* LIST " + b"(" * 9999])
def test_a_malformed_list_is_a_protocol_error(line):
    with pytest.raises(ProtocolError):
        folders.listed_in([line])


# Refusals


@pytest.mark.parametrize(("words", "kind"), [
    ("[AUTHENTICATIONFAILED] Invalid credentials (Failure)", LoginRefused),
    ("[ALERT] Application-specific password required: https://support.google.com/accounts/answer/185833", LoginRefused),
    ("LOGIN failed.", LoginRefused),
    ("[UNAVAILABLE] Temporary authentication failure.", ServerUnreachable),
    ("[LIMIT] Too busy", TooManyConnections),
    ("[INUSE] Account is busy", TooManyConnections),
    ("[ALERT] Too many simultaneous connections. (Failure)", TooManyConnections),
    ("[UNAVAILABLE] Maximum number of connections from user+IP exceeded", TooManyConnections),
    ("Too many open connections", TooManyConnections),
    ("User is authenticated but not connected.", TooManyConnections),
    ("Connection limit reached", TooManyConnections),
    ("Too many login failures, wait a little", LoginRefused),
])  # fmt: skip
def test_why_a_login_fails(words, kind):
    assert type(refusals.login_error(words)) is kind


def test_the_servers_words_are_shown_without_code_and_bounded():
    assert refusals.login_error("[AUTHENTICATIONFAILED] Use an app\r\n password").detail == "Use an app password"
    assert len(refusals.login_error("x" * 100_000).detail) <= refusals.MAX_WORDS_CHARS


@pytest.mark.parametrize(("status", "words", "kind"), [
    (b"NO", "[OVERQUOTA] Quota exceeded", FolderFull),
    (b"NO", "Mailbox is full", FolderFull),
    (b"NO", "[TRYCREATE] Mailbox doesn't exist: x", FolderMissing),
    (b"NO", "Mailbox does not exist", FolderMissing),
    (b"NO", "[NOPERM] Permission denied", ActionRefused),
    (b"NO", "[INUSE] Mailbox is locked", ActionRefused),
    (b"NO", "[LIMIT] Rate", TooManyConnections),
    (b"BAD", "Unknown command", ProtocolError),
])  # fmt: skip
def test_why_a_command_fails(status, words, kind):
    assert type(refusals.command_error(status, words)) is kind


@pytest.mark.parametrize(("words", "kind"), [
    ("Too many connections", TooManyConnections), ("Autologout; idle for too long", ConnectionLost),
])  # fmt: skip
def test_why_a_server_says_bye(words, kind):
    assert type(refusals.bye_error(words)) is kind
