"""ENVELOPE, BODYSTRUCTURE and part tables: broken and hostile mail, bounds, and that stored octets read back."""

from __future__ import annotations

import mmap
import time
from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from mailsite_ext.protocol.address_lists import Address, parse_addresses
from mailsite_ext.protocol.message_structure import body_without_extensions, read_structure
from mailsite_ext.protocol.mime_fields import params
from mailsite_ext.protocol.part_table import pack, unpack
from mailsite_ext.protocol.wire_values import read_value

GROUP_END = Address(None, None, None)


@pytest.mark.parametrize(
    ("value", "expected"),
    [
        (b"a@b.example", [Address(None, b"a", b"b.example")]),
        (b"<a@b>", [Address(None, b"a", b"b")]),
        (b"Alice B. <a@b>", [Address(b"Alice B.", b"a", b"b")]),
        (b'"Doe, Jane" <j@b>, k@c', [Address(b"Doe, Jane", b"j", b"b"), Address(None, b"k", b"c")]),
        (b'"Joe \\"Q\\"" <j@b>', [Address(b'Joe "Q"', b"j", b"b")]),
        (b"a@b (Alice (the first))", [Address(b"Alice (the first)", b"a", b"b")]),
        (b'"a b"@c', [Address(None, b"a b", b"c")]),
        (b"<@relay.example,@two.example:a@b>", [Address(None, b"a", b"b", b"@relay.example,@two.example")]),
        (b"A Group:Ed <joe@where>,b@c;", [  # RFC 5322 §A.1.3
            Address(None, b"A Group", None), Address(b"Ed", b"joe", b"where"), Address(None, b"b", b"c"), GROUP_END]),
        (b"Undisclosed recipients:;", [Address(None, b"Undisclosed recipients", None), GROUP_END]),
        (b"x: a@b", [Address(None, b"x", None), Address(None, b"a", b"b"), GROUP_END]),  # never closed
        (b"a . b @ c . d", [Address(None, b"a.b", b"c.d")]),  # RFC 5322 §A.6.3
        (b"a@[192.0.2.1]", [Address(None, b"a", b"[192.0.2.1]")]),
        (b"foo", [Address(None, b"foo", b"")]),
        (b'"Big Bug"', [Address(b"Big Bug", b"", b"")]),
        (b"Big Bug", [Address(b"Big Bug", b"", b"")]),
        (b"Big Bug bb@bug.example", [Address(b"Big Bug", b"bb", b"bug.example")]),
        (b"a@b>", [Address(None, b"a", b"b")]),
        (b", ,a@b,,", [Address(None, b"a", b"b")]),
        (b"", []),
        (b"J\xc3\xbcrgen <j@b>", [Address(b"J\xc3\xbcrgen", b"j", b"b")]),
    ],
)  # fmt: skip
def test_addresses(value, expected):
    assert parse_addresses(value) == expected


@pytest.mark.parametrize(
    ("value", "expected"),
    [
        (b"a/b; x=1; Y=\"2;3\"", [(b"x", b"1"), (b"y", b"2;3")]),
        (b"a/b; x=1; x=2", [(b"x", b"1")]),
        (b'a/b; n="q\\"r"', [(b"n", b'q"r')]),
        (b"a/b; n*0*=utf-8''a%20; n*1=b", [(b"n*", b"utf-8''a%20b")]),  # RFC 2231 §4.1
        (b"a/b; n*1=b; n*0=a", [(b"n", b"ab")]),
        (b'a/b; n="never closed; m=1', [(b"n", b"never closed"), (b"m", b"1")]),
        (b"a/b; this is=no; name=two words", [(b"name", b"two words")]),
    ],
)  # fmt: skip
def test_params(value, expected):
    assert params(value) == expected


RFC_HEADER = (  # RFC 9051 §8
    b"Date: Wed, 17 Jul 1996 02:23:25 -0700 (PDT)\r\n"
    b"From: Terry Gray <gray@cac.washington.edu>\r\n"
    b"Subject: IMAP4rev2 WG mtg summary and minutes\r\n"
    b"To: imap@cac.washington.edu\r\n"
    b"cc: minutes@CNRI.Reston.VA.US, John Klensin <KLENSIN@MIT.EDU>\r\n"
    b"Message-Id: <B27397-0100000@cac.washington.ed>\r\n"
    b"MIME-Version: 1.0\r\n"
    b"Content-Type: TEXT/PLAIN; CHARSET=US-ASCII\r\n\r\n"
)


