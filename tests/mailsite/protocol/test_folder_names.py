"""Modified UTF-7 both ways, INBOX, sets of numbers, LIST's patterns."""

from __future__ import annotations

import re
import time

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from mailsite_ext.protocol.folder_names import canonical, decode_name, decode_utf7, encode_name, encode_utf7
from mailsite_ext.protocol.list_patterns import Patterns
from mailsite_ext.protocol.sequence_sets import SequenceSet, compact, parse_set

NAMES = st.text(st.characters(exclude_categories=("Cs", "Cc", "Zl", "Zp")), max_size=30)


@given(NAMES)
@settings(derandomize=True, deadline=None)
def test_names_come_back_the_same(name):
    assert decode_utf7(encode_utf7(name)) == name
    for utf8 in (False, True):
        assert decode_name(encode_name(name, utf8=utf8), utf8=utf8) == canonical(name)


@given(st.binary(max_size=40))
@settings(derandomize=True, deadline=None)
def test_only_the_one_right_spelling_is_taken(octets):
    try:
        name = decode_utf7(octets)
    except ValueError:
        return
    assert encode_utf7(name) == octets


@pytest.mark.parametrize(
    "octets", [b"&", b"&AGE", b"&AGE-", b"&2AA-", b"&AA-", b"&ANw-&ANw-", b"\xc3\xa9", b"a\nb", b"&*-"]
)
def test_no_modified_utf7(octets):
    with pytest.raises(ValueError):
        decode_utf7(octets)


@pytest.mark.parametrize(
    ("reference", "pattern", "name", "matches"),
    [  # RFC 9051 §6.3.9.8 and what servers agree on
        ("", "*", "a/b/c", True),
        ("", "%", "a", True),
        ("", "%", "a/b", False),
        ("", "%/%", "a/b", True),
        ("", "a*c", "a/b/c", True),
        ("", "a%c", "a/c", False),
        ("", "a%c", "abbc", True),
        ("", "%b%*d", "abcd", True),
        ("", "*%", "a/b", True),
        ("", "", "a", False),
        ("a/", "%", "a/b", True),
        ("a/", "%", "a", False),
        ("a", "%", "ab", True),
        ("", "inbox", "INBOX", True),
        ("", "inb%", "INBOX", True),
        ("", "INBOX/s", "INBOX/S", False),  # only INBOX itself is in any case
        ("", "inbox/*", "INBOX/S", True),
        ("", "A", "a", False),
        ("", "a.b", "axb", False),
    ],
)
def test_list_patterns(reference, pattern, name, matches):
    assert Patterns(reference, [pattern])(name) is matches


@given(st.text("ab/*%", max_size=8), st.text("ab/", max_size=10))
@settings(derandomize=True, max_examples=1000, deadline=None)
def test_patterns_agree_with_a_regular_expression(pattern, name):
    expression = "".join({"*": "(?s:.*)", "%": "[^/]*"}.get(char, re.escape(char)) for char in pattern)
    assert Patterns("", [pattern])(name) is bool(re.fullmatch(expression, name))


def test_many_wildcards_cost_linear_time():
    start = time.process_time()
    matches = Patterns("", ["*a" * 50 + "b"])
    assert not any(matches("a" * 1_000) for _ in range(20))
    assert time.process_time() - start < 0.5


@pytest.mark.parametrize(
    ("text", "largest", "spans"),
    [  # RFC 9051 §9, seq-range
        (b"2:4", 10, [(2, 4)]),
        (b"4:2", 10, [(2, 4)]),
        (b"*:4", 3, [(3, 4)]),
        (b"559:*", 12, [(12, 559)]),
        (b"*", 7, [(7, 7)]),
        (b"1,3,2,9:10", 10, [(1, 3), (9, 10)]),
        (b"1:*", 0, []),
    ],
)
def test_sets(text, largest, spans):
    assert parse_set(text, 100).spans(largest) == spans


@pytest.mark.parametrize(
    "text", [b"", b"0", b"1,", b",1", b"1:", b"1:2:3", b"01", b"4294967296", b"1,,2", b"-1", b"$,1"]
)
def test_no_sets(text):
    with pytest.raises(ValueError):
        parse_set(text, 100)


@given(st.sets(st.integers(1, 60)))
@settings(derandomize=True, deadline=None)
def test_compact_sets_come_back(numbers):
    text = compact(sorted(numbers))
    if not numbers:
        assert text == b""
        return
    spans = parse_set(text, 100).spans(60)
    assert {number for low, high in spans for number in range(low, high + 1)} == numbers
    assert len(spans) == text.count(b",") + 1
    assert str(parse_set(text, 100)) == text.decode()


def test_the_saved_result():
    assert parse_set(b"$", 1) == SequenceSet(is_saved=True)
