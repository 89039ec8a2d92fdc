"""Commands → values: RFC 9051 §6 and the extensions' own examples; whatever else comes is refused in words."""

from __future__ import annotations

import time
from datetime import UTC, date, datetime, timedelta, timezone

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from mailsite_ext.protocol import imap_commands as c
from mailsite_ext.protocol import search_keys as k
from mailsite_ext.protocol.imap_cursor import Cursor, RawCommand
from mailsite_ext.protocol.imap_grammar import parse
from mailsite_ext.protocol.imap_limits import BadCommand, ImapLimits
from mailsite_ext.protocol.sequence_sets import STAR, SequenceSet

LIMITS = ImapLimits()
SEEN = k.HasFlag("\\Seen")


def command(text: bytes, *literals: bytes, utf8: bool = False) -> c.Command:
    return parse(RawCommand(text, literals), LIMITS, utf8=utf8)


def numbers(*pairs: tuple[int, int]) -> SequenceSet:
    return SequenceSet(pairs)


def fields(of: c.Of, *names: bytes) -> c.Section:
    return c.Section(of=of, fields=names)


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        (b"a CAPABILITY", c.Capability(b"a")),
        (b"a noop ", c.Noop(b"a")),
        (b'a LOGIN "us\\"er" pas', c.Login(b"a", b'us"er', b"pas")),
        (b"a AUTHENTICATE plain", c.Authenticate(b"a", "PLAIN", None)),
        (b"a AUTHENTICATE PLAIN =", c.Authenticate(b"a", "PLAIN", b"")),  # RFC 4959 §3
        (b"a AUTHENTICATE PLAIN AGEAYg==", c.Authenticate(b"a", "PLAIN", b"\0a\0b")),
        (b"t1 ENABLE CONDSTORE utf8=accept", c.Enable(b"t1", ("CONDSTORE", "UTF8=ACCEPT"))),
        (b"a023 ID NIL", c.Id(b"a023", {})),  # RFC 2971 §3.1
        (b'a ID ("Name" "x" "os" NIL)', c.Id(b"a", {"name": "x", "os": ""})),
        (b"a COMPRESS DEFLATE", c.Compress(b"a", "DEFLATE")),
        (b"A142 SELECT inbox", c.Select(b"A142", "INBOX")),
        (b"a EXAMINE a/b (CONDSTORE)", c.Select(b"a", "a/b", is_read_only=True, condstore=True)),
        (
            b"A03 SELECT INBOX (QRESYNC (67890007 90060115194045000 41:211,214:541))",  # RFC 7162 §3.2.5
            c.Select(b"A03", "INBOX", qresync=c.QResync(67890007, 90060115194045000, numbers((41, 211), (214, 541)))),
        ),
        (
            b"a SELECT x (QRESYNC (7 9 1:9 (1,2 3,5)))",
            c.Select(
                b"a",
                "x",
                qresync=c.QResync(7, 9, numbers((1, 9)), numbers((1, 1), (2, 2)), numbers((3, 3), (5, 5))),
            ),
        ),
        (b"a SELECT x (QRESYNC (7 9))", c.Select(b"a", "x", qresync=c.QResync(7, 9))),
        (b"a CREATE owatagusiam/", c.Create(b"a", "owatagusiam")),  # RFC 9051 §6.3.4
        (b"t2 CREATE MySpecial (USE (\\Drafts \\SENT))", c.Create(b"t2", "MySpecial", ("\\Drafts", "\\Sent"))),
        (b"a RENAME blurdybloop sarasoop", c.Rename(b"a", "blurdybloop", "sarasoop")),
        (b'A682 LIST "" *', c.List(b"A682", "", ("*",))),
        (b'A01 LIST (SUBSCRIBED RECURSIVEMATCH) "" "*"', c.List(
            b"A01", "", ("*",), is_extended=True, select=frozenset({"SUBSCRIBED", "RECURSIVEMATCH"}))),
        (b'BBB LIST "" ("INBOX" "Drafts" "Sent/%")', c.List(
            b"BBB", "", ("INBOX", "Drafts", "Sent/%"), is_extended=True)),  # RFC 5258 §5
        (b'A01 LIST "" % RETURN (STATUS (MESSAGES UNSEEN) CHILDREN)', c.List(
            b"A01", "", ("%",), is_extended=True, returns=frozenset({"CHILDREN"}), status=("MESSAGES", "UNSEEN"))),
        (b'a LSUB "#news." "comp.mail.*"', c.Lsub(b"a", "#news.", ("comp.mail.*",))),
        (b"A042 STATUS blurdybloop (UIDNEXT MESSAGES)", c.Status(b"A042", "blurdybloop", ("UIDNEXT", "MESSAGES"))),
        (b"a EXPUNGE", c.Expunge(b"a")),
        (b"A003 UID EXPUNGE 3000:3002", c.Expunge(b"A003", numbers((3000, 3002)))),  # RFC 4315 §2.1
        (b"a STORE 1 FLAGS \\seen $Work", c.Store(
            b"a", numbers((1, 1)), c.Change.REPLACE, ("\\Seen", "$Work"), is_silent=False, is_uid=False)),
        (b"a UID STORE 4 (UNCHANGEDSINCE 12121230045) +FLAGS.SILENT ()", c.Store(
            b"a", numbers((4, 4)), c.Change.ADD, (), is_silent=True, is_uid=True, unchanged_since=12121230045)),
        (b"A003 COPY 2:4 MEETING", c.Copy(b"A003", numbers((2, 4)), "MEETING", is_uid=False)),
        (b"a UID MOVE 42:69 foo", c.Move(b"a", numbers((42, 69)), "foo", is_uid=True)),  # RFC 6851 §3.3
        (b'A003 GETQUOTA ""', c.GetQuota(b"A003", "")),
        (b"A003 GETQUOTAROOT INBOX", c.GetQuotaRoot(b"A003", "INBOX")),
        (b'A001 SETQUOTA "" (STORAGE 512)', c.SetQuota(b"A001", "", {"STORAGE": 512})),
        (b"A654 FETCH 2:4 (FLAGS BODY[HEADER.FIELDS (DATE FROM)])", c.Fetch(b"A654", numbers((2, 4)), (
            c.Attribute.FLAGS,
            c.SectionItem(fields(c.Of.FIELDS, b"DATE", b"FROM"), b"BODY[HEADER.FIELDS (DATE FROM)]"),
        ), is_uid=False)),
        (b"a FETCH 1 FAST", c.Fetch(b"a", numbers((1, 1)), (
            c.Attribute.FLAGS, c.Attribute.INTERNALDATE, c.Attribute.RFC822_SIZE), is_uid=False)),
        (b"a FETCH 1 BODY.PEEK[4.2.MIME]<10.20>", c.Fetch(b"a", numbers((1, 1)), (
            c.SectionItem(c.Section((4, 2), c.Of.MIME), b"BODY[4.2.MIME]<10>", is_peek=True, partial=(10, 20)),
        ), is_uid=False)),
        (b"a FETCH 1 (BINARY[1]<0.4> BINARY.SIZE[] RFC822.TEXT)", c.Fetch(b"a", numbers((1, 1)), (
            c.SectionItem(c.Section((1,)), b"BINARY[1]<0>", c.Reading.DECODED, partial=(0, 4)),
            c.SectionItem(c.Section(), b"BINARY.SIZE[]", c.Reading.SIZE, is_peek=True),
            c.SectionItem(c.Section(of=c.Of.TEXT), b"RFC822.TEXT"),
        ), is_uid=False)),
        (b"a FETCH 1 PREVIEW (LAZY)", c.Fetch(b"a", numbers((1, 1)), (c.Preview(is_lazy=True),), is_uid=False)),
        (b"s UID FETCH 1:* (FLAGS) (CHANGEDSINCE 12345 VANISHED)", c.Fetch(
            b"s", numbers((1, STAR)), (c.Attribute.FLAGS,), is_uid=True, changed_since=12345, vanished=True)),
        (b"a UID FETCH 1:* UID (PARTIAL -1:-30)", c.Fetch(
            b"a", numbers((1, STAR)), (c.Attribute.UID,), is_uid=True, partial=(-1, -30))),  # RFC 9394 §3.2
        (b"a NOTIFY NONE", c.Notify(b"a")),
        (b"a NOTIFY SET STATUS (SELECTED (MessageNew (UID) MessageExpunge)) (subtree Lists NONE)", c.Notify(b"a", (
            c.EventGroup("SELECTED", (), frozenset({"MESSAGENEW", "MESSAGEEXPUNGE"}), (c.Attribute.UID,)),
            c.EventGroup("SUBTREE", ("Lists",)),
        ), wants_status=True)),
        (b"a SORT (REVERSE DATE SUBJECT) UTF-8 SEEN", c.Sort(
            b"a", (c.Criterion(c.SortKey.DATE, is_reverse=True), c.Criterion(c.SortKey.SUBJECT)), SEEN, None,
            is_uid=False)),
        (b"a UID THREAD references UTF-8 ALL", c.Thread(b"a", "REFERENCES", k.All(), is_uid=True)),
    ],
)  # fmt: skip
def test_a_command_is_a_value(text, expected):
    assert command(text) == expected