def test_the_rfc_s_own_message():
    structure = read_structure(RFC_HEADER + b"line\r\n" * 92)
    gray = b'(("Terry Gray" NIL "gray" "cac.washington.edu"))'
    assert structure.envelope == (
        b'("Wed, 17 Jul 1996 02:23:25 -0700 (PDT)" "IMAP4rev2 WG mtg summary and minutes" '
        + b" ".join([gray] * 3)
        + b' ((NIL NIL "imap" "cac.washington.edu")) '
        b'((NIL NIL "minutes" "CNRI.Reston.VA.US")("John Klensin" NIL "KLENSIN" "MIT.EDU")) NIL NIL '
        b'"<B27397-0100000@cac.washington.ed>")'
    )
    plain = b'"text" "plain" ("charset" "US-ASCII") NIL NIL "7bit" 552 92'
    assert structure.body_structure == b"(" + plain + b" NIL NIL NIL NIL)"
    assert body_without_extensions(structure.body_structure) == b"(" + plain + b")"


MIXED = b"Content-Type: multipart/mixed; boundary=q\n\n"
PLAIN = b'("text" "plain" ("charset" "us-ascii") NIL NIL "7bit" %d %d)'


@pytest.mark.parametrize(
    ("raw", "body"),
    [
        (b"", PLAIN % (0, 0)),
        (b"\n", PLAIN % (0, 0)),
        (b"no header at all", PLAIN % (0, 0)),
        (b"\r\nhi", PLAIN % (2, 0)),
        (b"Content-Type: text\n\nx\n", PLAIN % (2, 1)),  # RFC 2045 §5.2
        (b"Content-Type: multipart/mixed\n\nx", PLAIN % (1, 0)),  # no boundary: its octets stay within reach
        (MIXED + b"no part", b"(" + PLAIN % (0, 0) + b' "mixed")'),
        (MIXED + b"--q\n\na\n--q\n\nbc\n--q--\nepilogue", b"(" + PLAIN % (1, 0) + PLAIN % (2, 0) + b' "mixed")'),
        (MIXED + b"--q\n\na", b"(" + PLAIN % (1, 0) + b' "mixed")'),  # never closed
        (MIXED + b"--q  \t\n\na\n--qq\n\nb\n--q--", b"(" + PLAIN % (1, 0) + PLAIN % (1, 0) + b' "mixed")'),
        (MIXED + b"--q\nX: y\n--q--\n", b"(" + PLAIN % (0, 0) + b' "mixed")'),  # a header ends at the boundary too
        (
            MIXED + b"--q\nContent-Type: multipart/digest; boundary=r\n\n--r\n\nSubject: s\n\nb\n--r--\n\n--q--\n",
            b'((("message" "rfc822" NIL NIL NIL "7bit" 13 (NIL "s" NIL NIL NIL NIL NIL NIL NIL NIL) '
            + PLAIN % (1, 0) + b' 2) "digest") "mixed")',
        ),
        (MIXED + b"--q\nContent-Type: multipart/alternative; boundary=r\n\n--r\n\na\n--q\n\nb\n--q--",  # inner one open
         b"((" + PLAIN % (1, 0) + b' "alternative")' + PLAIN % (1, 0) + b' "mixed")'),
    ],
)  # fmt: skip
def test_broken_and_small_messages(raw, body):
    assert body_without_extensions(read_structure(raw).body_structure) == body


def test_eight_bit_and_line_ends_never_break_a_response():
    raw = b'Subject: caf\xe9\r\nFrom: "a\\\\b" <x@y>\nContent-ID: a\x00b\n'
    raw += b'Content-Disposition: attachment; filename="a\\"b"\n\n'
    structure = read_structure(raw)
    assert structure.envelope.startswith(b'(NIL {4}\r\ncaf\xe9 (("a\\\\b" NIL "x" "y"))')
    assert b'("attachment" ("filename" "a\\"b"))' in structure.body_structure
    assert b"~{3}\r\na\0b" in structure.body_structure


