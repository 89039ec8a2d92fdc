"""Octets → commands, however they are cut; literals, limits, messages passed on in pieces (RFC 7888, RFC 3502)."""

from __future__ import annotations

import time

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from mailsite_ext.protocol import imap_commands as c
from mailsite_ext.protocol import search_keys as k
from mailsite_ext.protocol.imap_limits import BadCommand, ImapLimits
from mailsite_ext.protocol.imap_reader import (
    CommandReader,
    ContinuationWanted,
    Line,
    LiteralBegins,
    LiteralChunk,
    LiteralEnds,
)


def read(data: bytes, step: int = 1_000_000, limits: ImapLimits | None = None, *, accept: bool = True) -> list[object]:
    """All events, BadCommand as its line, chunks of a message joined."""
    reader = CommandReader(limits)
    events: list[object] = []
    for at in range(0, len(data), step):
        reader.feed(data[at : at + step])
        _drain(reader, events, accept=accept)
    return events


def _drain(reader: CommandReader, events: list[object], *, accept: bool) -> None:
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
        if isinstance(event, LiteralBegins):
            (reader.accept_message if accept else reader.refuse_message)()


FIRST = c.NewMessage(5, ("\\Seen",))
SECOND = c.NewMessage(3, (), None, is_binary=True, is_utf8=True)
DIALOG = (
    b"a LOGIN {3}\r\nbob {3+}\r\nx y\r\n"
    b"b APPEND {5+}\r\nINBOX (\\Seen) {5}\r\nhe\0lo UTF8 (~{3+}\r\nabc)\r\n"
    b"\r\nc NOOP\n"
    b"d BAD {3+}\r\nabc {2+}\r\nxy\r\n"
    b"e UID REPLACE 4 Drafts {0+}\r\n\r\n"
    b"f SEARCH SUBJECT {2+}\r\n{1 ALL\r\n"
)


def expected() -> list[object]:
    empty = c.NewMessage(0)
    return [
        ContinuationWanted(),
        c.Login(b"a", b"bob", b"x y"),
        LiteralBegins(c.Append(b"b", "INBOX", (FIRST,)), is_synchronising=True),
        bytearray(b"he\0lo"),
        LiteralEnds(),
        LiteralBegins(c.Append(b"b", "INBOX", (FIRST, SECOND)), is_synchronising=False),
        bytearray(b"abc"),
        LiteralEnds(),
        c.Append(b"b", "INBOX", (FIRST, SECOND)),
        b"* BAD a command begins with a tag\r\n",
        c.Noop(b"c"),
        b"d BAD no command BAD\r\n",
        LiteralBegins(c.Replace(b"e", 4, True, "Drafts", (empty,)), is_synchronising=False),
        LiteralEnds(),
        c.Replace(b"e", 4, True, "Drafts", (empty,)),
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
            _drain(reader, events, accept=True)
        assert events == expected(), cut


def test_a_refused_message_that_is_on_its_way_is_skipped():
    events = read(b"a APPEND x {5+}\r\nhello {3+}\r\nabc\r\nb NOOP\r\n", accept=False)
    assert [type(event) for event in events] == [LiteralBegins, c.Noop]


def test_a_refused_message_that_waits_never_comes():
    events = read(b"a APPEND x {5}\r\nb NOOP\r\n", accept=False)
    assert [type(event) for event in events] == [LiteralBegins, c.Noop]


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
    assert read(data, step, SMALL) == read(data, 1_000, SMALL)
