"""Octets to text: what the RFCs say, and what real mail does instead."""

from __future__ import annotations

import base64
import quopri
import time

import pytest

from app.messages import decode


@pytest.mark.parametrize(
    ("raw", "shown"),
    [
        (b"plain", "plain"),
        (b"=?utf-8?Q?caf=C3=A9?=", "café"),
        (b"=?UTF-8?b?Y2Fmw6k=?=", "café"),
        (b"=?iso-8859-1?q?a_b?=", "a b"),
        (b"=?utf-8?q?a?= =?utf-8?q?b?=", "ab"),  # RFC 2047 §6.2: white space between encoded words is not shown
        (b"=?utf-8?q?a?= b =?utf-8?q?c?=", "a b c"),
        (b"=?utf-8?b?w6k=?= =?utf-8?q?=C3?= =?utf-8?q?=A9?=", "éé"),  # a character cut in two
        (b"=?utf-8*en?q?a?=", "a"),  # RFC 2231 §5: a language
        (b"=?x-nonsense?q?caf=C3=A9?=", "café"),
        (b"=?utf-8?x?a?=", "=?utf-8?x?a?="),
        (b"=?utf-8?q?unended", "=?utf-8?q?unended"),
        (b"a\r\n folded", "a folded"),
        (b"a\0b\x07c", "a b c"),
        (b"caf\xe9 \x93quoted\x94", "café “quoted”"),
        ("Größe".encode(), "Größe"),
        (b"=?gb2312?b?xOO6ww==?=", "你好"),
        (b"=?iso-2022-jp?b?GyRCRnxLXBsoQg==?=", "日本"),
        (b"=?unicode_escape?q?=5Cx41?=", "\\x41"),  # a codec of Python's, but no charset
        (b"", ""),
    ],
)
def test_header(raw: bytes, shown: str) -> None:
    assert decode.header(raw) == shown


@pytest.mark.parametrize(
    ("octets", "charset", "text"),
    [
        ("é".encode(), "utf-8", "é"),
        (b"\x80", "iso-8859-1", "€"),  # browsers read it as Windows-1252, and so does everybody
        (b"\x93a\x94", "us-ascii", "“a”"),
        ("Привет мир, как дела сегодня".encode("koi8-r"), "", "Привет мир, как дела сегодня"),
        ("日本語のテキスト".encode("cp932"), "shift_jis", "日本語のテキスト"),
        ("a€".encode("utf-16"), "utf-16", "a€"),
        (b"abcd\xc3", "utf-8", "abcd"),  # cut within a character
        (b"a", "zip", "a"),
        (b"a", "\0", "a"),
        (b"a", "x" * 1_000, "a"),
    ],
)
def test_text(octets: bytes, charset: str, text: str) -> None:
    assert decode.text(octets, charset) == text


@pytest.mark.parametrize(
    ("raw", "found"),
    [
        ({"filename": "a.pdf"}, {"filename": "a.pdf"}),
        ({"filename*": "UTF-8''na%C3%AFve.pdf"}, {"filename": "naïve.pdf"}),
        ({"filename*0": "a", "filename*1": "b.pdf"}, {"filename": "ab.pdf"}),
        ({"filename*1*": "%C3%AFve.pdf", "filename*0*": "utf-8'en'na"}, {"filename": "naïve.pdf"}),
        ({"filename*0*": "utf-8''a%20", "filename*1": "b%20"}, {"filename": "a b%20"}),
        ({"filename": "=?utf-8?q?na=C3=AFve.pdf?="}, {"filename": "naïve.pdf"}),
        ({"filename": "a", "filename*": "utf-8''b"}, {"filename": "b"}),  # RFC 2231 goes before the plain form
        ({"Charset": "UTF-8"}, {"charset": "UTF-8"}),
    ],
)
def test_params(raw: dict[str, str], found: dict[str, str]) -> None:
    assert decode.params(raw) == found


@pytest.mark.parametrize(
    ("value", "first", "params"),
    [
        ("text/plain", "text/plain", {}),
        ('text/plain; charset="utf-8"; format=flowed', "text/plain", {"charset": "utf-8", "format": "flowed"}),
        ('a/b; name="a;b\\"c"', "a/b", {"name": 'a;b"c'}),
        ('a/b; name="never closed; charset=x', "a/b", {"name": '"never closed', "charset": "x"}),
        ("a/b;;;x", "a/b", {}),
        ("a/b; x=1; X=2", "a/b", {"x": "1"}),
    ],
)
def test_split_params(value: str, first: str, params: dict[str, str]) -> None:
    assert decode.split_params(value) == (first, params)


