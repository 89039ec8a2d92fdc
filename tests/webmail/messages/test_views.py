"""The routes of reading: what they show, what they refuse, and that they show it to nobody else."""

from __future__ import annotations

import base64
import re
from collections.abc import Callable
from urllib.parse import parse_qs, urlsplit

import pytest
from flask.testing import FlaskClient
from sqlalchemy import select
from sqlalchemy.orm import Session

from app.actions.models import Action
from app.config import Config
from app.errors import TimedOut
from app.messages import remote_images, signing
from app.messages.models import TrustedImageSender
from app.mirror.models import Message
from app.runtime import Runtime
from app.users.models import User

Browser = Callable[[User], FlaskClient]
Deliver = Callable[..., Message]

PIXEL = base64.b64decode(
    "iVBORw0KGgoAAAANSUhEUgAAAAEAAAABCAYAAAAfFcSJAAAADUlEQVR42mNk+M9QDwADhgGAWjR9awAAAABJRU5ErkJggg=="
)
MIXED = (
    b'(("TEXT" "HTML" ("CHARSET" "utf-8") NIL NIL "8BIT" 60 1 NIL NIL NIL NIL)'
    b'("IMAGE" "PNG" ("NAME" "dot.png") "<dot@x>" NIL "BASE64" 96 NIL ("INLINE" ("FILENAME" "dot.png")) NIL NIL)'
    b'("TEXT" "HTML" ("NAME" "page.html") NIL NIL "7BIT" 25 1 NIL ("ATTACHMENT" ("FILENAME" "caf\xc3\xa9 page.html"))'
    b' NIL NIL) "MIXED" ("BOUNDARY" "b") NIL NIL NIL)'
)
MIXED_SECTIONS = {
    "1": b'<p>Look: <img src="cid:dot@x"></p>',
    "2": base64.encodebytes(PIXEL),
    "3": b"<script>alert(1)</script>",
    "HEADER": b"From: =?utf-8?q?M=C3=A4ren?= <m@example.com>\r\nX-Odd: <b>\r\n folded\r\n\r\n",
    "": b"From: m@example.com\r\n\r\n<script>alert(1)</script>",
}
REMOTE = '<p>Hello</p><img src="https://tracker.example/pixel.gif?id=1">'


@pytest.fixture
def config(sqlite_config: Config) -> Config:
    """What differs by database is tested in test_stored.py."""
    return sqlite_config


@pytest.fixture
def mixed(deliver: Deliver) -> Message:
    return deliver(MIXED_SECTIONS, bodystructure=MIXED, subject='Größe, "quoted"/slashed')


TOKEN = re.compile(r'name="csrf-token" content="[^"]*"')
ROUTES = ("", "/body", "/part/2", "/headers", "/source")


@pytest.mark.parametrize("route", ROUTES)
def test_somebody_elses_message_is_no_different_from_none(
    mixed: Message, mallory: User, browser_of: Browser, anonymous: FlaskClient, alice: User, route: str
) -> None:
    browser = browser_of(mallory)
    theirs, nobodys = (browser.get(f"/mail/message/{number}{route}") for number in (mixed.id, 999999))
    assert theirs.status_code == nobodys.status_code == 404
    assert TOKEN.sub("", theirs.text) == TOKEN.sub("", nobodys.text)
    assert anonymous.get(f"/mail/message/{mixed.id}{route}").status_code in (302, 401)
    assert browser_of(alice).get(f"/mail/message/{mixed.id}{route}").status_code == 200


def test_nobody_else_can_trust_a_sender_through_a_message(
    mixed: Message, mallory: User, bob: User, browser_of: Browser, db: Session
) -> None:
    for stranger in (mallory, bob):
        answer = browser_of(stranger).post(f"/mail/message/{mixed.id}/images", data={"images": "address"})
        assert answer.status_code == 404
    assert db.scalars(select(TrustedImageSender)).all() == []


