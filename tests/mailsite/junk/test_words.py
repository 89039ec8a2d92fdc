"""Which words a message is known by."""

from __future__ import annotations

import time

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from mailsite_ext.junk.words import LONGEST_WORD, MOST_WORDS, READ_OCTETS, words_of


def letter(body: str, *fields: str, kind: str = "text/plain") -> bytes:
    return "\r\n".join([*fields, f"Content-Type: {kind}; charset=utf-8", "", body]).encode()


@pytest.mark.parametrize(
    ("body", "expected"),
    [
        ("Click HERE", {"click", "here", "click here"}),
        ("now or", {"now"}),  # too short
        ("12345 2026", set()),
        ("costs $ 5", {"$", "costs"}),
        ("v\u200biagra ﬁne", {"viagra", "fine"}),  # invisible and compatibility letters
        ("Don’t stop.", {"don’t", "stop", "don’t stop"}),
        ("無料です", {"無料", "料で", "です"}),
        ("https://user@Shop.Example.com:80/x", {"host:shop.example.com", "host:example.com"}),
    ],
)
def test_words_of_a_text(body, expected):
    found = words_of(letter(body))
    assert expected <= found
    assert not any(word.isdecimal() or (len(word) == 1 and word != "$") for word in found)


@pytest.mark.parametrize(
    ("body", "expected", "absent"),
    [
        ("<p>Buy <b>pills</b></p>", {"buy pills", "tag:p", "tag:b"}, {"<b>"}),
        ("<style>hidden{}</style>seen", {"seen"}, {"hidden"}),
        ("<script>hidden", set(), {"hidden"}),
        ("pi<!-- x -->lls", {"lls"}, {"x"}),
        ("<a href='http://evil.example/'>bank</a>", {"host:evil.example", "bank", "tag:a"}, {"href"}),
        ("caf&eacute;", {"café"}, {"eacute"}),
    ],
)
def test_words_of_html_are_those_that_are_seen(body, expected, absent):
    found = words_of(letter(body, kind="text/html"))
    assert expected <= found
    assert not absent & found


@pytest.mark.parametrize(
    ("fields", "expected"),
    [
        (["Subject: Free MONEY!"], {"subject:free", "subject:money", "subject:!"}),
        (["Subject: =?utf-8?q?Caf=C3=A9?="], {"subject:café"}),
        (["Subject: ACT NOW"], {"mail:subject in capitals"}),
        (["Subject: Re: you"], {"mail:answers nothing", "lacks:in-reply-to"}),
        (["From: Ada <ada7@mail.example.org>"], {"from:ada", "from:ada7@mail.example.org", "from:example.org"}),
        (["From: a@x.org", "Reply-To: b@y.org"], {"mail:answers to others", "mail:author without a name"}),
        (["From: a@x.org", "Message-ID: <1@mx.x.org>"], {"mail:id of the author"}),
        (["From: a@x.org", "Message-ID: <1@y.org>"], {"mail:id of others"}),
        (["X-Mailer: Bulk Sender 3"], {"mailer:bulk", "has:x-mailer"}),
        ([], {"lacks:date", "lacks:from", "type:text/plain", "charset:utf-8"}),
    ],
)
def test_words_of_a_header(fields, expected):
    assert expected <= words_of(letter("", *fields))


def test_what_is_added_on_the_way_is_no_word():
    """The message that is judged and the stored one, with its head, are known by the same words."""
    head = (
        b"Return-Path: <a@x.org>\r\nDelivered-To: ada@example.org\r\nX-Satchel-Verdict: Junk; it reads like junk\r\n"
        b"X-Satchel-Junk: 0.990;\r\n\tviagra=0.99\r\nReceived: from x ([192.0.2.1])\r\n\tby y; now\r\n"
        b"Authentication-Results: y; spf=pass\r\n"
    )
    message = letter("Hello there", "From: a@x.org", "Subject: Hi all")
    assert words_of(head + message) == words_of(message)


def test_the_end_of_a_file_name_tells_and_its_bytes_do_not():
    part = 'Content-Type: application/zip; name="a.ZIP"\r\n\r\nsecretword'
    found = words_of(f'Content-Type: multipart/mixed; boundary="b"\r\n\r\n--b\r\n{part}\r\n--b--'.encode())
    assert {"file:zip", "type:application/zip"} <= found
    assert "secretword" not in found


def test_only_the_beginning_is_read_and_only_so_many_words_are_kept():
    many = " ".join(f"word{number}x" for number in range(20_000))
    found = words_of(letter(many, "Subject: first"))
    assert len(found) == MOST_WORDS
    assert "subject:first" in found
    assert "lateword" not in words_of(letter("x" * READ_OCTETS + " lateword"))


@pytest.mark.parametrize(
    "body",
    ["<" * 60_000, "<a" * 30_000, "<style>" * 9_000, "&" * 60_000, "http://" * 9_000, "ﷺ" * 20_000, "a" * 60_000],
)
def test_hostile_texts_cost_little(body):
    began = time.process_time()
    words_of(letter(body, f"Subject: {body[:10_000]}", f"From: {body[:10_000]}", kind="text/html"))
    assert time.process_time() - began < 1.5


@settings(derandomize=True, max_examples=150, deadline=None)
@given(st.binary(max_size=600), st.text(max_size=200))
def test_any_octets_have_words_that_can_be_stored(octets, text):
    for word in words_of(octets) | words_of(letter(text, f"Subject: {text}", kind="text/html")):
        assert 0 < len(word) <= LONGEST_WORD
        assert "\0" not in word
        word.encode()