@pytest.mark.parametrize(
    ("text", "key", "returns"),
    [
        (b"a SEARCH UNSEEN", k.Not(SEEN), None),
        (b"a SEARCH SEEN 2:4", k.And((SEEN, k.Numbers(numbers((2, 4))))), None),
        (b"a SEARCH OR SEEN NOT (DRAFT UID 4)", k.Or(
            SEEN, k.Not(k.And((k.HasFlag("\\Draft"), k.Uids(numbers((4, 4))))))), None),
        (b'a SEARCH CHARSET UTF-8 FROM "Smith"', k.Header("from", "Smith"), None),
        (b"a SEARCH HEADER X-Spam \"\"", k.Header("x-spam", ""), None),
        (b"a SEARCH SINCE 1-Feb-1994 SENTON \"2-mar-2026\"", k.And((
            k.Dated(k.Day.RECEIVED, k.Relation.SINCE, date(1994, 2, 1)),
            k.Dated(k.Day.SENT, k.Relation.ON, date(2026, 3, 2)))), None),
        (b"a SEARCH OLDER 60 SMALLER 9 KEYWORD $Work", k.And((
            k.Older(60), k.Smaller(9), k.HasFlag("$Work"))), None),
        (b'a SEARCH MODSEQ "/flags/\\\\draft" all 620162338', k.ModSeq(620162338), None),  # RFC 7162 §3.1.5
        (b"a SEARCH RETURN (MIN COUNT SAVE) $", k.Numbers(SequenceSet(is_saved=True)),
            c.SearchReturn(min=True, count=True, save=True)),
        (b"a SEARCH RETURN () ALL", k.All(), c.SearchReturn(all=True)),
        (b"a SEARCH RETURN (PARTIAL -1:-100) ALL", k.All(), c.SearchReturn(partial=(-1, -100))),
        (b"a SEARCH EMAILID M1 SAVEDATESUPPORTED", k.And((k.EmailId("M1"), k.SaveDateSupported())), None),
    ],
)  # fmt: skip
def test_search_is_a_tree(text, key, returns):
    assert command(text) == c.Search(b"a", key, returns, is_uid=False)