def test_a_plain_message_stands_in_the_page_with_its_links(deliver: Deliver, alice: User, browser_of: Browser) -> None:
    message = deliver({"1": b"See https://example.org/ <b>now</b>\r\n"}, subject="Plain <words>")
    page = browser_of(alice).get(f"/mail/message/{message.id}").text
    assert "<h1>Plain &lt;words&gt;</h1>" in page
    assert '<a href="https://example.org/" target="_blank" rel="noopener noreferrer">' in page
    assert "&lt;b&gt;now&lt;/b&gt;" in page
    assert "<iframe" not in page


def test_html_stands_in_a_frame_of_its_own(mixed: Message, alice: User, browser_of: Browser) -> None:
    page = browser_of(alice).get(f"/mail/message/{mixed.id}").text
    assert f'src="/mail/message/{mixed.id}/body"' in page
    assert "Look:" not in page
    assert "café page.html" in page
    assert ">dot.png<" not in page  # it is shown in the text, so it is no attachment
    body = browser_of(alice).get(f"/mail/message/{mixed.id}/body")
    assert f'<img src="/mail/message/{mixed.id}/part/2">' in body.text


def test_the_frame_has_the_policy_of_the_second_wall(mixed: Message, alice: User, browser_of: Browser) -> None:
    answer = browser_of(alice).get(f"/mail/message/{mixed.id}/body")
    policy = answer.headers["Content-Security-Policy"]
    assert policy.startswith(
        "sandbox allow-same-origin allow-popups allow-popups-to-escape-sandbox; default-src 'none'"
    )
    assert "allow-scripts" not in policy
    assert "script-src" not in policy
    assert answer.headers["X-Frame-Options"] == "SAMEORIGIN"
    assert answer.headers["X-Content-Type-Options"] == "nosniff"


@pytest.mark.parametrize(
    ("section", "query", "content_type", "kind"),
    [
        ("2", "", "image/png", "inline"),
        ("2", "?download=1", "application/octet-stream", "attachment"),
        ("3", "", "application/octet-stream", "attachment"),  # HTML is never shown in place
    ],
)
def test_parts_are_decoded_and_cannot_run(
    mixed: Message, alice: User, browser_of: Browser, section: str, query: str, content_type: str, kind: str
) -> None:
    answer = browser_of(alice).get(f"/mail/message/{mixed.id}/part/{section}{query}")
    assert answer.headers["Content-Type"] == content_type
    assert answer.headers["Content-Disposition"].startswith(kind + ";")
    assert answer.headers["X-Content-Type-Options"] == "nosniff"
    assert answer.headers["Content-Security-Policy"].startswith("sandbox;")
    assert answer.data == (PIXEL if section == "2" else MIXED_SECTIONS["3"])


def test_file_names_are_told_in_both_forms(mixed: Message, alice: User, browser_of: Browser) -> None:
    answer = browser_of(alice).get(f"/mail/message/{mixed.id}/part/3")
    assert answer.headers["Content-Disposition"] == (
        "attachment; filename=\"caf_ page.html\"; filename*=UTF-8''caf%C3%A9%20page.html"
    )


@pytest.mark.parametrize("section", ["TEXT", "9", "2.1", "..", "1%0d%0aX"])
def test_a_section_the_message_does_not_have_is_not_found(
    mixed: Message, alice: User, browser_of: Browser, section: str
) -> None:
    assert browser_of(alice).get(f"/mail/message/{mixed.id}/part/{section}").status_code == 404


def test_headers_are_decoded_and_escaped(mixed: Message, alice: User, browser_of: Browser) -> None:
    page = browser_of(alice).get(f"/mail/message/{mixed.id}/headers").text
    assert "<dt>From</dt><dd>Mären &lt;m@example.com&gt;</dd>" in page
    assert "<dt>X-Odd</dt><dd>&lt;b&gt; folded</dd>" in page


def test_the_source_is_text_or_a_download(mixed: Message, alice: User, browser_of: Browser) -> None:
    shown = browser_of(alice).get(f"/mail/message/{mixed.id}/source")
    assert shown.data == MIXED_SECTIONS[""]
    assert shown.headers["Content-Type"] == "text/plain; charset=utf-8"
    assert shown.headers["Content-Security-Policy"].startswith("sandbox;")
    kept = browser_of(alice).get(f"/mail/message/{mixed.id}/source?download=1")
    assert kept.headers["Content-Type"] == "message/rfc822"
    assert kept.headers["Content-Disposition"].endswith("filename*=UTF-8''Gr%C3%B6%C3%9Fe%2C%20_quoted__slashed.eml")


