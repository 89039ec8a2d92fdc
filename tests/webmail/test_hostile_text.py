"""Text made to keep a parser busy: what each of these cost before it was bounded stands beside it.

The limit is generous, so that a busy machine passes; unbounded, they took from eight seconds to minutes.
"""

from __future__ import annotations

import time

import pytest

from app.compose import addresses
from app.compose import html as written_html
from app.messages import plain_text

LIMIT_S = 8.0


def linked(text: str) -> str:
    return plain_text.as_html(text, "Show earlier text")


@pytest.mark.parametrize(("read", "text"), [
    (addresses.parse_addresses, "a" * 32_000 + "@" + ":" * 32_000),  # over 20 s, in the To of a message answered too
    (written_html.clean, "<div>" * 200_000),  # minutes, in the HTML of a message answered too
    (written_html.clean, "&" * 1_000_000),
    (linked, ("(" * 1_900 + "http://\n") * 1_000),
    (linked, ("-" * 1_900 + "www.a\n") * 400),
    (linked, ("w" * 1_900 + "@b\n") * 400),
    (linked, ("&" * 1_900 + "a@b\n") * 1_000),
], ids=["colons", "nested", "references", "brackets", "dashes", "words", "ampersands"])  # fmt: skip
def test_reading_ends_in_good_time(read, text):
    began = time.process_time()
    read(text)
    assert time.process_time() - began < LIMIT_S


def test_what_is_too_deep_to_be_parsed_keeps_its_words():
    cleaned = written_html.clean("<div>" * 1_000 + "Dear <script>alert(1)</script>Bob &lt;b>")
    assert "Bob &lt;b&gt;" in cleaned
    assert "<script" not in cleaned


def test_a_group_may_begin_after_an_address():
    found = addresses.parse_addresses("a@x.example, Choir: b@x.example; c@x.example")
    assert [address.address for address in found.addresses] == ["a@x.example", "b@x.example", "c@x.example"]


def test_brackets_before_a_link_stay_outside():
    assert 'href="http://x.example/a"' in linked("((http://x.example/a))")
