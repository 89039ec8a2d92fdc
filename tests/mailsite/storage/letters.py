"""Messages and search keys that are hard to search: spellings, charsets, encodings, what an index takes for syntax."""

from __future__ import annotations

import base64
import quopri
from datetime import date

from hypothesis import strategies as st

from mailsite_ext.protocol import search_keys as keys
from mailsite_ext.protocol.sequence_sets import SequenceSet

WORDS = (
    "Straße", "STRASSE", "ﬁx", "fix", "Caf\u00e9", "Cafe\u0301", "İstanbul", "istanbul", "AND", "OR", "NEAR(a b)",
    '"quoted"', "a*", "it's", "subject:", "{body} : x", "日本語", "日", "😀", "100%", "a_b", "--", "aa", "aaa", "aaaa",
    "Ω", "ω", "ς", "x\ty", "a\x1eb", "c\x1fd", "e\x00f", "\uffff", "\ufffd", "b", "B",
)  # fmt: skip
words = st.lists(st.sampled_from(WORDS), max_size=6).map(" ".join)
CHARSETS = ("utf-8", "iso-8859-1", "utf-16", "koi8-r", "utf-7", "x-unknown")


def _octets(text: str, charset: str) -> bytes:
    return text.encode("utf-8" if charset == "x-unknown" else charset, "replace")


@st.composite
def _header_words(draw: st.DrawFn) -> bytes:
    """As octets, as an encoded word (RFC 2047), or over two lines."""
    text, charset = draw(words), draw(st.sampled_from(CHARSETS))
    how = draw(st.sampled_from(["raw", "q", "b", "folded"]))
    if how == "q":
        return b"=?%b?q?%b?=" % (charset.encode(), quopri.encodestring(_octets(text, charset), header=True)[:60])
    if how == "b":
        return b"=?%b?b?%b?=" % (charset.encode(), base64.b64encode(_octets(text, charset)))
    return text.encode().replace(b"\x00", b"") if how == "raw" else b"one\r\n " + text.encode()


NAMES = (
    b"Subject", b"SUBJECT", b"From", b"To", b"Cc", b"X-Odd", b"Subject ", b"References", b"Message-ID", b"In-Reply-To",
)  # fmt: skip
DATES = (
    b"Tue, 24 Nov 2026 12:00:00 +0000", b"1 jan 99 1:00 GMT", b"never", b"25 Nov 2026 23:59:59 -0800",
    b"Tue, 24 Nov 2026 12:00:00 +99999999999999999999999",
)  # fmt: skip
headers = st.lists(st.tuples(st.sampled_from(NAMES), _header_words()), max_size=6)


@st.composite
def _header(draw: st.DrawFn) -> bytes:
    lines = [b"%b: %b\r\n" % field for field in draw(headers)]
    lines += [b"Date: %b\r\n" % each for each in draw(st.lists(st.sampled_from(DATES), max_size=2))]
    lines += [b"References: <%d@x> <2@x>\r\n" % draw(st.integers(1, 3)) for _ in range(draw(st.integers(0, 1)))]
    return b"".join(lines)


@st.composite
def _leaf(draw: st.DrawFn) -> bytes:
    charset, kind = draw(st.sampled_from(CHARSETS)), draw(st.sampled_from(["plain", "html", "x-odd"]))
    octets = _octets(draw(words) + "\r\n" + draw(words), charset)
    encoding = draw(st.sampled_from([b"8bit", b"base64", b"quoted-printable"]))
    if encoding == b"base64":
        octets = base64.encodebytes(octets)
    if encoding == b"quoted-printable":
        octets = quopri.encodestring(octets)
    return (
        b"Content-Type: text/%b; charset=%b\r\nContent-Transfer-Encoding: %b\r\n\r\n%b"
        % (kind.encode(), charset.encode(), encoding, octets)
    )  # fmt: skip


binary = st.binary(max_size=40).map(lambda octets: b"Content-Type: application/pdf\r\n\r\n" + octets)


@st.composite
def _multipart(draw: st.DrawFn, inner: st.SearchStrategy[bytes]) -> bytes:
    parts = draw(st.lists(inner, min_size=1, max_size=3))
    mark = b"q%d" % draw(st.integers(0, 999))
    return b"Content-Type: multipart/mixed; boundary=%b\r\n\r\n" % mark + b"".join(
        b"--%b\r\n%b\r\n" % (mark, part) for part in parts
    )


attached = st.tuples(_header(), _leaf()).map(lambda pair: b"Content-Type: message/rfc822\r\n\r\n" + pair[0] + pair[1])
bodies = st.one_of(_leaf(), _multipart(st.one_of(_leaf(), binary, attached)))
letters = st.tuples(_header(), bodies).map(b"".join)

PIECES = (
    "ss", "Fi", "strasse", "CAFÉ", "é", "subject: ", "t: s", "x-odd", "日本", ": ", "<", "html", "a\x1eb", "\ufffd",
    "\uffff", "e\x00f",
)  # fmt: skip
terms = st.one_of(
    st.sampled_from(PIECES),
    st.sampled_from(WORDS),
    words.map(lambda text: text[2:7]),
    st.text(alphabet="aAbBeEß日é \"*'(:", min_size=0, max_size=5),
)
days = st.dates(date(2026, 11, 22), date(2026, 11, 26))
leaves = st.one_of(
    st.builds(keys.Header, st.sampled_from(["subject", "from", "to", "cc", "x-odd", "date", "nothing"]), terms),
    st.builds(keys.Body, terms),
    st.builds(keys.Text, terms),
    st.builds(keys.Dated, st.sampled_from(keys.Day), st.sampled_from(keys.Relation), days),
    st.builds(keys.HasFlag, st.sampled_from(["\\Seen", "\\deleted", "$Work", "wor"])),
    st.builds(keys.Larger, st.integers(0, 900)),
    st.builds(keys.Smaller, st.integers(0, 900)),
    st.builds(keys.Older, st.integers(0, 90_000)),
    st.builds(keys.Younger, st.integers(0, 90_000)),
    st.builds(keys.ModSeq, st.integers(0, 12)),
    st.builds(lambda low, high: keys.Uids(SequenceSet(((low, high),))), st.integers(0, 9), st.integers(0, 9)),
    st.builds(lambda low, high: keys.Numbers(SequenceSet(((low, high),))), st.integers(0, 9), st.integers(0, 9)),
    st.just(keys.All()),
)  # fmt: skip
trees = st.recursive(
    leaves,
    lambda below: st.one_of(
        st.lists(below, min_size=1, max_size=3).map(lambda several: keys.And(tuple(several))),
        st.builds(keys.Or, below, below),
        st.builds(keys.Not, below),
    ),
    max_leaves=4,
)
FLAGS = st.sets(st.sampled_from(["\\Seen", "\\Deleted", "$Work", "$working"]))
