"""Header text beyond ASCII, in encoded words (RFC 2047)."""

from __future__ import annotations

import re
from email.header import decode_header, make_header

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from app.compose.addresses import one_line, quote_name
from app.compose.encoded_words import LONGEST_WORD, as_phrase, as_text, encoded

WORD = re.compile(r"=\?utf-8\?[qb]\?[!-<>@-~]*(=[0-9A-F]{2}[!->@-~]*)*=*\?=")


def read(words: list[str]) -> str:
    return str(make_header(decode_header(" ".join(words))))


@pytest.mark.parametrize(
    ("text", "words"),
    [
        ("", []),
        ("Proofs for Friday", ["Proofs", "for", "Friday"]),
        ("Re: Übersicht = 1", ["Re:", "=?utf-8?q?=C3=9Cbersicht?=", "=", "1"]),
        # the space between two encoded words stands inside
        ("Re: Über alles und mehr für 5", ["Re:", "=?utf-8?q?=C3=9Cber_alles_und_mehr_f=C3=BCr?=", "5"]),
        ("会议 记录", ["=?utf-8?b?5Lya6K6uIOiusOW9lQ==?="]),
        ("a =?x?q?y?= b", ["a", "=?utf-8?b?PT94P3E/eT89?=", "b"]),  # not taken for an encoded word
        ("x" * 65, ["=?utf-8?q?" + "x" * 52 + "?=", "=?utf-8?q?" + "x" * 13 + "?="]),
        ("x" * 64, ["x" * 64]),
    ],
)  # fmt: skip
def test_text(text, words):
    assert as_text(text) == words


@pytest.mark.parametrize(
    ("name", "words"),
    [
        ("Maren Holt", ["Maren", "Holt"]),
        ("Holt, Maren", ['"Holt,', 'Maren"']),
        ("Holt, Mären", ["=?utf-8?b?SG9sdCwgTcOkcmVu?="]),
    ],
)
def test_phrase(name, words):
    assert as_phrase(name, quote_name(name)) == words


@pytest.mark.parametrize("char", ["ä", "€", "𐀀", "a"])
@pytest.mark.parametrize("shift", range(4))
def test_no_character_is_cut_in_two(char, shift):
    for word in encoded("-" * shift + char * 200):
        assert len(word) <= LONGEST_WORD
        assert set(read([word])) <= {char, "-"}


lines = st.text(st.one_of(st.characters(exclude_categories=["Cs"]), st.sampled_from(" =?_𐀀é"))).map(one_line)


@settings(max_examples=500, deadline=None, derandomize=True)
@given(lines)
def test_what_is_read_is_what_was_written(text):
    assert read(as_text(text)) == text
    for words in (as_text(text), as_phrase(text, quote_name(text)) if text else []):
        assert all(len(word) <= LONGEST_WORD and word.isascii() and word.isprintable() for word in words)
    assert read(encoded(text)) == text
    assert all(WORD.fullmatch(word) for word in encoded(text))