def test_remote_images_are_held_back_until_shown_once(
    html_mail: Deliver, alice: User, bob: User, browser_of: Browser, parts: Runtime
) -> None:
    message = html_mail(REMOTE)
    browser = browser_of(alice)
    page = browser.get(f"/mail/message/{message.id}").text
    assert "1 image held back" in page
    assert "tracker.example" not in browser.get(f"/mail/message/{message.id}/body").text
    for forged in ("1", signing.show_key(parts.private, bob.id, message.id)):
        assert "tracker.example" not in browser.get(f"/mail/message/{message.id}/body?images={forged}").text
    key = signing.show_key(parts.private, alice.id, message.id)
    assert f"images={key}" in page
    shown = browser.get(f"/mail/message/{message.id}?images={key}").text
    assert f"/body?images={key}" in shown
    body = browser.get(f"/mail/message/{message.id}/body?images={key}").text
    assert 'src="/mail/image?url=https%3A%2F%2Ftracker.example' in body


@pytest.mark.parametrize(
    ("target", "place"),
    [
        ("/mail/folder/1/message/2?view=messages", "/mail/folder/1/message/2?view=messages"),
        ("https://evil.example/", "/"),
        ("", None),
    ],
)
def test_after_trusting_the_page_it_was_done_on_comes_again(
    html_mail: Deliver, alice: User, browser_of: Browser, target: str, place: str | None
) -> None:
    message = html_mail(REMOTE)
    answer = browser_of(alice).post(f"/mail/message/{message.id}/images", data={"images": "address", "next": target})
    assert answer.headers["Location"] == (place or f"/mail/message/{message.id}")


def test_trusting_a_sender_needs_a_choice(html_mail: Deliver, alice: User, browser_of: Browser) -> None:
    message = html_mail(REMOTE)
    assert browser_of(alice).post(f"/mail/message/{message.id}/images").status_code == 400


