"""SORT and THREAD: base subjects, orders, and threads as RFC 5256 and RFC 5957 draw them."""

from __future__ import annotations

import time

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from mailsite_ext.protocol.imap_commands import Criterion, SortKey
from mailsite_ext.protocol.imap_sort import PLACES, SortKeys, base_subject, sort_keys, sorted_uids
from mailsite_ext.protocol.imap_thread import (
    Links,
    Threadable,
    links_of,
    references_of,
    thread_by_references,
    thread_by_subject,
    thread_response,
)
from mailsite_ext.protocol.message_structure import read_structure


@pytest.mark.parametrize(
    ("subject", "base", "is_answer"),
    [  # RFC 5256 §2.1
        ("Hello", "hello", False),
        ("Re: Hello", "hello", True),
        ("RE : [list] Fwd: Hello  (fwd)", "hello", True),
        ("Re[2]: Hello", "hello", True),
        ("[list] Hello", "hello", False),
        ("[list]", "[list]", False),
        ("[fwd: Re: Hello]", "hello", True),
        ("fw: Hello\t there", "hello there", True),
        ("Re:", "", True),
        ("", "", False),
        ("Regarding you", "regarding you", False),
        ("ÄRGER", "ärger", False),
    ],
)
def test_base_subjects(subject, base, is_answer):
    assert base_subject(subject) == (base, is_answer)


def test_base_subjects_of_hostile_ones_cost_little():
    start = time.process_time()
    for text in (
        "[fwd:" * 9_000,
        "re:" * 9_000,
        "[" * 9_000,
        "[a]" * 9_000,
        " (fwd)" * 9_000,
        "[fwd:" * 150 + "]" * 150,
    ):
        base_subject(text)
    assert time.process_time() - start < 0.5


def message(number: int, received_s: int, size: int, header: str) -> tuple[int, SortKeys]:
    envelope = read_structure(header.encode() + b"\r\n\r\n").envelope
    return number, sort_keys(envelope, received_s, size)


def in_order(criteria: list[Criterion], messages: list[tuple[int, SortKeys]]) -> list[int]:
    places = [PLACES[criterion.key] for criterion in criteria]
    return sorted_uids(criteria, [(number, *(every[place] for place in places)) for number, every in messages])


MESSAGES = [
    message(1, 50, 9, "Subject: Re: bananas\r\nFrom: Zoe <amy@x>\r\nTo: c@x\r\nDate: 3 Jan 2026 00:00:00 +0000"),
    message(
        2, 40, 5, "Subject: apples\r\nFrom: =?utf-8?q?=C3=84mil?= <zed@x>\r\nTo: a@x\r\nDate: 1 Jan 2026 05:00:00 +0900"
    ),
    message(3, 30, 7, "Subject: Bananas\r\nFrom: bob@x\r\nCc: d@x\r\nDate: 31 Dec 2025 23:00:00 +0000"),
]


@pytest.mark.parametrize(
    ("criteria", "order"),
    [
        ([Criterion(SortKey.ARRIVAL)], [3, 2, 1]),
        ([Criterion(SortKey.ARRIVAL, is_reverse=True)], [1, 2, 3]),
        ([Criterion(SortKey.SIZE)], [2, 3, 1]),
        ([Criterion(SortKey.DATE)], [2, 3, 1]),  # in UTC
        ([Criterion(SortKey.SUBJECT)], [2, 1, 3]),  # equal ones by number
        ([Criterion(SortKey.SUBJECT, is_reverse=True)], [1, 3, 2]),
        ([Criterion(SortKey.SUBJECT), Criterion(SortKey.DATE)], [2, 3, 1]),
        ([Criterion(SortKey.FROM)], [1, 3, 2]),
        ([Criterion(SortKey.DISPLAY_FROM)], [3, 1, 2]),
        ([Criterion(SortKey.TO)], [3, 2, 1]),  # an empty one first
        ([Criterion(SortKey.CC)], [1, 2, 3]),
        ([Criterion(SortKey.DISPLAY_TO), Criterion(SortKey.SIZE)], [3, 2, 1]),
    ],
)
def test_orders(criteria, order):
    assert in_order(criteria, MESSAGES) == order


def test_a_damaged_envelope_sorts_like_an_empty_one():
    broken = 4, sort_keys(b'("', 1, 1)
    assert in_order([Criterion(SortKey.SUBJECT)], [MESSAGES[0], broken])[0] == 4


def letter(number: int, subject: str = "x", *references: int, sent_s: int | None = None) -> Threadable:
    ids = tuple(b"%d@x" % each for each in references)
    base, is_answer = base_subject(subject)
    return Threadable(number, number if sent_s is None else sent_s, base, Links(is_answer, b"%d@x" % number, ids))


