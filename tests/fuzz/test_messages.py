"""Whatever comes in a message: nothing raises, nothing that could run gets through."""

from __future__ import annotations

from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from app.messages import decode
from app.messages.html_scan import TooComplex
from app.messages.parse import parse
from app.messages.plain_text import as_html
from app.messages.render import render, wanted_sections
from app.messages.sanitise import References, SafeHtml, Words, sanitise
from app.messages.text_view import html_to_text
from tests.webmail.messages.static_check import faults_of

settings.register_profile("messages", max_examples=300, deadline=None, suppress_health_check=list(HealthCheck))
bounded = settings(settings.get_profile("messages"))

REFERENCES = References(
    part_url=lambda cid: f"/mail/message/1/part/{len(cid)}", image_url=lambda url: f"/mail/image?url={len(url)}"
)
PIECES = st.sampled_from(
    [
        "<", ">", "</", "/>", "<!--", "-->", "--!>", "<![CDATA[", "]]>", '"', "'", "`", "=", " ", "\n", "\0", "&",
        "&lt;", "&#x3c;", "\\", "a", "p", "svg", "math", "style", "script", "title", "textarea", "noscript", "mtext",
        "mglyph", "annotation-xml", "foreignObject", "table", "td", "template", "select", "form", "img", "a href", "b",
        " style=", " src=", " href=", " onerror=", " class=", " id=mail", " bgcolor=", " type=cite",
        "javascript:alert(1)", "&quot;",
        "data:text/html,x", "data:image/png;base64,AA", "cid:a", "http://x.example/", "//x", "url(", "expression(", ")",
        "color:red", "position:fixed", ";", "{", "}", "@import 'x'", "@media x", "/*", "*/", "blockquote", "body",
        " background=", "<p>", "</p>", "<style>", "</style>", "<svg>", "</svg>", "<math>", "</div>", "<a ", "</a>",
    ]
)  # fmt: skip
MARKUP = st.lists(st.one_of(PIECES, st.text(max_size=5)), max_size=40).map("".join)
LINES = st.sampled_from(
    [
        b"Content-Type: multipart/mixed; boundary=b", b"Content-Type: multipart/alternative; boundary=\"b\"", b"--b",
        b"--b--", b"", b"Content-Type: text/html; charset=x", b"Content-Type: text/plain; format=flowed", b"\xff\xfe",
        b"Content-Type: message/rfc822", b"Content-Type:", b"Content-Transfer-Encoding: base64", b"=?utf-8?q?=C3?=",
        b"Content-Transfer-Encoding: quoted-printable", b"Content-Transfer-Encoding: x-uuencode", b"=ZZ=", b"aGk",
        b"Content-Disposition: attachment; filename*0*=utf-8''%ff; filename*1=x", b"Content-ID: <a>", b"begin 644 x",
        b"<p>hi</p>", b"> quoted ", b"Content-Type: multipart/related; start=\"<a>\"; boundary=b", b":", b" folded",
    ]
)  # fmt: skip
MESSAGES = st.tuples(
    st.lists(st.one_of(LINES, st.binary(max_size=20)), max_size=40), st.sampled_from([b"\r\n", b"\n", b"\r"])
).map(lambda drawn: drawn[1].join(drawn[0]))


@bounded
@given(MARKUP)
def test_no_markup_gets_through_the_first_wall(html: str) -> None:
    try:
        safe = sanitise(html, REFERENCES)
    except TooComplex:
        return
    assert faults_of(safe) == []
    again = sanitise(safe.html, REFERENCES)
    assert faults_of(again) == []


@bounded
@given(MARKUP)
def test_no_text_becomes_markup(text: str) -> None:
    assert faults_of(SafeHtml(as_html(text, "Show", flowed=True))) == []
    assert faults_of(SafeHtml(as_html(html_to_text(text), "Show"))) == []


@bounded
@given(MESSAGES)
def test_every_message_is_parsed_and_shown(raw: bytes) -> None:
    parsed = parse(raw)
    for as_text in (False, True):
        sections = {name: parsed.sections.get(name, b"") for name in wanted_sections(parsed.root, as_text=as_text)}
        body = render(parsed.root, sections, REFERENCES, Words(), as_text=as_text, damaged=parsed.damaged)
        assert faults_of(body) == []


@bounded
@given(st.binary(max_size=200), st.text(max_size=30))
def test_text_of_any_charset(octets: bytes, charset: str) -> None:
    assert isinstance(decode.text(octets, charset), str)
    assert "\n" not in decode.header(octets)


@bounded
@given(
    st.lists(st.binary(max_size=40), max_size=8),
    st.sampled_from(["base64", "quoted-printable", "x-uuencode", "7bit"]),
)
def test_the_pieces_of_a_stream_do_not_matter(pieces: list[bytes], encoding: str) -> None:
    assert b"".join(decode.transfer_stream(pieces, encoding)) == decode.transfer(b"".join(pieces), encoding)
