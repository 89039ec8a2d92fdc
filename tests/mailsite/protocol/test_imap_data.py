"""Responses as octets: nothing of the content can end a line, and 10,000 rows are joined in milliseconds."""

from __future__ import annotations

import re
import time
from datetime import UTC, datetime, timedelta, timezone

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from mailsite_ext.protocol import imap_data as d
from mailsite_ext.protocol.imap_cursor import Cursor, RawCommand
from mailsite_ext.protocol.imap_limits import ImapLimits
from mailsite_ext.protocol.wire_values import read_value


@pytest.mark.parametrize(
    ("octets", "shown"),
    [
        (b"", b'""'),
        (b'a"b\\', b'"a\\"b\\\\"'),
        (b"a\r\nb", b"{4}\r\na\r\nb"),
        (b"caf\xc3\xa9", b"{5}\r\ncaf\xc3\xa9"),
        (b"\0", b"~{1}\r\n\0"),
        (b"x" * 1_025, b"{1025}\r\n" + b"x" * 1_025),
    ],
)
def test_strings(octets, shown):
    assert d.string(octets) == shown


@given(st.binary(max_size=60))
@settings(derandomize=True, deadline=None)
def test_strings_read_back(octets):
    assert read_value(d.string(octets)) == octets
    assert read_value(d.nstring(octets)) == octets
    if not re.search(rb"[\0\r\n\x80-\xff]", octets):
        assert Cursor(RawCommand(d.astring(octets)), ImapLimits()).astring() == octets


@given(st.text(max_size=40))
@settings(derandomize=True, deadline=None)
def test_no_text_ends_a_line(text):
    name = text.encode("utf-8", "replace").decode()
    lines = [
        d.status_line(b"a", "OK", text),
        d.list_response(name, ("\\HasNoChildren",), utf8=True),
        d.list_response(name, (), utf8=False, old_name=name),
        d.status_response(name, {"MESSAGES": 1}, utf8=True),
    ]
    for line in lines:
        assert line.count(b"\n") == line.count(b"\r") == 1
        assert b"\0" not in line


def test_responses():
    assert d.date_time(datetime(2026, 2, 1, 9, 5, tzinfo=UTC)) == b'"01-Feb-2026 09:05:00 +0000"'
    west = timezone(timedelta(hours=-3, minutes=-30))
    assert d.date_time(datetime(2026, 2, 1, 9, 5, tzinfo=west)) == b'"01-Feb-2026 09:05:00 -0330"'
    assert d.list_response("Entwürfe", ("\\Drafts",), utf8=False) == b'* LIST (\\Drafts) "/" "Entw&APw-rfe"\r\n'
    assert d.list_response("Foo", (), utf8=True, child_info=("SUBSCRIBED",)) == (  # RFC 5258 §5
        b'* LIST () "/" "Foo" ("CHILDINFO" ("SUBSCRIBED"))\r\n'
    )
    assert d.list_response("b", (), utf8=True, old_name="a") == b'* LIST () "/" "b" ("OLDNAME" ("a"))\r\n'
    assert d.status_response("x", {"MESSAGES": 2, "MAILBOXID": "F1", "APPENDLIMIT": None}, utf8=True) == (
        b'* STATUS "x" (MESSAGES 2 MAILBOXID (F1) APPENDLIMIT NIL)\r\n'
    )
    assert d.search_response([]) == b"* SEARCH\r\n"
    assert d.search_response([2, 5], 917162500) == b"* SEARCH 2 5 (MODSEQ 917162500)\r\n"  # RFC 7162 §3.1.5
    assert d.sort_response([5, 2]) == b"* SORT 5 2\r\n"
    assert d.esearch_response(b"A282", {"MIN": 2, "COUNT": 3}, is_uid=True) == (
        b'* ESEARCH (TAG "A282") UID MIN 2 COUNT 3\r\n'
    )
    assert d.esearch_response(b"a", {"ALL": b"2,10:11"}, is_uid=False) == b'* ESEARCH (TAG "a") ALL 2,10:11\r\n'
    assert d.vanished_response([1, 2, 3, 9], is_earlier=True) == b"* VANISHED (EARLIER) 1:3,9\r\n"
    assert d.vanished_response([], is_earlier=False) == b""
    assert d.fetch_response(12, [b"UID 7", b"FLAGS ()"]) == b"* 12 FETCH (UID 7 FLAGS ())\r\n"
    assert d.status_line(b"", "BYE", "too\r\nmany", "LIMIT") == b"* BYE [LIMIT] too many\r\n"


def test_many_rows_at_once():
    envelope = b'("Thu, 1 Jan 2026 00:00:00 +0000" "100% sure" NIL NIL NIL NIL NIL NIL NIL "<a@b>")' * 4
    columns = (range(8, 10_008), [b"\\Seen"] * 10_000, [envelope] * 10_000)
    start = time.process_time()
    answer = d.fetch_rows([b"UID %d", b"FLAGS (%b)", b"ENVELOPE %b"], range(1, 10_001), columns)
    assert time.process_time() - start < 0.1
    assert answer.startswith(b"* 1 FETCH (UID 8 FLAGS (\\Seen) ENVELOPE " + envelope + b")\r\n* 2 FETCH")
    assert answer.count(b"\r\n") == 10_000
    assert d.fetch_rows([b"UID %d"], [0, 4], [(7, 8)]) == b"* 4 FETCH (UID 8)\r\n"  # 0: the client does not know it
