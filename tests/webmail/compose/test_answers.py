"""Answers and forwarded messages in the composer: how they begin, and what they do to their original."""

from __future__ import annotations

import re

import pytest
from sqlalchemy import select

from app.compose.models import DraftAttachment
from app.errors import EngineSilent
from app.outbox.models import Outgoing
from tests.factories import make_folder, make_message

pytestmark = pytest.mark.parametrize("config", ["sqlite"], indirect=True)  # test_service.py runs on both databases


@pytest.mark.parametrize(
    ("kind", "to", "cc", "subject"),
    [
        ("reply", "Ines Ferreira &lt;ines@x.example&gt;", "", "Re: Proofs"),
        ("reply-all", "Ines Ferreira &lt;ines@x.example&gt;, Greta &lt;greta@x.example&gt;", "team@x.example",
         "Re: Proofs"),
        ("forward", "", "", "Fwd: Proofs"),
    ],
)  # fmt: skip
def test_an_answer_begins_filled_in(browser, original, fetched, kind, to, cc, subject):
    page = browser.get(f"/mail/message/{original.id}/{kind}").text
    fields = dict(re.findall(r'<input id="(to|cc|subject)" name="\w+" value="([^"]*)"', page))
    assert fields == {"to": to, "cc": cc, "subject": subject}
    assert ("&gt; The green is too cold." in page) is (kind != "forward")
    assert "The green is too cold." in page


def test_an_answer_threads_and_marks_its_original(db, browser, original, fetched, compose_form, url):
    page = browser.get(f"/mail/message/{original.id}/reply").text
    hidden = dict(re.findall(r'<input type="hidden" name="(\w+)" value="([^"]*)"', page))
    browser.post(url, data=compose_form(do="send", **{
        name: hidden[name].replace("&lt;", "<").replace("&gt;", ">")
        for name in ("kind", "answers", "in_reply_to", "references")}))  # fmt: skip
    sent = db.scalars(select(Outgoing)).one()
    assert b"\r\nIn-Reply-To: <o1@x.example>\r\nReferences: <o0@x.example> <o1@x.example>\r\n" in sent.message
    assert (sent.answers_message_id, sent.answer_flag) == (original.id, "\\Answered")


def test_a_silent_engine_leaves_an_empty_answer_that_says_so(browser, original, monkeypatch):
    def silent(*_args, **_kw):
        raise EngineSilent

    monkeypatch.setattr("app.compose.originals.get_sections", silent)
    page = browser.get(f"/mail/message/{original.id}/reply")
    assert page.status_code == 200
    assert "The text of the original is not here" in page.text


def test_a_quick_reply_is_sent_with_the_undo_time(db, browser, original, fetched):
    answer = browser.post(
        f"/mail/message/{original.id}/reply", data={"text": "Warm it a hair.", "back": "/mail/outbox"}
    )
    assert answer.location == "/mail/outbox"
    sent = db.scalars(select(Outgoing)).one()
    assert (sent.recipients, sent.subject) == (["ines@x.example"], "Re: Proofs")
    assert b"Warm it a hair." in sent.message
    assert b"> The green is too cold." in sent.message


def test_a_quick_reply_to_all_and_into_the_full_editor(db, browser, original, fetched):
    browser.post(f"/mail/message/{original.id}/reply", data={"text": "Yes.", "all": "1"})
    assert len(db.scalars(select(Outgoing)).one().recipients) == 3
    answer = browser.post(f"/mail/message/{original.id}/reply", data={"text": "Well,", "do": "edit"})
    assert answer.location.startswith("/mail/draft/")
    assert "Well," in browser.get(answer.location).text


def test_a_forward_takes_the_ticked_attachments_once(db, browser, account, fetched, compose_form, url, monkeypatch):
    structure = (
        b'(("TEXT" "PLAIN" ("CHARSET" "utf-8") NIL NIL "7BIT" 5 1 NIL NIL NIL NIL)'
        b'("APPLICATION" "PDF" ("NAME" "a.pdf") NIL NIL "BASE64" 8 NIL ("ATTACHMENT" ("FILENAME" "a.pdf")) NIL NIL)'
        b' "MIXED" NIL NIL NIL NIL)'
    )
    message = make_message(db, make_folder(db, account), bodystructure=structure)
    page = browser.get(f"/mail/message/{message.id}/forward").text
    assert re.findall(r'name="original" value="([^"]*)" checked', page) == ["2"]
    part = type("Part", (), {"media_type": "application/pdf", "filename": "a.pdf", "section": "2"})
    monkeypatch.setattr("app.compose.originals.content.open_part", lambda *_: (part, iter([b"%PDF"])))
    posted = compose_form(kind="forward", answers=str(message.id), original=["2"])
    browser.put(url, data=posted)
    browser.put(url, data=posted | {"version": "1"})
    browser.post(url, data=posted | {"version": "1", "do": "send", "original": []})
    assert db.scalars(select(DraftAttachment.filename)).all() == ["a.pdf"]
    sent = db.scalars(select(Outgoing)).one()
    assert (sent.answer_flag, b"JVBERg==" in sent.message) == ("$Forwarded", True)


def test_a_message_is_answered_below_it(browser, original, fetched, monkeypatch):
    monkeypatch.setattr("app.messages.content.wanted.get_sections", lambda *_args, **_kw: fetched)
    page = browser.get(f"/mail/message/{original.id}").text
    assert f'class="quick-reply" action="/mail/message/{original.id}/reply"' in page
    assert "Send to all" in page
    assert "/edit" not in page