def test_literals_stand_where_strings_may():
    assert command(b"a SEARCH TEXT {4}\r\n SEEN", "bär".encode()) == c.Search(
        b"a", k.And((k.Text("bär"), SEEN)), None, is_uid=False
    )


@pytest.mark.parametrize(
    ("name", "utf8", "folder"),
    [
        (b"INBOX", False, "INBOX"),
        (b"InBox/Sub", False, "INBOX/Sub"),
        (b"Entw&APw-rfe", False, "Entwürfe"),
        (b"~peter/mail/&U,BTFw-/&ZeVnLIqe-", False, "~peter/mail/台北/日本語"),  # RFC 3501 §5.1.3
        ('"Entwürfe"'.encode(), True, "Entwürfe"),
        (b"a&-b", True, "a&-b"),
    ],
)
def test_folder_names_are_text(name, utf8, folder):
    assert command(b"a SELECT " + name, utf8=utf8) == c.Select(b"a", folder)


@pytest.mark.parametrize(
    ("text", "line"),
    [
        (b"", b"* BAD a command begins with a tag\r\n"),
        (b"(((", b"* BAD a command begins with a tag\r\n"),
        (b"+a NOOP", b"* BAD a command begins with a tag\r\n"),
        (b"A88345 ", b"A88345 BAD a command is missing after the tag\r\n"),
        (b"a FROBNICATE", b"a BAD no command FROBNICATE\r\n"),
        (b"a NOOP x", b"a BAD unexpected text at octet 7\r\n"),
        (b"a LOGIN x", b"a BAD expected a space at octet 9\r\n"),
        (b"a SELECT", b"a BAD expected a space at octet 8\r\n"),
        (b"a SELECT &garbage", b"a NO [CANNOT] no folder can have this name\r\n"),
        (b"a SELECT &AGE-", b"a NO [CANNOT] no folder can have this name\r\n"),  # a second spelling of "a"
        (b"a SELECT " + b"x" * 2_001, b"a NO [LIMIT] the folder name is too long\r\n"),
        (b"a SEARCH CHARSET KOI8-R ALL", b"a NO [BADCHARSET (US-ASCII UTF-8)] charset not known\r\n"),
        (b"a SEARCH ON 31-Feb-2026", b"a BAD there is no such date\r\n"),
        (b"a FETCH 0 FLAGS", b"a BAD message numbers are wrong or too many\r\n"),
        (b"a FETCH 4294967296 FLAGS", b"a BAD message numbers are wrong or too many\r\n"),
        (b"a FETCH " + b"1," * 10_000 + b"1 FLAGS", b"a BAD message numbers are wrong or too many\r\n"),
        (b"a FETCH 1 BODY[MIME]", b"a BAD a part number is needed here\r\n"),
        (b"a FETCH 1 (FLAGS) (VANISHED)", b"a BAD VANISHED needs UID FETCH and CHANGEDSINCE\r\n"),
        (b"a STORE 1 FLAGS (\\Recent)", b"a BAD no such system flag can be set\r\n"),
        (b"a STATUS x ()", b"a BAD a list is empty\r\n"),
        (b'a LIST (RECURSIVEMATCH) "" *', b"a BAD RECURSIVEMATCH needs something to match\r\n"),
        (b'a LIST "" ' + b"*%" * 30, b"a BAD [LIMIT] too many wildcards\r\n"),
        (b"a THREAD JWZ UTF-8 ALL", b"a BAD no such threading algorithm\r\n"),
        (b"a SEARCH " + b"(" * 101 + b"ALL" + b")" * 101, b"a BAD [LIMIT] too deeply nested\r\n"),
        (b"a SEARCH " + b"NOT " * 20_000 + b"ALL", b"a BAD [LIMIT] too deeply nested\r\n"),
        (b"a SEARCH " + b"ALL " * 2_001, b"a BAD [LIMIT] too many search keys\r\n"),
        (b"a APPEND INBOX", b"a BAD a message is missing\r\n"),
    ],
)
def test_what_is_no_command_is_refused_in_words(text, line):
    with pytest.raises(BadCommand) as refused:
        command(text)
    assert refused.value.line() == line


