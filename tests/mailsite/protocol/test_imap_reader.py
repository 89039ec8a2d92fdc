"""Octets → commands, however they are cut; literals, limits, messages passed on in pieces (RFC 7888, RFC 3502)."""

from __future__ import annotations

import time

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from mailsite_ext.protocol import imap_commands as c
from mailsite_ext.protocol import search_keys as k
from mailsite_ext.protocol.append_grammar import LiteralBegins, MessageBegins, MessageEnds, UrlNamed
from mailsite_ext.protocol.imap_limits import BadCommand, ImapLimits
from mailsite_ext.protocol.imap_reader import CommandReader, ContinuationWanted, Line, LiteralChunk


def read(
    data: bytes, step: int = 1_000_000, limits: ImapLimits | None = None, *, refuses: type | None = None
) -> list[object]:
    """All events, BadCommand as its line, chunks of a literal joined; events of the kind `refuses` are refused."""
    reader = CommandReader(limits)
    events: list[object] = []
    for at in range(0, len(data), step):
        reader.feed(data[at : at + step])
        _drain(reader, events, refuses)
    return events


def _drain(reader: CommandReader, events: list[object], refuses: type | None = None) -> None:
    while True:
        try:
            event = reader.next_event()
        except BadCommand as refused:
            events.append(refused.line())
            continue
        if event is None:
            return
        if isinstance(event, LiteralChunk) and events and isinstance(events[-1], bytearray):
            events[-1] += event.data
        else:
            events.append(bytearray(event.data) if isinstance(event, LiteralChunk) else event)
        if refuses is not None and isinstance(event, refuses):
            reader.refuse_message()


FIRST = c.NewMessage(("\\Seen",))
SECOND = c.NewMessage()
DIALOG = (
    b"a LOGIN {3}\r\nbob {3+}\r\nx y\r\n"
    b"b APPEND {5+}\r\nINBOX (\\Seen) {5}\r\nhe\0lo UTF8 (~{3+}\r\nabc)\r\n"
    b"\r\nc NOOP\n"
    b"d BAD {3+}\r\nabc {2+}\r\nxy\r\n"
    b"e UID REPLACE 4 Drafts {0+}\r\n\r\n"
    b"f SEARCH SUBJECT {2+}\r\n{1 ALL\r\n"
)


def expected() -> list[object]:
    one, both = c.Append(b"b", "INBOX", (FIRST,)), c.Append(b"b", "INBOX", (FIRST, SECOND))
    replaced = c.Replace(b"e", 4, True, "Drafts", (c.NewMessage(),))
    return [
        ContinuationWanted(),
        c.Login(b"a", b"bob", b"x y"),
        MessageBegins(one),
        LiteralBegins(one, 5, is_synchronising=True),
        bytearray(b"he\0lo"),
        MessageEnds(),
        MessageBegins(both),
        LiteralBegins(both, 3, is_synchronising=False, is_binary=True, is_utf8=True),
        bytearray(b"abc"),
        MessageEnds(),
        both,
        b"* BAD a command begins with a tag\r\n",
        c.Noop(b"c"),
        b"d BAD no command BAD\r\n",
        MessageBegins(replaced),
        LiteralBegins(replaced, 0, is_synchronising=False),
        MessageEnds(),
        replaced,
        c.Search(b"f", k.And((k.Header("subject", "{1"), k.All())), None, is_uid=False),
    ]


@pytest.mark.parametrize("step", [1, 2, 3, 7, 10_000])
def test_commands_come_out_whole_however_they_are_cut(step):
    assert read(DIALOG, step) == expected()


def test_cut_once_anywhere():
    for cut in range(1, len(DIALOG)):
        reader, events = CommandReader(), []
        for piece in (DIALOG[:cut], DIALOG[cut:]):
            reader.feed(piece)
            _drain(reader, events)
        assert events == expected(), cut


CATENATED = (
    b'a APPEND x CATENATE (URL "/a/;UID=1" TEXT {2}\r\nhi url {9+}\r\n/b/;UID=2 URL /c/;UID=3) (\\Seen) {3+}\r\nabc'
    b" CATENATE (UTF8 (~{0+}\r\n))\r\nb REPLACE 1 x CATENATE (URL /d/;UID=4)\r\nc NOOP\r\n"
)


