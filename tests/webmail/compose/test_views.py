"""The composer without script: every button, every fault at its field, nothing lost."""

from __future__ import annotations

import re
from io import BytesIO
from uuid import uuid4

import pytest
from sqlalchemy import select

from app.compose import service
from app.compose.models import AttachmentChunk, Draft, DraftAttachment
from app.errors import EngineSilent
from app.outbox.models import Outgoing
from app.outbox.states import OutboxState
from tests.factories import make_account, make_folder, make_message

pytestmark = pytest.mark.parametrize("config", ["sqlite"], indirect=True)  # test_service.py runs on both databases


@pytest.fixture
def browser(browser_of, alice):
    return browser_of(alice)


def found(pattern, text):
    match = re.search(pattern, text, re.DOTALL)
    assert match is not None
    return match[1]


def only_draft(db):
    db.commit()
    return db.scalars(select(Draft).execution_options(populate_existing=True)).one()


def test_a_new_message_offers_every_address_of_ones_own(db, alice, bob, browser, account):
    other = make_account(db, alice, address="work@example.net", label="Work")
    make_account(db, bob, address="bob@example.net")
    page = browser.get("/mail/compose?to=ines@x.example&subject=Hi&body=Dear+Ines").text
    assert re.findall(r'<option value="(\d+)"', page) == [str(account.identities[0].id), str(other.identities[0].id)]
    assert 'value="ines@x.example"' in page
    assert "Dear Ines" in page
    assert "bob@example.net" not in page


def test_looking_at_a_new_message_stores_nothing(db, browser, account):
    browser.get("/mail/compose")
    assert db.scalars(select(Draft)).all() == []


def test_saved_and_opened_again(db, browser, compose_form, url):
    answer = browser.post(url, data=compose_form(bcc="boss@x.example", text="Dear <b>Bob</b>\n\n-- \nAlice"))
    assert (answer.status_code, answer.location) == (303, f"{url}?back=/mail")
    page = browser.get(answer.location).text
    assert "Dear &lt;b&gt;Bob&lt;/b&gt;\n\n-- \nAlice" in page
    assert 'value="boss@x.example"' in page
    assert only_draft(db).version == 1


def test_saving_again_raises_the_version_and_the_same_again_does_not(db, browser, compose_form, url):
    browser.post(url, data=compose_form())
    browser.post(url, data=compose_form(version="1", text="more"))
    browser.post(url, data=compose_form(version="2", text="more"))
    assert (only_draft(db).version, only_draft(db).text) == (2, "more")


def test_a_second_tab_sees_both_versions_and_overwrites_only_knowingly(db, browser, compose_form, url):
    browser.post(url, data=compose_form(text="first tab"))
    browser.post(url, data=compose_form(version="1", text="first tab, later"))
    answer = browser.post(url, data=compose_form(version="1", text="second tab"))
    assert answer.status_code == 409
    assert "first tab, later" in answer.text
    assert "second tab" in answer.text
    assert only_draft(db).text == "first tab, later"
    assert 'name="version" value="2"' in answer.text
    browser.post(url, data=compose_form(version="2", text="second tab"))
    assert only_draft(db).text == "second tab"


def test_autosave_tells_the_version_and_a_conflict(db, browser, compose_form, url):
    first = browser.put(url, data=compose_form())
    assert (first.status_code, first.json["version"], first.json["url"]) == (200, 1, url)
    lost_answer = browser.put(url, data=compose_form())
    assert (lost_answer.status_code, lost_answer.json["version"]) == (200, 1)
    conflict = browser.put(url, data=compose_form(text="other tab"))
    assert (conflict.status_code, conflict.json["version"]) == (409, 1)
    assert only_draft(db).text == "Dear Bob"


def test_close_files_the_draft_now_and_goes_back(db, browser, compose_form, url, clock):
    answer = browser.post(url, data=compose_form(do="close", back="/mail/folder/7"))
    assert answer.location == "/mail/folder/7"
    assert only_draft(db).file_after == clock.now()


def test_discard_forgets_it(db, browser, compose_form, url):
    browser.post(url, data=compose_form())
    browser.post(url, data=compose_form(version="1", do="discard"))
    assert db.scalars(select(Draft)).all() == []
    assert browser.get(url).status_code == 404


@pytest.mark.parametrize("back", ["https://evil.example/", "//evil.example/", "/\\evil.example", "javascript:alert(1)"])
def test_back_never_leaves_the_site(browser, compose_form, url, back):
    assert browser.post(url, data=compose_form(do="close", back=back)).location in ("/", "/mail")