@pytest.mark.parametrize(
    ("name", "safe"),
    [
        ("report.pdf", "report.pdf"),
        ("../../etc/passwd", "_.._etc_passwd"),
        ("C:\\boot.ini", "C__boot.ini"),
        ("invoice\u202efdp.exe", "invoicefdp.exe"),  # a direction mark would show it as invoiceexe.pdf
        ("a\r\nb\0.txt", "a__b_.txt"),
        ('a"b<c>|.txt', "a_b_c__.txt"),
        ("  .hidden. ", "hidden"),
        ("x" * 500 + ".pdf", "x" * 176 + ".pdf"),
        ("", ""),
    ],
)
def test_safe_filename(name: str, safe: str) -> None:
    assert decode.safe_filename(name) == safe


@pytest.mark.parametrize(
    ("octets", "encoding", "decoded"),
    [
        (b"aGFsbG8=", "base64", b"hallo"),
        (b"aGFs\r\n bG8", "base64", b"hallo"),  # no padding, white space
        (b"aGFsbG8=aGFsbG8=", "base64", b"hallohallo"),  # joined blocks
        (b"aGFsbG8=\r\n-- \r\n", "base64", b"hallo"),
        (b"a", "base64", b""),
        (b"!!!!", "base64", b""),
        (b"caf=C3=A9 =\r\nx", "quoted-printable", "café x".encode()),
        (b"100% =ZZ = \r\nx", "quoted-printable", b"100% =ZZ x"),
        (b"a  \t\r\nb", "quoted-printable", b"a\r\nb"),
        (b"begin 644 f\r\n%:&%L;&\\\r\n`\r\nend\r\n", "x-uuencode", b"hallo"),
        (b"#", "x-uuencode", b"\0\0\0"),
        (b"\xff\0 as it is", "8bit", b"\xff\0 as it is"),
        (b"as it is", "x-unknown", b"as it is"),
    ],
)
def test_transfer(octets: bytes, encoding: str, decoded: bytes) -> None:
    assert decode.transfer(octets, encoding) == decoded


@pytest.mark.parametrize("size", [1, 7, 1_000])
@pytest.mark.parametrize("encoding", ["base64", "quoted-printable"])
def test_the_stream_gives_the_same_whatever_the_pieces(encoding: str, size: int) -> None:
    octets = bytes(range(14, 256)) * 20
    raw = base64.encodebytes(octets) if encoding == "base64" else quopri.encodestring(octets)
    pieces = (raw[start : start + size] for start in range(0, len(raw), size))
    assert b"".join(decode.transfer_stream(pieces, encoding)) == octets


def test_a_line_that_never_ends_is_not_kept() -> None:
    pieces = list(decode.transfer_stream([b"x" * 70_000] * 5, "quoted-printable"))
    assert max(len(piece) for piece in pieces) <= 70_000
    assert sum(len(piece) for piece in pieces) == 350_000


@pytest.mark.parametrize(
    "raw",
    [
        b"=?a?b?" * 50_000,
        b"=?utf-8?q?a?= " * 50_000,
        b"?=" + b" " * 200_000,
        b"=?x?q?" + b"a" * 200_000,
        b"(" * 200_000,
        b"\xff" * 200_000,
    ],
    ids=lambda raw: raw[:8].decode("latin-1"),
)
def test_hostile_headers_take_bounded_time(raw: bytes) -> None:
    started = time.process_time()
    decode.header(raw)
    decode.params(decode.split_params(raw.decode("latin-1"))[1])
    assert time.process_time() - started < 0.5


@pytest.mark.parametrize("value", ['; a="' * 10_000, "; a=b" * 10_000, '"' * 25_000, '\\"' * 12_500, ";" * 25_000])
def test_hostile_parameters_take_bounded_time(value: str) -> None:
    started = time.process_time()
    assert len(decode.params(decode.split_params("text/plain" + value)[1])) <= decode.MAX_PARAMS
    assert time.process_time() - started < 0.5