@pytest.mark.parametrize("step", [1, 5, 10_000])
def test_messages_of_pieces(step):
    """CATENATE, alone and among others (RFC 4469 §5, RFC 3502, RFC 8508 §4)."""
    one, seen = c.NewMessage(), c.NewMessage(("\\Seen",))
    first, second, third = (c.Append(b"a", "x", messages) for messages in ((one,), (one, seen), (one, seen, one)))
    replaced = c.Replace(b"b", 1, False, "x", (one,))
    assert read(CATENATED, step) == [
        MessageBegins(first),
        UrlNamed(first, b"/a/;UID=1"),
        LiteralBegins(first, 2, is_synchronising=True),
        bytearray(b"hi"),
        UrlNamed(first, b"/b/;UID=2"),
        UrlNamed(first, b"/c/;UID=3"),
        MessageEnds(),
        MessageBegins(second),
        LiteralBegins(second, 3, is_synchronising=False),
        bytearray(b"abc"),
        MessageEnds(),
        MessageBegins(third),
        LiteralBegins(third, 0, is_synchronising=False, is_binary=True, is_utf8=True),
        MessageEnds(),
        third,
        MessageBegins(replaced),
        UrlNamed(replaced, b"/d/;UID=4"),
        MessageEnds(),
        replaced,
        c.Noop(b"c"),
    ]


@pytest.mark.parametrize(
    ("data", "refuses", "kinds"),
    [
        # on its way: skipped
        (b"a APPEND x {5+}\r\nhello {3+}\r\nabc\r\n", MessageBegins, [MessageBegins]),
        (b"a APPEND x {5+}\r\nhello {3+}\r\nabc\r\n", LiteralBegins, [MessageBegins, LiteralBegins]),
        # it waits, and never comes
        (b"a APPEND x {5}\r\n", MessageBegins, [MessageBegins]),
        (b"a APPEND x {5}\r\n", LiteralBegins, [MessageBegins, LiteralBegins]),
        (b"a APPEND x CATENATE (URL b TEXT {5}\r\n", UrlNamed, [MessageBegins, UrlNamed]),
        (b"a APPEND x CATENATE (URL b TEXT {1+}\r\nx URL {2+}\r\nno)\r\n", UrlNamed, [MessageBegins, UrlNamed]),
        (b"a APPEND x CATENATE (URL b URL c) CATENATE (URL d)\r\n", UrlNamed, [MessageBegins, UrlNamed]),
    ],
)
def test_the_rest_of_what_was_refused_is_forgotten(data, refuses, kinds):
    for step in (1, 7, 1_000):
        events = read(data + b"b NOOP\r\n", step, refuses=refuses)
        assert [type(event) for event in events] == [*kinds, c.Noop]


PIECE = b" URL x"


@pytest.mark.parametrize(
    ("data", "line"),
    [
        (b"a APPEND x CATENATE ()", b"a BAD CATENATE knows only TEXT and URL\r\n"),
        (b"a APPEND x CATENATE (TEXT abc)", b"a BAD CATENATE knows only TEXT and URL\r\n"),
        (b"a APPEND x CATENATE (CATENATE (URL x))", b"a BAD CATENATE knows only TEXT and URL\r\n"),
        (b"a APPEND x CATENATE URL x", b"a BAD expected a message as a literal at octet 11\r\n"),
        (b"a APPEND x CATENATE (URL x", b"a BAD expected a space at octet 26\r\n"),
        (b"a APPEND x CATENATE (URL x)y", b"a BAD unexpected text at octet 27\r\n"),
        (b"a APPEND x CATENATE (URL x) ()", b"a BAD expected a space at octet 30\r\n"),
        (b"a APPEND x CATENATE (URL " + b"x" * 8_001 + b")", b"a NO [LIMIT] the URL is too long\r\n"),
        (b"a APPEND x CATENATE (URL {2+}\r\n\0x)", b"a BAD a literal has a NUL octet\r\n"),
        (b"a APPEND x CATENATE (URL {102401}", b"a NO [TOOBIG] a literal is too large\r\n"),
        (b"a APPEND x CATENATE (TEXT {50000001}", b"a NO [TOOBIG] the message is too large\r\n"),
        (b"a APPEND x CATENATE (TEXT {999999999+}", b"* BYE [LIMIT] the message is too large\r\n"),
        (b"a APPEND x CATENATE (URL y" + PIECE * 10_000 + b")", b"a BAD [LIMIT] too many pieces\r\n"),
        (b"a APPEND x CATENATE (TEXT {1+}\r\nx" + b" TEXT {1+}\r\nx" * 10_000, b"a BAD [LIMIT] too many pieces\r\n"),
        (b"a APPEND x CATENATE (URL {1+}\r\nx" + b" URL {1+}\r\nx" * 10_000, b"a BAD [LIMIT] too many pieces\r\n"),
        (b"a APPEND x" + b" CATENATE (URL x)" * 1_001, b"a BAD [LIMIT] too many"),
        (b"a REPLACE 1 x CATENATE (URL x) CATENATE (URL x)", b"a BAD [LIMIT] too many messages\r\n"),
    ],
)
def test_pieces_that_are_refused(data, line):
    """Whatever they are, the next command is read as one."""
    start = time.process_time()
    events = [event for event in read(data + b"\r\nb NOOP\r\n") if isinstance(event, bytes | c.Command)]
    assert events[0].startswith(line)
    assert events[1:] == [c.Noop(b"b")] or b"BYE" in line
    assert time.process_time() - start < 1


