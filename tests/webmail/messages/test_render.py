"""From parts to what the page shows; and every message of the corpora, within bounded time."""

from __future__ import annotations

import time
from collections.abc import Iterator
from pathlib import Path

import pytest

from app.messages.parse import parse
from app.messages.parts import new_part, walk
from app.messages.render import MAX_PLAIN_CHARS, MAX_TEXT_OCTETS, Body, Notice, render, text_of, wanted_sections
from app.messages.sanitise import References, Words
from app.messages.text_view import html_to_text
from tests.webmail.messages.static_check import faults_of

REFERENCES = References(part_url=lambda cid: f"/mail/message/1/part/{len(cid)}")
SLOWEST_SHOWN = 5


def show(raw: bytes, *, as_text: bool = False) -> Body:
    parsed = parse(raw.replace(b"\n", b"\r\n"))
    sections = {name: parsed.sections[name] for name in wanted_sections(parsed.root, as_text=as_text)}
    return render(parsed.root, sections, REFERENCES, Words(), as_text=as_text, damaged=parsed.damaged)


ALTERNATIVE = b"""Content-Type: multipart/alternative; boundary=b

--b
Content-Type: text/plain; charset=utf-8

plain words
--b
Content-Type: text/html; charset=utf-8

<p>rich <b>words</b></p><img src=http://x.example/a.png>
--b--
"""


def test_html_is_preferred_and_plain_is_there_to_choose() -> None:
    rich = show(ALTERNATIVE)
    assert (rich.is_plain, rich.has_html, rich.held_images) == (False, True, 1)
    assert "rich <b>words</b>" in rich.html
    plain = show(ALTERNATIVE, as_text=True)
    assert (plain.is_plain, plain.has_html, plain.html) == (True, True, "plain words")


def test_html_alone_becomes_text_where_text_is_wanted() -> None:
    body = show(b"Content-Type: text/html\n\n<p>a <b>b</b></p><script>x</script>", as_text=True)
    assert (body.is_plain, body.html) == (True, "a b")


@pytest.mark.parametrize(
    ("html", "is_blank"),
    [
        (b"", True),
        (b"<html><body lang=3D'RU'>\n</body></html>", True),
        (b"<p>&nbsp;</p><div>\xc2\xa0 </div>", True),
        (b"<p>&lt;</p>", False),
        (b"<p>.</p>", False),
        (b"<hr>", False),
        (b"<img src=http://x.example/a.png width=200 height=200>", False),
    ],
)
def test_html_that_shows_nothing_is_said_to_have_no_text(html: bytes, is_blank: bool) -> None:
    body = show(b"Content-Type: text/html; charset=utf-8\n\n" + html)
    assert (body.is_plain and not body.html) == is_blank
    assert body.has_html


def test_html_beyond_bounds_is_shown_as_text() -> None:
    body = show(b"Content-Type: text/html\n\n" + b"<div>a" * 300)
    assert body.is_plain
    assert body.notices == (Notice.SHOWN_AS_TEXT,)
    assert body.html.startswith("a\na")


def test_text_between_html_parts_keeps_its_place() -> None:
    body = show(b"""Content-Type: multipart/mixed; boundary=b

--b
Content-Type: text/html

<p>one</p>
--b
Content-Type: text/plain

two <2>
--b
Content-Type: text/html

<p>three</p>
--b--
""")
    assert body.html.index("one") < body.html.index("two &lt;2&gt;") < body.html.index("three")
    assert not body.is_plain


@pytest.mark.parametrize(
    ("html", "attached"),
    [(b'<img src="cid:a@x">', []), (b"<p>no image</p>", ["dot.png"])],
    ids=["used", "unused"],
)
def test_an_inline_image_the_text_does_not_use_is_listed(html: bytes, attached: list[str]) -> None:
    body = show(
        b"Content-Type: multipart/related; boundary=b\n\n--b\nContent-Type: text/html\n\n" + html + b"\n--b\n"
        b"Content-Type: image/png; name=dot.png\nContent-ID: <a@x>\nContent-Disposition: inline\n\nx\n--b--\n"
    )
    assert [part.filename for part in body.attachments] == attached


@pytest.mark.parametrize(
    ("raw", "notice"),
    [
        (b"Content-Type: multipart/encrypted; boundary=b\n\n--b\n\nx\n--b--\n", Notice.ENCRYPTED),
        (b"Content-Type: multipart/mixed; boundary=b\n\nnothing", Notice.DAMAGED),
        (b"Content-Type: text/plain\n\n" + b"x" * (MAX_PLAIN_CHARS + 1), Notice.TOO_LONG),
    ],
)
def test_the_reader_is_told(raw: bytes, notice: Notice) -> None:
    assert notice in show(raw).notices


def test_a_text_too_large_is_not_even_fetched() -> None:
    root = new_part("1", "text/html", {}, octets=MAX_TEXT_OCTETS + 1)
    assert wanted_sections(root) == ()
    assert render(root, {}, REFERENCES, Words()).notices == (Notice.TOO_LONG,)


def test_the_charset_named_inside_html_counts_where_the_header_names_none() -> None:
    raw = '<meta http-equiv="Content-Type" content="text/html; charset=koi8-r"><p>Привет</p>'.encode("koi8-r")
    assert "Привет" in show(b"Content-Type: text/html\n\n" + raw).html


def raw_messages(corpora: Path) -> Iterator[tuple[str, bytes]]:
    for folder in ("messages", "spamassassin"):
        for file in sorted((corpora / folder).rglob("*")):
            if file.is_file() and file.suffix != ".json":
                yield str(file.relative_to(corpora)), file.read_bytes()
    for file in sorted((corpora / "newsletters").glob("*.html")):
        yield str(file.relative_to(corpora)), b"Content-Type: text/html; charset=utf-8\r\n\r\n" + file.read_bytes()


@pytest.mark.corpora
def test_every_message_of_the_corpora_is_shown(corpora: Path) -> None:
    """Each within 2 s of CPU, harmless, and with something to see; prints the slowest."""
    took: list[tuple[float, str]] = []
    for name, raw in raw_messages(corpora):
        started = time.process_time()
        rich = _shown(raw, as_text=False)
        plain = _shown(raw, as_text=True)
        took.append((time.process_time() - started, name))
        assert faults_of(rich) == [], name
        assert faults_of(plain) == [], name
        assert rich.html.strip() or rich.attachments or rich.notices or not _has_text(raw), name
    assert len(took) > 1_200
    for seconds, name in sorted(took)[-SLOWEST_SHOWN:]:
        print(f"{seconds * 1000:7.1f} ms  {name}")
    assert max(took)[0] < 2


def _has_text(raw: bytes) -> bool:
    parsed = parse(raw)
    wanted = [part for part in walk(parsed.root) if part.section in wanted_sections(parsed.root)]
    texts = [(part, text_of(part, parsed.sections[part.section])) for part in wanted]
    return any((html_to_text(text) if part.subtype == "html" else text).strip() for part, text in texts)


def _shown(raw: bytes, *, as_text: bool) -> Body:
    parsed = parse(raw)
    sections = {name: parsed.sections[name] for name in wanted_sections(parsed.root, as_text=as_text)}
    return render(parsed.root, sections, REFERENCES, Words(), as_text=as_text, damaged=parsed.damaged)