N = 1_000_000
HOSTILE = {
    "dashes": MIXED + b"--x\n" * (N // 4),
    "parts": MIXED + b"--q\n\n" * (N // 5),
    "headers": MIXED + b"--q\n" + b"--\n" * (N // 3),
    "nested": b"".join(b"Content-Type: multipart/mixed; boundary=b%d\n\n--b%d\n" % (n, n) for n in range(20_000)),
    "prefixes": b"".join(
        b"Content-Type: multipart/mixed; boundary=q%b\n\n--q%b\n" % (b"x" * n, b"x" * n) for n in range(40)
    ) + b"--q\n" * (N // 4),
    "messages": b"Content-Type: message/rfc822\n\n" * (N // 30),
    "digests": b"Content-Type: message/rfc822\n\nContent-Type: multipart/digest; boundary=z\n\n--z\n\nx\n--z" * 8_000,
    "spaces": b"To: a" + b" " * N,
    "comments": b"To: a" + b" (c)" * (N // 4),
    "brackets": b"To: " + b"(" * N,
    "quotes": b"To: " + b'"\\' * (N // 2),
    "angles": b"To: " + b"<" * N,
    "groups": b"To: " + b"a:" * (N // 2),
    "names": b"To: " + b"a " * (N // 2),
    "commas": b"To: " + b"a," * (N // 2),
    "params": b"Content-Type: a/b" + b';a="' * (N // 4),
    "params in comments": b"Content-Type: a/b;" + b"(\\" * (N // 2),
    "folds": b"Subject: " + b"a\n " * (N // 3),
}  # fmt: skip


@pytest.mark.parametrize("name", HOSTILE)
def test_hostile_messages_cost_linear_time(name):
    start = time.process_time()
    structure = read_structure(HOSTILE[name])
    assert len(structure.parts) <= 1_041
    read_value(structure.envelope)
    body_without_extensions(structure.body_structure)
    assert time.process_time() - start < 2


PIECES = st.sampled_from(
    [b"--q\n", b"--q--\r\n", b"--r\n", b"\n", b"\r\n", b"x", b"Content-Type: multipart/mixed; boundary=r\n",
     b"Content-Type: message/rfc822\n", b'From: "', b"To: (", b"Cc: a:b;c@d,<", b"\0", b"\xff", b" ", b"Subject: =?\n",
     b"Content-Disposition: a;b*0*=c\n", b"Content-Language: de, fr\n", MIXED]
)  # fmt: skip


@given(st.lists(st.one_of(PIECES, st.binary(max_size=6)), max_size=25).map(b"".join), st.booleans())
@settings(derandomize=True, max_examples=1000, deadline=None)
def test_any_octets_give_well_formed_answers_and_parts_within_the_message(rest, is_multipart):
    raw = (MIXED if is_multipart else b"") + rest
    structure = read_structure(raw)
    assert isinstance(read_value(structure.envelope), list)
    assert isinstance(read_value(structure.body_structure), list)
    assert read_value(body_without_extensions(structure.body_structure)) is not None
    for part in structure.parts:
        assert 0 <= part.header_at <= part.body_at <= part.body_at + part.body_octets <= len(raw)
        assert part.body_at == part.header_at + part.header_octets
        assert 0 <= part.message_header_octets <= part.body_octets
    assert unpack(pack(structure.parts)) == structure.parts


def test_a_file_need_not_be_in_memory(tmp_path: Path):
    raw = MIXED + b"--q\n\na\nb\n--q\nContent-Type: text/html\n\nc\n--q--\n"
    path = tmp_path / "message"
    path.write_bytes(raw)
    with path.open("rb") as file, mmap.mmap(file.fileno(), 0, access=mmap.ACCESS_READ) as mapped:
        assert read_structure(mapped) == read_structure(raw)


def test_no_table_is_no_table():
    for packed in (b"", b"1 2 3", b"1 a b c d e f g h"):
        with pytest.raises(ValueError):
            unpack(packed)