def test_a_folder_may_be_named_as_a_word_of_catenate():
    for name in (b"URL", b"CATENATE", b'"CATENATE (URL"'):
        assert [type(event) for event in read(b"a APPEND " + name + b" {1+}\r\nx\r\n") if isinstance(event, c.Command)]


SMALL = ImapLimits(line_octets=60, literal_octets=10, literals_octets=15, literals_a_command=2, message_octets=100)


@pytest.mark.parametrize(
    ("data", "answers"),
    [
        (b"a SELECT {11}\r\nb NOOP\r\n", [b"a NO [TOOBIG] a literal is too large\r\n", c.Noop(b"b")]),
        (b"a SELECT {11+}\r\n12345678901\r\nb NOOP\r\n", [b"a NO [TOOBIG] a literal is too large\r\n", c.Noop(b"b")]),
        (b"a SELECT {201+}\r\n", [b"* BYE [LIMIT] a literal is too large\r\n"]),
        (b"a SELECT {99999999999999999999}\r\nb NOOP\r\n", [b"a NO [TOOBIG] a literal is too large\r\n", c.Noop(b"b")]),
        (b"a LOGIN {9+}\r\n123456789 {9+}\r\n123456789\r\n", [b"a NO [TOOBIG] a literal is too large\r\n"]),
        (b"a ID ({1+}\r\nx {1+}\r\ny {1+}\r\nz NIL)\r\nb NOOP\r\n", [
            b"a BAD [LIMIT] too many literals\r\n", c.Noop(b"b")]),
        (b"a APPEND x {101}\r\nb NOOP\r\n", [b"a NO [TOOBIG] the message is too large\r\n", c.Noop(b"b")]),
        (b"a APPEND x {101+}\r\n" + b"m" * 101 + b"\r\nb NOOP\r\n", [
            b"a NO [TOOBIG] the message is too large\r\n", c.Noop(b"b")]),
        (b"a APPEND x hello\r\nb NOOP\r\n", [
            b"a BAD expected a message as a literal at octet 11\r\n", c.Noop(b"b")]),
        (b"a APPEND x (\\Nope) {5+}\r\nhello\r\nb NOOP\r\n", [
            b"a BAD no such system flag can be set\r\n", c.Noop(b"b")]),
        (b"a NOOP" + b" " * 60 + b"\r\nb NOOP\r\n", [b"* BYE [LIMIT] the line is too long\r\n"]),
        (b"a NOOP" + b" " * 60, [b"* BYE [LIMIT] the line is too long\r\n"]),  # before its end is there
        (b"a NO\0OP\r\nb NOOP\r\n", [b"a BAD a line has a NUL or a lone CR\r\n", c.Noop(b"b")]),
        (b"a SELECT {1+}\r\n\0\r\nb NOOP\r\n", [b"a BAD a literal has a NUL octet\r\n", c.Noop(b"b")]),
    ],
)  # fmt: skip
@pytest.mark.parametrize("step", [1, 1000])
def test_limits(data, answers, step):
    assert [event for event in read(data, step, SMALL) if event != ContinuationWanted()] == answers


def test_a_line_that_is_no_command():
    reader = CommandReader()
    reader.feed(b"a IDLE\r\nDONE\r\nb NOOP\r\n")
    assert reader.next_event() == c.Idle(b"a")
    reader.expect_line()
    assert reader.next_event() == Line(b"DONE")
    assert reader.next_event() == c.Noop(b"b")


def test_what_came_after_starttls_can_be_seen_and_thrown_away():
    reader = CommandReader()
    reader.feed(b"a STARTTLS\r\nb NOOP\r\n")
    assert reader.next_event() == c.StartTls(b"a")
    assert reader.buffered == len(reader.take_rest()) == 8
    assert reader.next_event() is None


def test_names_are_utf8_once_that_is_enabled():
    reader = CommandReader()
    reader.utf8 = True
    reader.feed('a SELECT "é"\r\n'.encode())
    assert reader.next_event() == c.Select(b"a", "é")


def test_octet_by_octet_costs_linear_time():
    literal = b"a SELECT {100000+}\r\n" + b"x" * 100_000 + b"\r\n"
    start = time.process_time()
    read(b"a SEARCH " + b"ALL " * 1_900 + b"\r\n" + literal, 1)
    assert time.process_time() - start < 1.5


@given(st.binary(max_size=200), st.integers(1, 9))
@settings(derandomize=True, max_examples=600, deadline=None)
def test_garbage_raises_nothing_else_and_cuts_do_not_matter(data, step):
    data = data.replace(b"\x01", b"\r\n").replace(b"\x02", b"a APPEND x {9+}\r\n").replace(b"\x03", b"a LOGIN {2}\r\n")
    data = data.replace(b"\x04", b"a APPEND x CATENATE (TEXT {3+}\r\n").replace(b"\x05", b" URL {1+}\r\n")
    assert read(data, step, SMALL) == read(data, 1_000, SMALL)