def test_sending_goes_back_with_an_undo_button_that_opens_the_draft(db, browser, compose_form, url):
    answer = browser.post(url, data=compose_form(do="send", back="/mail/outbox"))
    assert (answer.status_code, answer.location) == (303, "/mail/outbox")
    page = browser.get("/mail/outbox").text
    assert "Sending in 10 seconds" in page
    undo = found(r'action="(/mail/outbox/[0-9a-f-]+/undo)"', page)
    again = browser.post(undo, data={"back": "/mail/outbox"})
    assert again.location == f"{url}?back=/mail/outbox"
    assert "Dear Bob" in browser.get(again.location).text
    assert db.scalars(select(Outgoing.state)).all() == [OutboxState.CANCELLED]


def test_pressing_send_twice_sends_once(db, browser, compose_form, url):
    browser.post(url, data=compose_form(do="send"))
    browser.post(url, data=compose_form(do="send", version="1"))
    assert db.scalars(select(Outgoing.state)).all() == [OutboxState.HELD]


@pytest.mark.parametrize(
    ("changes", "field", "words"),
    [
        ({"to": "oskar@brandt"}, "to", "oskar@brandt has no ending such as .com. Correct or remove it to send."),
        ({"to": "a@x.example, Ines"}, "to", "Ines is no address: it has no @."),
        ({"cc": "a..b@x.example"}, "cc", "a..b@x.example is not a mail address."),
        ({"bcc": "x@"}, "bcc", "x@ is not a mail address."),
        ({"to": ""}, "to", "Nobody to send this to. Write at least one address."),
        ({"from": ""}, "from", "Choose the address to write from."),
        ({"from": "999999"}, "from", "Choose the address to write from."),
    ],
)
def test_a_fault_stands_at_its_field_and_the_text_is_kept(db, browser, compose_form, url, changes, field, words):
    answer = browser.post(url, data=compose_form(do="send", **changes))
    assert answer.status_code == 422
    error = found(rf'<p class="error" id="{field}-error">.*?</svg>(.*?)</p>', answer.text)
    assert words in error
    assert f'aria-invalid="true" aria-describedby="{field}-error"' in answer.text
    assert only_draft(db).text == "Dear Bob"
    assert db.scalars(select(Outgoing)).all() == []


def test_only_own_addresses_can_be_written_from(db, bob, browser, compose_form, url):
    theirs = make_account(db, bob).identities[0]
    assert browser.post(url, data=compose_form(do="send", **{"from": str(theirs.id)})).status_code == 422
    assert only_draft(db).identity_id is None


def test_nothing_typed_breaks_out_of_the_message(db, browser, compose_form, url):
    evil = "x\r\nBcc: eve@evil.example\0"
    browser.post(url, data=compose_form(do="send", subject=evil, to='"a\r\nBcc: e@e.example" <bob@example.org>'))
    sent = db.scalars(select(Outgoing)).one()
    assert sent.recipients == ["bob@example.org"]
    assert b"\r\nBcc" not in sent.message


# Attachments


def file(name="notes.txt", octets=b"hello", kind="text/plain"):
    return (BytesIO(octets), name, kind)


def test_attached_with_the_form_shown_fetched_and_removed(db, browser, compose_form, url):
    octets = bytes(range(256)) * 1_900
    answer = browser.post(url, data=compose_form(files=[file("Übung.bin", octets), file()]))
    page = browser.get(answer.location).text
    assert "Übung.bin" in page
    assert "486 KB" in page
    first = db.scalars(select(DraftAttachment).order_by(DraftAttachment.id)).first()
    sizes = [len(chunk.data) for chunk in db.scalars(select(AttachmentChunk).where(
        AttachmentChunk.attachment_id == first.id).order_by(AttachmentChunk.number))]  # fmt: skip
    assert sizes == [262_144, 224_256]
    fetched = browser.get(f"{url}/attachments/{first.uuid}")
    assert fetched.data == octets
    assert fetched.headers["Content-Disposition"].startswith("attachment")
    browser.post(url, data=compose_form(version="1", remove=first.uuid))
    assert [row.filename for row in db.scalars(select(DraftAttachment))] == ["notes.txt"]


def test_a_page_attached_as_html_is_never_shown_in_place(browser, db, compose_form, url):
    browser.post(url, data=compose_form(files=[file("x.html", b"<script>", "text/html")]))
    row = db.scalars(select(DraftAttachment)).one()
    answer = browser.get(f"{url}/attachments/{row.uuid}")
    assert answer.headers["Content-Type"] == "application/octet-stream"
    assert "sandbox" in answer.headers["Content-Security-Policy"]