@pytest.mark.parametrize(
    ("text", "moment"),
    [
        (b'" 7-Feb-1994 21:52:25 -0800"', datetime(1994, 2, 7, 21, 52, 25, tzinfo=timezone(timedelta(hours=-8)))),
        (b'"31-Dec-2026 23:59:60 +0000"', datetime(2026, 12, 31, 23, 59, 59, tzinfo=UTC)),  # a leap second
    ],
)
def test_dates_of_append(text, moment):
    assert Cursor(RawCommand(text), LIMITS).date_time() == moment


WORDS = st.sampled_from(
    b'a1|UID|FETCH|SEARCH|STORE|LIST|STATUS|SELECT|NOTIFY|SET|SORT|THREAD|OR|NOT|(|)|"|""|*|%|{1}\r\n|\\Seen|1:*|$|RETURN|'
    b"BODY[|]|<0.1>|HEADER.FIELDS|1.2|QRESYNC|FLAGS|ALL|TEXT|CHARSET|UTF-8|&-|&AA-|9999999999|PARTIAL| ".split(b"|")
)


@given(st.one_of(st.binary(max_size=80), st.lists(WORDS, max_size=25).map(b" ".join)), st.booleans())
@settings(derandomize=True, max_examples=1500, deadline=None)
def test_nothing_but_bad_command_is_raised(text, utf8):
    line = _refusal(RawCommand(b"a " + text, (b"x",) * text.count(b"}\r\n")), utf8=utf8)
    assert line is None or (line.startswith(b"a ") and line.count(b"\n") == 1)


def _refusal(raw: RawCommand, *, utf8: bool) -> bytes | None:
    try:
        parse(raw, LIMITS, utf8=utf8)
    except BadCommand as refused:
        return refused.line()
    return None


def test_hostile_nesting_costs_little():
    start = time.process_time()
    for text in (b"(" * 60_000, b"OR " * 20_000, b"NOT " * 15_000, b"((ALL) " * 8_000, b'"' * 60_000, b'"\\' * 30_000):
        with pytest.raises(BadCommand):
            command(b"a SEARCH " + text)
    assert time.process_time() - start < 0.5