@pytest.mark.parametrize(
    ("letters", "response"),
    [
        ([], b"* THREAD\r\n"),
        ([letter(166)], b"* THREAD (166)\r\n"),
        # RFC 5256 §4: 3 has the answer 6, that has 4 (with 23) and 44 (with 7, with 96)
        ([letter(3, sent_s=1), letter(6, "re: x", 3, sent_s=2), letter(4, "re: x", 3, 6, sent_s=3),
          letter(23, "re: x", 4), letter(44, "re: x", 6), letter(7, "re: x", 44, sent_s=50),
          letter(96, "re: x", 44, 7)], b"* THREAD (3 6 (4 23)(44 7 96))\r\n"),
        ([letter(1, "a"), letter(2, "b")], b"* THREAD (1)(2)\r\n"),
        ([letter(1, "a", 99), letter(2, "b", 99)], b"* THREAD ((1)(2))\r\n"),  # their parent is not here
        ([letter(1, "a", 99)], b"* THREAD (1)\r\n"),
        ([letter(1, "a"), letter(2, "Re: a")], b"* THREAD (1 2)\r\n"),  # by subject alone
        ([letter(1, "Re: a"), letter(2, "a")], b"* THREAD (2 1)\r\n"),
        ([letter(1, "a"), letter(2, "a")], b"* THREAD ((1)(2))\r\n"),
        ([letter(1, "a"), letter(2, "a"), letter(3, "re: a")], b"* THREAD ((1)(2)(3))\r\n"),
        ([letter(1, "q", 99), letter(2, "q", 99), letter(3, "q", 98), letter(4, "q", 98)],
         b"* THREAD ((1)(2)(3)(4))\r\n"),
        ([letter(1, "a", 2), letter(2, "b", 1)], b"* THREAD (2 1)\r\n"),  # a loop is cut
        ([letter(1, "a", 1)], b"* THREAD (1)\r\n"),
        ([letter(2, "b", 1), letter(1, "a")], b"* THREAD (1 2)\r\n"),  # the answer came first
        ([letter(1, "a", 50, 60), letter(2, "b", 50)], b"* THREAD ((1)(2))\r\n"),
    ],
)  # fmt: skip
def test_threads_by_references(letters, response):
    assert thread_response(thread_by_references(letters)) == response


def test_two_of_one_message_id_are_both_shown():
    twin = Threadable(2, 2, "b", Links(False, b"1@x", ()))
    assert thread_response(thread_by_references([letter(1, "a"), twin])) == b"* THREAD (1)(2)\r\n"


def test_threads_by_subject():
    letters = [letter(5, "Re: a"), letter(1, "a"), letter(2, "b"), letter(3, "fwd: a")]
    assert thread_response(thread_by_subject(letters)) == b"* THREAD (1 (3)(5))(2)\r\n"


@pytest.mark.parametrize(
    ("envelope", "references", "links"),
    [  # subject, In-Reply-To, Message-ID; References
        ((b"Re: a", b"<c@x> of <d@x>", b"<1@x>"), b"References: <a@x> <b@x>\r\n", (True, b"1@x", (b"a@x", b"b@x"))),
        ((b"a", b"<c@x> of <d@x>", b" <1@x> "), b"", (False, b"1@x", (b"c@x",))),
        ((None, None, b"no id"), b"References: none\r\n", (False, b"", ())),
    ],
)
def test_links_of_a_message(envelope, references, links):
    subject, in_reply_to, message_id = envelope
    found = links_of([None, subject, *[None] * 6, in_reply_to, message_id], references)
    assert found == links
    assert Links.unpack(found.packed()) == found


def test_references():
    assert references_of(b"<a@x> junk <b@x>", b"<c@x>") == (b"a@x", b"b@x")
    assert references_of(b"", b"your mail <c@x> of <d@x>") == (b"c@x",)
    assert references_of(b"none", b"") == ()


LETTERS = st.lists(
    st.tuples(st.sampled_from(["a", "re: a", "b", ""]), st.lists(st.integers(1, 12), max_size=4)), max_size=12
)


@given(LETTERS)
@settings(derandomize=True, max_examples=600, deadline=None)
def test_every_message_is_shown_once(drawn):
    letters = [letter(number, subject, *refs) for number, (subject, refs) in enumerate(drawn, 1)]
    for threads in (thread_by_references(letters), thread_by_subject(letters)):
        shown = thread_response(threads).decode().removeprefix("* THREAD").replace("(", " ").replace(")", " ")
        assert sorted(map(int, shown.split())) == [each.id for each in letters]


def test_hostile_threads_cost_bounded_time():
    chain = [letter(n, "x", n - 1) for n in range(1, 5_000)]
    turned = [letter(n, "x", n + 1) for n in range(1, 5_000)]
    start = time.process_time()
    for letters in (chain, turned, [letter(n, "x") for n in range(1, 5_000)]):
        thread_response(thread_by_references(letters))
    assert time.process_time() - start < 4
