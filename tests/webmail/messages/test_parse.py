"""Whole messages: the tree IMAP would tell, and something readable whatever comes."""

from __future__ import annotations

import time

import pytest

from app.messages.parse import parse
from app.messages.parts import MAX_DEPTH, MAX_PARTS, find_part, shown_text_sections, walk

NESTED = b"""From: a@example.org
Content-Type: multipart/mixed; boundary=o

--o
Content-Type: text/plain; charset=iso-8859-1
Content-Transfer-Encoding: quoted-printable

Gr=FC=DFe
--o
Content-Type: message/rfc822

Subject: inner
Content-Type: multipart/alternative; boundary=i

--i
Content-Type: text/plain

inner text
--i
Content-Type: text/html

<p>inner
--i--
--o
Content-Type: message/rfc822

Subject: single

single text
--o
Content-Type: application/pdf; name="a.pdf"
Content-Disposition: attachment; filename*=utf-8''b%C3%A9.pdf
Content-Transfer-Encoding: base64

JVBERg==
--o--
""".replace(b"\n", b"\r\n")


def test_sections_are_numbered_as_imap_does() -> None:
    parsed = parse(NESTED)
    assert [(part.section, part.media_type) for part in walk(parsed.root)] == [
        ("TEXT", "multipart/mixed"),
        ("1", "text/plain"),
        ("2", "message/rfc822"),
        ("2.TEXT", "multipart/alternative"),
        ("2.1", "text/plain"),
        ("2.2", "text/html"),
        ("3", "message/rfc822"),
        ("3.1", "text/plain"),
        ("4", "application/pdf"),
    ]
    assert parsed.sections["1"] == b"Gr=FC=DFe"
    assert parsed.sections["2.1"] == b"inner text"
    assert parsed.sections["3"].endswith(b"single text")
    assert parsed.header.endswith(b"boundary=o\r\n\r\n")
    pdf = find_part(parsed.root, "4")
    assert pdf is not None
    assert (pdf.filename, pdf.disposition, pdf.encoding) == ("bé.pdf", "attachment", "base64")
    assert not parsed.damaged


def test_octets_that_are_no_ascii_stay_as_they_came() -> None:
    parsed = parse(b"Content-Type: text/plain; charset=iso-8859-1\r\n\r\nGr\xfc\xdfe")
    assert parsed.sections["1"] == b"Gr\xfc\xdfe"


@pytest.mark.parametrize(
    ("raw", "text"),
    [
        (b"", b""),
        (b"no header at all", b"no header at all"),
        (b"Content-Type: multipart/mixed; boundary=x\r\n\r\nnever begins", b"never begins"),
        (b"Content-Type: multipart/mixed\r\n\r\n--x\r\n\r\nhi", b"--x\r\n\r\nhi"),
        (b'Content-Type: text/plain; charset="\r\n\r\nhi', b"hi"),
        (b"Content-Type: nonsense\r\n\r\nhi", b"hi"),
        (b"Content-Type: multipart/mixed; boundary=x\r\n\r\n--x\r\n\r\nhi", b"hi"),  # never ends
        (b"A: b\nC: d\n\nhi", b"hi"),
        (b"Content-Transfer-Encoding: \xff\r\nContent-Type: \xfe\r\n\r\nhi", b"hi"),
    ],
)
def test_malformed_messages_show_something_readable(raw: bytes, text: bytes) -> None:
    parsed = parse(raw)
    (shown,) = shown_text_sections(parsed.root)
    assert parsed.sections[shown.section] == text


def nested(depth: int) -> bytes:
    return b"".join(b"Content-Type: multipart/mixed; boundary=b%d\r\n\r\n--b%d\r\n" % (n, n) for n in range(depth))


@pytest.mark.parametrize(
    "raw",
    [
        nested(100),
        nested(5_000),
        b"Content-Type: multipart/mixed; boundary=b\r\n\r\n" + b"--b\r\n\r\nx\r\n" * 20_000,
        b"X: " + b"a" * 2_000_000 + b"\r\n\r\nx",
        b"X: a\r\n" * 30_000 + b"\r\nx",
        b"Content-Type: text/plain" + b"; a=b" * 5_000 + b"\r\n\r\nx",  # 25 KB of parameters
        b'Content-Type: text/plain; name="' + b'\\"' * 12_500 + b"\r\n\r\nx",
        b"To: " + b"(" * 5_000 + b"\r\n\r\nx",
        b"Content-Type: message/rfc822\r\n\r\n" * 5_000,
        b"Content-Type: multipart/mixed; boundary=b\r\n\r\n--b\r\n" * 300 + b"--b\n" * 20_000,
        b"\r\n" * 300_000,
    ],
    ids=["nested", "deeply nested", "parts", "long field", "fields", "parameters", "quotes", "comments", "messages",
         "one boundary", "empty lines"],
)  # fmt: skip
def test_bombs_are_parsed_within_bounds(raw: bytes) -> None:
    started = time.process_time()
    parsed = parse(raw)
    assert time.process_time() - started < 2
    found = list(walk(parsed.root))
    assert len(found) <= MAX_PARTS + MAX_DEPTH + 1
    assert max(part.section.count(".") for part in found) <= MAX_DEPTH + 1
    assert parsed.sections
