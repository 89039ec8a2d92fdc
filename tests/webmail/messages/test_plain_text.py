"""Plain text as HTML, and HTML as plain text."""

from __future__ import annotations

import time
from html import unescape

import pytest

from app.messages.plain_text import as_html, without_commands
from app.messages.text_view import html_to_text
from tests.webmail.messages.static_check import _Reader


def link(address: str, text: str = "") -> str:
    rel = '" target="_blank" rel="noopener noreferrer">'
    return f'<a href="{address}{rel}{text or address}</a>'


@pytest.mark.parametrize(
    ("text", "html"),
    [
        ("a <b> & c", "a &lt;b&gt; &amp; c"),
        ("see https://example.org/a?b=1&c=2.", f"see {link('https://example.org/a?b=1&amp;c=2')}."),
        ("(http://example.dev/x)", f"({link('http://example.dev/x')})"),
        ("www.example.org", link("http://www.example.org", "www.example.org")),
        ("to a.b@example.org now", f"to {link('mailto:a.b@example.org', 'a.b@example.org')} now"),
        ("file.txt e.g. 1.2.3", "file.txt e.g. 1.2.3"),
        ("javascript:alert(1)", "javascript:alert(1)"),
        ("<a href=https://x.example>x</a>", None),
        ("a\r\nb\rc", "a\nb\nc"),
        ("", ""),
    ],
)
def test_text_is_escaped_and_linked(text: str, html: str | None) -> None:
    made = as_html(text, "Show")
    if html is not None:
        assert made == html
    reader = _Reader()
    reader.feed(made)
    assert reader.faults == []


@pytest.mark.parametrize(
    ("text", "shown", "folded"),
    [
        ("Yes\n\nOn Monday:\n> a\n> b", "Yes\n\nOn Monday:", "&gt; a\n&gt; b"),
        ("> a\nYes\n> b\nNo", None, None),  # answers between the lines
        ("> only quoted", None, None),
        ("Yes", None, None),
    ],
)
def test_what_is_quoted_at_the_end_is_folded(text: str, shown: str | None, folded: str | None) -> None:
    made = as_html(text, "Show")
    if shown is None:
        assert "<details" not in made
    else:
        before, _, after = made.partition('<details class="quoted">')
        assert before == shown
        assert after.endswith(f"</summary>{folded}</details>")


@pytest.mark.parametrize(
    ("text", "delsp", "joined"),
    [  # RFC 3676 §4
        ("one \ntwo\nthree", False, "one two\nthree"),
        ("one \ntwo", True, "onetwo"),
        (" stuffed", False, "stuffed"),
        ("-- \nname", False, "-- \nname"),
        ("a \n> b \n> c", False, "a \n> b c"),
        (">> a \n> b", False, ">> a \n> b"),
    ],
)
def test_flowed_lines_are_joined(text: str, delsp: bool, joined: str) -> None:
    made = as_html(text, "Show", flowed=True, delsp=delsp)
    summary = '<details class="quoted"><summary aria-label="Show" title="Show">•••</summary>'
    assert unescape(made.replace(summary, "\n").removesuffix("</details>")) == joined


def test_enriched_text_loses_its_commands() -> None:
    assert without_commands("<bold>a</bold> << b <x-color><param>red</param>c") == "a < b redc"


@pytest.mark.parametrize(
    "text", ["www.a.example " * 50_000, "a@" * 100_000, "https://x.example\n" * 20_000, "(" * 100_000, "> " * 100_000]
)
def test_hostile_text_takes_bounded_time(text: str) -> None:
    started = time.process_time()
    as_html(text, "Show", flowed=True)
    assert time.process_time() - started < 3


@pytest.mark.parametrize(
    ("html", "text"),
    [
        ("<p>Hello <b>there</b></p>", "Hello there"),
        ("<style>p{}</style><script>x</script><p>a</p>", "a"),
        ("<div>a" * 400, "\n".join(["a"] * 400)),
        ("", ""),
    ],
)
def test_html_as_text(html: str, text: str) -> None:
    assert html_to_text(html) == text


@pytest.mark.parametrize(
    "html",
    ["<style" * 50_000, "<a " * 100_000, "<table><tr><td>" * 5_000, "\n \n" * 200_000, "<" * 300_000, "&" * 300_000],
)
def test_hostile_html_becomes_text_within_bounds(html: str) -> None:
    started = time.process_time()
    html_to_text(html)
    assert time.process_time() - started < 3