def test_too_much_is_refused_by_name_and_what_was_written_is_kept(
    db, app, parts, browser, compose_form, url, monkeypatch
):
    monkeypatch.setattr("app.compose.attachments.room_octets", lambda *_: 300_000)
    answer = browser.post(url, data=compose_form(text="long letter", files=[file("big.bin", b"x" * 300_001), file()]))
    assert answer.status_code == 422
    assert "big.bin is not attached: the message would be larger than 50 MiB." in answer.text
    assert only_draft(db).text == "long letter"
    assert [row.filename for row in db.scalars(select(DraftAttachment))] == ["notes.txt"]


def test_uploads_by_script_tell_what_is_attached(browser, compose_form, url):
    browser.put(url, data=compose_form())
    told = browser.post(f"{url}/attachments", data={"files": [file()]}).json
    assert [(entry["name"], entry["octets"]) for entry in told["files"]] == [("notes.txt", 5)]
    left = browser.post(f"{url}/attachments/{told['files'][0]['uuid']}/remove").json
    assert left["files"] == []


def test_attachments_go_out_with_the_message(db, browser, compose_form, url):
    browser.post(url, data=compose_form(do="send", files=[file("../../Übung.txt", b"hello")]))
    sent = db.scalars(select(Outgoing)).one()
    assert b"aGVsbG8=" in sent.message
    assert b"filename*=utf-8''%C3%9Cbung.txt" in sent.message


# HTML


def test_styled_text_is_cleaned_and_has_a_text_beside_it(db, browser, compose_form, url):
    html = '<p onclick="x()">Dear <b>Bob</b><script>alert(1)</script><img src="https://t.example/p.gif"></p>'
    browser.post(url, data=compose_form(format="html", html=html))
    draft = only_draft(db)
    assert "script" not in draft.html
    assert "onclick" not in draft.html
    assert "<b>Bob</b>" in draft.html
    assert draft.text == "Dear Bob"


# Answering


@pytest.fixture
def original(db, account):
    inbox = make_folder(db, account)
    header = (
        b"From: Ines Ferreira <ines@x.example>\r\nTo: alice@example.net, Greta <greta@x.example>\r\n"
        b"Cc: team@x.example\r\nSubject: Proofs\r\nMessage-ID: <o1@x.example>\r\nReferences: <o0@x.example>\r\n\r\n"
    )
    return make_message(
        db, inbox, header=header, subject="Proofs", from_name="Ines Ferreira", message_id="o1@x.example"
    )


@pytest.fixture
def fetched(monkeypatch):
    """What the mirror would fetch of any message, without an engine."""
    sections = {"1": b"The green is too cold.\r\n-- \r\nInes"}
    monkeypatch.setattr("app.compose.originals.get_sections", lambda *_args, **_kw: sections)
    return sections


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


# The sign-in ended


def test_what_was_posted_after_the_session_ended_is_handed_back(anonymous, compose_form, url, db):
    answer = anonymous.post(url, data=compose_form(text="a long letter", cc="c@x.example"))
    assert answer.status_code == 401
    assert "a long letter" in answer.text
    assert 'name="cc" value="c@x.example"' in answer.text
    assert db.scalars(select(Draft)).all() == []


def test_a_form_older_than_the_session_is_handed_back_too(app, browser, compose_form, url):
    app.config["WTF_CSRF_ENABLED"] = True
    answer = browser.post(url, data=compose_form(text="a long letter"))
    assert answer.status_code == 400
    assert "a long letter" in answer.text
    token = found(r'name="csrf_token" value="([^"]+)"', answer.text)
    assert browser.post(url, data=compose_form(text="a long letter", csrf_token=token)).status_code == 303


def test_autosave_with_a_stale_token_is_told_a_new_one(app, browser, compose_form, url):
    app.config["WTF_CSRF_ENABLED"] = True
    answer = browser.put(url, data=compose_form())
    assert answer.status_code == 400
    again = browser.put(url, data=compose_form(), headers={"X-CSRFToken": answer.json["token"]})
    assert again.status_code == 200


# Everybody's own