def test_the_image_proxy_serves_only_what_was_signed_for_this_person(
    html_mail: Deliver,
    alice: User,
    mallory: User,
    browser_of: Browser,
    parts: Runtime,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    asked: list[str] = []

    def load(_db: object, _resolver: object, url: str, _context: object) -> remote_images.Image:
        asked.append(url)
        return remote_images.Image("image/gif", b"GIF89a")

    monkeypatch.setattr(remote_images, "load_image", load)
    message = html_mail(REMOTE)
    key = signing.show_key(parts.private, alice.id, message.id)
    body = browser_of(alice).get(f"/mail/message/{message.id}/body?images={key}").text
    address = body.split('<img src="')[1].split('"')[0].replace("&amp;", "&")
    answer = browser_of(alice).get(address)
    assert (answer.status_code, answer.data, answer.content_type) == (200, b"GIF89a", "image/gif")
    assert answer.headers["X-Content-Type-Options"] == "nosniff"
    assert browser_of(mallory).get(address).status_code == 404
    url = parse_qs(urlsplit(address).query)["url"][0]
    assert browser_of(alice).get("/mail/image", query_string={"url": url + "x", "key": "0" * 24}).status_code == 404
    assert asked == [url]


def test_an_image_that_cannot_be_fetched_is_not_found(
    deliver: Deliver, alice: User, browser_of: Browser, parts: Runtime, monkeypatch: pytest.MonkeyPatch
) -> None:
    def fail(*_given: object) -> remote_images.Image:
        raise TimedOut

    monkeypatch.setattr(remote_images, "load_image", fail)
    key = signing.image_key(parts.private, alice.id, "https://x.example/a.png")
    asked = {"url": "https://x.example/a.png", "key": key}
    assert browser_of(alice).get("/mail/image", query_string=asked).status_code == 404


@pytest.mark.parametrize(("after_s", "read"), [(0, True), (2, True), (-1, False)])
def test_opening_marks_as_read_as_the_person_wants(
    deliver: Deliver, alice: User, browser_of: Browser, db: Session, after_s: int, read: bool
) -> None:
    message = deliver({"1": b"Hello"})
    alice.mark_read_after_s = after_s
    db.commit()
    browser_of(alice).get(f"/mail/message/{message.id}")
    db.expire_all()
    assert db.get_one(Message, message.id).seen is read
    assert len(db.scalars(select(Action)).all()) == read


def test_a_message_fetched_ahead_stays_unread(deliver: Deliver, alice: User, browser_of: Browser, db: Session) -> None:
    message = deliver({"1": b"Hello"})
    browser_of(alice).get(f"/mail/message/{message.id}", headers={"Sec-Purpose": "prefetch"})
    assert db.scalars(select(Action)).all() == []


def test_without_an_engine_the_page_says_so_and_marks_nothing(
    deliver: Deliver, alice: User, browser_of: Browser, db: Session, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("app.mirror.wanted._wait", _silent)
    message = deliver({})
    answer = browser_of(alice).get(f"/mail/message/{message.id}")
    assert answer.status_code == 200
    assert "could not be fetched" in answer.text
    assert db.scalars(select(Action)).all() == []


def _silent(*_given: object) -> None:
    raise TimedOut("no answer")


def test_a_message_without_a_readable_structure_is_parsed_whole(
    deliver: Deliver, alice: User, browser_of: Browser
) -> None:
    raw = b"Content-Type: text/plain; charset=iso-8859-1\r\n\r\nGr\xfc\xdfe"
    message = deliver({"": raw}, bodystructure=b"(((")
    assert "Grüße" in browser_of(alice).get(f"/mail/message/{message.id}").text
    assert browser_of(alice).get(f"/mail/message/{message.id}/part/1").data == b"Gr\xfc\xdfe"


def test_a_conversation_shows_the_others_folded(deliver: Deliver, alice: User, browser_of: Browser) -> None:
    first = deliver({}, preview="The hall has a leak", from_name="Tobias")
    second = deliver({"1": b"Thursday works"}, answers=first)
    page = browser_of(alice).get(f"/mail/message/{second.id}").text
    assert "Thursday works" in page
    assert "The hall has a leak" in page
    assert f'href="/mail/message/{first.id}"' in page
    assert "2 messages" in page


def test_another_message_with_the_same_message_id_does_not_take_its_place(
    deliver: Deliver, alice: User, browser_of: Browser
) -> None:
    first = deliver({"1": b"Thursday works"}, from_name="Tobias")
    second = deliver({"1": b"Never mind Thursday"}, answers=first, message_id=first.message_id)
    third = deliver({"1": b"What about Friday"}, answers=first)
    for message, words in ((first, "Thursday works"), (second, "Never mind Thursday"), (third, "What about Friday")):
        assert words in browser_of(alice).get(f"/mail/message/{message.id}").text


@pytest.mark.parametrize(
    ("plain", "words"), [(b"The words are here", "The words are here"), (b" ", "This message has no text.")]
)
def test_html_that_shows_nothing_gives_way_to_the_text_beside(
    deliver: Deliver, alice: User, browser_of: Browser, plain: bytes, words: str
) -> None:
    raw = b"Content-Type: multipart/alternative; boundary=b\r\n\r\n--b\r\n\r\n%s\r\n--b\r\n" % plain
    raw += b"Content-Type: text/html\r\n\r\n<body lang=RU>\r\n</body>\r\n--b--\r\n"
    message = deliver({"": raw}, bodystructure=b"(((")
    assert words in browser_of(alice).get(f"/mail/message/{message.id}").text


def test_html_can_be_read_as_text(html_mail: Deliver, alice: User, browser_of: Browser) -> None:
    message = html_mail("<p>Hello <b>there</b></p>")
    page = browser_of(alice).get(f"/mail/message/{message.id}?format=text").text
    assert "Hello there" in page
    assert "<iframe" not in page