@pytest.fixture
def alices(db, browser, compose_form, url, original):
    """A draft of Alice's with a file, a message on its way, and a message to answer."""
    browser.post(url, data=compose_form(files=[file()]))
    attachment = db.scalars(select(DraftAttachment)).one()
    sending = f"/mail/draft/{uuid4()}"
    browser.post(sending, data=compose_form(do="send", subject="On its way"))
    outgoing = db.scalars(select(Outgoing)).one()
    return {"url": url, "file": attachment.uuid, "outgoing": outgoing.uuid, "message": original.id}


REQUESTS = [
    ("get", "{url}"),
    ("post", "{url}"),
    ("put", "{url}"),
    ("post", "{url}/attachments"),
    ("get", "{url}/attachments/{file}"),
    ("post", "{url}/attachments/{file}/remove"),
    ("get", "/mail/message/{message}/reply"),
    ("get", "/mail/message/{message}/reply-all"),
    ("get", "/mail/message/{message}/forward"),
    ("get", "/mail/message/{message}/edit"),
    ("post", "/mail/message/{message}/reply"),
    ("post", "/mail/outbox/{outgoing}/undo"),
    ("post", "/mail/outbox/{outgoing}/again"),
    ("post", "/mail/outbox/{outgoing}/sent"),
    ("post", "/mail/outbox/{outgoing}/dismiss"),
]


@pytest.mark.parametrize(("method", "path"), REQUESTS)
def test_what_is_somebody_elses_does_not_exist(db, alices, mallory, browser_of, compose_form, method, path):
    theirs = browser_of(mallory)
    data = compose_form(version="1") if method != "get" else None
    answer = getattr(theirs, method)(path.format(**alices), data=data)
    absent = alices | {"url": f"/mail/draft/{uuid4()}", "file": str(uuid4()), "outgoing": str(uuid4()), "message": 9999}
    missing = getattr(theirs, method)(path.format(**absent), data=data)
    assert (answer.status_code, missing.status_code) == (404, 404)
    assert "Dear Bob" not in answer.text
    db.commit()
    assert db.scalars(select(Draft.text).order_by(Draft.id)).all() == ["Dear Bob", "Dear Bob"]
    assert db.scalars(select(Outgoing.state)).all() == [OutboxState.HELD]


def test_somebody_elses_name_cannot_be_begun_again(alices, mallory, browser_of, compose_form, db):
    theirs = browser_of(mallory)
    assert theirs.put(alices["url"], data=compose_form(text="mine now")).status_code == 404
    assert "mine now" not in db.scalars(select(Draft.text)).all()


def test_the_outbox_and_drafts_list_only_ones_own(alices, mallory, browser_of):
    assert "On its way" not in browser_of(mallory).get("/mail/outbox").text


@pytest.mark.parametrize(("method", "path"), [*REQUESTS, ("get", "/mail/compose"), ("get", "/mail/outbox")])
def test_strangers_are_asked_to_sign_in(alices, anonymous, method, path):
    answer = getattr(anonymous, method)(path.format(**alices))
    assert answer.status_code in (302, 401)
    assert "Dear Bob" not in answer.text


def test_names_of_drafts_are_uuids(browser, compose_form):
    for name in ("x", "../../etc", "123", str(uuid4()).upper()):
        assert browser.put(f"/mail/draft/{name}", data=compose_form()).status_code == 404


def test_a_draft_on_its_way_is_shown_in_the_outbox(browser, compose_form, url):
    browser.post(url, data=compose_form(do="send"))
    assert browser.get(url).location == "/mail/outbox"
    late = browser.put(url, data=compose_form(version="1", text="more"))
    assert (late.status_code, late.json["handed_over"]) == (409, True)
    answer = browser.post(url, data=compose_form(version="1", text="more"))
    assert answer.status_code == 409
    assert "already on its way" in answer.text
    assert "more" in answer.text


def test_the_engine_is_rung(parts, browser, compose_form, url, account):
    with parts.bus.subscribe() as ear:
        browser.post(url, data=compose_form(do="send"))
        assert any(bell.subject == account.id for bell in ear.wait(5))


def test_saved_drafts_belong_to_the_identitys_account(db, browser, compose_form, url, account):
    browser.put(url, data=compose_form())
    assert only_draft(db).account_id == account.id
    assert service.values_of(only_draft(db)).to == "bob@example.org"


def test_a_message_is_answered_below_it(browser, original, fetched, monkeypatch):
    monkeypatch.setattr("app.messages.content.wanted.get_sections", lambda *_args, **_kw: fetched)
    page = browser.get(f"/mail/message/{original.id}").text
    assert f'class="quick-reply" action="/mail/message/{original.id}/reply"' in page
    assert "Send to all" in page
    assert "/edit" not in page
